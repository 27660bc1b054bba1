"""Set the kit up and use it: ``python kit.py lab``, ``doctor``; in a whole kit ``run``, ``test`` and more. `make` calls this; on Windows call it yourself.

Needs nothing but Python 3.11 or newer: it makes the environment ``.venv`` from requirements.lock first. Without a network:
``python kit.py wheelhouse FOLDER`` where there is one, on the same system and Python, then ``WHEELHOUSE=FOLDER python kit.py setup``.
"""

import argparse
import ast
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
SETUP = ROOT / "requirements-setup.lock"
STAMP = VENV / "installed-lock.sha256"
OLDEST, NEWEST = (3, 11), (3, 13)
MAC = 14  # the first macOS for which dlib-bin, faiss-cpu and av have packages
DEEPEST = 205  # letters of the longest name in the environment, below the kit's folder, with a little to spare
GIGABYTES = 4
# pip's settings, which uv does not read: uv's names for them, and what separates several values
SETTINGS = {"index-url": ("UV_DEFAULT_INDEX", ""), "extra-index-url": ("UV_INDEX", " "), "find-links": ("UV_FIND_LINKS", ","),
            "trusted-host": ("UV_INSECURE_HOST", " "), "cert": ("SSL_CERT_FILE", ""), "proxy": ("ALL_PROXY", "")}  # fmt: skip
COMMANDS = {
    "run": ["-m", "common.notebooks"],
    "lab": ["-m", "jupyterlab", "--ip=127.0.0.1"],
    "test": ["-m", "pytest"],
    "lint": ["-m", "ruff", "check", "."],
    "doctor": ["-m", "common.doctor"],
    "grade": ["-m", "common.grading"],
    "autograder": ["-m", "common.grading.autograder"],
    "student": ["-m", "common.grading.student_package"],
    "fddb": ["-m", "RegionDetector.fddb.folds"],
    "detector": ["-m", "RegionDetector.one_pass"],
}
NEEDED = {"test": "tests", "lint": "pyproject.toml"}  # of commands that run no module of the kit's own


def is_here(command):
    """Whether this copy of the kit has what a command runs: the students' package lacks the instructor's."""
    if command == "lab":
        return True
    if command in NEEDED:
        return (ROOT / NEEDED[command]).exists()
    module = ROOT / COMMANDS[command][1].replace(".", "/")
    return module.with_suffix(".py").exists() or (module / "__main__.py").exists()


def stop(message):
    """End with a message and no traceback."""
    sys.exit(f"\n{message}\n")


def _with_another():
    """The command that was typed, with another Python: the students' package has no Makefile, and they asked for something else than a run."""
    if _machine()[0] == "win32":
        return " ".join(["py -3.12 kit.py", *sys.argv[1:]])
    return "make run PYTHON=python3.12" if (ROOT / "Makefile").is_file() else " ".join(["python3.12 kit.py", *sys.argv[1:]])


def _machine():
    """The system and the kind of processor that this Python was built for."""
    return sys.platform, sysconfig.get_platform().rpartition("-")[2] if sys.platform == "win32" else platform.machine()


def _other_build():
    """What is strange about this build of Python, for which there are no packages, and which one to take; None where there is nothing."""
    system, processor = _machine()
    if sys.maxsize < 2**32:
        return "has 32 bits, and TensorFlow comes for 64", "one with 64 bits, from python.org,"
    if (system, processor) == ("win32", "arm64"):
        return "was built for ARM, for which TensorFlow has no package on Windows", "the 64-bit one for Intel and AMD, which Windows 11 runs on ARM as well,"
    if (system, processor) == ("darwin", "x86_64") and "ARM64" in platform.version():  # the core of the system is not deceived
        return "was built for Intel processors, and this Mac has one of Apple's", "the one from python.org, which was built for both,"
    if sysconfig.get_config_var("Py_GIL_DISABLED") or sys.implementation.name != "cpython":
        return f"is of another kind than TensorFlow comes for ({sys.implementation.name}, {sys.version.splitlines()[0]})", "the usual one from python.org"
    return None


def _other_system():
    """What of this system is strange to the packages, and what to do; None where there is nothing."""
    version = platform.mac_ver()[0]
    if _machine()[0] == "darwin" and version not in ("", "10.16") and int(version.partition(".")[0]) < MAC:  # 10.16: an old Python is not told
        return f"This is macOS {version}; some packages come for macOS {MAC} and newer. Update macOS, or take another computer or the browser service of your school."
    if _machine()[0] == "linux" and "musl" in (sysconfig.get_config_var("SOABI") or ""):
        return "This Linux stands on musl, as Alpine does; TensorFlow comes for those that stand on glibc, as Debian, Ubuntu and Fedora do. Take one of them."
    return None


