"""The set-up says clearly what is in the way, before it downloads anything."""

import builtins
import importlib.metadata
import os
import shutil
import signal
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


def test_a_copy_offers_the_commands_that_it_has(monkeypatch, tmp_path):
    assert all(map(kit.is_here, kit.COMMANDS))
    monkeypatch.setattr(kit, "ROOT", tmp_path)
    assert list(filter(kit.is_here, kit.COMMANDS)) == ["lab"]
    (tmp_path / "common" / "grading").mkdir(parents=True)
    (tmp_path / "common" / "doctor.py").touch()
    assert list(filter(kit.is_here, kit.COMMANDS)) == ["lab", "doctor"]
    (tmp_path / "common" / "grading" / "__main__.py").touch()
    (tmp_path / "tests").mkdir()
    assert list(filter(kit.is_here, kit.COMMANDS)) == ["lab", "test", "doctor", "grade"]


@pytest.mark.parametrize("version", [(3, 10, 2), (3, 14, 0), (4, 0, 0)])
def test_a_python_without_tensorflow_is_refused(nothing_installed, monkeypatch, version):
    monkeypatch.setattr(kit.sys, "version_info", version)
    with pytest.raises(SystemExit, match=r"TensorFlow comes for Python 3\.11 to 3\.13[^$]*PYTHON="):
        kit.set_up()
    assert nothing_installed == []


def test_a_student_whose_python_is_too_old_is_told_of_a_command_that_is_in_the_package(nothing_installed, monkeypatch, tmp_path):
    monkeypatch.setattr(kit, "ROOT", tmp_path)  # as the students' package, without a Makefile
    monkeypatch.setattr(kit.sys, "version_info", (3, 10, 2))
    monkeypatch.setattr(kit.sys, "argv", ["kit.py", "doctor", "--quick"])
    with pytest.raises(SystemExit, match=r"for example: python3\.12 kit\.py doctor --quick\n"):
        kit.set_up()


def test_on_windows_another_python_is_called_as_it_is_there(nothing_installed, monkeypatch):
    monkeypatch.setattr(kit, "_machine", lambda: ("win32", "amd64"))
    monkeypatch.setattr(kit.sys, "version_info", (3, 14, 0))
    monkeypatch.setattr(kit.sys, "argv", ["kit.py", "lab"])
    with pytest.raises(SystemExit, match=r"for example: py -3\.12 kit\.py lab\n"):
        kit.set_up()


@pytest.mark.parametrize("system, processor, change, says", [
    ("darwin", "x86_64", {"version_info": (3, 13, 0)}, r"for Macs with an Intel processor comes for Python 3\.11 to 3\.12"),
    ("win32", "arm64", {}, "for Intel and AMD, which Windows 11 runs"),
    ("win32", "win32", {"maxsize": 2**31 - 1}, "one with 64 bits[^$]*py -3.12"),
    ("darwin", "x86_64", {"version": "Darwin Kernel Version 23.5.0; RELEASE_ARM64_T8103"}, "which was built for both"),
    ("darwin", "arm64", {"mac_ver": ("13.6.1", ("", "", ""), "arm64")}, "macOS 13.6.1; some packages come for macOS 14"),
    ("linux", "x86_64", {"SOABI": "cpython-312-x86_64-linux-musl"}, "stands on musl"),
    ("linux", "x86_64", {"Py_GIL_DISABLED": 1}, "the usual one"),
])  # fmt: skip
def test_a_python_or_system_that_the_packages_are_not_made_for(nothing_installed, monkeypatch, system, processor, change, says):
    """It was told of the network after all had been downloaded that could be, or had to compile what needs a compiler."""
    as_if_on(monkeypatch, system, processor, **change)
    with pytest.raises(SystemExit, match=says):
        kit.set_up()
    assert nothing_installed == []


