"""One process at a time: a lock on a file, on every system, gone with the process that held it."""

import contextlib
import os
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt


@contextlib.contextmanager
def only_one(path, waiting=None, pause=0.1):
    """Hold the lock `path` while the body runs; wait while another process or thread holds it.

    The lock belongs to the operating system: a process that dies, however it dies, lets it go.

    Parameters
    ----------
    path : str or path
        The lock's file; made with its folder, and removed afterwards.
    waiting : str, optional
        Printed once if there is someone to wait for.
    pause : float
        Seconds between two looks.

    Yields
    ------
    bool
        True if the lock is held; False on a disk that knows no locks (some network disks), where the body runs all
        the same and must not rely on being alone.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        taken, file = False, os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            taken = _take(file)
            if taken is None:
                yield False
                return
            # whoever held it before removed the file: then this is a lock on nothing, and the next comer makes a new one
            if taken and _same_file(file, path):
                try:
                    yield True
                finally:
                    if fcntl:
                        _remove(path)
                return
        finally:
            os.close(file)
            if taken and not fcntl:  # Windows removes only what nobody has open, so whoever waits keeps the file
                _remove(path)
        if not taken:
            if waiting:
                print(waiting, flush=True)
                waiting = None
            time.sleep(pause)


def _take(file):
    """True: taken; False: someone else has it; None: no locks on this disk."""
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True


def _same_file(file, path):
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def _remove(path):
    # an empty file that stays because someone else is at it harms nobody
    with contextlib.suppress(OSError):
        os.unlink(path)
