"""Submissions as Moodle, Canvas, Gradescope, GitHub Classroom, ILIAS, Blackboard and Brightspace hand them out: the right student gets the right notebook."""

import csv
import datetime
import io
import os
import zipfile

import pytest
from coursework import code_notebook, hand_in
from handed_in import PEOPLE, canvas_stem, files_of, ident, letters, marked, whose, write_folder, write_zip

from common.grading.intake.roster import RosterError, read_roster
from common.grading.notebook_source import read_cells
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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("comma", ",;\t")
def test_tables_as_spreadsheets_save_them(encoding, end, comma, tmp_path):
    """In Windows' letters, as Excel does, every name would have had holes."""
    out = io.StringIO()
    people = [(f, s, g) for f, s, g in PEOPLE if (f + s).encode("cp1252", "replace").decode("cp1252") == f + s]
    csv.writer(out, delimiter=comma, lineterminator=end).writerows([["Identifier", "Full name", "Email address", "Grade"], *([f"Participant {n}", f"{s}, {f}; or{comma}", g, ""] for n, (f, s, g) in enumerate(people))])
    (tmp_path / "list.csv").write_bytes(("\n" + out.getvalue()).encode(encoding))
    assert [name for _, name, _ in read_roster(tmp_path / "list.csv").people.values()] == [f"{s}, {f}; or{comma}".strip() for f, s, _ in people]


@pytest.mark.parametrize("data, said", [(b"PK\3\4\24\0\0\0", "save it as CSV"), (b'Identifier,Full name,x\nParticipant 1,"' + b"a" * 200_000 + b'",b\n', "no table"), (None, "cannot be read")])
def test_what_is_no_table_is_refused_in_a_line(data, said, tmp_path):
    (tmp_path / "list.csv").mkdir() if data is None else (tmp_path / "list.csv").write_bytes(data)
    with pytest.raises(RosterError, match=said) as told:
        read_roster(tmp_path / "list.csv")
    assert "\n" not in str(told.value)


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


# --- a student's own names ---


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_called_as_gradescopes_is_no_export_of_it(layout, tmp_path):
    """Handed in by one student, it made one student of the whole class."""
    files = files_of(layout)
    name = next(iter(files))
    place = name.rpartition("/")[0]
    more = f"{place}/submission_metadata.yml" if place else f"{name.removesuffix('.ipynb')}.zip"
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("submission_metadata.yml", "submission_1: {}")
    taken = take_in(write_folder({more: b"submission_1: {}" if place else inner.getvalue()} | files, tmp_path), ("get_threshold",))
    assert taken.platform == layout.split()[0] and {whose(s.notebook) for s in taken.submissions} == set(range(len(PEOPLE)))


BLACKBOARD = "Lab 1_{}_attempt_2026-11-{}-10-00-00"


@pytest.mark.parametrize("files", [
    {"Anna_12_assignsubmission_file_x_13_assignsubmission_file_y.ipynb": 1, "Ben_13_assignsubmission_file_z.ipynb": 2},
    {"Anna_12_assignsubmission_file_x_13_assignsubmission_file_/y.ipynb": 1, "Ben_13_assignsubmission_file_/z.ipynb": 2},
    {"anna_12_900_ben_13_999_y.ipynb": 1, "ben_13_901_z.ipynb": 2},
    {f"{BLACKBOARD.format('anna', 20)}_x_{BLACKBOARD.format('ben', 21)}_y.ipynb": 1, f"{BLACKBOARD.format('ben', 19)}_z.ipynb": 2},
    {f"{BLACKBOARD.format('a_ben', 20)}_y.ipynb": 1, f"{BLACKBOARD.format('a_ben', 20)}_notes.txt": b"Name: Ben (ben)\n", f"{BLACKBOARD.format('ben', 19)}_z.ipynb": 2},
], ids=["moodle", "moodle, folders", "canvas", "blackboard", "blackboard, by a text"])
def test_nobody_hands_in_for_somebody_else(files, tmp_path):
    """What comes first in a name is the platform's; also where one hands in what another has got back."""
    taken = take_in(write_folder({name: marked(data) if isinstance(data, int) else data for name, data in files.items()}, tmp_path))
    assert sorted(whose(s.notebook) for s in taken.submissions) == [1, 2]
    assert next(s for s in taken.submissions if whose(s.notebook) == 2).owner.ident in ("13", "ben")


