"""The set-up says clearly what is in the way, before it downloads anything."""

import builtins
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest

import kit

ROOT = Path(__file__).resolve().parent.parent
Version = namedtuple("Version", "major minor micro")


@pytest.fixture
def nothing_installed(tmp_path, monkeypatch):
    """A kit without an environment, and commands that are written down instead of run."""
    monkeypatch.setattr(kit, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(kit, "STAMP", tmp_path / ".venv" / "stamp")
    calls = []

    def run(command, **_):
        calls.append(command)
        kit.VENV.mkdir(exist_ok=True)
        kit.venv_python().parent.mkdir(exist_ok=True)
        kit.venv_python().touch()
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(kit.subprocess, "run", run)
    return calls


@pytest.mark.parametrize("version", [(3, 10, 2), (3, 14, 0), (4, 0, 0)])
def test_a_python_without_tensorflow_is_refused(nothing_installed, monkeypatch, version):
    monkeypatch.setattr(kit.sys, "version_info", version)
    with pytest.raises(SystemExit, match=r"TensorFlow comes for Python 3\.11 to 3\.13[^$]*PYTHON="):
        kit.set_up()
    assert nothing_installed == []


def test_a_missing_venv_module_is_said(nothing_installed, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "ensurepip":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        kit.set_up()
    assert nothing_installed == []


def test_a_full_disk_is_said(nothing_installed, monkeypatch):
    monkeypatch.setattr(kit.shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(1e9))
    with pytest.raises(SystemExit, match="1.0 GB left"):
        kit.set_up()
    assert nothing_installed == []


def test_the_lock_is_installed_with_hashes_once_and_again_when_it_changes(nothing_installed, monkeypatch, tmp_path):
    monkeypatch.setattr(kit, "LOCK", tmp_path / "lock")
    kit.LOCK.write_text("a==1")
    kit.set_up()
    assert len(nothing_installed) == 3 and "--require-hashes" in nothing_installed[1]
    kit.set_up()
    assert len(nothing_installed) == 3
    kit.LOCK.write_text("a==2")
    kit.set_up()
    assert len(nothing_installed) == 6


def test_a_failed_installation_is_explained_and_tried_again_the_next_time(nothing_installed, monkeypatch):
    def fails(command, **_):
        raise subprocess.CalledProcessError(1, command)

    with monkeypatch.context() as broken:
        broken.setattr(kit.subprocess, "run", fails)
        with pytest.raises(SystemExit, match="package index"):
            kit.set_up()
    kit.set_up()
    assert len(nothing_installed) == 3


def test_the_command_runs_on_its_own():
    done = subprocess.run([sys.executable, str(ROOT / "kit.py"), "nonsense"], capture_output=True, text=True)
    assert done.returncode == 2 and "invalid choice" in done.stderr


@pytest.fixture
def copy(tmp_path):
    """A kit of its own, with a lock of one tiny package, and the folder that holds it."""
    shelf, clone = tmp_path / "shelf", tmp_path / "clone"
    shelf.mkdir()
    clone.mkdir()
    with zipfile.ZipFile(shelf / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "answer = 42\n")
        wheel.writestr("of_another_python.py", "print 42\n")
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "tiny.py,,\nof_another_python.py,,\ntiny-1.0.dist-info/METADATA,,\ntiny-1.0.dist-info/WHEEL,,\ntiny-1.0.dist-info/RECORD,,\n")
    digest = hashlib.sha256((shelf / "tiny-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    (clone / "requirements.lock").write_text(f"tiny==1.0 \\\n    --hash=sha256:{digest}\n")
    shutil.copyfile(ROOT / "kit.py", clone / "kit.py")
    return clone, shelf


def call(clone, *arguments, **environment):
    # an index that nobody answers at: what is installed can only come from the shelf
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0", "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}
    return subprocess.run([sys.executable, str(clone / "kit.py"), *arguments], capture_output=True, text=True, env={**os.environ, **nowhere, **environment})


def test_packages_from_a_folder_without_a_network(copy):
    clone, shelf = copy
    done = call(clone, "setup", WHEELHOUSE=str(shelf))
    assert done.returncode == 0, done.stdout + done.stderr
    python = clone / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    assert subprocess.run([python, "-c", "import tiny; print(tiny.answer)"], capture_output=True, text=True).stdout == "42\n"
    assert len(list((clone / ".venv").rglob("tiny.*.pyc"))) == 1, "compiled beforehand: no command writes into the environment, or waits for it"
    assert call(clone, "setup").returncode == 0, "set up already: neither folder nor network is asked"


def test_a_folder_that_lacks_a_package_and_one_that_has_none_are_told_apart(copy):
    clone, shelf = copy
    (clone / "requirements.lock").write_text((clone / "requirements.lock").read_text() + "other==2.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    assert "missing in the wheelhouse" in call(clone, "setup", WHEELHOUSE=str(shelf)).stderr
    done = call(clone, "setup", WHEELHOUSE=str(clone))
    assert done.returncode and "kit.py wheelhouse" in done.stderr and "there are no packages in it" in done.stderr
    assert "no way to the package index" in call(clone, "setup").stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such right")
def test_a_clone_that_cannot_be_written_says_so_and_not_that_there_is_no_network(copy):
    home = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    try:
        clone = Path(shutil.copytree(copy[0], home / "clone"))
        home.chmod(0o755)
        clone.chmod(0o555)
        # root may write everywhere, and Python may lie where nobody else can read it: so imported first, and nobody then
        program = ("import argparse, ensurepip, hashlib, os, pkgutil, random, runpy, shutil, subprocess, sys, tempfile, venv\n"
                   "os.getuid() or os.setuid(65534)\nsys.argv = sys.argv[1:]\nrunpy.run_path(sys.argv[0], run_name='__main__')")
        done = subprocess.run([sys.executable, "-c", program, str(clone / "kit.py"), "run"], capture_output=True, text=True)
        assert done.returncode and f"{clone} cannot be written (Permission denied)" in done.stderr, done.stderr
        assert "network" not in done.stdout + done.stderr and not (clone / ".venv").exists()
    finally:
        (home / "clone").chmod(0o755)
        shutil.rmtree(home)


@pytest.mark.parametrize("cores, pages, expected", [(2, 24, ["-n", "2"]), (8, 16, ["-n", "4"]), (1, 64, []), (4, 6, []), (64, 512, ["-n", "8"])])
def test_test_processes_by_cores_and_memory(monkeypatch, cores, pages, expected):
    monkeypatch.setattr(kit.os, "sched_getaffinity", lambda _: range(cores), raising=False)
    monkeypatch.setattr(kit.os, "sysconf", lambda name: 2**30 if name == "SC_PAGE_SIZE" else pages, raising=False)
    assert kit.workers()[:2] == expected
