"""The files of a class, out of folders and of archives in any depth, under the names that the platform gave them."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from common.downloads.archives import ArchiveError, opened
from common.files import FULL
from common.grading.names import safe_name, shown

NOTEBOOKS = (".ipynb", ".ipynb.txt", ".ipynb.json")
WEIGHTS = (".weights.h5", ".keras", ".h5")
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tbz")
_STRANGE = (".7z", ".rar", ".zipx", ".gz", ".bz2", ".xz", ".zst")
_TEXTS = (".txt", "submission_metadata.yml")  # what Blackboard and Gradescope write about a submission
_MOST = {NOTEBOOKS: 101 << 20, WEIGHTS: 1 << 30, _TEXTS: 64 << 20, ARCHIVES: 4 << 30}
EMPTY = "a folder without a notebook"
_DEPTH, _MOST_FILES, _MOST_BYTES = 20, 400_000, 64 << 30
_LITTLE, _TIMES = 1 << 30, 100  # a student's archive, with those in it, may unpack to so many bytes, or so many times its size: notebooks do to ten times


@dataclass(frozen=True)
class Found:
    """One file of a submission.

    Attributes
    ----------
    parts : tuple of str
        Folders and name, as the platform gave them; an archive is a folder.
    path : pathlib.Path
        Where it lies.
    time : float
        When it was written, seconds of the epoch.
    dated : bool
        Whether that may be when it was handed in.
    """

    parts: tuple
    path: Path
    time: float
    dated: bool = True

    @property
    def name(self):
        return self.parts[-1]


def kind_of(name):
    """``NOTEBOOKS``, ``WEIGHTS``, ``ARCHIVES`` or ``_TEXTS``, by the ending of a name; None for what nobody grades."""
    low = name.casefold()
    return next((kind for kind in _MOST if low.endswith(kind)), None)


def stem_of(name):
    """The name of a notebook, of weights or of an archive without its ending, however often that stands there.

    Examples
    --------
    >>> stem_of("anna.ipynb.txt"), stem_of("anna.weights.h5"), stem_of("ben.ipynb.ipynb")
    ('anna', 'anna', 'ben')
    """
    endings = (*NOTEBOOKS, *WEIGHTS, *ARCHIVES)
    while ending := next((e for e in endings if name.casefold().endswith(e) and len(name) > len(e)), None):
        name = name[: -len(ending)]
    return name


def _hidden(name):
    return name.startswith((".", "~$")) or name == "__MACOSX"


class _Bomb(ArchiveError):
    """So much is in an archive that nothing more of it is read."""


class Files:
    """What lies in a folder or an archive.

    Parameters
    ----------
    place : path-like
        A folder, or one archive.
    scratch : pathlib.Path
        Where archives are unpacked.

    Attributes
    ----------
    found : list of Found
        Notebooks, weights and what platforms write beside them, sorted by name.
    others : list of Found
        Files of all other kinds, which tell who has handed in something else.
    left_out : dict of str to str
        What may be taken for a submission and is none, and why.
    repositories : set of tuple of str
        Folders with a ``.git`` in them.
    packed : bool
        Whether the place is an archive.

    Raises
    ------
    OSError
        If there is no room for what is in the archives: nobody is left out for that.
    """

    def __init__(self, place, scratch):
        self.scratch, self.found, self.left_out, self._number = Path(scratch), [], {}, 0
        self._bytes, self._left = 0, []  # unpacked; what is left to each of the archives that are open, one in another
        self.repositories, self.others = set(), []
        place = Path(place)
        self.packed = place.is_file()
        seen = [] if self.packed or not place.is_dir() else [shown(p.name) for p in place.iterdir() if not _hidden(p.name)]
        self._class = tuple(seen) if len(seen) == 1 else ()  # the archive of a class, by its parts: in a folder it is alone
        if not place.exists():
            raise FileNotFoundError(f"there is no {place.absolute()}: expected what a platform hands out, a folder or an archive; a name that is not whole begins in the kit's folder")
        if place.is_dir():
            self._folder(place, ())
        elif kind_of(place.name) is ARCHIVES:
            self._archive(place, ())
        else:
            self.packed = False
            self._file(place, (shown(place.name),), kind_of(place.name))
        self.found.sort(key=lambda f: f.parts)

    def _folder(self, folder, parts):
        try:
            paths = sorted(folder.iterdir(), key=lambda p: os.fsencode(p.name))
        except OSError as error:
            if not parts:
                raise
            self.left_out["/".join(parts)] = f"a folder that cannot be read ({error.strerror or error})"
            return
        for path in paths:
            name = shown(path.name)
            if path.name == ".git":
                self.repositories.add(parts)
            if _hidden(path.name):
                continue
            inside, kind = (*parts, name), kind_of(path.name)
            if path.is_symlink():
                if not parts and path.suffix in ("", ".ipynb"):
                    self.left_out[name] = "a link; hand in the file itself"
            elif path.is_dir():
                if len(inside) < _DEPTH:
                    self._folder(path, inside)
                if not parts and not any(f.parts[0] == name and kind_of(f.name) is NOTEBOOKS for f in self.found):
                    self.left_out.setdefault(name, EMPTY)
            elif not path.is_file():
                if kind is NOTEBOOKS and not parts:
                    self.left_out[name] = "no file"
            else:
                self._file(path, inside, kind)

    def _file(self, path, parts, kind):
        name = "/".join(parts)
        if kind is ARCHIVES:
            self._archive(path, parts)
        elif kind is not None and not os.access(path, os.R_OK):
            self.left_out[name] = "it may not be read"
        elif kind is not None and path.stat().st_size <= _MOST[kind]:
            self.found.append(Found(parts, path, path.stat().st_mtime))
        elif kind is WEIGHTS:
            self.left_out[name] = f"weights of more than {_MOST[WEIGHTS] >> 30} GB"
        elif kind is NOTEBOOKS:
            self.left_out[name] = f"larger than {_MOST[NOTEBOOKS] >> 20} MB"
        else:
            self._other(parts, path)

    def _other(self, parts, path, date=0.0):
        if parts[-1].casefold().endswith(_STRANGE):
            self.left_out["/".join(parts)] = "an archive of a kind that is not read here: unpack it, or ask for a zip"
        self.others.append(Found(parts, path, date))

    def _archive(self, path, parts):
        """What of an archive is wanted, file by file: a strange name in it, or damage, costs that file only."""
        name, before, inner, others = "/".join(parts) or shown(path.name), len(self.found), [], len(self.others)
        self._left.append(_MOST_BYTES if parts == self._class else max(_LITTLE, _TIMES * os.path.getsize(path)))
        try:
            with opened(path, self._left[-1], _MOST_FILES) as entries:
                for entry in entries:
                    pieces, kind = _pieces(_letters(entry.name, entry.sure)), kind_of(entry.name)
                    if entry.kind == "folder" or any(map(_hidden, pieces)):
                        continue
                    inside = (*parts, *(pieces or (shown(entry.name),)))
                    if kind is None:
                        self._other(inside, path, entry.date)
                        continue
                    target = self._target(inside[-1])
                    if amiss := _refused(entry, pieces, kind, len(inside)) or self._copy(entry, target, _MOST[kind], "/".join(inside)):
                        self.left_out["/".join(inside)] = amiss
                        continue
                    os.utime(target, (entry.date, entry.date))
                    if kind is ARCHIVES:
                        inner.append((target, inside))
                    else:
                        self.found.append(Found(inside, target, entry.date))
        except (ArchiveError, OSError) as error:
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            self.left_out[name] = f"an archive that cannot be read: {str(error) or type(error).__name__}"[:300]
        for target, inside in inner:
            if sum(part.casefold().endswith(ARCHIVES) for part in inside) > 3:
                self.left_out["/".join(inside)] = "in too many archives, one in another"
            elif self._left[-1] >= 0:
                self._archive(target, inside)
            target.unlink()
        self._left.pop()
        if len(self.others) == others and len(self.found) == before and parts:
            self.others.append(Found(parts, path, 0.0))  # nothing is in it that would tell who has handed it in
        if not any(kind_of(f.name) is NOTEBOOKS for f in self.found[before:]) and len(parts) == 1:
            self.left_out.setdefault(name, "an archive without a notebook")

    def _target(self, name):
        self._number += 1
        folder = self.scratch / f"{self._number:06d}"
        folder.mkdir(parents=True)
        return folder / safe_name(name)

    def _copy(self, entry, target, most, name):
        """Copy a file out of an archive; returns why not, if it is too large or damaged."""
        size = 0
        try:
            with entry.open() as stream, open(target, "wb") as file:
                while chunk := stream.read(1 << 18):
                    size, self._bytes = size + len(chunk), self._bytes + len(chunk)
                    self._left = [left - len(chunk) for left in self._left]
                    if size > most or self._bytes > _MOST_BYTES:
                        raise ArchiveError(f"larger than {most >> 20} MB")
                    if min(self._left) < 0:
                        raise _Bomb(f"it unpacks to more than {_TIMES} times its size, as an archive bomb does")
                    file.write(chunk)
        except Exception as error:  # damaged entries make the libraries raise nearly everything
            with suppress(OSError, ValueError):  # its name may be none here
                target.unlink()
            if isinstance(error, OSError) and error.errno in FULL:
                raise OSError(error.errno, "no room to unpack what was handed in; TMPDIR names another place", name) from None
            if isinstance(error, _Bomb):
                raise
            return str(error) if isinstance(error, ArchiveError) else f"cannot be unpacked ({str(error) or type(error).__name__})"[:300]
        return None


def _pieces(name):
    """The parts of a name in an archive; empty if it leads out of it."""
    parts = tuple(shown(p) for p in name.replace("\\", "/").split("/") if p not in ("", "."))
    return () if ".." in parts or name.startswith("/") else parts


def _refused(entry, pieces, kind, depth):
    """Why a file of an archive is not read, by what is told of it; None if nothing is."""
    if entry.kind != "file":
        return f"a {entry.kind}; hand in the file itself"
    if not pieces or kind_of(pieces[-1]) is not kind:
        return "its name leads out of the archive, or is none"
    return "in too many folders" if depth >= _DEPTH else None


def _letters(name, plain):
    """A name in a zip decoded as it was meant: many programs write UTF-8 without marking it, and Python then reads code page 437."""
    if not plain:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass
    return name.split("\0")[0]
