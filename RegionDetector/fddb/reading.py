"""Reading FDDB: its ten folds and their ellipses.

FDDB (Face Detection Data Set and Benchmark) is 2,845 press photos with 5,171 faces, each face outlined by an
ellipse. Its home is http://vis-www.cs.umass.edu/fddb/; unpacked, it lies as ::

    FDDB-folds/FDDB-fold-01-ellipseList.txt … FDDB-fold-10-ellipseList.txt
    originalPics/2002/08/11/big/img_591.jpg …

``python -m RegionDetector.fddb evaluate DETECTIONS...`` scores detections by the official rules (see
`fddb.evaluation` for the rules and `fddb.report` for the command).

References
----------
V. Jain and E. Learned-Miller, *FDDB: A Benchmark for Face Detection in Unconstrained Settings*, University of
Massachusetts, Amherst, technical report UM-CS-2010-009, 2010.
"""

import codecs
import os
import warnings
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from common.files import from_root

FOLDS = range(1, 11)
WHERE_FROM = ("unpack both FDDB-folds.tgz and originalPics.tar.gz from http://vis-www.cs.umass.edu/fddb/ into it, "
              "so that it holds FDDB-folds/ and originalPics/")


@dataclass(frozen=True, eq=False)
class FddbPhoto:
    """One photo of FDDB and the faces marked in it.

    Attributes
    ----------
    name : str
        The photo's name in the lists, without ending: ``2002/08/11/big/img_591``.
    path : pathlib.Path
        The photo's file.
    ellipses : ndarray of float, shape (N, 5)
        Major radius, minor radius (pixels), angle of the major axis to the horizontal (radians), centre x, centre y
        (pixels), one face a row.
    fold : int
        The fold that lists it, 1 to 10.
    """

    name: str
    path: Path
    ellipses: np.ndarray
    fold: int


def find_fddb(folder=None):
    """Say where FDDB lies: the folder given, else the one the environment variable ``FDDB_DIR`` names.

    Parameters
    ----------
    folder : str or path, optional
        The folder that holds ``FDDB-folds`` and ``originalPics``.

    Returns
    -------
    pathlib.Path or None
        The folder; None if none was named in either way.

    Raises
    ------
    FileNotFoundError
        If a folder was named but is not there, or is not FDDB: a name with a slip in it must not quietly lead to
        other data.
    """
    named_by = "folder"
    if folder is None:
        folder, named_by = os.environ.get("FDDB_DIR") or None, "FDDB_DIR"
    if folder is None:
        return None
    folder = from_root(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{named_by} says FDDB lies in {folder}, but there is no such folder: "
                                f"correct the name, or {WHERE_FROM}.")
    if not (folder / "FDDB-folds").is_dir():
        raise FileNotFoundError(f"{named_by} says FDDB lies in {folder}, but it has no folder FDDB-folds: {WHERE_FROM}.")
    return folder


def read_folds(folder, folds=FOLDS, missing="error"):
    """Read the lists of some folds of FDDB.

    Parameters
    ----------
    folder : str or path
        The folder that holds ``FDDB-folds`` and the photos (in ``originalPics``, or beside ``FDDB-folds`` as the
        archive of the photos unpacks by itself).
    folds : int or iterable of int
        Which folds, 1 to 10, in the order wanted.
    missing : {"error", "skip"}
        What to do about photos that are listed but not there: refuse before any work starts, or leave them out with
        one warning that counts them.

    Returns
    -------
    list of FddbPhoto
        In the order of the lists.

    Raises
    ------
    FileNotFoundError
        If the folder, a list or (with ``missing="error"``) a photo is missing; says what and how many.
    ValueError
        If a list is damaged (names file, line and what was expected), is shorter than its fold's list of names, or
        ``folds`` is not of 1 to 10.
    """
    folder = find_fddb(folder)
    if folder is None:
        raise FileNotFoundError(f"read_folds needs the folder of FDDB: name one and {WHERE_FROM}.")
    if missing not in ("error", "skip"):
        raise ValueError(f"missing is 'error' or 'skip', not {missing!r}")
    folds = [folds] if isinstance(folds, (int, np.integer)) else list(folds)
    wrong = [fold for fold in folds if fold not in FOLDS]
    if wrong or not folds:
        raise ValueError(f"FDDB has the folds 1 to 10, but these were asked for: {folds}")

    lists = [folder / "FDDB-folds" / f"FDDB-fold-{fold:02d}-ellipseList.txt" for fold in folds]
    absent = [path.name for path in lists if not path.is_file()]
    if absent:
        raise FileNotFoundError(f"{len(absent)} of {len(lists)} ellipse lists are missing in {folder / 'FDDB-folds'} "
                                f"({_first(absent)}): {WHERE_FROM}.")
    photos = folder / "originalPics" if (folder / "originalPics").is_dir() else folder
    records = [FddbPhoto(name, photos / f"{name}.jpg", _ellipses(rows, line, path), fold)
               for fold, path in zip(folds, lists) for name, rows, line in _read_whole_list(path)]

    absent = [record.name for record in records if not record.path.is_file()]
    if absent:
        message = f"{len(absent)} of {len(records)} photos are missing in {photos} ({_first(absent)})"
        if missing == "error" or len(absent) == len(records):
            raise FileNotFoundError(f"{message}; the archive is not there or only half unpacked: {WHERE_FROM}.")
        warnings.warn(f"{message}; they are left out", stacklevel=2)
        absent = set(absent)
        records = [record for record in records if record.name not in absent]
    return records