def check_python():
    """Refuse a Python for which TensorFlow has no wheels, before anything is downloaded."""
    newest = min(NEWEST, (3, 12)) if _machine() == ("darwin", "x86_64") else NEWEST  # the last TensorFlow for Intel Macs knows no newer one
    if not OLDEST <= sys.version_info[:2] <= newest:
        have = ".".join(map(str, sys.version_info[:2]))
        stop(
            f"This is Python {have}; TensorFlow{' for Macs with an Intel processor' * (newest != NEWEST)} comes for Python "
            f"{OLDEST[0]}.{OLDEST[1]} to {newest[0]}.{newest[1]}.\n"
            f"Install one of those and say which to use, for example: {_with_another()}"
        )
    if strange := _other_build():
        stop(f"This Python {strange[0]}.\nInstall {strange[1]} and say which to use, for example: {_with_another()}")
    if amiss := _other_system():
        stop(amiss)
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        stop(
            "This Python cannot make environments: its module venv or ensurepip is missing.\n"
            "On Debian and Ubuntu: sudo apt install python3-venv. Elsewhere: install Python from python.org."
        )


def check_room():
    """Refuse a disk that would be full halfway."""
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < GIGABYTES:
        stop(f"The disk of {ROOT} has {free:.1f} GB left; the environment needs about {GIGABYTES} GB. Make room and start again.")


def check_writable():
    """Refuse a folder that cannot be written, before anything else fails because of it."""
    try:
        with tempfile.TemporaryFile(dir=ROOT):
            pass
    except OSError as error:
        stop(f"{ROOT} cannot be written ({error.strerror}), and the kit keeps its environment and its results there.\n"
             "Copy the kit to a folder of your own and start the same command there.")  # fmt: skip


def check_length():
    """Say that a folder is so deep that Windows does not take the longest names of what is installed; not before it has failed, for uv may know a way."""
    long = len(str(ROOT)) + DEEPEST - 259  # 260 with the zero at the end
    if _machine()[0] == "win32" and long > 0 and not _takes_long_names():
        stop(f"The name of {ROOT} is too long by {long} letters: Windows takes 259 for a whole name, and those of the packages have up to {DEEPEST} below it.\n"
             "Move the kit to a folder with a shorter name, such as C:\\faces, and start the same command there.")  # fmt: skip


def _takes_long_names():
    """Whether somebody has told this Windows to take names of any length."""
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            return winreg.QueryValueEx(key, "LongPathsEnabled")[0] == 1
    except OSError:
        return False


def wheelhouse():
    """pip's options for a folder of packages, if ``WHEELHOUSE`` names one."""
    named = os.environ.get("WHEELHOUSE")
    if not named:
        return []
    folder = Path(named).expanduser().absolute()
    if not any(folder.glob("*.whl")):
        stop(f"WHEELHOUSE is {named}, but there are no packages in it. Fill it where there is a network: python kit.py wheelhouse {named}")
    return ["--no-index", "--find-links", str(folder)]


def venv_python():
    """The interpreter of the environment."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def settings_of_pip():
    """The index, mirror, certificate and proxy that pip was told of, as environment variables for uv: what works for the one is to work for the other."""
    said = subprocess.run([str(venv_python()), "-m", "pip", "config", "list"], capture_output=True, text=True).stdout or ""
    found = {}
    for line in sorted(said.splitlines(), key=lambda line: line.startswith(":env:")):  # pip lets the environment win
        name, _, value = line.partition("=")
        if name.rpartition(".")[2] in SETTINGS:
            variable, between = SETTINGS[name.rpartition(".")[2]]
            found[variable] = between.join(ast.literal_eval(value).split())
    return {name: value for name, value in found.items() if value}


def install(where):
    """What requirements.lock pins goes into the environment: by uv, which takes half of pip's time, and by pip where uv is not to be had or does not get through.

    Parameters
    ----------
    where : list of str
        Options of both; see `wheelhouse`.
    """
    python = str(venv_python())
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--no-compile", *where, "--require-hashes", "-r"]
    uv = [str(venv_python().with_name("uv")), "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *where, "--require-hashes", "-r", str(LOCK)]
    if SETUP.is_file():
        try:
            subprocess.run([*pip, str(SETUP)], check=True)
            # pip knows no order among indexes either: the hashes say which file it must be
            subprocess.run(uv, check=True, env={"UV_INDEX_STRATEGY": "unsafe-best-match", **settings_of_pip(), **os.environ})
            return
        except (subprocess.CalledProcessError, OSError, ValueError, SyntaxError):
            print("uv could not install the packages; pip tries now.", flush=True)
    subprocess.run([*pip, str(LOCK)], check=True)
    # pip would do it with one core; a file that cannot be compiled is one that nobody can import
    subprocess.run([python, "-W", "ignore", "-m", "compileall", "-qq", "-j", "0", str(VENV)])


def set_up():
    """Make ``.venv`` from requirements.lock, unless it is there and from this lock."""
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if is_set_up(wanted):
        return
    check_python()
    check_writable()
    check_room()
    where = wheelhouse()
    with alone():
        if not is_set_up(wanted):  # by the one that was waited for
            make_environment(where, wanted)


def is_set_up(wanted):
    """Whether ``.venv`` is there, from this lock, and may be used: its Python may lie in the home of who made it."""
    return os.access(STAMP, os.R_OK) and STAMP.read_text() == wanted and os.path.exists(venv_python()) and _starts()


def _starts():
    """Whether the environment's Python starts: on Windows it is a program that looks for the Python it was made with, which may have been removed since."""
    return _machine()[0] != "win32" or subprocess.run([str(venv_python()), "-I", "-S", "-c", ""], capture_output=True).returncode == 0


