"""Packages are installed from a folder or an index, by uv or by pip, in copies of the kit of their own."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


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


def put_on_shelf(clone, shelf, program):
    """A package "uv" whose command is a program of ours, and the lock that pins it."""
    wheel = shelf / "uv-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        script = zipfile.ZipInfo("uv-1.0.data/scripts/uv")
        script.external_attr = 0o100755 << 16
        file.writestr(script, f"#!python\n{program}\n")
        file.writestr("uv-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: uv\nVersion: 1.0\n")
        file.writestr("uv-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("uv-1.0.dist-info/RECORD", "uv-1.0.data/scripts/uv,,\nuv-1.0.dist-info/METADATA,,\nuv-1.0.dist-info/WHEEL,,\nuv-1.0.dist-info/RECORD,,\n")
    (clone / "requirements-setup.lock").write_text(f"uv==1.0 \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")


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


@pytest.mark.skipif(os.name == "nt", reason="a script is no program there")
@pytest.mark.parametrize("program, said", [("raise SystemExit('no way')", "no way"), ("import sys, os; os.execv(REAL, [REAL, *sys.argv[1:]])", "")], ids=["uv fails", "uv"])
def test_uv_installs_and_pip_where_uv_cannot(copy, program, said):
    clone, shelf = copy
    real = Path(sys.executable).with_name("uv")
    if "REAL" in program and not real.is_file():
        pytest.skip("uv is not installed")
    put_on_shelf(clone, shelf, program.replace("REAL", repr(str(real))))
    done = call(clone, "setup", WHEELHOUSE=str(shelf))
    assert done.returncode == 0 and said in done.stderr, done.stdout + done.stderr
    assert ("pip tries now" in done.stdout) == bool(said)
    assert subprocess.run([clone / ".venv" / "bin" / "python", "-c", "import tiny; print(tiny.answer)"], capture_output=True, text=True).stdout == "42\n"
    assert len(list((clone / ".venv").rglob("tiny.*.pyc"))) == 1
    installer = next((clone / ".venv").rglob("tiny-1.0.dist-info/INSTALLER")).read_text().strip()
    assert installer == ("pip" if said else "uv")


def test_uv_refuses_a_package_with_another_hash(copy):
    clone, shelf = copy
    real = Path(sys.executable).with_name("uv")
    if os.name == "nt" or not real.is_file():
        pytest.skip("uv is not installed")
    put_on_shelf(clone, shelf, f"import sys, os; os.execv({str(real)!r}, [{str(real)!r}, *sys.argv[1:]])")
    (clone / "requirements.lock").write_text("tiny==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    done = call(clone, "setup", WHEELHOUSE=str(shelf))
    assert done.returncode and "pip tries now" in done.stdout and not list((clone / ".venv").rglob("tiny.py"))


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
        program = ("import argparse, ast, ensurepip, hashlib, os, pkgutil, platform, random, runpy, shutil, subprocess, sys, sysconfig, tempfile, venv\n"
                   "sysconfig.get_config_vars()\n"
                   "os.getuid() or os.setuid(65534)\nsys.argv = sys.argv[1:]\nrunpy.run_path(sys.argv[0], run_name='__main__')")
        done = subprocess.run([sys.executable, "-c", program, str(clone / "kit.py"), "setup"], capture_output=True, text=True)
        assert done.returncode and f"{clone} cannot be written (Permission denied)" in done.stderr, done.stderr
        assert "network" not in done.stdout + done.stderr and not (clone / ".venv").exists()
    finally:
        (home / "clone").chmod(0o755)
        shutil.rmtree(home)