LAUGHS = "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10) if k else 'x'}]\n" for k in range(12))


@pytest.mark.parametrize("about", ["  :submitters: 5", "  :submitters: [a, 3]\n  :created_at: soon", "  :submitters:\n  - :name: A\n    :email: {a: b}\n  :created_at: 0001-01-01 00:00:00 +14:00",
                                   "  :submitters:\n  - :name: *a11\n    :email: a@x.edu"], ids=["number", "texts", "year 1", "laughs"])
def test_what_gradescope_tells_may_be_anything(about, tmp_path):
    text = f"{LAUGHS}submission_1:\n{about}\n"
    taken = take_in(write_folder({"e/submission_metadata.yml": text.encode(), "e/submission_1/x.ipynb": marked(1), "e/submission_2/x.ipynb": marked(2)}, tmp_path))
    assert sorted(whose(s.notebook) for s in taken.submissions) == [1, 2] and all(len(s.name) < 100 for s in taken.submissions)


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


@pytest.mark.parametrize("way", ["folder", "zip", "zip of a folder"])
def test_who_has_handed_in_twice_at_brightspace_is_one_student(way, tmp_path):
    """It makes a folder for each time; the newest counts, whatever the dates of the files."""
    rows = (("101-9000 - Anna Müller - Nov 9, 2026 1134 AM", 1), ("101-9000 - Anna Müller - Nov 20, 2026 102 PM", 2), ("101-9000 - Anna Müller - Nov 20, 2026 1155 AM", 3),
            ("102-9000 - Ben - O'Neill - Dec 1, 2026 12:05 AM", 4), ("103-9000 - Zoë - 20 févr. 2026 1005", 5), ("104-9000 - Anna Müller - Nov 20, 2026 1159 PM", 6), ("105-9000 - Cy - Nov 20, 2026 1200 PM", 7))
    files = {f"{'Lab 1/' * (way == 'zip of a folder')}{folder}/Face_Detection.ipynb": marked(number) for folder, number in rows}
    files = {name.replace("Face_Detection.ipynb", "report.pdf") if "Cy" in name else name: data for name, data in files.items()} | {"index.html": b"<html>"}
    taken = take_in(write_folder(files, tmp_path / "in") if way == "folder" else write_zip(files, tmp_path / "Lab 1 Download Dec 2, 2026 800 AM.zip"))
    assert taken.platform == "brightspace" and {whose(s.notebook): s.name for s in taken.submissions} == {
        2: "Anna Müller (101)", 6: "Anna Müller (104)", 4: "Ben - O'Neill", 5: "Zoë"}
    assert next(s for s in taken.submissions if s.name.startswith("Ben")).time == datetime.datetime(2026, 12, 1, 0, 5).timestamp()
    assert "no notebook, but report.pdf" in taken.left_out.values()


def test_a_folder_of_notebooks_that_was_packed_is_a_class(tmp_path):
    """Whoever packs a folder packs the folder itself, and so does Google Drive: it is not one student with many notebooks."""
    files = {f"Face Detection/{name}.ipynb": marked(k) for k, name in enumerate(("Anna Müller - Face_Detection", "Ben", "Face_Detection (1)"))}
    files["Face Detection/Ben.weights.h5"] = files["Face Detection/Anna.weights.h5"] = b"w"
    for place in (write_zip(files, tmp_path / "one" / "drive-001.zip"), tmp_path / "one"):
        taken = take_in(place)
        assert {s.name: (whose(s.notebook), len(s.weights)) for s in taken.submissions} == {"Anna Müller - Face_Detection": (0, 0), "Ben": (1, 1), "Face_Detection (1)": (2, 0)}
        assert [why for name, why in taken.left_out.items() if name.endswith("Anna.weights.h5")] == ["no notebook of that name"]
    (one,) = take_in(write_folder(files, tmp_path / "plain")).submissions
    assert one.name == "Face Detection", "in a folder that nobody has packed it is a student's"


