"""The files that somebody means: those named, and those in the folders named and in the folders below."""

import os
import stat
import sys
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from common.console import counted, say
from common.photos import in_numeric_order

DRAWN = (".faces", ".named", ".blurred")  # what comes before the ending of copies that one of the commands has drawn


@dataclass
class Inputs:
    """What there is to look at.

    Attributes
    ----------
    files : list of (pathlib.Path, str)
        Each file once, and what to call it: no two have the same name, so that their copies do not overwrite one another.
    others : collections.Counter
        Files in the folders that are left out, by their ending.
    copies : int
        Files left out because a command has drawn them.
    again : int
        How many times a file was named or found that had been before.
    empty : list of pathlib.Path
        Folders in which there is nothing to look at.
    """

    files: list = field(default_factory=list)
    others: Counter = field(default_factory=Counter)
    copies: int = 0
    again: int = 0
    empty: list = field(default_factory=list)

    def expect_any(self, kind, suffixes):
        """Raise ValueError if all that was named are folders with nothing to look at; see `say` and `find_inputs`."""
        if self.empty and not self.files:
            raise ValueError(f"no {kind} ({', '.join(sorted(suffixes))}) in {', '.join(map(str, self.empty))}")

    def say(self, kind):
        """Tell on standard error what was left out; `kind` is "photo", or "photo or video"."""
        for folder in self.empty:
            say(f"note: no {kind} in {folder}", sys.stderr)
        if self.others:
            kinds = ", ".join(f"{number:,} {ending or 'without an ending'}" for ending, number in self.others.most_common(4))
            more = ", ..." * (len(self.others) > 4)
            say(f"note: left out {counted(self.others.total(), 'file')} of other kinds ({kinds}{more})", sys.stderr)
        if self.copies:
            say(f"note: left out {counted(self.copies, 'copy', 'copies')} that a command has drawn", sys.stderr)
        if self.again:
            say(f"note: {counted(self.again, 'file')} named more than once; each is looked at once", sys.stderr)


def _below(folder):
    """Files of a folder and of the folders below, in numeric order; a folder that may not be listed is given instead of its files.

    Hidden ones are left out. Links to folders are followed, but into no folder twice.
    """
    been = set()

    def walk(place):
        where = os.path.realpath(place)
        if where in been:
            return
        been.add(where)
        try:
            with os.scandir(place) as listed:
                names = [entry.name for entry in listed if not entry.name.startswith(".")]
        except OSError:  # opening it says why
            yield Path(place)
            return
        for path in in_numeric_order(Path(place, name) for name in names):
            if os.path.isdir(path):
                yield from walk(path)
            else:
                yield path

    return walk(folder)


def _waits(path):
    """Whether it is a pipe or a socket: opening one waits until another program opens its other end."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False  # opening it says why
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _is_film_stream(path):
    """An MPEG transport stream begins with a G; a program in TypeScript, whose name ends alike, hardly ever does."""
    try:
        with open(path, "rb") as file:
            return file.read(1) == b"G"
    except OSError:
        return True  # opening it says why


def find_inputs(paths, suffixes):
    """List the files that are meant; of a folder not the copies that a command has drawn.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        Files and folders. A file is taken as it is, whatever its name ends with.
    suffixes : set of str
        What the names of files in folders must end with, in small letters.

    Returns
    -------
    Inputs
    """
    found, seen, names = Inputs(), set(), set()

    def take(file, name):
        where = os.path.normcase(os.path.realpath(file))
        if where in seen:
            found.again += 1
            return
        seen.add(where)
        numbered = (name if number == 1 else f"{number}/{name}" for number in count(1))
        name = next(each for each in numbered if each.casefold() not in names)
        names.add(name.casefold())
        found.files.append((file, name))

    for path in paths:
        if not os.path.isdir(path):  # False, and no error, for what may not be looked into or is too long to be a name
            take(path, path.name)
            continue
        any_here = False
        for file in _below(path):
            suffix = file.suffix.lower()
            if file.stem.endswith(DRAWN) and suffix in suffixes:
                found.copies += 1
            elif not os.path.isdir(file) and (suffix not in suffixes or _waits(file) or suffix == ".ts" and not _is_film_stream(file)):
                found.others[suffix] += 1
            else:
                any_here = True
                take(file, str(file.relative_to(path)) if file != path else path.name)
        if not any_here:
            found.empty.append(path)
    return found
