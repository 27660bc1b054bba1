"""A gallery whose building, adding or taking out was stopped, or is done by two at once: it goes on where it was, and nothing is lost or comes back."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")

from test_track_galleries import PEOPLE, gallery, head, home, save  # noqa: F401, fixtures
from warm import warm_command

from common.photos import read_photo
from TrackDetector import detectors
from TrackDetector.__main__ import main
from TrackDetector.classifier import Classifier
from TrackDetector.commands import finding, naming
from TrackDetector.galleries import building, looking
from TrackDetector.galleries.editing import Saved


@pytest.fixture
def one_by_one(monkeypatch):
    """Photos are looked at one after the other, so that it is known how many were when the work is stopped."""
    monkeypatch.setattr("TrackDetector.neighbors.describing.look", lambda *args: looking.look(*args[:4], 1, *args[5:]))


@pytest.mark.skipif(os.name == "nt", reason="whether a process is there is asked in another way")
def test_of_who_is_taken_out_nothing_is_left_by_a_writer_that_was_killed(gallery, tmp_path, capsys):
    program = f"import os, signal, sys; sys.path.insert(0, {str(Path(__file__).resolve().parents[1])!r}); from common.files import whole_file\n" \
              f"with whole_file({str(gallery)!r}) as file: file.write('ann'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", program])
    at_it = tmp_path / f".g.npz.{os.getppid()}.part"
    at_it.touch()
    assert len(list(tmp_path.glob(".g.npz.*.part"))) == 2
    assert main(["gallery", "remove", str(gallery), "ann"]) == 0
    assert f"note: {at_it}: seems to be written just now, and may hold what was removed" in capsys.readouterr().err
    assert list(tmp_path.glob(".g.npz.*")) == [at_it] and Saved.read(gallery).people == ["bob", "cleo"]


@pytest.mark.skipif(os.name == "nt", reason="what is open cannot be removed there")
def test_with_a_worker_no_gallery_stays(home, gallery, tmp_path, monkeypatch):
    """It may live for months after somebody was taken out; a large gallery is read where it lay."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("TrackDetector.galleries.storage._MAPPED_FROM", 0)
    ask = naming.asker(gallery.read_bytes())
    assert list(tmp_path.rglob("*.npz")) == [gallery]
    assert ask(home / "people" / "ann" / "0.png", "0.png", lambda: None)["faces"][0]["looks_most_like"] == "ann"


def test_two_that_change_one_gallery_undo_nothing(home, gallery, tmp_path):
    """While one looks at Dora's photos another takes Ann out, who does not want to be in it any more: neither loses Dora, nor is Ann back."""
    for k in range(3):
        save(tmp_path / "more" / "dora" / f"{k}.png", head(5, k))
    root, seen = str(Path(__file__).resolve().parents[1]), tmp_path / "seen"
    program = f"""
import pathlib, sys, time
sys.path.insert(0, {root!r})
from TrackDetector import detectors
from TrackDetector.__main__ import main
from TrackDetector.galleries import building
read = building.read_photo
def slow(path):
    print("looking", flush=True)
    while not pathlib.Path({str(seen)!r}).exists():
        time.sleep(0.05)
    return read(path)
building.read_photo = slow
raise SystemExit(main(sys.argv[1:]))
"""
    adding = subprocess.Popen(warm_command("-c", program, "gallery", "add", gallery, tmp_path / "more"), stdout=subprocess.PIPE, text=True)
    assert adding.stdout.readline() == "looking\n"
    removing = subprocess.Popen([sys.executable, "-m", "TrackDetector", "gallery", "remove", str(gallery), "ann"], cwd=root, stdout=subprocess.PIPE, text=True)
    assert removing.stdout.readline() == f"waiting for another run, which changes {gallery}\n"
    seen.touch()
    assert adding.wait(timeout=120) == 0 == removing.wait(timeout=60)
    assert Saved.read(gallery).people == ["bob", "cleo", "dora"] and sorted(path.name for path in tmp_path.iterdir()) == ["g.npz", "more", "seen"]