@pytest.mark.parametrize("written", ["20 févr. 2026 {}", "2026. febr. 20. {}", "20. November 2026 {}", "20 November, 2026 {}"])
def test_a_brightspace_of_another_language_counts_each_student_once(written, tmp_path):
    """Where the date cannot be read, the time of the file says which is the newest."""
    names = [(f"10{k}-9000 - {'Anna Müller' if k < 2 else 'Ben - Öz'} - {written.format(hour)}", k, hour) for k in (1, 2) for hour in (905, 1005)]
    for folder, k, hour in names:
        place = write_folder({f"{folder}/x.ipynb": marked(k * 10_000 + hour)}, tmp_path) / folder / "x.ipynb"
        os.utime(place, (1.79e9 - hour, 1.79e9 - hour))
    taken = take_in(tmp_path)
    assert taken.platform == "brightspace" and {s.name: whose(s.notebook) for s in taken.submissions} == {"Anna Müller": 10_905, "Ben - Öz": 20_905}


@pytest.mark.parametrize("around", ["", "Lab 1/", "Lab 1/Lab 1/", "a/b/c/"])
@pytest.mark.parametrize("layout", ["plain", *LAYOUTS])
def test_a_class_in_folders_in_folders_is_a_class(around, layout, tmp_path):
    """Who unpacks the zip of a folder has a folder in a folder, and the class was one student."""
    files = {f"{login}/Face_Detection.ipynb": marked(number) for number, (_, _, login) in enumerate(PEOPLE)} if layout == "plain" else files_of(layout)
    taken = take_in(write_folder({around + name: data for name, data in files.items()}, tmp_path), ("get_threshold",))
    assert taken.platform == layout.split()[0].replace("plain", "") and sorted(whose(s.notebook) for s in taken.submissions) == list(range(len(PEOPLE)))
    assert not taken.left_out


@pytest.mark.parametrize("inside", ["", "kit/", "kit/kit/"])
def test_the_kits_own_folders_are_no_students(inside, tmp_path):
    """One student alone, with his or her copy of the kit."""
    files = {f"anna/{inside}RegionDetector/Face_Detection.ipynb": marked(1), f"anna/{inside}TrackDetector/Face_Recognition_task.ipynb": b"{}", f"anna/{inside}build/x.weights.h5": b"w"}
    (anna,) = take_in(write_folder(files, tmp_path), ("get_threshold",)).submissions
    assert (anna.name, whose(anna.notebook)) == ("anna", 1)


@pytest.mark.parametrize("parts", [("Submitted files",), ("Submitted files", "Working files"), ("Assignments/Submitted files", "Assignments/Working files")], ids=len)
def test_what_teams_keeps_is_counted_by_its_versions(parts, tmp_path):
    """All files of its zip have one time; what somebody was working on was not handed in."""
    files = {f"{parts[0]}/{name}/Lab 1/Version {version}/x.ipynb": marked(10 * who + version % 10) for who, name in enumerate(("Anna Müller", "Bö"), 1) for version in (1, 2, 9, 13)}
    if len(parts) > 1:
        files |= {f"{parts[1]}/{name}/Lab 1/x.ipynb": marked(99) for name in ("Anna Müller", "Cy")}
    taken = take_in(write_zip(files, tmp_path / "work.zip"), ("get_threshold",))
    assert {s.name: whose(s.notebook) for s in taken.submissions} == {"Anna Müller": 13, "Bö": 23} and "Version 13/x.ipynb counts" in taken.submissions[0].notes[0]
    assert list(taken.left_out) == ["Working files"][: len(parts) - 1]


def test_who_wrote_a_text_at_canvas_instead_of_handing_in_a_file_is_named(tmp_path):
    files = {f"{canvas_stem(n)}_x.ipynb": marked(n) for n in range(3)} | {"weissjorg_LATE_77_text.html": b"<p>", "ozjan_78_link.html": b"<a>", f"{canvas_stem(1).rsplit('_', 1)[0]}_text.html": b"<p>"}
    taken = take_in(write_zip(files, tmp_path / "class.zip"))
    assert taken.left_out == {"weissjorg (77)": "no notebook, but weissjorg_LATE_77_text.html", "ozjan (78)": "no notebook, but ozjan_78_link.html"} and len(taken.submissions) == 3
