"""What is installed, and what a lock or a table of ranges asks for."""

import importlib.metadata
import re
from pathlib import Path


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


def installed_packages():
    """Name, in its canonical form, and version of everything installed."""
    return {canonical(found.metadata["Name"]): found.version for found in importlib.metadata.distributions() if found.metadata["Name"]}


def canonical(name):
    """The one spelling of a package's name: ``face_recognition_models`` is ``face-recognition-models``."""
    return re.sub(r"[-_.]+", "-", name).lower()