def test_who_is_taken_out_while_a_gallery_is_saved_does_not_come_back(home, gallery, monkeypatch):
    """`--save-gallery` changes it as well as `gallery add`: who wants to take Ann out waits, or she would be back a moment later."""
    command, removing, keep = [sys.executable, "-m", "TrackDetector", "gallery", "remove", str(gallery), "ann"], [], naming.save

    def save_gallery(*arguments):
        removing.append(subprocess.Popen(command, cwd=Path(__file__).resolve().parents[1], stdout=subprocess.PIPE, text=True))
        assert removing[0].stdout.readline() == f"waiting for another run, which changes {gallery}\n"
        keep(*arguments)

    monkeypatch.setattr(naming, "save", save_gallery)
    assert main(["--gallery", str(home / "g.npz"), str(home / "people" / "ann" / "0.png"), "--save-gallery", str(gallery)]) == 0
    assert removing[0].wait(timeout=60) == 0 and Saved.read(gallery).people == ["bob", "cleo"] and not list(gallery.parent.glob(".*"))


@pytest.mark.skipif(os.name == "nt", reason="whether a process is there is asked in another way")
def test_nothing_is_left_of_who_was_in_a_journal_when_its_writer_was_killed(home, gallery):
    """A `gallery remove` that was killed while it took somebody else out leaves the new journal beside the old one."""
    journal = gallery.with_name("g.npz.building.jsonl")
    journal.write_text('{"person": "dora"}\n')
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    journal.with_name(f".{journal.name}.{done.pid}.part").write_text('{"person": "dora"}\n')
    assert main(["gallery", "remove", str(gallery), "dora"]) == 0 and [path.name for path in gallery.parent.iterdir()] == ["g.npz"]


def test_a_changed_photo_is_there_once_though_the_adding_was_interrupted(home, gallery, tmp_path, capsys):
    shutil.copytree(home / "people", tmp_path / "people")
    save(tmp_path / "people" / "ann" / "0.png", head(0, 7))
    building.look_at(building.photos_of([tmp_path / "people" / "ann" / "0.png"], "ann"), Classifier(detector=detectors.DEFAULT), journal=f"{gallery}.building.jsonl")
    assert main(["gallery", "add", str(gallery), str(tmp_path / "people")]) == 0
    assert "note: 1 of 12 photos of the gallery were looked at before" in capsys.readouterr().err
    made, before = Saved.read(gallery).gallery, Saved.read(home / "g.npz").gallery
    row = made.photos.tolist().index("ann/0.png")
    assert sorted(made.photos) == sorted(before.photos) and np.abs(made.descriptors[row] - before.descriptors[before.photos == "ann/0.png"][0]).max() > 0.01


def test_a_stopped_building_goes_on_where_it_was(one_by_one, home, tmp_path, monkeypatch, capsys):
    """Stopped at any photo, twice: nothing is looked at twice, and the gallery is the same byte by byte."""
    looked, reader = [], building.read_photo

    def read(path):
        if len(looked) in (3, 7) and looked[-1] != "stop":
            looked.append("stop")
            raise KeyboardInterrupt
        looked.append(str(path))
        return reader(path)

    monkeypatch.setattr(building, "read_photo", read)
    arguments = ["gallery", "build", str(tmp_path / "g.npz"), str(home / "people")]
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            main(arguments)
        assert not (tmp_path / "g.npz").exists() and (tmp_path / "g.npz.building.jsonl").exists()
    assert main(arguments) == 0
    photos = [each for each in looked if each != "stop"]
    assert len(photos) == len(set(photos)) == 12 and not (tmp_path / "g.npz.building.jsonl").exists()
    again, whole = Saved.read(tmp_path / "g.npz").gallery, Saved.read(home / "g.npz").gallery
    assert again.photos.tolist() == whole.photos.tolist()
    np.testing.assert_allclose(again.descriptors, whole.descriptors, atol=1e-5)


