"""What is installed, and what a lock or a table of ranges asks for."""

import importlib.metadata
import re
from contextlib import suppress
from pathlib import Path

# the same thing under another name: conda's packages, and the variants that pip has
ALSO = {"dlib-bin": ("dlib",), "opencv-python-headless": ("opencv-python", "opencv-contrib-python", "opencv"),
        "tensorflow": ("tensorflow-cpu", "tensorflow-macos", "tensorflow-intel", "tf-nightly")}


def requirements(path):
    """The requirements of a lock or a table of ranges that apply on this system.

    Parameters
    ----------
    path : str or path
        ``requirements.lock`` or ``requirements.in``.

    Yields
    ------
    packaging.requirements.Requirement
    """
    from packaging.requirements import InvalidRequirement, Requirement

    for line in Path(path).read_text(encoding="utf-8").splitlines():
        line = re.split(r"\s#|\s\\$|^#", line)[0].strip()
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue  # hashes, comments, empty lines
        if requirement.marker is None or requirement.marker.evaluate():
            yield requirement


def version_of(name):
    """Version of a package, or of what is the same thing under another name (`ALSO`); None if neither is installed."""
    for each in (name, *ALSO.get(name, ())):
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(each)
    return None


def installed_packages():
    """Name, in its canonical form, and version of everything installed."""
    return {canonical(found.metadata["Name"]): found.version for found in importlib.metadata.distributions() if found.metadata["Name"]}


def canonical(name):
    """The one spelling of a package's name: ``face_recognition_models`` is ``face-recognition-models``."""
    return re.sub(r"[-_.]+", "-", name).lower()
