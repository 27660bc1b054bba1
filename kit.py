"""Set the kit up and use it: ``python kit.py lab``, ``doctor``; in a whole kit ``run``, ``test`` and more. `make` calls this; on Windows call it yourself.

Needs nothing but Python 3.11 or newer: it makes the environment ``.venv`` from requirements.lock first. Without a network:
``python kit.py wheelhouse FOLDER`` where there is one, on the same system and Python, then ``WHEELHOUSE=FOLDER python kit.py setup``.
"""

import argparse
import ast
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
SETUP = ROOT / "requirements-setup.lock"
STAMP = VENV / "installed-lock.sha256"
OLDEST, NEWEST = (3, 11), (3, 13)
GIGABYTES = 4
# settings of pip's that uv knows by other names and does not read, and what stands between several values
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


def _with_python(name):
    """The command that was typed, with another Python: the students' package has no Makefile, and they asked for something else than a run."""
    return f"make run PYTHON={name}" if (ROOT / "Makefile").is_file() else " ".join([name, "kit.py", *sys.argv[1:]])


def check_python():
    """Refuse a Python for which TensorFlow has no wheels, before anything is downloaded."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        have = ".".join(map(str, sys.version_info[:2]))
        stop(
            f"This is Python {have}; TensorFlow comes for Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}.\n"
            f"Install one of those and say which to use, for example: {_with_python('python3.12')}"
        )
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
    return os.access(STAMP, os.R_OK) and STAMP.read_text() == wanted and os.path.exists(venv_python())


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
    print("Setting up .venv from requirements.lock; the first time this takes some minutes.", flush=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        install(where)
    except (subprocess.CalledProcessError, OSError) as error:
        check_room()
        why = ("a package is missing in the wheelhouse, which must have been filled on the same system with the same Python" if where else
               "there is no way to the package index (network, proxy; without a network: see WHEELHOUSE in kit.py), or the disk is full")  # fmt: skip
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
    print(f"{len(list(Path(folder).iterdir()))} packages in {folder}. On the machine without a network: WHEELHOUSE={folder} python kit.py setup")


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
