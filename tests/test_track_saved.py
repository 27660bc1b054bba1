"""Galleries on the disk: saved, loaded, damaged and hostile."""

import io
import json
import zipfile

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from colour_people import BLUE, GALLERY, LABELS, RED, classifier, colours, patch  # noqa: F401  (the fixture)

from TrackDetector.classifier import Classifier
from TrackDetector.gallery import GalleryError, load_gallery
from TrackDetector.predictions import UNKNOWN


def test_save_and_load(colours, tmp_path):
    c = classifier(colours, n_neighbors=2, combine="median", threshold=0.25).fit(GALLERY, LABELS)
    c.save(tmp_path / "g.npz")
    d = Classifier.load(tmp_path / "g.npz", colours, preprocess=None)
    assert (d.n_neighbors, d.combine, d.threshold, d.flip) == (2, "median", 0.25, True)
    photos = [patch(*RED), patch(*BLUE)]
    assert d.classify_images(photos, details=True) == c.classify_images(photos, details=True)
    assert Classifier.load(tmp_path / "g.npz", colours, preprocess=None, threshold=None).classify_images(photos)[1] != UNKNOWN
    assert not list(tmp_path.glob("*.part"))


def test_a_gallery_of_another_network_or_other_settings(colours, tmp_path):
    classifier(colours).fit(GALLERY, LABELS).save(tmp_path / "g.npz")
    with pytest.raises(GalleryError, match="another network than dlib_face_resnet"):
        Classifier.load(tmp_path / "g.npz")
    wider = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()], name="colours")
    with pytest.raises(GalleryError, match="descriptors of 3 numbers, but the network gives 192"):
        Classifier.load(tmp_path / "g.npz", wider, preprocess=None)
    with pytest.raises(GalleryError, match="n_neighbors is 9"):
        Classifier.load(tmp_path / "g.npz", colours, preprocess=None, n_neighbors=9)


def write(path, **parts):
    settings = {"format": "face gallery 1", "model": "colours", "layer": None, "n_neighbors": 1, "flip": True, "combine": "mean", "threshold": None}
    good = {"descriptors": np.ones((2, 3), np.float32), "labels": np.array(["a", "b"]), "photos": np.array(["1", "2"]),
            "settings": np.array(json.dumps(settings))}
    good.update(parts)
    np.savez(path, **{name: part for name, part in good.items() if part is not None})
    return path


def test_the_writer_of_bad_galleries_can_write_a_good_one(colours, tmp_path):
    assert len(Classifier.load(write(tmp_path / "g.npz"), colours, preprocess=None).gallery_) == 2


class Hostile:
    def __reduce__(self):
        return exec, ("import pathlib; pathlib.Path('hostile-was-here').write_text('x')",)


@pytest.mark.parametrize("parts", [
    {"labels": np.array([Hostile(), Hostile()], dtype=object)}, {"settings": np.array(Hostile(), dtype=object)}, {"descriptors": None},
    {"descriptors": np.ones((3, 3), np.float32)}, {"descriptors": np.full((2, 3), np.nan, np.float32)}, {"descriptors": np.zeros((0, 3), np.float32)},
    {"descriptors": np.array(["x", "y"])}, {"descriptors": np.ones(2, np.float32)}, {"labels": np.array([1, 2])}, {"labels": np.array([["a", "b"]])},
    {"labels": np.array(["a"])}, {"settings": np.array("{")}, {"settings": np.array("[1]")}, {"settings": np.array('{"format": "face gallery 99"}')},
    {"settings": np.array("[" * 100_000)},
    {"settings": np.array(json.dumps({"format": "face gallery 1", "model": "colours", "preprocess": "os.system"}))},
    {"settings": np.array(json.dumps({"format": "face gallery 1", "model": "colours", "n_neighbors": "many"}))},
    {"settings": np.array(json.dumps({"format": "face gallery 1", "model": "colours", "n_neighbors": 1, "threshold": float("nan")}))},
    {"settings": np.array(json.dumps({"format": "face gallery 1", "model": "colours", "n_neighbors": 1, "threshold": [1]}))},
    {"settings": np.array(json.dumps({"format": "face gallery 1", "model": "colours", "n_neighbors": float("inf")}))},
    {"descriptors": np.full((2, 3), 1e30, np.float32)},
])
def test_hostile_galleries(colours, tmp_path, monkeypatch, parts):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "g.npz", **parts)
    with pytest.raises(GalleryError, match="g.npz"):
        Classifier.load(path, colours)
    assert not (tmp_path / "hostile-was-here").exists()


def test_damaged_galleries(tmp_path):
    whole = write(tmp_path / "g.npz").read_bytes()
    rng = np.random.default_rng(0)
    cases = [b"", b"no zip", whole[:100], whole[: len(whole) // 2], np.lib.format.MAGIC_PREFIX + b"\x01\x00"]
    for _ in range(60):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 3):
            data[at] = rng.integers(256)
        cases.append(bytes(data))
    refused = 0
    for data in cases:
        (tmp_path / "bad.npz").write_bytes(data)
        try:
            load_gallery(tmp_path / "bad.npz")
        except GalleryError as error:
            refused += 1
            assert "bad.npz" in str(error)
    assert refused > 40
    with pytest.raises(FileNotFoundError, match="gone.npz"):
        load_gallery(tmp_path / "gone.npz")


def test_a_gallery_that_would_fill_the_memory(tmp_path):
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (2**40, 128)})
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("descriptors.npy", head.getvalue())
        for name in ("labels", "photos", "settings"):
            archive.writestr(f"{name}.npy", b"")
    with pytest.raises(GalleryError, match="bomb.npz"):
        load_gallery(tmp_path / "bomb.npz")


def test_a_save_that_fails_leaves_the_old_file(colours, tmp_path, monkeypatch):
    c = classifier(colours).fit(GALLERY, LABELS)
    c.save(tmp_path / "g.npz")
    before = (tmp_path / "g.npz").read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        c.save(tmp_path / "g.npz")
    assert (tmp_path / "g.npz").read_bytes() == before and not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("name, part", [
    ("labels.npy", b""), ("labels.npy", b"no array"), ("descriptors.npy", b"\x93NUMPY\x01\x00\xb8\x0b" + b"(" * 3000),
    ("labels.npy", b"\x93NUMPY\x01\x00\x46\x00" + b"{'descr': '<U1', 'fortran_order': False, 'shape': (2,), }".ljust(69) + b"\n" + b"\0\0\x11\0" * 2),
])  # fmt: skip
def test_parts_that_are_no_arrays(tmp_path, name, part):
    write(tmp_path / "good.npz")
    with zipfile.ZipFile(tmp_path / "good.npz") as good, zipfile.ZipFile(tmp_path / "bad.npz", "w") as bad:
        for each in good.namelist():
            bad.writestr(each, part if each == name else good.read(each))
    with pytest.raises(GalleryError, match="bad.npz"):
        load_gallery(tmp_path / "bad.npz")
