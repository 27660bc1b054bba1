"""What stands before a command's work: its Python, its modules, and which files are meant."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from common import photos
from common.commands import start as starting
from common.commands.inputs import find_inputs
from common.commands.run import attempt
from common.photos import PhotoError, read_photo

ROOT = Path(__file__).resolve().parents[1]


def test_folders_of_folders_and_what_is_left_out(tmp_path, capsys):
    for name in ("b/10.jpg", "b/9.jpg", "b/x.faces.jpg", "b/x.named.png", "b/x.jpg.blurred.jpg", "a/c/1.PNG", "notes.txt", "b/more.txt", ".hidden/1.jpg", "b/._9.jpg", "film.ts", "code.ts"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"G" if name == "film.ts" else b"i")
    (tmp_path / "b" / "round").symlink_to(tmp_path)
    (tmp_path / "again.jpg").symlink_to(tmp_path / "b" / "9.jpg")
    (tmp_path / "bare").mkdir()
    found = find_inputs([tmp_path, tmp_path / "b" / ".." / "b" / "10.jpg", tmp_path / "bare", tmp_path / "nowhere.jpg"], {".jpg", ".png", ".ts"})
    assert [name for _, name in found.files] == ["a/c/1.PNG", "again.jpg", "b/10.jpg", "film.ts", "nowhere.jpg"]
    assert found.others == {".txt": 2, ".ts": 1} and found.copies == 3 and found.again == 2 and found.empty == [tmp_path / "bare"]
    found.say("photo")
    told = capsys.readouterr().err
    for line in ("left out 3 files of other kinds (2 .txt, 1 .ts)", "left out 3 copies that a command has drawn", "2 files named more than once",
                 f"no photo in {tmp_path / 'bare'}"):
        assert line in told


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes among files are a thing of Unix")
def test_a_pipe_is_not_waited_for(tmp_path, capsys):
    for name in ("a.jpg", "a.ts"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "b.jpg").touch()
    assert [name for _, name in find_inputs([tmp_path], {".jpg", ".ts"}).files] == ["b.jpg"]


def test_files_of_one_name_are_called_apart(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.jpg").touch()
    found = find_inputs([tmp_path / "a" / "1.jpg", tmp_path / "b" / "1.jpg", tmp_path / "a"], {".jpg"})
    assert [name for _, name in found.files] == ["1.jpg", "2/1.jpg"] and found.again == 1


@pytest.mark.parametrize("arguments", [["RegionDetector", "photos"], ["RegionDetector.fddb", "evaluate", "x"], ["TrackDetector", "--gallery", "people", "photos"], ["TrackDetector", "find", "a", "b"]])
def test_a_python_without_the_packages_says_which_one_to_take(arguments):
    done = subprocess.run([sys.executable, "-S", "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and re.match(r"error: this Python has no \w+ \(.*\.venv", done.stderr) and done.stderr.count("\n") == 1


def test_ctrl_c_while_the_modules_are_loaded_is_a_stop(monkeypatch, capsys):
    def import_module(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(starting, "import_module", import_module)
    assert starting.start("RegionDetector.commands.finding", []) == 130 and capsys.readouterr().err == "Stopped.\n"


@pytest.mark.parametrize("error", [MemoryError(), ImportError("Traceback ...\nImportError: libtensorflow_cc.so.2: failed to map segment from shared object")])
def test_too_little_memory_is_said_in_a_line(monkeypatch, capsys, error):
    def import_module(name):
        raise error

    monkeypatch.setattr(starting, "import_module", import_module)
    assert starting.start("RegionDetector.commands.finding", []) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: there is not enough memory; expected") and said.count("\n") == 1
    error = ImportError("libavformat.so: no such file")
    with pytest.raises(ImportError):
        starting.start("RegionDetector.commands.finding", [])


@pytest.mark.parametrize("error", [MemoryError(), ImportError("libx265.so.217: failed to map segment from shared object")])
def test_no_photo_is_blamed_for_too_little_memory(tmp_path, monkeypatch, error):
    def short(*how, **more):
        raise error

    photo = tmp_path / "a.png"
    Image.new("RGB", (40, 30)).save(photo)
    assert attempt(short, photo, "a.png")["error"] == f"{photo}: there is not enough memory for it"
    monkeypatch.setattr(photos.Image, "open", short)
    with pytest.raises(PhotoError, match="a.png: there is not enough memory to read it") as told:
        read_photo(photo)
    assert "replace" not in str(told.value)
