"""Galleries on the disk: saved, loaded, damaged and hostile."""

import io
import json
import zipfile

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from colour_people import BLUE, GALLERY, LABELS, RED, classifier, colours, patch  # noqa: F401  (the fixture)

from TrackDetector.classifier import Classifier
from TrackDetector.galleries.storage import load_gallery, save_gallery
from TrackDetector.gallery import Gallery, GalleryError
from TrackDetector.neighbors.predictions import UNKNOWN


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


# --- galleries of today: read at once, or mapped ------------------------------------------------------


def store(path, count=40, **changed):
    """A whole gallery, and the same with parts exchanged; returns what went in."""
    rng = np.random.default_rng(0)
    gallery = Gallery(rng.normal(size=(count, 3)), [f"Zo\u00eb {k % 7}" for k in range(count)], [f"\u674e/{k}.jpg" for k in range(count)],
                      faces=np.arange(count) % 3, sharpness=rng.random(count), digests=rng.integers(0, 256, (count, 16)))
    settings = {"model": "colours", "layer": None, "n_neighbors": 1, "flip": True, "combine": "mean", "threshold": 0.4}
    save_gallery(path, gallery, settings, gallery.only([3, 5]))
    if changed:
        with zipfile.ZipFile(path) as whole:
            parts = {name: whole.read(name) for name in whole.namelist()}
        for name, part in changed.items():
            file = io.BytesIO()
            np.lib.format.write_array(file, np.asarray(part), allow_pickle=True)
            parts[f"{name}.npy"] = file.getvalue()
        with zipfile.ZipFile(path, "w") as bad:
            for name, data in parts.items():
                bad.writestr(name, data)
    return gallery, settings


@pytest.mark.parametrize("mapped", [False, True])
def test_a_gallery_comes_back_as_it_was(tmp_path, mapped):
    gallery, settings = store(tmp_path / "g.npz")
    again, read, aside = load_gallery(tmp_path / "g.npz", mapped)
    assert read == settings and isinstance(again.descriptors, np.memmap) == mapped and len(aside) == 2
    for name in ("descriptors", "labels", "photos", "people", "codes", "faces", "sharpness", "digests"):
        np.testing.assert_array_equal(getattr(again, name), getattr(gallery, name))
    assert again.descriptors.ctypes.data % 16 == 0 and not again.descriptors.flags.writeable == mapped
    with np.load(tmp_path / "g.npz") as plain:  # what numpy reads as well
        np.testing.assert_array_equal(plain["descriptors"], gallery.descriptors)
    first = (tmp_path / "g.npz").read_bytes()
    save_gallery(tmp_path / "again.npz", again, read, aside)
    assert (tmp_path / "again.npz").read_bytes() == first


def test_a_mapped_gallery_answers_alike(colours, tmp_path):
    classifier(colours, n_neighbors=2).fit(GALLERY, LABELS).save(tmp_path / "g.npz")
    answers = [Classifier.load(tmp_path / "g.npz", colours, mapped, preprocess=None).classify_images([patch(*RED), patch(*BLUE)], details=True) for mapped in (0, 1)]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("parts", [
    {"people": np.array(["b", "a"])}, {"people": np.array(["a", "a"])}, {"people": np.array([], str)}, {"people": np.array([1])}, {"people": np.array([Hostile()], object)},
    {"codes": np.full(40, 7, np.int32)}, {"codes": np.full(40, -1, np.int32)}, {"codes": np.zeros(39, np.int32)}, {"codes": np.zeros(40)},
    {"faces": np.zeros(3, np.uint16)}, {"sharpness": np.zeros((40, 2), np.float32)}, {"digests": np.zeros((40, 15), np.uint8)}, {"digests": np.zeros(40, np.uint8)},
    {"descriptors": np.full((40, 3), np.inf, np.float32)}, {"descriptors": np.full((40, 3), 1e7, np.float32)}, {"descriptors": np.zeros((39, 3), np.float32)},
    {"photos": np.array(["x"] * 39)}, {"photos": np.array([Hostile()] * 40, object)}, {"aside_codes": np.full(2, 9, np.int32)},
    {"photos": np.frombuffer(b"\0\0\x11\0" * 40, "<U1")},
])
def test_hostile_parts_of_todays_galleries(tmp_path, monkeypatch, parts, mapped):
    monkeypatch.chdir(tmp_path)
    store(tmp_path / "g.npz", **parts)
    with pytest.raises(GalleryError, match="g.npz"):
        load_gallery(tmp_path / "g.npz", mapped)
    assert not (tmp_path / "hostile-was-here").exists()


@pytest.mark.parametrize("mapped", [False, True])
def test_todays_galleries_with_wrong_bits_or_cut_short(tmp_path, mapped):
    gallery, settings = store(tmp_path / "g.npz")
    whole, rng, refused = (tmp_path / "g.npz").read_bytes(), np.random.default_rng(1), 0
    cases = [whole[:n] for n in rng.integers(0, len(whole), 30)]
    for at in rng.integers(0, len(whole), 150):
        cases.append(whole[:at] + bytes([whole[at] ^ 1 << int(rng.integers(8))]) + whole[at + 1 :])
    for data in cases:
        (tmp_path / "bad.npz").write_bytes(data)
        try:
            again, read, aside = load_gallery(tmp_path / "bad.npz", mapped)
        except GalleryError as error:
            refused += 1
            assert "bad.npz" in str(error)
        else:  # the bit lay in the space between the parts, or in a date
            assert read == settings
            np.testing.assert_array_equal(again.descriptors, gallery.descriptors)
            np.testing.assert_array_equal(again.labels, gallery.labels)
    assert refused > 120


def test_a_mapped_part_that_reaches_beyond_the_file(tmp_path):
    store(tmp_path / "g.npz")
    data = bytearray((tmp_path / "g.npz").read_bytes())
    at = data.index(b"(40, 3)")
    data[at : at + 7] = b"(99, 3)"
    (tmp_path / "g.npz").write_bytes(data)
    for mapped in (False, True):
        with pytest.raises(GalleryError, match="g.npz"):
            load_gallery(tmp_path / "g.npz", mapped)