@pytest.mark.parametrize("system, processor, change", [
    ("darwin", "x86_64", {"version_info": (3, 12, 4), "version": "RELEASE_X86_64"}), ("darwin", "arm64", {"version_info": (3, 13, 0), "version": "RELEASE_ARM64_T8103"}),
    ("darwin", "arm64", {"mac_ver": ("10.16", ("", "", ""), "arm64")}), ("win32", "amd64", {"version_info": (3, 13, 0)}), ("linux", "aarch64", {}),
])  # fmt: skip
def test_a_python_and_system_that_they_are_made_for(monkeypatch, system, processor, change):
    as_if_on(monkeypatch, system, processor, **change)
    kit.check_python()


def as_if_on(monkeypatch, system, processor, version_info=(3, 12, 1), maxsize=2**63 - 1, version="", mac_ver=("14.5", ("", "", ""), ""), **told):
    """What Python says of itself and of the system, as it would elsewhere."""
    monkeypatch.setattr(kit, "_machine", lambda: (system, processor))
    monkeypatch.setattr(kit.sys, "version_info", version_info)
    monkeypatch.setattr(kit.sys, "maxsize", maxsize)
    monkeypatch.setattr(kit.platform, "version", lambda: version)
    monkeypatch.setattr(kit.platform, "mac_ver", lambda: mac_ver)
    monkeypatch.setattr(kit.sysconfig, "get_config_var", told.get)


@pytest.mark.parametrize("folder, long, says", [
    ("C:/Users/firstname.lastname/OneDrive - A University/Documents/face-detectors", False, "too long by 22 letters[^$]*shorter name"),
    ("C:/Users/firstname.lastname/OneDrive - A University/Documents/face-detectors", True, "package index"),
    ("C:/Users/firstname.lastname/face-detectors", False, "package index"),
])  # fmt: skip
def test_a_folder_too_deep_for_windows(nothing_installed, monkeypatch, folder, long, says):
    """As one in OneDrive: the packages break off in the middle, with a file that is there for nobody, and it was told of the network."""
    def fails(command, **_):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(kit, "_machine", lambda: ("win32", "amd64"))
    monkeypatch.setattr(kit, "_takes_long_names", lambda: long)
    monkeypatch.setattr(kit, "check_room", lambda: None)
    monkeypatch.setattr(kit, "ROOT", Path(folder))
    monkeypatch.setattr(kit.subprocess, "run", fails)
    with pytest.raises(SystemExit, match=says):
        kit.make_environment([], "x")


def test_the_deepest_name_in_the_environment():
    """By what the deepest of the packages say of themselves."""
    longest = max(len(str(file)) for name in ("tensorflow", "jupyterlab", "debugpy") for file in importlib.metadata.files(name) or [])
    assert longest + len("/.venv/Lib/site-packages/") <= kit.DEEPEST < longest + 40


