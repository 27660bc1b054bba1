"""The command that trains the carried detector: what it refuses, what it reads, what is kept when it is stopped."""

import copy
import os
import re
import signal

import cv2
import numpy as np
import pytest
from PIL import Image

from common.detection import network, refinement
from RegionDetector.one_pass import __main__ as command
from RegionDetector.one_pass import samples
from RegionDetector.one_pass.labels import labelled


@pytest.fixture(scope="module")
def album():
    """A bright spot on noise is a face."""
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 90, (120, 160, 3)).astype(np.uint8)
    cv2.circle(photo, (80, 60), 22, (250, 240, 200), -1)
    return samples.Album([(photo, labelled([[22, 21.8, 1.5, 80, 60]]))] * 3, [rng.integers(0, 90, (300, 300, 3)).astype(np.uint8)])


def test_the_command_says_what_it_lacks(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("FDDB_DIR", raising=False)
    assert command.main(["--out", str(tmp_path / "x.npz")]) == 1
    assert "where is FDDB" in capsys.readouterr().err
    (tmp_path / "FDDB-folds").mkdir()
    (tmp_path / "originalPics").mkdir()
    for more, said in ((["--validation", "3"], "fold 3 is to be trained on"), (["--photos", str(tmp_path)], "--teacher"), (["--points", "12"], "--second-stage")):
        assert command.main(["--out", str(tmp_path / "x.npz"), "--fddb", str(tmp_path), *more]) == 1
        assert said in capsys.readouterr().err


def test_stickers_and_backgrounds_are_told_apart(tmp_path):
    rng = np.random.default_rng(0)
    cv2.imwrite(str(tmp_path / "photo.png"), rng.integers(0, 255, (60, 80, 3)).astype(np.uint8))
    cv2.imwrite(str(tmp_path / "flat.png"), np.full((60, 80, 3), 9, np.uint8))
    sticker = np.zeros((40, 40, 4), np.uint8)
    sticker[10:30, 10:30] = (1, 2, 250, 255)
    cv2.imwrite(str(tmp_path / "sticker.png"), sticker)
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    album = command.gathered([], without_people=[tmp_path])
    assert len(album.backgrounds) == len(samples.without_people()) + 1 and len(album.stickers) == 1
    assert album.stickers[0][20, 20].tolist() == [250, 2, 1, 255], "red stays red"


@pytest.fixture
def fddb(tmp_path):
    """As little of FDDB as the command asks for before it begins to work."""
    for name in ("FDDB-folds", "originalPics"):
        (tmp_path / "fddb" / name).mkdir(parents=True)
    return tmp_path / "fddb"


@pytest.mark.parametrize("more, said", [
    (["--out", "{tmp}"], "weights are written as .npz"), (["--out", "{tmp}/x.h5"], "weights are written as .npz"), (["--out", "{tmp}/made.npz"], "that is a folder"),
    (["--out", "{tmp}/file/x.npz"], "cannot be written"), (["--steps", "0"], "--steps: expected at least 1"), (["--rate", "nan"], "--rate: expected"), (["--rate", "-1"], "--rate: expected"),
    (["--most", "0"], "--most: expected at least 32"), (["--seed", "-3"], "--seed: expected at least 0"), (["--folds", "1", "2", "1"], "name each once"),
    (["--without-people", "{tmp}/none"], "none: expected a folder of photos"), (["--without-people", "{tmp}/file"], "file: expected a folder of photos"),
    (["--begin", "{tmp}/none.npz"], "none.npz: no such file of weights"), (["--folds", "11"], "folds 1 to 10"),
])
def test_what_would_spoil_hours_of_work_is_refused_before_it(fddb, tmp_path, capsys, monkeypatch, more, said):
    monkeypatch.setattr(command, "gathered", lambda *_: pytest.fail("the work has begun"))
    (tmp_path / "made.npz").mkdir()
    (tmp_path / "file").touch()
    arguments = ["--out", str(tmp_path / "x.npz"), "--fddb", str(fddb), *(part.format(tmp=tmp_path) for part in more)]
    assert command.main(arguments) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ") and said in told and told.count("\n") == 1


def test_weights_for_which_there_is_no_room_are_kept_elsewhere(fddb, tmp_path, capsys, monkeypatch):
    model = network.generate_detector(widths=(4, 4, 4, 4, 4), neck=4, normalised=False)
    monkeypatch.setattr(command, "trained", lambda options, stops: (model, "a line"))
    (tmp_path / "there").mkdir()
    monkeypatch.setattr(command.tempfile, "mkdtemp", lambda prefix: str(tmp_path / "there"))
    whole_file = network.save_small

    def full(model, file):
        if file.parent.name != "there":
            raise OSError(28, "No space left on device", str(file))
        whole_file(model, file)

    monkeypatch.setattr(network, "save_small", full)
    assert command.main(["--out", str(tmp_path / "x.npz")]) == 1
    assert "No space left on device" in (told := capsys.readouterr().err) and f"the weights are in {tmp_path / 'there' / 'x.npz'}" in told
    assert network.load_detector(tmp_path / "there" / "x.npz").count_params() == model.count_params()


def test_a_stopped_training_says_so_in_a_line(fddb, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command, "trained", lambda options, stops: signal.raise_signal(signal.SIGTERM))
    assert command.main(["--out", str(tmp_path / "x.npz"), "--fddb", str(fddb)]) == 143
    assert capsys.readouterr().err == "stopped; there are no weights yet\n" and not (tmp_path / "x.npz").exists()


@pytest.mark.parametrize("stage", [[], ["--second-stage"]])
def test_what_a_stopped_training_has_learnt_is_kept(album, simple_steps, fddb, tmp_path, capsys, monkeypatch, stage):
    """A signal in the second of a thousand steps: the weights of that moment, and the way on from there; what is at --out already stays."""
    out = tmp_path / "x.npz"
    out.write_bytes(b"made before")
    small = network.generate_detector(widths=(4, 6, 8, 8, 8), neck=8, normalised=False)
    network.save_small(small, tmp_path / "begin.npz")
    monkeypatch.setattr(command, "gathered", lambda *_: copy.deepcopy(album))
    monkeypatch.setattr(command.reading, "read_folds", lambda *_: [])
    for place in (command, command.refining):
        monkeypatch.setattr(place, "calibrate", lambda *_: pytest.fail("who has asked for an end waits"))
    monkeypatch.setattr(command.refining, "widened", lambda *_: None)
    made, module = [], command.refining if stage else command.samples
    one = module.crop if stage else module.sample

    def stopping(*arguments):
        made.append(1)
        if len(made) == 40:
            os.kill(os.getpid(), signal.SIGINT)
        return one(*arguments)

    monkeypatch.setattr(module, "crop" if stage else "sample", stopping)
    arguments = ["--out", str(out), "--fddb", str(fddb), "--begin", str(tmp_path / "begin.npz"), "--steps", "1000", *stage]
    assert command.main(arguments) == 128 + signal.SIGINT
    told = capsys.readouterr().out.strip().splitlines()[-1]
    steps = int(re.fullmatch(r".*x\.stopped\.npz: stopped after (\d+) of 1,000 steps; (--begin|--go-on) goes on from these weights, which are not calibrated", told)[1])
    assert 1 <= steps < 20 and out.read_bytes() == b"made before"
    learnt = (refinement.load_refiner if stage else network.load_detector)(tmp_path / "x.stopped.npz")
    assert all(np.isfinite(weight).all() for weight in learnt.get_weights())
    if not stage:
        assert learnt.count_params() == small.count_params() and not np.allclose(learnt.get_weights()[0], small.get_weights()[0], atol=1e-7)


@pytest.mark.parametrize("stage", [[], ["--second-stage"]])
def test_who_stops_the_calibration_has_the_weights(album, fddb, tmp_path, capsys, monkeypatch, stage):
    model = network.generate_detector(widths=(4, 4, 4, 4, 4), neck=4, normalised=False)
    monkeypatch.setattr(command, "gathered", lambda *_: copy.deepcopy(album))
    monkeypatch.setattr(command.reading, "read_folds", lambda *_: [])
    for place, name in ((command.refining, "widened"), (command.refining, "candidates")):
        monkeypatch.setattr(place, name, lambda *_: None)
    for place, name in ((command, "fit_detector"), (command.refining, "fit_refiner")):
        monkeypatch.setattr(place, name, lambda *_, **__: model)
    for place in (command, command.refining):
        monkeypatch.setattr(place, "calibrate", lambda *_: signal.raise_signal(signal.SIGINT))
    assert command.main(["--out", str(tmp_path / "x.npz"), "--fddb", str(fddb), *stage]) == 128 + signal.SIGINT
    assert "which are not calibrated" in capsys.readouterr().out and not (tmp_path / "x.npz").exists()
    assert network.load_detector(tmp_path / "x.stopped.npz").count_params() == model.count_params()


def test_odd_pictures_among_those_without_people(tmp_path, capsys):
    """A strip that would shrink to nothing; stickers of 16 bits, in a palette and in grey; a name that is no text; a pipe; a link that goes round."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (60, 80, 4)).astype(np.uint8)
    noise[:, 40:, 3] = 0
    noise[:, :40, 3] = 255
    cv2.imwrite(str(tmp_path / "deep.png"), noise.astype(np.uint16) * 257)
    Image.fromarray(noise).save(tmp_path / "shallow.webp", lossless=True)
    Image.fromarray(noise).convert("LA").save(tmp_path / "grey.png")
    Image.fromarray(noise[:, :, :3]).save(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.png"))
    Image.fromarray(rng.integers(0, 255, (3, 9000, 3)).astype(np.uint8)).save(tmp_path / "strip.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "deep.png").read_bytes()[:9000])
    (tmp_path / "round").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    album = command.gathered([], without_people=[tmp_path], most=1400)
    assert sorted(sticker.dtype.name for sticker in album.stickers) == ["uint8"] * len(album.stickers) and len(album.stickers) >= 2
    for sticker in album.stickers:
        assert sticker.shape == (60, 80, 4) and (sticker[:, :40, 3] == 255).all() and (sticker[:, 40:, 3] == 0).all()
    assert min(min(level[0].shape[:2]) for level in album.backgrounds) == 1
    told = capsys.readouterr().err
    assert "left out: " in told and "cut.png" in told and "libpng" not in told