def read_blocks(path, columns, what):
    """Read a text file in FDDB's format: a photo's name, a count, and as many lines of numbers; again and again.

    Parameters
    ----------
    path : str or path
        The file. Blank lines, trailing spaces, the line ends of any system, byte-order marks and the mark with which DOS ends a file are let pass.
    columns : collection of int
        How many numbers a line may have. Within one photo all lines have the same.
    what : str
        What a line describes, for the error messages.

    Yields
    ------
    name : str
        The photo's name, such as ``2002/08/11/big/img_591``.
    rows : ndarray of float, shape (count, one of columns)
        The numbers, as they stand (NaN and infinities too). Shape (0, 0) if the count is 0.
    line : int
        The number of the line that holds the first row.

    Raises
    ------
    ValueError
        At a broken line or a wrong count; names file, line and what was expected.
    """
    path = Path(path)
    text = _text(path)
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    widths = " or ".join(str(width) for width in sorted(columns))
    at = 0
    while at < len(lines):
        number, name = lines[at]
        if len(name.split()) > 1 or _numbers(name) is not None:
            raise ValueError(f"{path}, line {number}: expected a photo's name such as 2002/08/11/big/img_591, found "
                             f"{name[:60]!r}; is the count of the photo before it too small?")
        if name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts:
            raise ValueError(f"{path}, line {number}: {name[:60]!r} points outside the folder of photos; expected a "
                             "name such as 2002/08/11/big/img_591")
        count_line, count = lines[at + 1] if at + 1 < len(lines) else (number + 1, "the end of the file")
        if not (count.isascii() and count.isdigit() and len(count) < 10):  # Python refuses numbers of thousands of digits
            raise ValueError(f"{path}, line {count_line}: expected how many {what}s {name} has (a whole number), found "
                             f"{count[:60]!r}")
        count, rows = int(count), []
        for number, line in lines[at + 2:at + 2 + count]:
            row = _numbers(line)
            if row is None or len(row) not in columns or rows and len(row) != len(rows[0]):
                raise ValueError(f"{path}, line {number}: expected {what} {len(rows) + 1} of {count} of {name} "
                                 f"({widths} numbers, as many on each line, with blanks between them and points as decimal marks), found {line[:60]!r}")
            rows.append(row)
        if len(rows) < count:
            raise ValueError(f"{path}: the file ends after {len(rows)} of the {count} {what}s of {name}; it is cut "
                             "off or the count is wrong")
        yield name, np.array(rows, float).reshape(count, -1 if count else 0), lines[at + 2][0] if count else count_line
        at += 2 + count


def _text(path):
    """The text of a list, whichever system wrote it: without byte-order marks, and with a line end for DOS's end of file (0x1A).

    Lists of several folds that were joined have such marks in their middle too.
    """
    data = path.read_bytes()
    text = data.decode("utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8", errors="replace")
    return text.replace("\ufeff", "").replace("\x1a", "\n")


def _read_whole_list(path):
    """The blocks of an ellipse list, checked against the fold's list of names where that lies beside it."""
    blocks = list(read_blocks(path, (5, 6), "ellipse"))
    if not blocks:
        raise ValueError(f"{path} is empty; expected a photo's name, a count and ellipses: {WHERE_FROM}.")
    names = [name for name, _, _ in blocks]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path} lists {len(twice)} photos more than once ({_first(twice)}); expected each once")
    beside = path.with_name(path.name.replace("-ellipseList", ""))
    if beside.is_file():
        without = [name for name in _text(beside).split() if name not in set(names)]
        if without:
            raise ValueError(f"{path} lacks {len(without)} photos that {beside.name} names ({_first(without)}); it is "
                             f"cut off: {WHERE_FROM}.")
    return blocks


def _ellipses(rows, line, path):
    """The five numbers of each ellipse, shape (N, 5); refuses what no ellipse can have."""
    ellipses = rows[:, :5].reshape(-1, 5)
    bad = np.flatnonzero(~np.isfinite(ellipses).all(axis=1) | (ellipses[:, :2] <= 0).any(axis=1))
    if bad.size:
        raise ValueError(f"{path}, line {line + bad[0]}: expected an ellipse (major radius, minor radius, angle, centre "
                         f"x, centre y; finite, radii above 0), found {ellipses[bad[0]].tolist()}")
    if (turned := np.flatnonzero(np.abs(ellipses[:, 2]) > 2 * np.pi)).size:
        raise ValueError(f"{path}, line {line + turned[0]}: expected an angle in radians, found {ellipses[turned[0], 2]:g}, which is more than a whole turn; are these degrees?")
    return ellipses


def _numbers(line):
    try:
        if "_" in line:  # which Python lets pass between digits
            return None
        return [float(word) for word in line.split()]
    except ValueError:
        return None


def _first(names, count=3):
    return ", ".join(names[:count]) + (", …" if len(names) > count else "")
