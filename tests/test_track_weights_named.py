"""Detectors whose file is named to the commands that name people: YuNet for those who have it, and weights of one's own for the kit's network."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("keras")

from common.detection.network import WEIGHTS
from common.orl import orl_faces
from TrackDetector import detectors
from TrackDetector.__main__ import main
from TrackDetector.commands import naming
from TrackDetector.commands.opening import open_gallery
from TrackDetector.galleries.editing import Saved

YUNET = Path(__file__).resolve().parents[2] / "shared/data/peers/face_detection_yunet_2026may.onnx"
needs_yunet = pytest.mark.skipif(not YUNET.is_file(), reason="YuNet's file is not beside the project")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Two people with three photos each, a photo of the first, and a second file of weights that finds the same."""
    home = tmp_path_factory.mktemp("named")
    for i, name in enumerate(("ann", "bob")):
        (home / "people" / name).mkdir(parents=True)
        for k in range(4):
            face = np.pad(orl_faces()[0][10 * i + k], 30, mode="edge")
            Image.fromarray(face).convert("RGB").save(home / "people" / name / f"{k}.png")
    (home / "people" / "ann" / "3.png").rename(home / "asked.png")
    with np.load(WEIGHTS) as arrays:
        np.savez(home / "mine.npz", **arrays, note=np.zeros(1))
    assert main(["gallery", "build", str(home / "mine-gallery.npz"), str(home / "people"), "--weights", str(WEIGHTS)]) == 0
    return home


def named(home, *more):
    """Whom the command takes the photo for."""
    out = home / "out.json"
    assert main(["--gallery", *map(str, more), str(home / "asked.png"), "--out", str(out)]) == 0
    return [face["name"] for face in json.loads(out.read_text())["files"][0]["faces"]]


def test_weights_of_ones_own_find_the_faces(home, capsys):
    assert Saved.read(home / "mine-gallery.npz").settings["detector"] == "kit" and "weights" not in Saved.read(home / "mine-gallery.npz").settings
    assert named(home, home / "mine-gallery.npz", "--weights", WEIGHTS) == named(home, home / "mine-gallery.npz") == ["ann"]
    assert main(["find", str(home / "people" / "ann"), str(home / "asked.png"), "--weights", str(WEIGHTS)]) == 0
    assert "asked.png" in capsys.readouterr().out


@needs_yunet
def test_YuNet_looks_for_those_who_have_its_file(home, capsys):
    gallery, yunet = home / "yunet.npz", ("--weights", str(YUNET))
    assert main(["gallery", "build", str(gallery), str(home / "people" / "ann"), "--person", "ann", "--detector", "yunet", *yunet]) == 0
    assert main(["gallery", "add", str(gallery), str(home / "people"), *yunet]) == 0, "the gallery says whose file it is"
    assert Saved.read(gallery).settings["detector"] == "yunet" and "bob" in Saved.read(gallery).people
    assert named(home, gallery, *yunet) == ["ann"] == named(home, home / "people", "--detector", "yunet", *yunet)
    assert main(["find", str(home / "people" / "ann"), str(home / "asked.png"), "--detector", "yunet", *yunet]) == 0
    capsys.readouterr()
    assert main(["--gallery", str(gallery), str(home / "asked.png")]) == 2
    assert "name it with --weights FILE" in capsys.readouterr().err
    assert named(home, gallery, "--detector", "kit") == ["ann"], "another detector needs no file"


@pytest.mark.parametrize("command", [["--gallery", "{people}", "{asked}"], ["gallery", "build", "{new}", "{people}"], ["gallery", "add", "{gallery}", "{people}"], ["find", "{asked}", "{people}"]])
def test_what_does_not_fit_together_is_said(home, tmp_path, capsys, command):
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    places = {"people": home / "people", "asked": home / "asked.png", "new": tmp_path / "new.npz", "gallery": home / "mine-gallery.npz"}
    command = [part.format(**places) for part in command]
    for wrong, said in ((["--detector", "yunet"], "name it with --weights FILE"), (["--detector", "hog", "--weights", str(WEIGHTS)], "'hog' takes no file of weights"),
                        (["--detector", "yunet", "--weights", str(tmp_path / "bad.onnx")], "cannot read it as YuNet"), (["--weights", str(tmp_path / "gone.npz")], "no such file of weights")):
        assert main([*command, *wrong]) == 2
        told = capsys.readouterr().err
        assert said in told and told.startswith("error: ")


def test_answers_of_other_weights_are_not_mixed(home, tmp_path, capsys):
    command = ["--gallery", str(home / "mine-gallery.npz"), str(home / "asked.png"), "--out", str(tmp_path / "out.jsonl")]
    assert main([*command, "--weights", str(WEIGHTS)]) == 0
    for other in (["--weights", str(home / "mine.npz")], []):
        assert main([*command, *other]) == 2
        assert "other settings" in capsys.readouterr().err
    assert main([*command, "--weights", str(WEIGHTS)]) == 0 and "were answered before" in capsys.readouterr().err


def test_the_weights_are_not_written_over(home, capsys):
    before = (home / "mine.npz").read_bytes()
    assert main(["--gallery", str(home / "people"), str(home / "asked.png"), "--weights", str(home / "mine.npz"), "--save-gallery", str(home / "mine.npz")]) == 2
    assert "mine.npz" in capsys.readouterr().err and (home / "mine.npz").read_bytes() == before


def test_workers_of_a_cluster_look_with_them_too(home, monkeypatch):
    classifier = open_gallery(home / "mine-gallery.npz", weights=home / "mine.npz")
    asked, sent = [], []
    monkeypatch.setattr(naming.answering, "name_faces", lambda file, gallery, **_: asked.append(gallery))
    monkeypatch.setattr(naming, "shared_out", lambda address, module, gift, **settings: sent.append((gift(), settings)) or (lambda todo, stops: ()))
    main(["--gallery", str(home / "mine-gallery.npz"), str(home / "asked.png"), "--weights", str(home / "mine.npz"), "--cluster", "tcp://nowhere:1"])
    (gallery, settings), = sent
    naming.asker(gallery, **settings)(home / "asked.png", "asked.png", lambda: None)
    assert asked[0].looks_by == classifier.looks_by != "kit" and asked[0].looks_by != f"kit {detectors.detector_of_file('kit', WEIGHTS).digest}"
