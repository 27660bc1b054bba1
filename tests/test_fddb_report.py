"""Detection files and the command, on a small FDDB made here."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from RegionDetector.fddb import report
from RegionDetector.fddb.evaluation import Curve

ROOT = Path(__file__).resolve().parent.parent
NAMES = [f"2002/08/11/big/img_{number}" for number in range(1, 5)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """FDDB with ten folds; folds 1 and 2 hold two photos of one face each, the others one photo without a face."""
    folder = tmp_path_factory.mktemp("fddb")
    (folder / "FDDB-folds").mkdir()
    (folder / "originalPics/2002/08/11/big").mkdir(parents=True)
    for fold in range(1, 11):
        names = NAMES[2 * fold - 2:2 * fold] or [f"2002/08/11/big/img_{fold}0"]
        for name in names:
            Image.new("RGB", (90, 80)).save(folder / "originalPics" / f"{name}.jpg")
        text = "".join(f"{name}\n1\n20 15 1.5 40 40  1\n" if fold < 3 else f"{name}\n0\n" for name in names)
        (folder / f"FDDB-folds/FDDB-fold-{fold:02d}-ellipseList.txt").write_text(text)
    return folder


@pytest.fixture
def write(tmp_path):
    def write(text, name="fold-01-out.txt"):
        (tmp_path / name).write_text(text)
        return tmp_path / name
    return write


GOOD = f"{NAMES[0]}\n2\n24 20 32 40 0.9\n1 1 5 5 0.2\n{NAMES[1]}\n0\n"


def run(capsys, *arguments):
    status = report.main(["evaluate", *map(str, arguments)])
    out, err = capsys.readouterr()
    return status, out, err


def test_the_help_names_the_command_as_it_is_called(capsys):
    with pytest.raises(SystemExit) as stopped:
        report.main(["--help"])
    assert stopped.value.code == 0 and "usage: python -m RegionDetector.fddb [" in capsys.readouterr().out


# Detection files

def test_reads_boxes_ellipses_and_photos_without_detections(write):
    path = write(GOOD + f"{NAMES[2]}\n1\n20 15 1.5 40 40 -3e-1\n")
    detections = report.read_detections(path)
    assert list(detections) == NAMES[:3]
    np.testing.assert_array_equal(detections[NAMES[0]], [[24, 20, 32, 40, 0.9], [1, 1, 5, 5, 0.2]])
    assert len(detections[NAMES[1]]) == 0
    np.testing.assert_array_equal(detections[NAMES[2]], [[20, 15, 1.5, 40, 40, -0.3]])


@pytest.mark.parametrize("data", [
    GOOD.replace("\n", "\r\n").encode() + b"\x1a", GOOD.replace("\n", "\r\n").encode() + b"\x1a" * 40 + b"\r\n", GOOD.encode() + b"\x1a\n\x1a",
    b"\xef\xbb\xbf" + GOOD.encode(), GOOD.encode("utf-16"), b"\xfe\xff" + GOOD.encode("utf-16-be"), GOOD.replace("\n", "  \t\n \n\n").encode(),
    ("  " + GOOD.rstrip("\n")).encode(), GOOD.replace("\n", "\r").encode(),
], ids=["DOS", "filled block", "marks", "UTF-8 mark", "UTF-16 mark", "UTF-16 big end", "blanks", "no last line end", "old Mac"])
def test_what_other_systems_leave_in_a_list_is_no_fault(tmp_path, data):
    path = tmp_path / "fold-01-out.txt"
    path.write_bytes(data)
    detections = report.read_detections(path)
    assert list(detections) == NAMES[:2] and not len(detections[NAMES[1]])
    assert detections[NAMES[0]].tolist() == [[24, 20, 32, 40, 0.9], [1, 1, 5, 5, 0.2]]


def test_joined_lists_keep_their_marks_in_the_middle(tmp_path):
    first, second = GOOD, GOOD.replace("img_1", "img_3").replace("img_2", "img_4")
    (tmp_path / "fold-01-out.txt").write_bytes(b"\x1a".join(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode() for text in (first, second)) + b"\x1a")
    assert list(report.read_detections(tmp_path)) == NAMES


def test_an_end_mark_inside_a_row_is_still_refused(tmp_path):
    (tmp_path / "fold-01-out.txt").write_bytes(GOOD.replace("5 0.2", "5\x1a 0.2").encode())
    with pytest.raises(ValueError, match="line 4: expected detection 2 of 2"):
        report.read_detections(tmp_path)


def test_a_published_file_of_DOS_is_scored(folder, tmp_path, capsys):
    (tmp_path / "fold-01-out.txt").write_bytes(GOOD.replace("\n", "\r\n").encode() + b"\x1a")
    status, out, _ = run(capsys, tmp_path / "fold-01-out.txt", "--fddb", folder)
    assert status == 0 and "2 photos, 2 faces, 2 detections; folds 1\n" in out


def test_written_detections_are_read_back(tmp_path):
    rows = np.random.default_rng(0).uniform(0, 100, (7, 5))
    detections = {NAMES[0]: rows, NAMES[1]: [], NAMES[2]: [[1, 2, 3, 4, 5, 1e-9]]}
    report.write_detections(tmp_path / "fold-01-out.txt", detections)
    back = report.read_detections(tmp_path)
    assert list(back) == list(detections)
    np.testing.assert_allclose(back[NAMES[0]], rows, atol=1e-6)
    assert back[NAMES[2]].tolist() == detections[NAMES[2]] and not len(back[NAMES[1]])
    assert [path.name for path in tmp_path.iterdir()] == ["fold-01-out.txt"]


def test_boxes_become_left_top_width_height():
    assert report.boxes_to_rows([[20, 24, 60, 56]], [0.9]).tolist() == [[24, 20, 32, 40, 0.9]]
    assert report.boxes_to_rows([], []).shape == (0, 5)


@pytest.mark.parametrize("text, message", [
    ("", "is empty; expected photos' names"),
    ("\n \n", "is empty"),
    (GOOD.replace("0.2", "?"), "line 4: expected detection 2 of 2"),
    (GOOD.replace("5 5 0.2", "5"), "line 4: expected detection 2 of 2 .*5 or 6 numbers"),
    (GOOD.replace("5 5 0.2", "5 5 5 0.2"), "line 4: expected detection 2 of 2 .*as many on each line"),
    (GOOD.replace("\n2\n", "\n3\n"), "line 5: expected detection 3 of 3"),
    (GOOD.replace("\n2\n", "\n1\n"), "line 4: expected a photo's name"),
    (GOOD.replace("\n0\n", "\n4\n"), "file ends after 0 of the 4 detections"),
    (GOOD + GOOD, f"{NAMES[0]} is listed a second time"),
])
def test_damaged_files_are_refused(write, text, message):
    path = write(text)
    with pytest.raises(ValueError, match=message) as caught:
        report.read_detections(path)
    assert str(path) in str(caught.value)


def test_a_photo_in_two_files_is_refused(write):
    with pytest.raises(ValueError, match="fold-02-out.txt, line .*second time .*fold-01-out.txt"):
        report.read_detections([write(GOOD), write(GOOD, "fold-02-out.txt")])


def test_missing_files_and_folders_without_files(tmp_path):
    for path in (tmp_path, tmp_path / "slip.txt"):
        with pytest.raises(FileNotFoundError, match="no detections at .*expected a file"):
            report.read_detections(path)


def test_bad_rows_are_left_out_and_counted(write):
    path = write(f"{NAMES[0]}\n5\n24 20 32 40 nan\n24 20 32 40 0.9\n24 20 -32 40 0.9\n24 20 32 -40 1\n1e7 0 1 1 1\n")
    with pytest.warns(UserWarning) as caught:
        detections = report.read_detections(path)
    assert detections[NAMES[0]].tolist() == [[24, 20, 32, 40, 0.9]]
    messages = sorted(str(warning.message)[:60] for warning in caught)
    assert len(messages) == 3
    assert messages[0].startswith("1 detection is left out, because of a place")
    assert messages[1].startswith("1 detection is left out, because of a score")
    assert messages[2].startswith("2 detections are left out, because of a negative")


# The command

def test_command_prints_the_table_and_stores_curve_and_plot(folder, write, tmp_path, capsys):
    path = write(GOOD)
    status, out, err = run(capsys, path, "--fddb", folder, "--out", tmp_path / "roc.txt", "--plot", tmp_path / "roc.png")
    assert status == 0
    assert "2 photos, 2 faces, 2 detections; folds 1\n" in out
    assert "HeadHunter" in out and "> yours" in out and "ends at 1 false positives" in out
    assert "1 fold of 10: not the official figure" in out
    lines = (tmp_path / "roc.txt").read_text().splitlines()
    points = np.array([line.split() for line in lines[1:]], float)
    # As the official program: the most lenient threshold first, the empty point last.
    np.testing.assert_array_equal(points[:, :3], [[0.5, 1, 0.2], [0.5, 0, 0.9], [0, 0, 1.79769e+308]])
    assert Image.open(tmp_path / "roc.png").size[0] > 1000
    assert sorted(file.name for file in tmp_path.iterdir()) == ["fold-01-out.txt", "roc.png", "roc.txt"]


@pytest.mark.parametrize("name", ["roc.json", "ROC.JSON"])
def test_json_holds_figures_and_curve(folder, write, tmp_path, capsys, name):
    status, _, _ = run(capsys, write(GOOD), "--fddb", folder, "--out", tmp_path / name)
    stored = json.loads((tmp_path / name).read_text())
    assert status == 0
    assert (stored["folds"], stored["photos"], stored["faces"], stored["detections"]) == ([1], 2, 2, 2)
    assert stored["rates"]["2000"]["discrete"] == 0.5 and 0.3 < stored["rates"]["2000"]["continuous"] < 0.5
    assert stored["curve"]["false_positives"] == [0, 0, 1] and len(stored["curve"]["thresholds"]) == 3


def test_photos_that_are_not_named_or_not_in_fddb_are_counted(folder, write, capsys):
    status, out, err = run(capsys, write(f"{NAMES[0]}\n0\nimg_of_another_set\n1\n1 1 5 5 1\n"), "--fddb", folder)
    assert status == 0 and "2 photos, 2 faces, 0 detections" in out
    assert "warning: 1 of the 2 photos of these folds are not named" in err
    assert "warning: detections of 1 photos are left out" in err and "img_of_another_set" in err


@pytest.mark.parametrize("text, arguments, message", [
    ("img_x\n0\n", [], "none of the 1 photos .*first: img_x.* is in FDDB; expected names such as 2002/08/11/big/img_1"),
    (GOOD, ["--out", "{tmp}/none/roc.txt"], "roc.txt cannot be written: there is no folder"),
    (GOOD, ["--out", "{tmp}"], "that is a folder; expected the name of a file"),
    (GOOD, ["--plot", "{tmp}/roc.docx"], "expected a name that ends in one of .*png"),
    (GOOD, ["--published", "{tmp}"], "no official curves"),
    (GOOD, ["--fddb", "{tmp}/none"], "there is no such folder"),
    ("", [], "is empty"),
])
def test_command_says_what_is_wrong_and_writes_nothing(folder, write, tmp_path, capsys, text, arguments, message):
    path = write(text)
    status, out, err = run(capsys, path, "--fddb", folder, *(part.format(tmp=tmp_path) for part in arguments))
    assert status == 1 and out == ""
    assert err.startswith("error: ")
    assert re.search(message, err)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_command_needs_to_know_where_fddb_lies(write, capsys, monkeypatch):
    monkeypatch.delenv("FDDB_DIR", raising=False)
    status, _, err = run(capsys, write(GOOD))
    assert status == 1 and "name its folder with --fddb or in FDDB_DIR" in err


def test_missing_photos_stop_the_evaluation(folder, write, capsys):
    path = folder / f"originalPics/{NAMES[3]}.jpg"
    photo = path.read_bytes()
    path.unlink()
    try:
        status, _, err = run(capsys, write(GOOD), "--fddb", folder)
    finally:
        path.write_bytes(photo)
    assert status == 1 and "1 of 12 photos are missing" in err and NAMES[3] in err


def test_runs_as_a_module(folder, write):
    done = subprocess.run([sys.executable, "-m", "RegionDetector.fddb", "evaluate", write(GOOD), "--fddb", folder],
                          cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "continuous rate" in done.stdout
    assert "Traceback" not in done.stderr and "RuntimeWarning" not in done.stderr


def test_reading_fddb_does_not_load_the_evaluation():
    code = "import sys, RegionDetector.fddb.reading; sys.exit(any(m in sys.modules for m in ('scipy', 'cv2', 'matplotlib')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0


# Published detectors

def test_plot_takes_the_published_curves_from_a_folder(tmp_path):
    (tmp_path / "pico-DiscROC.txt").write_text("0.9 3000 0.1\n0.7 1000 0.5\n0 0 1.79769e+308\n")
    (tmp_path / "otherDiscROC.txt").write_text("0.8 10 0.1\n")
    curve = Curve(np.array([0.5]), np.array([3]), np.array([1]), np.array([0.7]), 2)
    axes = report.plot_curves(curve, tmp_path, name="mine").axes[0]
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert lines == {"otherDiscROC": [[10, 0.8]], "Pico (Markus et al., 2013)": [[1000, 0.7], [0, 0]], "mine": [[3, 0.5]]}


def test_table_puts_the_detector_at_its_place():
    curve = Curve(np.array([0.5]), np.array([90]), np.array([87]), np.array([70.0]), 100)
    lines = report.table(curve, "mine").splitlines()
    names = [line[:46].strip() for line in lines]
    assert names.index("> mine") == 2 and names[1].startswith("HeadHunter")
    assert lines[2].split()[2:] == ["0.8700"] * 4 and lines[-1].split()[2:] == ["0.7000"] * 4


@pytest.mark.parametrize("arguments, message", [
    (["--out", "{tmp}/fold-01-out.txt"], "--out .*fold-01-out.txt: that is one of the files that are read"),
    (["--out", "{tmp}/link"], "--out .*link: that is one of the files that are read"),
    (["--plot", "{tmp}/mine.svg", "--out", "{tmp}/mine.svg"], "--out and --plot are both .*mine.svg"),
    (["--out", "{fddb}/FDDB-folds/FDDB-fold-01-ellipseList.txt"], "lies among FDDB's own files"),
    (["--plot", "{fddb}/originalPics/../originalPics/2002/08/11/big/img_1.jpg"], "lies among FDDB's own files"),
    (["--published", "{tmp}", "--out", "{tmp}/a_DiscROC.txt"], "--out .*a_DiscROC.txt: that is one of the files that are read"),
])
def test_what_is_read_is_not_written_over(folder, write, tmp_path, capsys, arguments, message):
    path = write(GOOD)
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "a_DiscROC.txt").write_text("0.5 3 1\n")
    files = [each for place in (folder, tmp_path) for each in sorted(place.rglob("*")) if each.is_file()]
    before = [each.read_bytes() for each in files]
    status, out, err = run(capsys, path, "--fddb", folder, *(part.format(tmp=tmp_path, fddb=folder) for part in arguments))
    assert status == 1 and out == "" and err.startswith("error: ") and re.search(message, err) and err.count("\n") == 1
    assert [each.read_bytes() for each in files] == before


@pytest.mark.parametrize("text", ["", "0.5\n0.6\n", "0.5 3 1\n0.4\n", "rate 3\n", "0.5 nan 1\n", b"\xff\xfe0\0", b"\x89PNG\r\n"])
def test_a_damaged_published_curve_is_named_before_the_work(folder, write, tmp_path, capsys, text):
    (tmp_path / "peer_DiscROC.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    status, out, err = run(capsys, write(GOOD), "--fddb", folder, "--plot", tmp_path / "a.png", "--published", tmp_path)
    assert status == 1 and out == "" and "peer_DiscROC.txt is no official curve: expected lines of rate" in err
    assert not (tmp_path / "a.png").exists()


def test_a_curve_of_our_own_is_drawn_among_the_published_ones(folder, write, tmp_path, capsys):
    assert run(capsys, write(GOOD), "--fddb", folder, "--out", tmp_path / "ours_DiscROC.txt")[0] == 0
    assert run(capsys, write(GOOD), "--fddb", folder, "--plot", tmp_path / "a.pdf", "--published", tmp_path)[0] == 0
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_a_file_of_detections_steers_no_console(folder, write, capsys):
    status, _, err = run(capsys, write("\x1b[2Jimg_1\x9b\nmany\n"), "--fddb", folder)
    assert status == 1 and "\\x1b[2Jimg_1\\x9b" in err and not set("\x1b\x9b") & set(err)


@pytest.mark.parametrize("row", ["1_0 2 3 4 1", "1,5 2 3 4 1", "1;2;3;4;1", "1,2,3,4,1", "0x10 2 3 4 1"])
def test_numbers_that_others_would_read_otherwise_are_refused(write, row):
    with pytest.raises(ValueError, match="line 3: expected detection 1 of 1 .*blanks between them and points as decimal marks"):
        report.read_detections(write(f"{NAMES[0]}\n1\n{row}\n"))


def test_a_plot_for_which_there_is_no_room_leaves_the_old_one(folder, write, tmp_path, capsys, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"before")

    def full(self, file, **how):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report.Figure, "savefig", full)
    status, _, err = run(capsys, write(GOOD), "--fddb", folder, "--plot", tmp_path / "a.png")
    assert status == 1 and "No space left on device" in err and "a.png" in err
    assert (tmp_path / "a.png").read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 2


def test_stopped_it_says_nothing_of_its_insides(folder, write, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(report, "evaluate", lambda *_, **__: signal.raise_signal(signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    assert run(capsys, write(GOOD), "--fddb", folder)[0] == 143 and signal.getsignal(signal.SIGTERM) == before
