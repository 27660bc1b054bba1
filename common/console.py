"""What all commands share: names that any console can print, outputs that are known to be writable before the work."""

import argparse
import os
import re
import sys
import tempfile
import unicodedata
from contextlib import nullcontext, redirect_stdout, suppress
from pathlib import Path

from common.files import is_stream, leads_to, own_output

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


def words_beside(out):
    """While it is open, what is printed goes to standard error if the answers go to standard output: they stand there alone."""
    return redirect_stdout(sys.stderr) if out is not None and leads_to(out, sys.__stdout__) else nullcontext()


def printable(name):
    """A file's name as text that every reader takes.

    Bytes that are no UTF-8 become ``\\xff``, lone halves of a letter ``\\ud800``.

    Parameters
    ----------
    name : str or path

    Returns
    -------
    str

    Examples
    --------
    >>> printable("caf\\udce9.jpg")
    'caf\\\\xe9.jpg'
    """
    def escape(match):
        number = ord(match[0])
        return f"\\x{number - 0xDC00:02x}" if 0xDC80 <= number <= 0xDCFF else f"\\u{number:04x}"

    return re.sub("[\ud800-\udfff]", escape, os.fspath(name))


def counted(number, one, many=None):
    """A number of things in words.

    Examples
    --------
    >>> counted(1, "photo"), counted(1200, "photo"), counted(2, "copy", "copies")
    ('1 photo', '1,200 photos', '2 copies')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def typed(program, system=os.name):
    """A program's path as one types it: PowerShell, which Windows opens, takes what stands in quotes for a text, unless there is an & before it.

    Examples
    --------
    >>> print(typed(r"C:\\kit\\python.exe", "nt"), typed(r"C:\\my kit\\python.exe", "nt"), typed("/my kit/python", "posix"), sep=", ")
    C:\\kit\\python.exe, & "C:\\my kit\\python.exe", "/my kit/python"
    """
    return program if system == "nt" and " " not in program else f'{"& " * (system == "nt")}"{program}"'


def on_one_line(text):
    """A text with line ends, control characters and marks of direction escaped (``\\n``): a file's name may hold them.

    Examples
    --------
    >>> on_one_line("Ann" + chr(10) + "Lee.jpg"), on_one_line("李明.jpg")
    ('Ann\\\\nLee.jpg', '李明.jpg')
    """
    return "".join(repr(letter)[1:-1] if unicodedata.category(letter) in _STEERING or letter in _TURNING else letter for letter in text)


def say(text, to=None):
    """Print one line, to ``sys.stdout`` unless told otherwise. A line end in a file's name is escaped, so one call prints one line; a progress bar is drawn anew below it.

    Raises
    ------
    OSError
        If it cannot be written, saying so; BrokenPipeError if nobody reads it any more.
    """
    from tqdm import tqdm  # the doctor says what it has to say where nothing is installed

    try:
        tqdm.write(on_one_line(printable(text)), file=to or sys.stdout)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(f"standard {'error' if to is sys.stderr else 'output'}: cannot be written ({error.strerror or error})") from None


def a_path(text):
    """The type of a command's argument that names a file or folder; an empty one would be the folder in which the command runs.

    Raises
    ------
    argparse.ArgumentTypeError
        If there is no name.
    """
    if not text:
        raise argparse.ArgumentTypeError("expected a name, got none: a variable of the shell may be empty")
    return Path(text)


def an_output(text):
    """The type of an argument that names a file to write: ``-`` is standard output, as for other commands.

    Raises
    ------
    argparse.ArgumentTypeError
        If there is no name, or standard output has none on this system.
    """
    if text == "-":
        if not os.path.exists("/dev/stdout"):
            raise argparse.ArgumentTypeError("standard output has no name on this system: name a file")
        return Path("/dev/stdout")
    return a_path(text)


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
    # a link is written where it leads
    wanted = [(option, path, Path(os.path.realpath(path)).parent) for option, path in files.items() if path is not None]
    for option, path, place in [*([(folder_option, folder, folder)] if folder is not None else []), *wanted]:  # the folder may be made where a file was to be
        if path is not folder and os.path.isdir(path):
            raise ValueError(f"{option} {path}: that is a folder; expected the name of a file to write")
        if os.path.realpath(path) in inputs and not os.path.isdir(path):
            raise ValueError(f"{option} {path}: that is one of the files that are read, and would be overwritten")
        try:
            with suppress(FileNotFoundError):
                os.stat(path)  # links that lead in a circle are an error
            straight = path is not folder and is_stream(path)
            if not straight:
                place.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=place):
                    pass
            if (straight or os.path.isfile(path)) and own_output(path) is None and not os.access(path, os.W_OK):
                raise PermissionError("the file may not be written")
        except OSError as error:
            raise ValueError(f"{option} {path}: cannot be written ({error.strerror or error}); choose a folder of your own") from None
