"""What all commands share: names that any console can print, outputs that are known to be writable before the work."""

import os
import sys
import tempfile
import unicodedata

from tqdm import tqdm

_STEERING = ("Cc", "Zl", "Zp")
_TURNING = "\u202a\u202b\u202d\u202e\u2066\u2067\u2068"


def print_any_name():
    """Let ``print`` write what the console has no letter for as ``\\u674e``, instead of ending the program.

    A redirected output on Windows knows the letters of one language only, and a file's name on Linux may be no text.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who called, as by a service: what is said goes nowhere
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a notebook's and a test's own streams can show everything
            stream.reconfigure(errors="backslashreplace")


def on_one_line(text):
    """A text with what would begin a new line, steer the console or turn the order of letters written as ``\\n``: a file may be called so.

    Examples
    --------
    >>> on_one_line("Ann" + chr(10) + "Lee.jpg"), on_one_line("李明.jpg")
    ('Ann\\\\nLee.jpg', '李明.jpg')
    """
    return "".join(repr(letter)[1:-1] if unicodedata.category(letter) in _STEERING or letter in _TURNING else letter for letter in text)


def say(text, to=None):
    """Print one line, to ``sys.stdout`` unless told otherwise: a name in it begins no other; a progress bar goes on below it."""
    tqdm.write(on_one_line(text), file=to or sys.stdout)


def prepare_outputs(files, folder=None, inputs=(), folder_option="--draw"):
    """Refuse now what could not be written after all the work; folders that are not there yet are made.

    Parameters
    ----------
    files : dict of str to pathlib.Path or None
        By the name of the option, for the message; None where the option was not given.
    folder : pathlib.Path, optional
        What ``--draw`` names.
    inputs : sequence of path
        Files that must not be written over.
    folder_option : str
        What the folder's option is called, if it is another.

    Raises
    ------
    ValueError
        Naming the option, the path and why.
    """
    inputs = {os.path.realpath(path) for path in inputs}
    wanted = [(option, path, path.absolute().parent) for option, path in files.items() if path is not None]
    for option, path, place in [*wanted, *([(folder_option, folder, folder)] if folder is not None else [])]:
        if path is not folder and os.path.isdir(path):
            raise ValueError(f"{option} {path}: that is a folder; expected the name of a file to write")
        if os.path.realpath(path) in inputs and not os.path.isdir(path):
            raise ValueError(f"{option} {path}: that is one of the photos or videos, and would be overwritten")
        try:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place):
                pass
            if os.path.isfile(path) and not os.access(path, os.W_OK):
                raise PermissionError("the file may not be written")
        except OSError as error:
            raise ValueError(f"{option} {path}: cannot be written ({error.strerror or error}); choose a folder of your own") from None
