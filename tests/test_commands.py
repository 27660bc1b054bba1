"""What the commands share: files in, answers out as they come, stops at any moment, going on."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from common.commands import journal as journals
from common.commands.journal import Journal, JournalError, for_any_reader, stamp
from common.commands.run import Answers, _say
from common.commands.versions import kit_version, unlike, versions
from common.console import printable, say

ROOT = Path(__file__).resolve().parents[1]
STAND_IN = f"""
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background hands on that Ctrl-C is ignored
sys.path.insert(0, {str(ROOT)!r})
from RegionDetector.commands import finding as command

def asker(folder=None, **settings):  # instead of the network; says in a file of its own what it was asked
    log = os.open(os.environ["ASKED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def ask(file, name, check):
        if os.environ.get("SLOW"):
            time.sleep(float(os.environ["SLOW"]))
        os.write(log, os.fsencode(file) + b"\\n")
        if os.environ.get("AWAY") == file.stem:
            raise OSError(f"{{file}}: the network is away")
        return {{"height": 9, "width": 7, "box_order": "", "boxes": [[1, 2, 3, 4, 0.5]] if int(file.stem) % 2 else []}}
    return ask

command.asker = asker
raise SystemExit(command.main(sys.argv[1:]))
"""


@pytest.fixture
def archive(tmp_path):
    """A thousand photos in folders of folders, and the command with a stand-in for the network."""
    for number in range(1000):
        photo = tmp_path / "archive" / f"{number % 7}" / f"{number % 3}" / f"{number}.jpg"
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.touch()
    (tmp_path / "command.py").write_text(STAND_IN)
    return tmp_path


def start(home, *more, slow="0.001", **options):
    environment = {**os.environ, "ASKED": str(home / "asked"), "SLOW": slow, "PYTHONUNBUFFERED": ""}
    return subprocess.Popen([sys.executable, str(home / "command.py"), str(home / "archive"), *map(str, more)], env=environment,
                            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options})


def finish(home, *more, **options):
    """Run to the end; returns the exit code and what was said on standard error."""
    run = start(home, *more, **options)
    error = run.communicate(timeout=120)[1]
    return run.returncode, error


def asked(home):
    return (home / "asked").read_text().splitlines() if (home / "asked").exists() else []


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_thousand_photos_stopped_at_ten_moments(archive):
    """By Ctrl-C, a request to end, a kill, a reader that goes: nothing is asked twice, nothing is lost."""
    rng, out, killed, codes = random.Random(7), archive / "out.jsonl", 0, []
    for stop in range(10):
        # a hundredth of a second for each photo: a busy computer must not come to the end before it is stopped
        run, had, how = start(archive, "--out", out, slow="0.01"), len(asked(archive)), stop % 4
        goal = had + rng.randrange(20, 95)
        if how == 3:  # | head
            for _ in range(goal - had):
                run.stdout.readline()
            run.stdout.close()
            error = run.stderr.read()
            assert "Traceback" not in error and "BrokenPipe" not in error
        else:
            while len(asked(archive)) < goal and run.poll() is None:
                time.sleep(0.002)
            time.sleep(rng.random() / 100)
            run.send_signal((signal.SIGINT, signal.SIGTERM, signal.SIGKILL)[how])
            error = run.communicate(timeout=60)[1]
            killed += how == 2
        codes.append(run.wait(timeout=60))
        if how in (0, 1):
            assert "Traceback" not in error and f"of 1,000 photos; the answers are in {out}" in error
        whole = [line for line in out.read_bytes().split(b"\n")[:-1]]
        assert len(whole) >= len(asked(archive)) - 1  # at most the one in hand when it was killed
    assert codes == [130, 143, -9, 141] * 2 + [130, 143]
    code, error = finish(archive, "--out", out)
    assert code == 0 and "were answered before" in error, error
    answers = Counter(answer["image"] for answer in lines(out))
    assert len(answers) == 1000 and set(answers.values()) == {1}
    times = Counter(asked(archive))
    assert set(times) == set(answers) and sum(times.values()) - 1000 <= killed
    # and once more: there is nothing left to ask
    assert finish(archive, "--out", out)[0] == 0 and sum(Counter(asked(archive)).values()) == sum(times.values())


@pytest.mark.parametrize("name", ["out.json", "out.csv"])
def test_what_is_made_whole_at_the_end_is_the_same_with_a_stop(archive, name):
    once, twice = archive / "once" / name, archive / "twice" / name
    assert finish(archive, "--out", once, slow="0")[0] == 0
    (archive / "asked").unlink()
    run = start(archive, "--out", twice)
    while len(asked(archive)) < 300:
        time.sleep(0.01)
    run.terminate()
    run.communicate(timeout=60)
    assert run.returncode == 143 and not twice.exists()
    part = twice.with_name(name + ".part.jsonl")
    assert len(lines(part)) == len(asked(archive)) >= 300
    assert finish(archive, "--out", twice, slow="0")[0] == 0
    assert twice.read_text() == once.read_text() and not part.exists() and len(asked(archive)) == 1000
    if name.endswith(".csv"):
        with open(twice, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 1000 and sum(row["max_col"] == "4" for row in rows) == 500 and {row["height"] for row in rows} == {"9"}


def test_a_full_disk_keeps_the_answers_before(archive):
    """The system lets the file grow to 20 kB and no further: the write that does not fit fails half way."""
    out = archive / "out.jsonl"
    resource = pytest.importorskip("resource")
    code, error = finish(archive, "--out", out, slow="0", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)))
    kept = lines(out)
    assert code == 2 and "cannot be written any more" in error and "the same command goes on" in error
    assert 50 < len(kept) < 200 and len(asked(archive)) == len(kept) + 1  # the answer for which there was no room
    assert finish(archive, "--out", out, slow="0")[0] == 0
    assert len(lines(out)) == 1000


def test_a_file_that_changes_is_asked_about_again_and_a_new_one_for_the_first_time(archive):
    out = archive / "out.jsonl"
    assert finish(archive, "--out", out, slow="0")[0] == 0
    (archive / "archive" / "0" / "0" / "0.jpg").write_bytes(b"other")
    (archive / "archive" / "1001.jpg").touch()
    assert finish(archive, "--out", out, slow="0")[0] == 0
    assert [Path(name).name for name in asked(archive)[1000:]] == ["0.jpg", "1001.jpg"]


def test_a_fault_that_has_passed_costs_no_answer(archive, monkeypatch):
    """Once a call it is tried again; as long as it stays, the file of answers does not grow."""
    out = archive / "out.jsonl"
    monkeypatch.setenv("AWAY", "7")
    for call in range(2):
        code, error = finish(archive, "--out", out, slow="0")
        assert code == 1 and "7.jpg: the network is away" in error and "1 of 1,000 photos could not be read" in error
        assert len(lines(out)) == 1000 and len(asked(archive)) == 1000 + call
    monkeypatch.delenv("AWAY")
    assert finish(archive, "--out", out, slow="0")[0] == 0 and len(asked(archive)) == 1002
    first, last = [answer for answer in lines(out) if Path(answer["image"]).stem == "7"]
    assert "error" in first and last["boxes"] and len(lines(out)) == 1001
    assert finish(archive, "--out", out, slow="0")[0] == 0 and len(asked(archive)) == 1002


def test_a_file_whose_copy_was_deleted_has_no_answer_any_more(tmp_path):
    (tmp_path / "a.mp4").touch()
    parts = {"drawn": tmp_path / "copy.mp4", "srt": tmp_path / "a.srt", "vtt": tmp_path / "a.vtt"}
    for path in parts.values():
        path.touch()
    journal = Journal(tmp_path / "out.jsonl", "file", "m")
    answer = {"stamp": stamp(tmp_path / "a.mp4"), "drawn": str(parts["drawn"]), "subtitles": [str(parts["srt"]), str(parts["vtt"])]}
    journal.add(tmp_path / "a.mp4", answer)
    journal.close()
    for path in parts.values():
        again = Journal(tmp_path / "out.jsonl", "file", "m")
        assert again.has(tmp_path / "a.mp4")
        path.unlink()
        assert not again.has(tmp_path / "a.mp4")
        again.close()
        path.touch()


@pytest.mark.skipif(os.name == "nt", reason="Windows removes nothing that is open")
def test_a_third_run_waits_for_the_second_that_has_waited_for_the_first(tmp_path, monkeypatch):
    lock, second, remove = tmp_path / ".out.jsonl.lock", [], journals._remove
    waiting = threading.Thread(target=lambda: second.append(Journal(tmp_path / "out.jsonl", "file", "m")))
    monkeypatch.setattr(journals, "_remove", lambda file: (file == lock and waiting.join(), remove(file)))
    first = Journal(tmp_path / "out.jsonl", "file", "m")
    waiting.start()
    first.close()
    waiting.join()
    with pytest.raises(Timeout):
        FileLock(lock).acquire(timeout=0)
    second[0].close()
    assert not lock.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows removes nothing that is open")
def test_who_has_waited_keeps_the_answers_though_those_of_the_run_before_are_whole(tmp_path, monkeypatch):
    first, second = Journal(tmp_path / "out.json", "file", "m"), []
    first.add("a.jpg", {})
    close = Journal.close

    def closed(self):  # the second run comes in the moment when the first lets go
        close(self)
        monkeypatch.setattr(Journal, "close", close)
        second.append(Journal(tmp_path / "out.json", "file", "m"))
        second[0].add("b.jpg", {})

    monkeypatch.setattr(Journal, "close", closed)
    first.make_whole([], lambda file, answers: None)
    assert "b.jpg" in second[0].path.read_text()
    second[0].close()


@pytest.mark.skipif(os.name == "nt", reason="Windows asks the folder who may read")
def test_answers_on_their_way_may_be_read_by_whom_the_old_ones_may_be_read(tmp_path):
    (tmp_path / "out.csv").touch()
    (tmp_path / "out.csv").chmod(0o600)
    journal = Journal(tmp_path / "out.csv", "file", "m")
    assert journal.path.stat().st_mode & 0o777 == 0o600
    journal.add("a.jpg", {})
    journal.make_whole([], lambda file, answers: None)
    assert (tmp_path / "out.csv").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="the output has no name here")
def test_answers_on_standard_output_stand_there_alone(archive):
    run = start(archive, "--out", "/dev/stdout", slow="0")
    out, error = run.communicate(timeout=120)
    assert run.returncode == 0 and len(json.loads(out)) == 1000 and error.count(": 1 face") == error.count(": 0 faces") == 500
    (archive / "log").write_text("before\n")
    with open(archive / "log", "a") as log:
        assert finish(archive, "--out", "/dev/stdout", slow="0", stdout=log)[0] == 0
    head, _, rest = (archive / "log").read_text().partition("\n")
    assert head == "before" and len(json.loads(rest)) == 1000
    run = start(archive, "--out", "/dev/stdout", slow="0")
    run.stdout.close()  # nobody reads: no error, and no promise either
    error = run.stderr.read()
    assert run.wait(timeout=60) == 141 and "error:" not in error and "the answers are in" not in error and "goes on" not in error


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no disk is always full here")
def test_where_a_full_disk_takes_no_answers_none_are_promised(archive):
    code, error = finish(archive, "--out", "/dev/full", slow="0")
    assert code == 2 and error.splitlines()[-1] == "error: /dev/full: cannot be written (No space left on device)"
    with open("/dev/full", "w") as full:
        code, error = finish(archive, slow="0", stdout=full)
    assert code == 2 and "error: standard output: cannot be written (No space left on device)" in error.splitlines() and "Errno" not in error
    assert "Traceback" not in error and "Exception" not in error


def test_answers_of_other_settings_and_files_that_are_none_are_left_alone(archive):
    out = archive / "out.jsonl"
    assert finish(archive, "--out", out, slow="0")[0] == 0
    before = out.read_text()
    code, error = finish(archive, "--out", out, "--threshold", "0.9", slow="0")
    assert code == 2 and "made with other settings" in error and out.read_text() == before
    for text in ("a diary\n", "a diary", '{"file": 3}\n', "[" * 100_000 + "\n"):
        (archive / "mine.jsonl").write_text(text)
        code, error = finish(archive, "--out", archive / "mine.jsonl", slow="0")
        assert code == 2 and "holds something else" in error and (archive / "mine.jsonl").read_text() == text


@pytest.mark.parametrize("more", [{"image": ["a.jpg"]}, {"image": None}, {"image": {"a": 1}}, {"drawn": 3}, {"drawn": None}, {"subtitles": "a.srt b"}, {"subtitles": {"a": 1}}, {"subtitles": [1]}])
def test_lines_that_somebody_changed_are_refused_in_words(tmp_path, more):
    line = json.dumps({"image": "a.jpg", "stamp": None, **more, "settings": "m"}) + "\n"
    (tmp_path / "out.jsonl").write_text(line)
    with pytest.raises(JournalError, match="out.jsonl: holds something else"):
        Journal(tmp_path / "out.jsonl", "image", "m")
    assert (tmp_path / "out.jsonl").read_text() == line


def test_answers_of_another_version_are_counted_in_a_line(tmp_path, monkeypatch, capsys):
    """A run that was stopped goes on after the kit, its weights or a package changed: what of its answers is of before is said."""
    out = tmp_path / "out.jsonl"

    def again(*files):
        journal = Journal(out, "image", "m")
        for name in files:
            journal.add(tmp_path / name, {"stamp": None})
        journal.close()
        return capsys.readouterr().err

    assert again("a.jpg", "b.jpg") == again() == ""
    monkeypatch.setattr(journals, "versions", lambda: {**versions(), "keras": "0.1"})
    said = again("c.jpg")
    assert "out.jsonl: another version of the kit, or of its packages, made 2 of the 2 answers in it; delete it" in said and len(said.splitlines()) == 1
    assert "made 2 of the 3 answers" in again("a.jpg") and "made 1 of the 3 answers" in again("b.jpg") and again() == ""


def test_versions_differ_by_code_weights_and_packages_and_not_by_the_ends_of_lines(tmp_path, monkeypatch):
    monkeypatch.setattr("common.commands.versions.ROOT", tmp_path)
    code, weights = tmp_path / "common" / "a.py", tmp_path / "common" / "detection" / "weights" / "faces.npz"
    weights.parent.mkdir(parents=True)
    seen = []
    for lines, numbers in ((b"x = 1\n", b"1\r\n"), (b"x = 1\r\n", b"1\r\n"), (b"x = 2\n", b"1\r\n"), (b"x = 1\n", b"1\n")):
        code.write_bytes(lines), weights.write_bytes(numbers)
        seen.append(kit_version.__wrapped__())
    assert seen[0] == seen[1] and len(set(seen)) == 3
    assert unlike(versions()) == "" and unlike({**versions(), "keras": "0.1"}).startswith("keras 0.1 (here ") and "the kit another or none" in unlike(ImportError("none"))


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="the output has no name here")
def test_a_dash_is_standard_output(archive, monkeypatch):
    monkeypatch.chdir(archive)
    run = start(archive, "--out", "-", slow="0")
    out, error = run.communicate(timeout=120)
    assert run.returncode == 0 and len(json.loads(out)) == 1000 and error.count(": 1 face") == 500
    assert not (archive / "-").exists()


@pytest.mark.parametrize("lost", [b"", bytes(100)], ids=["killed", "without power"])
def test_a_line_that_was_cut_is_asked_about_again(tmp_path, lost):
    """Where the power went, there may be zeros where the text was to be."""
    (tmp_path / "a.jpg").touch()
    out = tmp_path / "out.jsonl"
    journal = Journal(out, "image", "m")
    for name in ("a.jpg", "b.jpg"):
        journal.add(tmp_path / name, {"stamp": None})
    journal.close()
    whole = out.read_bytes()
    for cut in range(len(whole)):
        out.write_bytes(whole[:cut] + lost)
        again = Journal(out, "image", "m")
        assert len(again.answered) == whole[:cut].count(b"\n") and out.read_bytes() == b"".join(whole[:cut].splitlines(True)[: whole[:cut].count(b"\n")])
        again.close()


@pytest.mark.parametrize("name, said", [("out.xlsx", "answers are written as .json, .csv or .jsonl"), ("out.txt", "answers are written as"), ("loop.json", "cannot be written ("),
                                        ("away.json", "cannot be written (")])
def test_an_output_that_would_be_of_no_use_is_refused_before_the_work(archive, name, said):
    """JSON in a table of Excel's; a link in a circle; a link to where nothing can be written."""
    (archive / "file").touch()
    (archive / "loop.json").symlink_to("loop.json")
    (archive / "away.json").symlink_to(archive / "file" / "x.json")
    code, error = finish(archive, "--out", archive / name, slow="0")
    assert code == 2 and said in error.splitlines()[-1] and f"--out {archive / name}: " in error.splitlines()[-1] and asked(archive) == []


@pytest.mark.parametrize("name", ["OUT.JSON", "out.ndjson", "out", "new/out.CSV"])
def test_an_output_may_be_called_so(archive, name):
    for photo in list((archive / "archive").rglob("*.jpg"))[2:]:
        photo.unlink()
    assert finish(archive, "--out", archive / name, slow="0")[0] == 0 and (archive / name).read_text().count("stamp") + name.endswith("CSV") * 2 == 2


def test_a_journal_in_a_folder_that_may_not_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="cannot be written"):
        Journal(tmp_path / "file" / "out.jsonl", "image", "m")


def test_any_reader_takes_every_name():
    odd = os.fsdecode(b"caf\xe9\xff.jpg")
    assert printable(odd) == "caf\\xe9\\xff.jpg" and printable("\ud800x") == "\\ud800x" and printable("李明 é") == "李明 é"
    answer = for_any_reader({"file": odd, "faces": [{"name": "\udcff", "distance": float("inf")}], "n": (1, 2.5)})
    text = json.dumps(answer, allow_nan=False)
    assert "\\ud" not in text and json.loads(text) == {"file": "caf\\xe9\\xff.jpg", "faces": [{"name": "\\xff", "distance": None}], "n": [1, 2.5]}


def test_who_closed_the_streams_is_answered_in_the_file(archive):
    """As a service does that starts a command with nothing to read from it."""
    for stream in (1, 2):
        code, _ = finish(archive, "--out", archive / f"{stream}.json", slow="0", preexec_fn=lambda: os.close(stream))
        assert code == 0 and len(json.loads((archive / f"{stream}.json").read_text())) == 1000


def test_a_name_steers_no_console(tmp_path, capsys):
    odd = tmp_path / "Ann\n\x1b[2JLee \u202egpj.jpg"
    _say(odd, {"notes": [f"{odd}: cut short", "dark"]}, Answers("file", "files", lambda answer: [f"{answer['file']}: 1 face"], (), None))
    out, err = capsys.readouterr()
    shown = f"{tmp_path}/Ann\\n\\x1b[2JLee \\u202egpj.jpg"
    assert out == f"{shown}: 1 face\n" and err == f"note: {shown}: cut short\nnote: {shown}: dark\n"
    say(os.fsdecode(b"caf\xe9.jpg"))
    assert capsys.readouterr().out == "caf\\xe9.jpg\n"  # as in the file of answers


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the size of files is limited on Unix")
def test_of_a_copy_for_which_there_is_no_room_nothing_is_left(tmp_path):
    resource = pytest.importorskip("resource")
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import numpy as np; from common.pictures.drawing import write_jpeg; " \
              f"write_jpeg({str(tmp_path / 'a.jpg')!r}, np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)))
    assert done.returncode and "too large" in done.stderr and list(tmp_path.iterdir()) == []
