"""Folders that go when the program ends."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def temporary_folder(prefix="faces-"):
    """An empty folder that nobody else uses; removed, with what is in it, when Python ends.

    Parameters
    ----------
    prefix : str
        How its name begins, for who finds it while it is there.

    Returns
    -------
    Path
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder, maker):
    if os.getpid() == maker:  # a forked child is not the one to tidy up
        shutil.rmtree(folder, ignore_errors=True)
