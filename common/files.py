"""Folders that go when the program ends, folders that the environment names, and files that are whole or not there at all."""

import atexit
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def from_root(folder):
    """A folder as its name was typed: here, or else in the kit's own folder, from which `make` is called.

    A notebook runs in the folder that it lies in, so ``FDDB_DIR=../shared/fddb make run`` means another place there.

    Parameters
    ----------
    folder : path

    Returns
    -------
    Path
    """
    folder = Path(folder).expanduser()
    return folder if folder.is_dir() or not (ROOT / folder).is_dir() else ROOT / folder


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


@contextmanager
def whole_file(path, mode="w"):
    """Open a file for writing that takes the place of an old one when it is whole; whatever goes wrong, the old one stays.

    Parameters
    ----------
    path : path
        Its folder is made if need be. What is no plain file, such as ``/dev/stdout``, is written to directly.
    mode : {"w", "wb"}
        Text is UTF-8.

    Yields
    ------
    file
    """
    with suppress(FileNotFoundError):
        os.stat(path)  # links that lead in a circle are an error
    path = Path(os.path.realpath(path))  # a link stays a link
    encoding = None if "b" in mode else "utf-8"
    if path.exists() and not path.is_file():
        with open(path, mode, encoding=encoding) as file:
            yield file
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(aside, mode, encoding=encoding) as file:
            yield file
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
