"""A temporary folder is there while Python runs and gone afterwards, and no child process takes it away."""

import ast
import errno
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from committed import committed

from common import files
from common.files import folder_to_write, is_stream, only_one, remove_halves, whole_file, written_in

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
import os
from common.files import temporary_folder
folder = temporary_folder("parrot-")
(folder / "inside").write_text("x")
if hasattr(os, "fork"):
    child = os.fork()
    if not child:
        raise SystemExit  # runs what is to be run at the end
    os.waitpid(child, 0)
print(folder, (folder / "inside").exists())
{end}
"""


@pytest.mark.parametrize("end", ["", "raise ValueError('in the middle')"])
def test_it_is_removed_at_the_end_by_who_made_it(tmp_path, end):
    place = {name: str(tmp_path) for name in ("TMPDIR", "TEMP", "TMP")}
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(end=end)], cwd=ROOT, env={**os.environ, **place}, capture_output=True, text=True)
    folder, there = done.stdout.split()
    assert Path(folder).name.startswith("parrot-") and Path(folder).parent == tmp_path, done.stderr
    assert there == "True", "a child that ends leaves it alone"
    assert not any(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="Windows locks no folder in this way")
def test_what_a_killed_program_has_left_goes_with_the_next_and_nothing_else_does(tmp_path, monkeypatch):
    program = "from common.files import temporary_folder as make\nprint(make('parrot-'), make('crow-'), flush=True)\ninput()"
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    foreign = tmp_path / "parrot-of-somebody"
    foreign.mkdir()
    alive, killed = (subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2))
    theirs, left = ([Path(name) for name in each.stdout.readline().split()] for each in (alive, killed))
    (left[0] / "submission.ipynb").write_text("private")
    killed.kill()
    killed.communicate()
    assert all(each.is_dir() for each in (*theirs, *left))
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, input="\n", text=True, check=True, capture_output=True)
    assert sorted(tmp_path.iterdir()) == sorted([foreign, *theirs])
    alive.communicate("\n")
    assert list(tmp_path.iterdir()) == [foreign]


def test_a_folder_that_is_removed_before_the_end_leaves_no_open_file(tmp_path):
    before = len(files._held)
    folder = files.temporary_folder("parrot-", tmp_path)
    assert folder.parent == tmp_path
    files.remove_folder(folder)
    assert not folder.exists() and len(files._held) == before


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "new" / "notes.txt"
    with whole_file(path) as file:
        file.write("ä")
    assert path.read_bytes() == "ä".encode()
    with pytest.raises(KeyError), whole_file(path, "wb") as file:
        file.write(b"half of it")
        raise KeyError
    assert path.read_bytes() == "ä".encode() and os.listdir(path.parent) == ["notes.txt"]


@pytest.mark.skipif(os.name == "nt", reason="Windows asks the folder who may read")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_who_may_not_read_a_file_may_not_read_the_next_one(tmp_path, mode):
    path, umask = tmp_path / "people.npz", os.umask(0o022)
    try:
        path.touch()
        path.chmod(mode)
        with whole_file(path) as file:
            assert os.fstat(file.fileno()).st_mode & 0o777 == mode, "from the first byte on"
            file.write("ann")
        (tmp_path / "link").symlink_to(path)
        with whole_file(tmp_path / "link"), whole_file(tmp_path / "new"):
            pass
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o777 == mode and (tmp_path / "new").stat().st_mode & 0o777 == 0o644


@pytest.mark.skipif(os.name == "nt", reason="Windows asks the folder who may read")
@pytest.mark.parametrize("mode, left", [(0o640, 0o600), (0o664, 0o644), (0o644, 0o644)])
def test_where_a_file_cannot_have_the_group_of_the_old_one_no_other_group_reads_it(tmp_path, monkeypatch, mode, left):
    (tmp_path / "people.npz").touch()
    (tmp_path / "people.npz").chmod(mode)
    monkeypatch.setattr(os, "chown", lambda *_: (_ for _ in ()).throw(PermissionError))
    with whole_file(tmp_path / "people.npz"):
        pass
    assert (tmp_path / "people.npz").stat().st_mode & 0o777 == left


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such files")
def test_a_link_stays_a_link_and_a_device_a_device(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    with whole_file(tmp_path / "link.txt") as file:
        file.write("new")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real.txt").read_text() == "new"
    with whole_file("/dev/null") as file:
        file.write("gone")
    assert not os.path.isfile("/dev/null") and is_stream("/dev/null") and not is_stream(tmp_path / "real.txt") and not is_stream(tmp_path / "new.txt")


@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="pipes have no names here")
def test_a_pipe_is_written_to_under_the_name_that_is_given(tmp_path):
    for name in (None, tmp_path / "pipe"):
        if name is not None:
            os.mkfifo(name)
        reading, writing = os.pipe() if name is None else (os.open(name, os.O_RDONLY | os.O_NONBLOCK), None)
        with whole_file(f"/dev/fd/{writing}" if name is None else name) as file:
            file.write("ä")
        assert os.read(reading, 9) == "ä".encode()
        for number in (reading, writing):
            if number is not None:
                os.close(number)


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="the output has no name here")
def test_what_the_shell_appends_to_keeps_what_was_in_it(tmp_path):
    (tmp_path / "log").write_text("before\n")
    program = 'from common.files import whole_file\nwith whole_file("/dev/stdout") as file: file.write("one\\n")\nprint("two")'
    with open(tmp_path / "log", "a") as log:
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=log, check=True)
    assert (tmp_path / "log").read_text() == "before\none\ntwo\n" and os.listdir(tmp_path) == ["log"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no disk is always full here")
def test_of_a_full_disk_it_is_said_for_which_file(tmp_path):
    with pytest.raises(OSError, match="/dev/full"), whole_file("/dev/full") as file:
        file.write("x")


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_on_a_disk_that_knows_no_locks_work_goes_on_without(tmp_path, monkeypatch, recwarn, capsys, number):
    """As in many a home on a network; a line says it once. What stood for a lock instead would stay where its process was killed."""
    fcntl = pytest.importorskip("fcntl")

    def flock(*_):
        raise OSError(number, os.strerror(number))

    files._say_that_there_are_no_locks.cache_clear()  # older pytest gives each of these the same folder
    monkeypatch.setattr(fcntl, "flock", flock)
    for _ in range(2):
        with only_one(tmp_path / "x.lock", "waiting"), only_one(tmp_path / "x.lock", "waiting", tidy=True):
            pass
    assert not list(recwarn) and not (tmp_path / "x.lock").exists()
    assert capsys.readouterr().err == f"note: the disk of {tmp_path} knows no locks: start nothing else that writes there until this has ended\n"


def test_whoever_has_waited_for_a_lock_that_was_tidied_away_is_alone_as_well(tmp_path):
    program = f"""