@pytest.mark.parametrize("system, said", [("win32", '$env:WHEELHOUSE="there"; python kit.py setup\n'), ("linux", ": WHEELHOUSE=there python kit.py setup\n")])
def test_what_to_type_beside_a_wheelhouse_is_what_the_systems_shell_takes(nothing_installed, monkeypatch, capsys, tmp_path, system, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    monkeypatch.setattr(kit, "_machine", lambda: (system, "x86_64"))
    monkeypatch.setattr(kit, "check_python", lambda: None)
    kit.fill_wheelhouse("there")
    assert capsys.readouterr().out.endswith(said)


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
    once = [command for command in nothing_installed if "install" in command]
    assert [command[-1] for command in once] == [str(kit.SETUP), str(kit.LOCK)] and all("--require-hashes" in command for command in once)
    calls = len(nothing_installed)
    kit.set_up()
    assert len(nothing_installed) == calls
    kit.LOCK.write_text("a==2")
    kit.set_up()
    assert len(nothing_installed) == 2 * calls


@pytest.mark.skipif(os.name == "nt", reason="Windows has locks of another kind")
def test_of_two_at_once_one_makes_the_environment(tmp_path):
    """`make run` in one terminal and `make lab` in the other: the second would empty what the first installs."""
    program = f"""
import pathlib, sys, time
sys.path.insert(0, {str(ROOT)!r})
import kit
kit.VENV = pathlib.Path({str(tmp_path)!r}, ".venv")
kit.STAMP = kit.VENV / "stamp"
def install(where, wanted):
    kit.VENV.mkdir()  # fails if another is at it
    time.sleep(1)
    (kit.VENV / "bin").mkdir()
    kit.venv_python().touch()
    kit.STAMP.write_text(wanted)
kit.make_environment = install
kit.set_up()
"""
    both = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
    said = [each.communicate(timeout=60)[0] for each in both]
    assert [each.returncode for each in both] == [0, 0] and sorted(said) == ["", "Waiting for another run, which sets up .venv.\n"], said


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0 or sys.platform == "darwin", reason="only root may be somebody else")
def test_an_environment_whose_python_lies_in_the_home_of_another(open_folder):
    """As in a folder that an instructor has set up for all, with a Python of her own."""
    (open_folder / "home").mkdir()
    (open_folder / "home" / "python").touch()
    (open_folder / "home").chmod(0o700)
    (open_folder / ".venv" / "bin").mkdir(parents=True)
    (open_folder / ".venv" / "bin" / "python").symlink_to(open_folder / "home" / "python")
    (open_folder / ".venv" / "stamp").write_text("x")
    program = f"import os, sys; sys.path.insert(0, {str(ROOT)!r}); import kit; from pathlib import Path; kit.VENV = Path({str(open_folder)!r}, '.venv'); " \
              "kit.STAMP = kit.VENV / 'stamp'; print(kit.is_set_up('x')); os.setuid(65534); print(kit.is_set_up('x'))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "True\nFalse\n", done.stderr


def test_a_failed_installation_is_explained_and_tried_again_the_next_time(nothing_installed, monkeypatch):
    def fails(command, **_):
        raise subprocess.CalledProcessError(1, command)

    with monkeypatch.context() as broken:
        broken.setattr(kit.subprocess, "run", fails)
        with pytest.raises(SystemExit, match="package index"):
            kit.set_up()
    kit.set_up()
    assert nothing_installed and kit.STAMP.is_file()


@pytest.mark.parametrize("system, code, calls", [("win32", 103, 1), ("win32", 0, 0), ("linux", 103, 0)])
def test_on_windows_an_environment_whose_python_was_removed_is_made_anew(nothing_installed, monkeypatch, tmp_path, system, code, calls):
    """Its python.exe is still there, and says only that there is no Python where it was."""
    made = []
    monkeypatch.setattr(kit, "LOCK", tmp_path / "lock")
    kit.LOCK.write_text("a==1")
    kit.set_up()
    monkeypatch.setattr(kit, "_machine", lambda: (system, "amd64"))
    monkeypatch.setattr(kit, "make_environment", lambda *what: made.append(what))
    monkeypatch.setattr(kit.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, code))
    kit.set_up()
    assert len(made) == calls


def test_on_windows_what_still_runs_is_named(nothing_installed, monkeypatch):
    def fails(command, **_):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(kit, "_machine", lambda: ("win32", "amd64"))
    monkeypatch.setattr(kit, "_takes_long_names", lambda: True)
    monkeypatch.setattr(kit.subprocess, "run", fails)
    with pytest.raises(SystemExit, match="JupyterLab, and must be ended first"):
        kit.make_environment([], "x")


@pytest.mark.parametrize("said, expected", [
    ("", {}),
    ("global.index-url='https://mirror/simple'\nglobal.timeout='60'\n", {"UV_DEFAULT_INDEX": "https://mirror/simple"}),
    (":env:.index-url='https://mine'\nglobal.index-url='https://all'\n", {"UV_DEFAULT_INDEX": "https://mine"}),
    ("install.extra-index-url='file:///a\\nfile:///b'\nuser.find-links='/x /y'\nglobal.cert='/c.pem'\n",
     {"UV_INDEX": "file:///a file:///b", "UV_FIND_LINKS": "/x,/y", "SSL_CERT_FILE": "/c.pem"}),
    ("global.proxy='http://proxy:3128'\nglobal.trusted-host='a\\nb'\nglobal.index-url=''\n", {"ALL_PROXY": "http://proxy:3128", "UV_INSECURE_HOST": "a b"}),
])  # fmt: skip
def test_uv_is_told_what_pip_was_told(monkeypatch, said, expected):
    monkeypatch.setattr(kit.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, said))
    assert kit.settings_of_pip() == expected


