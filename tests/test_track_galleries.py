"""A gallery kept by commands: built, stopped and gone on with, added to, looked through; and a person found in an archive."""

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("keras")

from common.commands.stops import PIPE_CLOSED
from common.orl import orl_faces
from common.photos import read_photo
from TrackDetector import detectors
from TrackDetector.__main__ import main
from TrackDetector.classifier import Classifier
from TrackDetector.commands.opening import open_gallery
from TrackDetector.galleries import building
from TrackDetector.galleries.editing import Saved
from TrackDetector.validation import usual_threshold

PEOPLE = ("ann", "bob", "cleo")


def head(person, number):
    return np.repeat(orl_faces()[0][10 * person + number][:, :, None], 3, axis=2)


def save(path, photo):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, photo[:, :, ::-1])[1].tobytes())


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("galleries")
    for i, name in enumerate(PEOPLE):
        for k in range(4):
            save(home / "people" / name / f"{k}.png", head(i, k))
    assert main(["gallery", "build", str(home / "g.npz"), str(home / "people")]) == 0
    return home


@pytest.fixture
def gallery(home, tmp_path):
    return shutil.copyfile(home / "g.npz", tmp_path / "g.npz")


def test_built_by_command_it_is_what_fit_learns(home):
    images = {f"{name}/{k}.png": head(i, k) for i, name in enumerate(PEOPLE) for k in range(4)}
    fitted, built = Classifier(detector=detectors.DEFAULT).fit(images, {photo: photo.split("/")[0] for photo in images}).gallery_, Saved.read(home / "g.npz").gallery
    assert built.photos.tolist() == fitted.photos.tolist() and built.labels.tolist() == fitted.labels.tolist()
    np.testing.assert_allclose(built.descriptors, fitted.descriptors, atol=1e-5)
    assert (built.sharpness > 0).all() and (built.faces == 1).all() and len({digest.tobytes() for digest in built.digests}) == 12
    assert not list(home.glob("*.jsonl")) and not list(home.glob("*.part"))


