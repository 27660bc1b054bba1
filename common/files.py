"""Folders that go when the program ends or that the environment names; files that are whole or not there at all, written by one process at a time."""

import atexit
import errno
import os
import shutil
import tempfile
import time
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
        rename(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def has_room(folder, size, name, doing="needs"):
    """Raise OSError if `size` bytes do not fit on the disk of `folder`: before the disk is full, not after."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise OSError(errno.ENOSPC, f"{name} {doing} {in_mb(size)}, but the disk of {folder} has only {in_mb(free)} free: make room, or choose "
                                    "a folder on another disk")  # fmt: skip


def in_mb(size):
    """A number of bytes, or None, in words."""
    return "an unknown number of bytes" if size is None else f"{size:,} bytes" if size < 1e5 else f"{size / 1e6:,.1f} MB"


def rename(source, target, tries=6):
    """``os.replace``, again if Windows says that a virus scanner is still reading the file."""
    for attempt in range(tries):
        try:
            return os.replace(source, target)
        except PermissionError:
            if os.name != "nt" or attempt == tries - 1:
                raise
            time.sleep(0.1 * 2**attempt)


@contextmanager
def only_one(path, waiting):
    """Hold the lock `path` while the body runs; wait while another process or thread holds it.

    The lock belongs to the operating system: a process that dies, however it dies, lets it go. Its empty file stays.

    Parameters
    ----------
    path : path
        The lock's file; made with its folder.
    waiting : str
        Printed if there is someone to wait for.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    with suppress(NotImplementedError):  # some network disks know no locks, and work goes on without
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(waiting, flush=True)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()
