"""Decoders in C write complaints about a file to standard error, without its name and many times over; here they are caught."""

import os
import tempfile
import threading
import warnings
from contextlib import contextmanager, suppress

_one_at_a_time = threading.RLock()  # standard error belongs to the whole program
MOST = 300  # letters of what was heard that are said


@contextmanager
def opencv_silent():
    """While it is open, OpenCV's own log, which names no file, is off: the kit's own line says what is wrong with a file."""
    import cv2

    log = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging  # OpenCV 4 and 5
    before = log.setLogLevel(0)
    try:
        yield
    finally:
        log.setLogLevel(before)


@contextmanager
def decoder_heard(path):
    """While it is open, what libtiff and libpng write to standard error is caught; if the file can be read all the same, one warning carries the first line of it.

    Parameters
    ----------
    path : path
        The file that is read, for the warning.

    Warns
    -----
    UserWarning
        If the decoder complained and no error was raised.
    """
    with _one_at_a_time, _away() as heard:
        yield
    if heard:
        warnings.warn(f"{path}: damaged in places ({' '.join(heard[0].split())[:MOST]}); read as far as it goes", stacklevel=4)


@contextmanager
def _away():
    """While it is open, standard error goes to a file without a name; afterwards its lines are in the list that it gives."""
    lines = []
    try:
        before = os.dup(2)
    except OSError:  # closed by who called: there is nothing to keep quiet
        yield lines
        return
    try:
        with _somewhere() as place:
            os.dup2(place.fileno(), 2)
            try:
                yield lines
            finally:
                os.dup2(before, 2)
                with suppress(OSError):
                    place.seek(0)
                    lines += place.read(10_000).decode("utf-8", "replace").splitlines()
    finally:
        os.close(before)


def _somewhere():
    try:
        return tempfile.TemporaryFile()
    except OSError:  # no room, or no folder for it
        return open(os.devnull, "r+b")