def test_a_photo_that_is_exchanged_while_it_is_described_is_looked_at_again(tmp_path):
    """Many photos are described at once: the one of somebody who has sent another may have been replaced meanwhile."""
    file, journal, looked = tmp_path / "ann.png", tmp_path / "g.npz.building.jsonl", []
    save(file, head(0, 0))

    class Slow(Classifier):
        def look(self, photos):
            for name, person, image, digest in photos:
                looked.append(image[0, 0, 0])
                if len(looked) == 1:
                    save(file, head(0, 1))
                yield looking.Seen(name, person, np.ones((1, 3), np.float32), np.ones(1), digest)

    for _ in range(3):
        building.look_at(building.photos_of([file], "ann"), Slow(preprocess=None), journal=journal)
    assert looked == [head(0, 0)[0, 0, 0], head(0, 1)[0, 0, 0]]


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signals")
def test_who_stops_the_work_is_told_how_far_it_came(one_by_one, home, tmp_path, monkeypatch, capsys):

    def stopped(module, number, command):
        calls = []
        with monkeypatch.context() as patched:
            patched.setattr(module, "read_photo", lambda path: calls.append(path) or len(calls) == number and os.kill(os.getpid(), signal.SIGTERM) or read_photo(path))
            assert main(command) == 143
        return capsys.readouterr().err

    people, journal = str(home / "people"), tmp_path / "g.npz.building.jsonl"
    on = "and the same command goes on from there"
    for command in (["gallery", "build", str(tmp_path / "g.npz"), people],
                    ["--gallery", people, str(home / "people" / "ann" / "0.png"), "--save-gallery", str(tmp_path / "g.npz")]):
        assert stopped(building, 6, command).endswith(f"stopped after 5 of 12 photos of the gallery; what was seen is in {journal}, {on}\n")
        assert main(command) == 0
        assert f"note: 5 of 12 photos of the gallery were looked at before, in {journal}; going on with the others" in capsys.readouterr().err and not journal.exists()
    assert stopped(building, 1, ["gallery", "build", str(tmp_path / "g.npz"), people]) == "stopped after 0 of 12 photos of the gallery\n"
    find = ["find", str(home / "people" / "ann" / "0.png"), people]
    assert stopped(finding, 2, [*find, "--out", str(tmp_path / "out.jsonl")]) == f"stopped after 2 of 12 photos; the answers are in {tmp_path / 'out.jsonl'}, {on}\n"
    assert stopped(finding, 3, [*find, "--out", str(tmp_path / "out.jsonl")]).startswith("stopped after 5 of 12 photos; ")
    assert stopped(finding, 2, find) == "stopped after 2 of 12 photos\n"


def test_who_was_begun_with_and_is_in_no_gallery_is_forgotten(home, gallery, tmp_path, capsys):
    journal, people = gallery.with_name("g.npz.building.jsonl"), [home / "people" / "ann" / "0.png"]
    building.look_at([one for name in ("ann", "dora", "emil\nx") for one in building.photos_of(people, name)], Classifier(), journal=journal)
    assert main(["gallery", "remove", str(gallery), "dora"]) == 0  # of whom an interrupted adding was
    assert "dora" not in journal.read_text() and len(Saved.read(gallery).gallery) == 12
    assert main(["gallery", "remove", str(gallery), *PEOPLE]) == 2
    assert "nobody would be left" in capsys.readouterr().err and "ann" not in journal.read_text()
    gallery.unlink()
    assert main(["gallery", "remove", str(gallery), "emil"]) == 2 and r"nobody in the gallery is called 'emil'; perhaps emil\nx" in capsys.readouterr().err
    assert main(["gallery", "remove", str(gallery), r"emil\nx"]) == 0
    assert capsys.readouterr().out == f"{journal}: without emil\\nx; 0 photos left\n" and not journal.exists()
    assert main(["gallery", "remove", str(gallery), "emil"]) == 2 and "no such file" in capsys.readouterr().err


def test_what_an_interrupted_building_has_kept_of_a_person_goes_with_them(home, gallery, tmp_path):
    journal = gallery.with_name("g.npz.building.jsonl")
    gallery.chmod(0o600)
    classifier = Classifier()
    building.look_at(building.photos_of([home / "people" / "ann"], "ann") + building.photos_of([home / "people" / "bob"], "bob"), classifier, journal=journal)
    assert {json.loads(line)["person"] for line in journal.read_text().splitlines()} == {"ann", "bob"}
    with open(journal, "a") as file:
        file.write('[1]\n{"photo": "ann/4.png", "per')  # what another program, or a stop in the middle of a line, has left
    assert main(["gallery", "remove", str(gallery), "ann"]) == 0
    assert {json.loads(line)["person"] for line in journal.read_text().splitlines()} == {"bob"}
    assert os.name == "nt" or [path.stat().st_mode & 0o777 for path in (gallery, journal)] == [0o600, 0o600], "what nobody else may read stays so"