import os, sys, time
sys.path.insert(0, {str(ROOT)!r})
from common.files import only_one
for _ in range(60):
    with only_one({str(tmp_path / 'x.lock')!r}, "", tidy=True):
        os.close(os.open({str(tmp_path / 'inside')!r}, os.O_CREAT | os.O_EXCL))
        time.sleep(0.001)
        os.unlink({str(tmp_path / 'inside')!r})
"""
    runs = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [run.communicate(timeout=120)[1] for run in runs] == ["", "", ""] and not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["short.npz", "x" * 240 + ".npz", "é" * 125 + ".npz"])
def test_halves_of_files_with_long_names_are_found(tmp_path, name):
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    for number in (done.pid, os.getpid(), os.getppid()):  # in a container a program has the number of the one before it
        files._aside_of(tmp_path / name, number).touch()
    (tmp_path / f".other-{name[:90]}.{done.pid}.part").touch()
    remove_halves(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([files._aside_of(tmp_path / name, os.getppid()).name, f".other-{name[:90]}.{done.pid}.part"])
    with whole_file(tmp_path / name) as file:
        file.write("whole")
    assert (tmp_path / name).read_text() == "whole"


@pytest.mark.parametrize("system, tries, done", [("nt", 2, True), ("nt", 100, False), ("posix", 1, False)])
def test_a_virus_scanner_that_holds_a_new_file_for_a_moment_is_waited_for(monkeypatch, system, tries, done):
    held, moved = [PermissionError] * tries, []

    def replace(source, target):
        if held:
            raise held.pop()
        moved.append(target)

    monkeypatch.setattr(files, "os", SimpleNamespace(name=system, replace=replace, path=os.path))
    monkeypatch.setattr(files.time, "sleep", lambda _: None)
    with nullcontext() if done else pytest.raises(PermissionError):
        files.rename("new", "old")
    assert moved == ["old"] * done


def test_a_table_that_is_open_in_a_spreadsheet_is_named_on_windows(monkeypatch, tmp_path):
    """It was told of a hidden file beside it, to which access was denied."""
    def replace(source, target):
        raise PermissionError(13, "Access is denied", source, 5, target)

    (tmp_path / "marks.csv").write_text("old")
    monkeypatch.setattr(files, "os", SimpleNamespace(name="nt", replace=replace, path=os.path, fspath=os.fspath))
    monkeypatch.setattr(files.time, "sleep", lambda _: None)
    with pytest.raises(PermissionError, match="such as a spreadsheet, has it open") as told:
        files.rename(tmp_path / ".marks.csv.1.part", tmp_path / "marks.csv")
    assert told.value.filename == str(tmp_path / "marks.csv")


def test_every_file_that_takes_the_place_of_another_waits_for_it():
    """The best weights of an hour's training, and a film's copy, were lost where a scanner still read them."""
    calls = {f"{path.relative_to(ROOT)}: {ast.unparse(node.func)}" for path in committed("common/*.py", "RegionDetector/*.py", "TrackDetector/*.py")
             for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)}  # fmt: skip
    assert {call for call in calls if call.endswith((" os.replace", " os.rename", " shutil.move", ".rename"))} == {f"{Path('common', 'files.py')}: os.replace"}


def test_where_a_folder_cannot_be_written_a_temporary_one_is_taken_and_said_once(tmp_path, capsys):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "build"):
        aside = folder_to_write(place)
        (aside / "x").touch()
        assert tmp_path not in aside.parents and folder_to_write(place) == aside
        said = capsys.readouterr().out
        assert said.startswith(f"{place} cannot be written (") and str(aside) in said and said.count("\n") == 1
    assert folder_to_write(tmp_path / "new" / "build") == tmp_path / "new" / "build" and not list((tmp_path / "new" / "build").iterdir())
    assert not capsys.readouterr().out


@pytest.mark.parametrize("number, about", [(errno.EACCES, "elsewhere.zip"), (errno.EIO, "data/x")])
def test_what_is_no_fault_of_the_folder_is_raised(tmp_path, number, about):
    def make(folder):
        raise OSError(number, os.strerror(number), str(tmp_path / about))

    with pytest.raises(OSError) as error:
        written_in(tmp_path / "data", make)
    assert error.value.errno == number