@contextmanager
def alone():
    """Only one at a time makes the environment: a second one would empty it under the first."""
    with open(LOCK, "rb") as held:
        try:
            import fcntl

            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("Waiting for another run, which sets up .venv.", flush=True)
                fcntl.flock(held, fcntl.LOCK_EX)
        except (ImportError, OSError):  # Windows; network disks that know no locks
            pass
        yield


def make_environment(where, wanted):
    """Make ``.venv`` anew; see `set_up`."""
    print("Setting up .venv from requirements.lock: about 1 GB is loaded the first time, which takes some minutes. Nothing is to be seen meanwhile.", flush=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        install(where)
    except (subprocess.CalledProcessError, OSError) as error:
        check_room()
        check_length()
        why = ("a package is missing in the wheelhouse, which must have been filled on the same system with the same Python" if where else
               "there is no way to the package index (network, proxy; without a network: see WHEELHOUSE in kit.py), or the disk is full")  # fmt: skip
        if _machine()[0] == "win32":  # which removes nothing that is in use
            why += ", or a program still runs from .venv, such as JupyterLab, and must be ended first"
        stop(f"The environment could not be made: {error}.\nWhat is said above tells why; most often {why}. Start the same command again once that is mended.")
    STAMP.write_text(wanted)


def fill_wheelhouse(folder, *locks):
    """Download what the lock (and others, such as requirements-hub.lock) pins for this system and this Python."""
    check_python()
    wanted = [argument for lock in (LOCK, *filter(Path.is_file, [SETUP]), *locks) for argument in ("-r", str(lock))]
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([sys.executable, "-m", "venv", scratch], check=True)
        pip = [str(Path(scratch, venv_python().relative_to(VENV))), "-m", "pip", "download", "--disable-pip-version-check", "--quiet", "--dest", str(folder)]
        subprocess.run([*pip, "--require-hashes", *wanted], check=True)
    there = f'$env:WHEELHOUSE="{folder}"; python kit.py setup' if _machine()[0] == "win32" else f"WHEELHOUSE={folder} python kit.py setup"
    print(f"{len(list(Path(folder).iterdir()))} packages in {folder}. On the machine without a network: {there}")


def workers():
    """As many test processes for the whole suite as there are cores, and 4 GB of memory for each; options for pytest-xdist."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):  # Windows
        memory = 8
    number = int(min(cores, memory // GIGABYTES, 8))
    return ["-n", str(number), "--dist", "loadfile", "--no-loadscope-reorder"] if number > 1 else []


def hand_over(command, environment):
    """Run a command to its end, and give its exit status. Ctrl-C is the command's: it may ask first, as JupyterLab does, or tidy up."""
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    while True:
        try:
            code = process.wait()
            return code if code >= 0 else 128 - code
        except KeyboardInterrupt:  # `subprocess.run` would kill it now
            continue


def main():
    """Set up, then hand over to the command in the environment."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["setup", "wheelhouse", *filter(is_here, COMMANDS)])
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="handed on to the command")
    options = parser.parse_args()
    if options.command == "wheelhouse":
        try:
            return fill_wheelhouse(*(options.arguments or ["wheelhouse"]))
        except (subprocess.CalledProcessError, OSError) as error:
            stop(f"The packages could not be downloaded: {error}. What pip said above tells why.")
    try:
        set_up()
    except KeyboardInterrupt:
        print("\nStopped: .venv is not ready. The same command makes it anew.", file=sys.stderr)
        sys.exit(130)
    if options.command == "test" and not options.arguments:  # who names tests sees them one after the other
        options.arguments = workers()
    if options.command != "setup":
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3")}
        command = [str(venv_python()), *COMMANDS[options.command], *options.arguments]
        sys.exit(hand_over(command, environment))


if __name__ == "__main__":
    main()