def test_a_gallery_photo_of_two_people_enrols_the_right_one(home, gallery, tmp_path, capsys):
    """Bob stands in front, larger and in the middle; the photo lies in Ann's folder."""
    photo = np.full((224, 420, 3), 120, np.uint8)
    photo[20:132, 20:112] = head(0, 6)
    photo[10:206, 140:301] = cv2.resize(head(1, 6), (161, 196))
    save(tmp_path / "more" / "ann" / "two.png", photo)
    save(tmp_path / "more" / "dora" / "two.png", photo)
    assert main(["gallery", "add", str(gallery), str(tmp_path / "more")]) == 0
    err = capsys.readouterr().err
    assert "dora/two.png: shows 2 faces" in err and "ann/two.png" not in err and "note: not in the gallery at all: dora" in err
    made = Saved.read(gallery).gallery
    assert made.people.tolist() == list(PEOPLE) and made.faces[made.photos.tolist().index("ann/two.png")] == 2
    classifier = Classifier.load(gallery, threshold=0.4)
    assert classifier.classify_images([head(0, 8), head(1, 8)]) == ["ann", "bob"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes among files are a thing of Unix")
def test_a_gallery_with_a_pipe_is_built_and_the_network_comes_quietly(home, tmp_path, capsys):
    shutil.copytree(home / "people", tmp_path / "people")
    os.mkfifo(tmp_path / "people" / "ann" / "pipe.png")
    done = subprocess.run([sys.executable, "-m", "TrackDetector", "gallery", "build", str(tmp_path / "g.npz"), str(tmp_path / "people")],
                          cwd=Path(__file__).resolve().parents[1], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and "3 people, 12 photos" in done.stdout and done.stderr == ""
    assert main(["find", str(home / "people" / "bob" / "0.png"), str(home / "people")]) == 0
    err = capsys.readouterr().err
    assert "photos show the person" in err and len(err.splitlines()) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no such names")
def test_a_name_of_two_lines_begins_no_line_of_its_own(home, tmp_path, capsys):
    name = "ann\n0.100  bob"
    for k in range(3):
        save(tmp_path / "people" / name / f"{k}.png", head(0, k))
        save(tmp_path / "people" / "cleo" / f"{k}.png", head(2, k))
    assert main(["gallery", "build", str(tmp_path / "g.npz"), str(tmp_path / "people")]) == 0
    for command, lines in ((["gallery", "list", str(tmp_path / "g.npz")], 3), (["--gallery", str(tmp_path / "g.npz"), str(home / "people" / "ann" / "3.png"), "--threshold", "0.5", "--draw", str(tmp_path / "drawn")], 1),
                           (["find", str(home / "people" / "ann" / "3.png"), str(tmp_path / "people"), "--threshold", "0.6"], 6),
                           (["gallery", "remove", str(tmp_path / "g.npz"), r"ann\n0.100  bob"], 1)):
        capsys.readouterr()
        assert main(command) == 0
        out = capsys.readouterr().out
        assert len(out.splitlines()) == lines and r"ann\n0.100  bob" in out and "ann\n" not in out, (command, out)


def test_what_is_skipped_and_the_error_have_lines_of_their_own(home, tmp_path, capsys):
    (tmp_path / "people" / "ann").mkdir(parents=True)
    (tmp_path / "people" / "ann" / "broken.jpg").write_bytes(b"no photo")
    save(tmp_path / "loose" / "loose.png", head(0, 0))
    for command in (["gallery", "build", str(tmp_path / "g.npz"), str(tmp_path / "loose")],
                    ["--gallery", str(tmp_path / "people"), str(home / "people" / "ann" / "3.png")]):
        capsys.readouterr()
        assert main(command) == 2
        *skipped, error = capsys.readouterr().err.splitlines()
        assert "found no photo" in error and error.startswith("error:") and "\\n" not in error, error
        assert any(line.startswith("skipped:") and ("loose.png" in line or "broken.jpg" in line) for line in skipped), skipped


def test_adding_looks_at_new_and_changed_photos_only(home, gallery, tmp_path, capsys, monkeypatch):
    looked = []
    monkeypatch.setattr(building, "read_photo", lambda path: looked.append(path.name) or read_photo(path))
    shutil.copytree(home / "people", tmp_path / "people")
    assert main(["gallery", "add", str(gallery), str(tmp_path / "people")]) == 0
    assert looked == [] and "nothing new" in capsys.readouterr().out and not list(tmp_path.glob("*.jsonl"))
    save(tmp_path / "people" / "ann" / "0.png", head(0, 7))
    save(tmp_path / "people" / "dora" / "1.png", head(5, 0))
    assert main(["gallery", "add", str(gallery), str(tmp_path / "people")]) == 0
    assert looked == ["0.png", "1.png"]
    made = Saved.read(gallery).gallery
    assert len(made) == 13 and sorted(made.photos) == sorted([f"{name}/{k}.png" for name in PEOPLE for k in range(4)] + ["dora/1.png"])
    assert main(["gallery", "add", str(gallery), "--person", "eva", str(home / "people" / "cleo" / "1.png")]) == 0
    assert "two names" in capsys.readouterr().err and "eva" in Saved.read(gallery).gallery.people  # a photo of Cleo's, and both are named


def test_who_is_added_to_a_gallery_of_the_usual_threshold_makes_it_stricter(gallery, tmp_path):
    """`--save-gallery` keeps the one of then; with it, strangers would have names once there are many people."""
    save(tmp_path / "dora.png", head(5, 0))
    for before, after in ((usual_threshold(3), usual_threshold(4)), (0.3, 0.3)):
        saved = Saved.read(gallery)
        replace(saved, settings=saved.settings | {"threshold": before}).write(tmp_path / "g4.npz")
        assert main(["gallery", "add", str(tmp_path / "g4.npz"), "--person", "dora", str(tmp_path / "dora.png")]) == 0
        assert Saved.read(tmp_path / "g4.npz").settings["threshold"] == after


@pytest.mark.skipif(os.name == "nt", reason="pipes and devices are a thing of Unix")
def test_a_gallery_is_kept_in_a_file(home, tmp_path, capsys):
    (tmp_path / "loop.npz").symlink_to("loop.npz")
    for place, said in (("/dev/null", "gone at once"), (tmp_path / "loop.npz", "cannot be written")):
        for command in (["build", place, home / "people"], ["merge", place, home / "g.npz"], ["remove", place, "ann"]):
            assert main(["gallery", *map(str, command)]) == 2
            assert said in capsys.readouterr().err


def test_photos_of_one_name_in_two_folders_are_two(home, tmp_path):
    """Both of a person's photos called 0.png are learnt, also when they are added once more; a folder named twice adds nothing."""
    for folder, look in (("a", 0), ("b", 1)):
        save(tmp_path / folder / "ann" / "0.png", head(0, look))
    both = [str(tmp_path / folder) for folder in ("a", "b", "a")]
    assert main(["gallery", "build", str(tmp_path / "g.npz"), *both]) == 0
    assert sorted(Saved.read(tmp_path / "g.npz").gallery.photos) == ["ann/0 (2).png", "ann/0.png"]
    assert main(["gallery", "add", str(tmp_path / "g.npz"), *both]) == 0
    assert len(Saved.read(tmp_path / "g.npz").gallery) == 2


def test_a_photo_that_was_set_aside_is_looked_at_once_and_goes_with_its_file(home, tmp_path, capsys, monkeypatch):
    shutil.copytree(home / "people", tmp_path / "people")
    alien, looked = tmp_path / "people" / "ann" / "alien.png", []
    save(alien, head(30, 0))
    assert main(["gallery", "build", str(tmp_path / "g.npz"), str(tmp_path / "people")]) == 0
    monkeypatch.setattr(building, "read_photo", lambda path: looked.append(path.name) or read_photo(path))
    add = ["gallery", "add", str(tmp_path / "g.npz"), str(tmp_path / "people")]
    capsys.readouterr()
    assert main(add) == 0 and looked == [] and capsys.readouterr().err == ""
    save(tmp_path / "people" / "dora" / "1.png", head(5, 0))
    assert main(add) == 0 and looked == ["1.png"] and Saved.read(tmp_path / "g.npz").aside.photos.tolist() == ["ann/alien.png"]
    assert main(["gallery", "check", str(tmp_path / "g.npz")]) == 1 and capsys.readouterr().out.count("alien.png") == 1
    save(alien, head(0, 7))
    assert main(add) == 0 and looked == ["1.png", "alien.png"]
    made = Saved.read(tmp_path / "g.npz")
    assert made.aside is None and made.gallery.photos.tolist().count("ann/alien.png") == 1


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac takes the two for one folder")
def test_a_name_in_two_spellings_is_one_person(home, tmp_path, capsys):
    for number, name in enumerate(("Jose\u0301", "Jos\u00e9")):
        save(tmp_path / "people" / name / "0.png", head(0, number))
        save(tmp_path / "people" / "cleo" / f"{number}.png", head(2, number))
    assert main(["gallery", "build", str(tmp_path / "g.npz"), str(tmp_path / "people")]) == 0
    assert main(["gallery", "add", str(tmp_path / "g.npz"), "--person", "Jose\u0301", str(home / "people" / "ann" / "3.png")]) == 0
    made = Saved.read(tmp_path / "g.npz").gallery
    assert made.people.tolist() == ["Jos\u00e9", "cleo"] and (made.labels == "Jos\u00e9").sum() == 3
    assert main(["gallery", "remove", str(tmp_path / "g.npz"), "Jose\u0301"]) == 0 and Saved.read(tmp_path / "g.npz").gallery.people.tolist() == ["cleo"]


@pytest.mark.skipif(os.name == "nt", reason="Windows cuts spaces off")
def test_what_nobody_sees_of_a_name_makes_nobody_else_of_a_person(tmp_path):
    """A name that was copied from a page, or out of Windows, which brings marks of direction along."""
    names = ("Ann Lee", "Ann\u00a0Lee\u200b", "\u202aAnn Lee\u202c ")
    for number, name in enumerate((*names, "Ann  Lee", "\u0645\u06cc\u200c\u062e\u0648")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{number}.png").touch()
    people = {}
    for one in building.people_in(tmp_path)[0]:
        people.setdefault(one.person, set()).add(one.file.name)
    assert people == {"Ann Lee": {"0.png", "1.png", "2.png"}, "Ann  Lee": {"3.png"}, "\u0645\u06cc\u200c\u062e\u0648": {"4.png"}}


def test_a_new_gallery_is_looked_at_by_the_default_and_keeps_its_detector(home, tmp_path, monkeypatch):
    assert Saved.read(home / "g.npz").settings["detector"] == detectors.DEFAULT
    other = next(name for name in ("hog", "kit") if name != detectors.DEFAULT)
    monkeypatch.setattr(detectors, "DEFAULT", other)
    assert main(["gallery", "build", str(tmp_path / "other.npz"), str(home / "people")]) == 0
    assert Saved.read(tmp_path / "other.npz").settings["detector"] == other == open_gallery(home / "people").detector_name
    monkeypatch.undo()
    assert open_gallery(tmp_path / "other.npz").detector_name == other
    assert open_gallery(tmp_path / "other.npz", detector=detectors.DEFAULT).detector_name == detectors.DEFAULT


def test_what_is_amiss_with_a_photo_is_a_line_and_no_place_in_the_program(home, tmp_path, capsys):
    people = tmp_path / "people"
    shutil.copytree(home / "people", people)
    first, second = (Image.fromarray(np.pad(head(0, k), ((20, 20), (20, 20), (0, 0)))) for k in (5, 6))
    first.save(people / "ann" / "short.jpg", quality=90)
    data = (people / "ann" / "short.jpg").read_bytes()
    (people / "ann" / "short.jpg").write_bytes(data[:-40])
    first.save(people / "ann" / "moves.webp", save_all=True, append_images=[second])
    wanted = [f"note: {people / 'ann' / 'moves.webp'}: is an animation of several pictures; only the first was looked at",
              f"note: {people / 'ann' / 'short.jpg'}: cut short, "]
    for command in (["gallery", "build", str(tmp_path / "g.npz"), str(people)], ["--gallery", str(people), str(people / "bob" / "1.png")],
                    ["find", str(people / "ann" / "1.png"), str(people / "ann")]):
        capsys.readouterr()
        assert main(command) == 0
        told = sorted(line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ") or "Warning" in line)
        assert len(told) == 2 and all(line.startswith(start) for line, start in zip(told, wanted))


def test_blurred_and_drawn_copies_are_nobodys_photos(tmp_path):
    from TrackDetector.commands import answering

    (tmp_path / "ann").mkdir()
    for name in ("a.jpg", *(f"a.jpg{each}.jpg" for each in (".faces", answering.NAMED, answering.BLURRED))):
        Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "ann" / name)
    wanted, notes = building.people_in(tmp_path)
    assert [one.photo for one in wanted] == ["ann/a.jpg"] and not notes


def test_list_remove_merge_and_check(home, gallery, tmp_path, capsys):
    assert main(["gallery", "list", str(gallery), "--json", str(tmp_path / "list.json")]) == 0
    assert "ann        4 photos" in capsys.readouterr().out
    listed = json.loads((tmp_path / "list.json").read_text())["people"]
    assert [person["name"] for person in listed] == list(PEOPLE) and all(0 < person["apart"] < 0.5 for person in listed)
    assert main(["gallery", "remove", str(gallery), "anne"]) == 2
    assert "nobody in the gallery is called 'anne'; perhaps ann" in capsys.readouterr().err
    assert main(["gallery", "remove", str(gallery), "ann", "bob"]) == 0 and Saved.read(gallery).gallery.people.tolist() == ["cleo"]
    assert main(["gallery", "build", str(tmp_path / "other.npz"), "--person", "Cleo", str(home / "people" / "cleo" / "0.png")]) == 0
    assert main(["gallery", "merge", str(tmp_path / "both.npz"), str(gallery), str(tmp_path / "other.npz")]) == 0
    err = capsys.readouterr().err
    assert "Cleo and cleo look like one person" in err and "one photo under two names" in err
    assert main(["gallery", "check", str(tmp_path / "both.npz"), "--json", str(tmp_path / "check.json")]) == 1
    assert {doubt["kind"] for doubt in json.loads((tmp_path / "check.json").read_text())} >= {"twins", "shared photo", "few photos"}
    assert main(["gallery", "list", str(tmp_path / "gone.npz")]) == 2 and "no such file" in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="the output has no name here")
@pytest.mark.parametrize("command, code", [("list", 0), ("check", 1)])
def test_on_standard_output_the_list_stands_alone(home, tmp_path, command, code):
    main(["gallery", "build", str(tmp_path / "one.npz"), "--person", "ann", str(home / "people" / "ann" / "0.png")])
    program = "import sys; from TrackDetector.__main__ import main; raise SystemExit(main(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", program, "gallery", command, str(tmp_path / "one.npz"), "--json", "-"], capture_output=True, text=True, cwd=tmp_path,
                          env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])})
    assert done.returncode == code and json.loads(done.stdout) and "1 person, 1 photo; " in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["one.npz"]