def test_what_pip_lists_is_what_was_set(tmp_path, monkeypatch):
    """By the real pip: what its list looks like is pip's business."""
    (tmp_path / "pip.conf").write_text("[global]\nextra-index-url =\n    https://one/simple\n    https://two/simple\nfind-links = /x\n")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_FIND_LINKS", "/y")
    monkeypatch.setattr(kit, "venv_python", lambda: Path(sys.executable))
    assert kit.settings_of_pip().items() >= {"UV_INDEX": "https://one/simple https://two/simple", "UV_FIND_LINKS": "/y"}.items()


def test_a_stop_of_the_set_up_is_no_fault_and_it_is_made_anew(nothing_installed, monkeypatch, capsys):
    def stopped(command, **_):
        kit.VENV.mkdir(exist_ok=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(kit.sys, "argv", ["kit.py", "setup"])
    with monkeypatch.context() as broken:
        broken.setattr(kit.subprocess, "run", stopped)
        with pytest.raises(SystemExit) as told:
            kit.main()
    assert told.value.code == 130 and "The same command" in capsys.readouterr().err and not kit.STAMP.exists()
    kit.main()
    assert kit.STAMP.is_file()


@pytest.mark.skipif(os.name == "nt", reason="signals are another thing there")
def test_ctrl_c_is_the_commands():
    """JupyterLab asks whether it shall end, and was killed a quarter of a second later; the grader tidies up."""
    command = "import time\ntry:\n    print('ready', flush=True)\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    time.sleep(0.6)\n    print('tidied up')\n    raise SystemExit(7)"
    program = f"""
import pathlib, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {str(ROOT)!r})
import kit
kit.is_here = lambda command: True
kit.COMMANDS["doctor"], kit.set_up, kit.venv_python, sys.argv = ["-c", {command!r}], lambda: None, lambda: pathlib.Path(sys.executable), ["kit.py", "doctor"]
kit.main()
"""
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert running.stdout.readline() == "ready\n"
    os.killpg(running.pid, signal.SIGINT)
    assert running.communicate(timeout=60)[0] == "tidied up\n" and running.returncode == 7


def test_the_command_runs_on_its_own():
    done = subprocess.run([sys.executable, str(ROOT / "kit.py"), "nonsense"], capture_output=True, text=True)
    assert done.returncode == 2 and "invalid choice" in done.stderr


@pytest.mark.parametrize("cores, pages, expected", [(2, 24, ["-n", "2"]), (8, 16, ["-n", "4"]), (1, 64, []), (4, 6, []), (64, 512, ["-n", "8"])])
def test_test_processes_by_cores_and_memory(monkeypatch, cores, pages, expected):
    monkeypatch.setattr(kit.os, "sched_getaffinity", lambda _: range(cores), raising=False)
    monkeypatch.setattr(kit.os, "sysconf", lambda name: 2**30 if name == "SC_PAGE_SIZE" else pages, raising=False)
    assert kit.workers()[:2] == expected


def test_what_the_kit_and_its_readers_put_into_the_folder_is_not_committed():
    """Packages, and what the pages call the reader's own: `git add .` would take in photos of people and what students handed in."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a clone")
    names = ["build/x.json", "wheelhouse/x.whl", "data/x.jpg", "photos/x.jpg", "people/Ann Lee/x.jpg", "people.npz", "people.npz.building.jsonl", "handed-in/moodle.zip", "work/README.md"]
    done = subprocess.run(["git", "-c", f"safe.directory={ROOT}", "check-ignore", *names], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines() == names, done.stderr
