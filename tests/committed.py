"""What is committed: the kit's own files, and nothing that was built, downloaded or written beside them."""

import os
import subprocess
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BESIDE = {"build", "data", "original", "Face_Recognition_data", "node_modules", "wheelhouse", "work"}  # of a kit that was unpacked, and not cloned


def committed(*patterns):
    """The files of the kit that match a pattern, such as ``*.ipynb`` or ``common/*.py``; ``*`` goes into folders too.

    Returns
    -------
    list of pathlib.Path
        Sorted; never empty.
    """
    # safe.directory: CI may be another user than the one who cloned
    listed = subprocess.run(["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True) if (ROOT / ".git").exists() else None
    names = listed.stdout.split("\0") if listed and listed.returncode == 0 else _walked()
    found = sorted(ROOT / name for name in names if any(fnmatch(name, pattern) for pattern in patterns) and (ROOT / name).is_file())
    assert found, f"the kit has no {' or '.join(patterns)}"
    return found


def _walked():
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__")) and name not in BESIDE]
        yield from (Path(folder, name).relative_to(ROOT).as_posix() for name in files)