def test_one_photo_is_one_and_who_reads_no_further_is_no_error(home, gallery, tmp_path, capsys):
    assert main(["gallery", "build", str(tmp_path / "one.npz"), "--person", "ann", str(home / "people" / "ann" / "0.png")]) == 0
    assert "1 person, 1 photo; 1 photo looked at" in capsys.readouterr().out
    code = "import sys; from TrackDetector.__main__ import main; raise SystemExit(main(sys.argv[1:]))"
    run = subprocess.Popen([sys.executable, "-c", code, "gallery", "list", str(gallery)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           cwd=Path(__file__).resolve().parents[1])
    run.stdout.close()  # | true
    assert run.stderr.read() == "" and run.wait() == PIPE_CLOSED


@pytest.mark.parametrize("arguments, message", [
    (["add", "{home}/g.npz", "{home}/people/ann/0.png"], "for photos of one person say --person NAME"), (["build", "{tmp}/g.npz", "{tmp}"], "found no photo"),
    (["build", "{tmp}/g.npz", "--person", "Un-known", "{home}/people/ann"], "what strangers are called"), (["build", "{home}", "{home}/people"], "that is a folder"),
    (["build", "{tmp}/g.npz", "--person", "", "{home}/people/ann"], "--person '': expected the name of a person"),
    (["add", "{home}/g.npz", "--person", " \u200b", "{home}/people/ann"], "expected the name of a person"),
    (["build", "{home}/people/ann/0.png", "{home}/people"], "one of the files that are read"), (["build", "{tmp}/g.npz", "--person", "x", "{tmp}/gone.jpg"], "no such photo"),
    (["add", "{home}/people/ann/0.png", "{home}/people/bob", "--person", "bob"], "cannot be read as a gallery"),
])
def test_galleries_that_cannot_be_made(home, tmp_path, capsys, arguments, message):
    before = (home / "people" / "ann" / "0.png").read_bytes()
    assert main(["gallery", *(text.format(home=home, tmp=tmp_path) for text in arguments)]) == 2
    assert message in capsys.readouterr().err and (home / "people" / "ann" / "0.png").read_bytes() == before


def test_a_person_is_found_in_an_archive(home, tmp_path, capsys):
    archive = tmp_path / "archive"
    save(archive / "2019" / "group.png", np.hstack([head(2, 5), head(0, 5)]))
    save(archive / "2020" / "ann.png", head(0, 6))
    save(archive / "bob.png", head(1, 6))
    save(archive / "wall.png", np.full((100, 90, 3), 90, np.uint8))
    (archive / "bad.jpg").write_bytes(b"no photo")
    out = tmp_path / "out.json"
    assert main(["find", str(home / "people" / "ann"), str(archive), "--out", str(out)]) == 1
    captured = capsys.readouterr()
    assert sorted(line.split("/")[-1] for line in captured.out.splitlines()) == ["ann.png", "group.png"]
    assert "bad.jpg" in captured.err and "2 of 5 photos show the person; 1 could not be read" in captured.err
    whole = json.loads(out.read_text())
    files = whole["files"]
    assert whole["box_order"] == "min_row min_col max_row max_col"
    assert [answer["distance"] for answer in files[:3]] == sorted(answer["distance"] for answer in files[:3])
    group = next(answer for answer in files if answer["file"].endswith("group.png"))
    assert group["faces"] == 2 and group["box"][1] > 60  # the one on the right
    assert (group["height"], group["width"], 3) == read_photo(group["file"]).shape and group["box_order"] == whole["box_order"]
    assert main(["find", str(archive / "2019" / "group.png"), str(archive)]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[-1] == f"error: {archive / '2019' / 'group.png'}: shows 2 faces, and no other photo says which of them it is; cut it so that it shows one face"
    assert not any("the person/" in line for line in told)
    save(tmp_path / "wall.png", np.full((100, 100, 3), 90, np.uint8))
    assert main(["find", str(tmp_path / "wall.png"), str(archive)]) == 2
    assert f"{tmp_path / 'wall.png'}: no face was found" in capsys.readouterr().err
    table = tmp_path / "out.csv"
    assert main(["find", str(home / "people" / "ann"), str(archive), "--out", str(table)]) == 1
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [answer["file"] for answer in files]
    assert [row["distance"] for row in rows] == [str(answer.get("distance") or "") for answer in files]
    assert next(row for row in rows if row["file"] == group["file"])["min_col"] == str(group["box"][1]) and [row["error"] != "" for row in rows].count(True) == 1
    assert main(["find", str(tmp_path / "gone.jpg"), str(archive)]) == 2
    (tmp_path / "bare").mkdir()
    capsys.readouterr()
    assert main(["find", str(home / "people" / "ann"), str(tmp_path / "bare")]) == 2
    told = capsys.readouterr()
    assert told.err.splitlines()[-1].startswith("error: no photo (") and not told.out
