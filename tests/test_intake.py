"""Submissions as Moodle, Canvas, Gradescope, GitHub Classroom, ILIAS and Blackboard hand them out: the right student gets the right notebook."""

import csv
import io
import json
import os
import zipfile

import pytest
from coursework import code_notebook, hand_in
from handed_in import PEOPLE, canvas_stem, files_of, ident, letters, marked, whose, write_folder, write_zip

from common.grading.intake.files import _MOST_FILES
from common.grading.intake.mending import NotebookError, one_side
from common.grading.intake.roster import RosterError, read_roster
from common.grading.notebook_source import read_cells, read_notebook, written_twice
from common.grading.submissions import take_in

LAYOUTS = ("moodle", "moodle flat", "canvas", "gradescope", "github", "ilias", "blackboard")


def known_by(platform, number):
    """What the platform knows a student by."""
    first, last, login = PEOPLE[number]
    return {"gradescope": f"{login}@example.edu", "github": login, "blackboard": login}.get(platform, str(ident(number)))


@pytest.mark.parametrize("way", ["folder", "zip", "zip in a folder"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_gets_what_he_or_she_handed_in(layout, way, tmp_path):
    files, platform = files_of(layout), layout.split()[0]
    place = write_folder(files, tmp_path / "in") if way == "folder" else write_zip(files, tmp_path / "in" / "COURSE-Face Detection-4711.zip")
    taken = take_in(place if way != "zip in a folder" else tmp_path / "in", ("get_threshold",))
    assert taken.platform == platform and len(taken.submissions) == len(PEOPLE) and not taken.left_out
    for item in taken.submissions:
        number = whose(item.notebook)
        first, last, login = PEOPLE[number]
        assert item.owner.ident == known_by(platform, number)
        if platform in ("moodle", "gradescope", "blackboard"):
            assert item.owner.name == f"{first} {last}"
        if platform == "ilias":
            assert item.owner.name == f"{letters(first)} {letters(last)}" and item.owner.login == login
    assert len({s.name.casefold() for s in taken.submissions}) == len(PEOPLE)


def test_equal_names_are_told_apart_by_what_the_platform_knows_them_by(tmp_path):
    names = {s.name for s in take_in(write_folder(files_of("moodle"), tmp_path)).submissions}
    assert {f"Anna Müller ({ident(0)})", f"Anna Müller ({ident(10)})", "Anna Maria Müller", "Anna-Lena Schmidt"} <= names


def roster_rows(kind):
    if kind == "moodle":
        return [["Identifier", "Full name", "Email address", "Status", "Grade"], *([f"Participant {ident(n)}", f"{f} {s}", f"{g}@x.edu", "", ""]
                                                                                  for n, (f, s, g) in enumerate(PEOPLE))]
    if kind == "canvas":
        return [["Student", "ID", "SIS Login ID", "Section", "Face Detection (77)"], ["    Points Possible", "", "", "", "10"],
                *([f"{s}, {f}", str(ident(n)), g, "A", ""] for n, (f, s, g) in enumerate(PEOPLE))]
    if kind == "github":
        return [["identifier", "github_username", "github_id", "name"], *([f"{f} {s}", g.upper(), str(n), f"{f} {s}"] for n, (f, s, g) in enumerate(PEOPLE))]
    return [["name", "login", "email"], *([f"{f} {s}", g, f"{g}@x.edu"] for f, s, g in PEOPLE)]


@pytest.mark.parametrize("layout, kind", [("canvas", "canvas"), ("github", "github"), ("ilias", "table"), ("moodle", "moodle"), ("blackboard", "table")])
@pytest.mark.parametrize("comma", [",", ";"])
def test_a_list_of_the_class_gives_the_names_in_full(layout, kind, comma, tmp_path):
    with open(tmp_path / "list.csv", "w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=comma).writerows(roster_rows(kind))
    taken = take_in(write_folder(files_of(layout), tmp_path / "in"), roster=read_roster(tmp_path / "list.csv"))
    assert {whose(s.notebook): s.owner.name for s in taken.submissions} == {n: f"{f} {s}" for n, (f, s, _) in enumerate(PEOPLE)}


def test_what_is_no_list_of_a_class_is_said(tmp_path):
    (tmp_path / "list.csv").write_text("colour,size\nred,3\n")
    with pytest.raises(RosterError, match="grading worksheet"):
        read_roster(tmp_path / "list.csv")
    (tmp_path / "list.csv").write_text("\n")
    with pytest.raises(RosterError, match="empty"):
        read_roster(tmp_path / "list.csv")


def test_logins_with_a_common_beginning(tmp_path):
    """A login may begin as another, and all may begin alike: the list of the class knows where they begin."""
    for login in ("anna", "anna-m", "an-na-m"):
        hand_in(tmp_path / "in" / f"lab-1-{login}", "Face_Detection", code_notebook([f"# {login}"]))
        (tmp_path / "in" / f"lab-1-{login}" / ".git").mkdir()
    (tmp_path / "list.csv").write_text("identifier,github_username\nAnna,anna\nAnna M,anna-m\nAn Na,an-na-m\n")
    taken = take_in(tmp_path / "in", roster=read_roster(tmp_path / "list.csv"))
    assert {read_cells(s.notebook)[0]: s.name for s in taken.submissions} == {"# anna": "Anna", "# anna-m": "Anna M", "# an-na-m": "An Na"}
    assert {s.owner.login for s in take_in(tmp_path / "in").submissions} == {"anna", "anna-m", "an-na-m"}


@pytest.mark.parametrize("told", [True, False])
def test_logins_of_blackboard_that_end_alike(told, tmp_path):
    """A login may hold the sign that stands between assignment and login."""
    files, stem = {}, "Lab_1_{}_attempt_2026-11-20-10-00-00"
    for number, login in enumerate(("a_meier", "b_meier", "meier", "olga")):
        files[f"{stem.format(login)}_x.ipynb"] = marked(number)
        if told:
            files[f"{stem.format(login)}.txt"] = f"Name: Person {login[0]} ({login})\nAssignment: Lab_1\n".encode()
    taken = take_in(write_folder(files, tmp_path), ("get_threshold",))
    assert {whose(s.notebook): s.owner.login for s in taken.submissions} == {0: "a_meier", 1: "b_meier", 2: "meier", 3: "olga"}
    assert {s.name for s in taken.submissions} >= ({"Person a", "Person o"} if told else {"a_meier", "olga"})


def test_what_moodle_writes_beside_the_files_is_not_left_out(tmp_path):
    """A text beside the notebook is no fault; who handed in nothing but a text is named once, and not by a folder."""
    files = {"Eva Öl_12_assignsubmission_file_/x.ipynb": marked(1), "Eva Öl_12_assignsubmission_onlinetext_/onlinetext.html": b"x",
             "Jan Öz_13_assignsubmission_onlinetext_/onlinetext.html": b"x"}
    taken = take_in(write_folder(files, tmp_path))
    assert [s.name for s in taken.submissions] == ["Eva Öl"] and taken.left_out == {"Jan Öz (13)": "no notebook, but onlinetext.html"}


# --- which file counts ---


def test_of_two_files_the_newest_counts_and_the_page_says_so(tmp_path):
    for k, attachment in enumerate((900, 1000, 999)):
        (tmp_path / "canvas" / f"{canvas_stem(3, attachment=attachment)}_x-{k}.ipynb").parent.mkdir(exist_ok=True)
        (tmp_path / "canvas" / f"{canvas_stem(3, attachment=attachment)}_x-{k}.ipynb").write_bytes(marked(attachment))
    (canvas,) = take_in(tmp_path / "canvas").submissions
    assert whose(canvas.notebook) == 1000 and "3 notebooks were handed in" in canvas.notes[0] and "_1000_" in canvas.notes[0].split("counts")[0]
    stem = "Work_anna_attempt_2026-11-0"
    write_folder({f"{stem}9-12-00-00_b.ipynb": marked(9), f"{stem}3-12-00-00_a.ipynb": marked(3)}, tmp_path / "blackboard")
    (blackboard,) = take_in(tmp_path / "blackboard").submissions
    assert whose(blackboard.notebook) == 9 and blackboard.notes
    write_folder({"anna/new.ipynb": marked(1), "anna/old.ipynb": marked(2)}, tmp_path / "plain")
    os.utime(tmp_path / "plain" / "anna" / "old.ipynb", (1e9, 1e9))
    (plain,) = take_in(tmp_path / "plain").submissions
    assert whose(plain.notebook) == 1 and "old.ipynb" in plain.notes[0].split("others")[1]


def test_a_repository_holds_both_tasks_and_the_one_asked_for_is_taken(tmp_path):
    folder = tmp_path / "face-anna"
    for name, text in (("Face_Detection", "def get_threshold(t, r):\n    return 1"), ("Face_Recognition_task", "class Classifier:\n    x = 1"),
                       ("FDDB_benchmark", "print(1)"), ("scratch", "def get_threshold(t, r):\n    raise NotImplementedError")):
        os.utime(hand_in(folder, name, code_notebook([text])), (1e9, 1e9))
    for exercises, expected in ((("get_threshold",), "Face_Detection.ipynb"), (("Classifier",), "Face_Recognition_task.ipynb")):
        (item,) = take_in(tmp_path, exercises).submissions
        assert item.notebook.name == expected


def test_weights_go_with_their_notebook(tmp_path):
    files = {f"{canvas_stem(n)}_net.ipynb": marked(n) for n in range(3)}
    files |= {f"{canvas_stem(n, attachment=5000 + n)}_best.weights.h5": b"weights of %d" % n for n in range(3)}
    files[f"{canvas_stem(0, attachment=6000)}_net.weights.h5"] = b"of the same name"
    taken = take_in(write_zip(files, tmp_path / "class.zip"))
    assert [(whose(s.notebook), s.weights[0].read_bytes()) for s in sorted(taken.submissions, key=lambda s: s.owner.ident)] == [
        (0, b"of the same name"), (1, b"weights of 1"), (2, b"weights of 2")]


def test_a_group_of_gradescope_gets_the_same_for_each(tmp_path):
    about = b"submission_7:\n  :submitters:\n  - :name: Anna\n    :email: a@x.edu\n  - :name: Ben\n    :email: b@x.edu\n  :created_at: 2026-11-20 10:00:00 Z\n"
    taken = take_in(write_folder({"submission_metadata.yml": about, "submission_7/x.ipynb": marked(7), "submission_8/x.ipynb": marked(8)}, tmp_path))
    assert [(s.name, whose(s.notebook), s.owner.team) for s in taken.submissions] == [("Anna", 7, "submission_7"), ("Ben", 7, "submission_7"), ("submission_8", 8, "")]
    assert taken.submissions[0].time == 1795168800


def test_the_platforms_mark_of_lateness_and_teams_of_ilias(tmp_path):
    files = {"Team 1/Mueller_Anna_am_11/Late Submission - x.ipynb": marked(1), "Team 2/Ode_Ben_bo_12/x.ipynb": marked(2)}
    anna, ben = take_in(write_folder(files, tmp_path)).submissions
    assert (anna.name, anna.owner.late, anna.owner.team) == ("Anna Mueller", True, "Team 1") and (ben.name, ben.owner.late) == ("Ben Ode", False)
    assert "late" in anna.notes[0]


def test_who_has_handed_in_something_else_is_named(tmp_path):
    """A PDF instead of the notebook, weights alone, nothing at all."""
    files = {name: data for name, data in files_of("moodle flat").items() if not any(f"_{ident(n)}_" in name for n in (2, 3, 4))}
    files |= {f"Jörg Weiß_{ident(2)}_assignsubmission_file_report.pdf": b"%PDF", f"Åsa Lindström_{ident(3)}_assignsubmission_file_/best.weights.h5": b"w"}
    with open(tmp_path / "list.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(roster_rows("moodle"))
    taken = take_in(write_zip(files, tmp_path / "class.zip"), roster=read_roster(tmp_path / "list.csv"))
    assert len(taken.submissions) == len(PEOPLE) - 3
    assert taken.left_out == {f"Jörg Weiß ({ident(2)})": "no notebook, but Jörg Weiß_10074_assignsubmission_file_report.pdf",
                              f"Åsa Lindström ({ident(3)})": "no notebook, but best.weights.h5", "Jean-Luc Saint-Pierre (line 6)": "handed in nothing"}


def test_the_instructor_says_who_handed_them_out(tmp_path):
    """Names of one's own that look like a platform's."""
    for name in ("lab_1_22_final", "lab_2_23_final"):
        hand_in(tmp_path, name, code_notebook([]))
    assert {s.name for s in take_in(tmp_path, platform="folder").submissions} == {"lab_1_22_final", "lab_2_23_final"}
    assert take_in(tmp_path).platform == "canvas"


# --- archives of strangers ---


def test_a_zip_for_each_student_and_zips_in_zips(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("deep/er/Face_Detection.ipynb", marked(2))
        archive.writestr("__MACOSX/deep/._Face_Detection.ipynb", b"\0")
        archive.writestr("deep/.ipynb_checkpoints/Face_Detection.ipynb", marked(3))
    write_zip({"work.zip": inner.getvalue()}, tmp_path / "ben.zip")
    write_zip({"x.ipynb": marked(1), "x.weights.h5": b"w"}, tmp_path / "anna.zip")
    (tmp_path / "empty.zip").write_bytes(b"PK\5\6" + bytes(18))
    (tmp_path / "broken.zip").write_bytes(b"PK\3\4 and then nothing")
    (tmp_path / "old.rar").write_bytes(b"Rar!")
    taken = take_in(tmp_path)
    assert [(s.name, whose(s.notebook), len(s.weights)) for s in taken.submissions] == [("anna", 1, 1), ("ben", 2, 0)]
    assert set(taken.left_out) == {"empty.zip", "broken.zip", "old.rar"} and "cannot be read" in taken.left_out["broken.zip"]


def test_names_that_lead_out_of_an_archive_cost_that_file_only(tmp_path):
    files = {"../../escaped.ipynb": marked(0), "/absolute.ipynb": marked(0), "anna.ipynb": marked(1), "a:b?.ipynb": marked(2), "con.ipynb": marked(3)}
    taken = take_in(write_zip(files, tmp_path / "in" / "class.zip"))
    assert {s.name: whose(s.notebook) for s in taken.submissions} == {"anna": 1, "a:b?": 2, "con": 3}
    assert not list(tmp_path.rglob("*escaped*")) and not os.path.exists("/absolute.ipynb")


def test_names_in_utf8_that_do_not_say_so(tmp_path):
    path = write_zip({"Jorg WeiB_77_assignsubmission_file_/x.ipynb": marked(1)}, tmp_path / "class.zip")
    path.write_bytes(path.read_bytes().replace(b"Jorg WeiB", "Jör Weß".encode()[:9]))
    assert take_in(path).submissions[0].name == "Jör Weß"


def test_bombs_cost_their_own_student(tmp_path, monkeypatch):
    monkeypatch.setattr("common.grading.intake.files._MOST", {**__import__("common.grading.intake.files", fromlist=["_MOST"])._MOST, (".ipynb", ".ipynb.txt", ".ipynb.json"): 1 << 20})
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.ipynb", bytes(8 << 20))
    taken = take_in(write_zip({"anna.ipynb": marked(1), "bomb.zip": inner.getvalue()}, tmp_path / "class.zip"))
    assert [s.name for s in taken.submissions] == ["anna"] and "larger than 1 MB" in str(taken.left_out) and _MOST_FILES


# --- damaged in a small way ---

GOOD = json.dumps(code_notebook(["x = 1", "def f():\n    return 1"]), indent=1)
CONFLICT = GOOD.replace('   "source": "x = 1",', '<<<<<<< HEAD\n   "source": "x = 2",\n=======\n   "source": "x = 3",\n>>>>>>> other').encode()
OLD = json.dumps({"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": ["x = ", "1"]}]}, {"cells": [{"cell_type": "code", "input": "y"}]}]}).encode()


@pytest.mark.parametrize("data, cells, said", [
    (GOOD.encode(), ["x = 1", "def f():\n    return 1"], None),
    (b"\xef\xbb\xbf" + GOOD.encode(), ["x = 1", "def f():\n    return 1"], "byte-order mark"),
    (b"\xef\xbb\xbf\xef\xbb\xbf" + GOOD.encode(), ["x = 1", "def f():\n    return 1"], "byte-order mark"),
    (GOOD.encode("utf-16"), ["x = 1", "def f():\n    return 1"], "byte-order mark"),
    (GOOD.encode() + b"\n}garbage\0\xff", ["x = 1", "def f():\n    return 1"], "after its end"),
    (GOOD.encode() + GOOD.encode(), ["x = 1", "def f():\n    return 1"], "after its end"),
    (b"HTTP/1.1 200 OK\n\n" + GOOD.encode(), ["x = 1", "def f():\n    return 1"], "before its beginning"),
    (CONFLICT, ["x = 2", "def f():\n    return 1"], "merge conflict; its upper side"),
    (CONFLICT.replace(b'"x = 2",', b'"x = 2,'), ["x = 3", "def f():\n    return 1"], "merge conflict; its lower side"),
    (GOOD[: GOOD.index("def f") + 8].encode(), ["x = 1"], "cut short"),
    (GOOD.replace('"x = 1"', '"x = 1').encode(), ["def f():\n    return 1"], "the 1 cells that are whole count"),
    (GOOD.replace("\n  },\n", "\n  }\n", 1).encode(), ["x = 1", "def f():\n    return 1"], "the 2 cells that are whole count"),
    (GOOD.replace("x = 1", "x =\t1\n").encode(), ["x =\t1\n", "def f():\n    return 1"], "line ends, tabs"),
    (GOOD.replace("x = 1", "x = '\\d'").encode(), ["x = '\\d'", "def f():\n    return 1"], "backslashes"),
    (json.dumps([None, {"cell_type": "code", "source": None}, *json.loads(GOOD)["cells"]]).encode(), ["", "x = 1", "def f():\n    return 1"], None),
    (OLD, ["x = 1", "y"], "nbformat 3"),
    (json.dumps(code_notebook(["<<<<<<< HEAD\nx = 1\n||||||| base\nx = 0\n=======\nx = 2\n>>>>>>> b\ny = 3"])).encode(), ["x = 1\ny = 3"], "upper side"),
], ids=["whole", "mark", "two marks", "utf-16", "bytes after", "twice", "before", "conflict", "conflict below", "cut", "a quote lost", "a comma lost", "tab and line end",
        "single backslash", "cells alone", "nbformat 3", "conflict in a cell"])
def test_mended_and_told(tmp_path, data, cells, said):
    (tmp_path / "a.ipynb").write_bytes(data)
    texts, notes = read_notebook(tmp_path / "a.ipynb")
    assert texts == cells and (said in notes[0] if said else notes == [])


@pytest.mark.parametrize("data, said", [(b"", "is empty"), (b" \n\0", "is empty"), (b"<!DOCTYPE html><html>", "web page"), (b"PK\3\4....", "zip archive"), (b"%PDF-1.7", "PDF"),
                                        (b"\x1f\x8b\x08\0", "gzip"),
                                        (b"import numpy as np\n", "Python script"), (b'{"cells": [', "cannot be read")])
def test_what_it_is_instead(tmp_path, data, said):
    (tmp_path / "a.ipynb").write_bytes(data)
    with pytest.raises(NotebookError, match=said):
        read_notebook(tmp_path / "a.ipynb")


@pytest.mark.parametrize("name", ["anna.ipynb.txt", "anna.ipynb.json", "anna.IPYNB"])
def test_saved_under_another_ending(tmp_path, name):
    (tmp_path / name).write_bytes(marked(4))
    (item,) = take_in(tmp_path).submissions
    assert item.name == "anna" and whose(item.notebook) == 4 and bool(item.notes) == (not name.endswith("IPYNB"))


def test_doubled_cells():
    cells = ["def f():\n    return 1", "x = 3", "def f():\n    return 2", "x = 3", "def g():\n    return 1", "def g():\n    return 1", "def g():\n    raise NotImplementedError"]
    assert written_twice(cells, {"f", "g"}) == {"f": 2}
    assert one_side("a\n<<<<<<< b\nc\n=======\nd\n>>>>>>> e\nf", upper=False) == "a\nd\nf"
