"""The set-up says clearly what is in the way, before it downloads anything."""

import builtins
import subprocess
import sys
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
    assert len(nothing_installed) == 2 and "--require-hashes" in nothing_installed[1]
    kit.set_up()
    assert len(nothing_installed) == 2
    kit.LOCK.write_text("a==2")
    kit.set_up()
    assert len(nothing_installed) == 4


def test_a_failed_installation_is_explained_and_tried_again_the_next_time(nothing_installed, monkeypatch):
    def fails(command, **_):
        raise subprocess.CalledProcessError(1, command)

    with monkeypatch.context() as broken:
        broken.setattr(kit.subprocess, "run", fails)
        with pytest.raises(SystemExit, match="package index"):
            kit.set_up()
    kit.set_up()
    assert len(nothing_installed) == 2


def test_the_command_runs_on_its_own():
    done = subprocess.run([sys.executable, str(ROOT / "kit.py"), "nonsense"], capture_output=True, text=True)
    assert done.returncode == 2 and "invalid choice" in done.stderr
