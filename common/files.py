"""Folders that go when the program ends or that the environment names; files that are whole or not there at all, written by one process at a time."""

import atexit
import errno
import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, getattr(errno, "EOPNOTSUPP", errno.ENOSYS), getattr(errno, "ENOTSUP", errno.ENOSYS)}
LONGEST = 255  # bytes of a name
_HELD = ".face-kit-holds-this"
_held = {}  # by temporary folder, the file in it that is locked
FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}  # what the system says where there is no room: no fault of the file in hand
NOT_TO_WRITE = FULL | {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}  # the last two: a file has the folder's name
_instead = {}  # by folder that cannot be written, the temporary one that stands in for it


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


def temporary_folder(prefix="faces-", within=None):
    """A folder that nobody else uses, empty but for a hidden file; removed, with what is in it, when Python ends.

    One whose program was killed is removed by the next program that makes one there: what it holds may be many gigabytes, and what somebody has handed in.

    Parameters
    ----------
    prefix : str
        How its name begins, for who finds it while it is there.
    within : path, optional
        The folder that it is made in; by default that for temporary files.

    Returns
    -------
    Path
    """
    within = Path(within or tempfile.gettempdir()).absolute()
    _remove_orphans(within)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=within))
    _hold(folder)
    atexit.register(remove_folder, folder, os.getpid())
    return folder


def remove_folder(folder, maker=None):
    """Remove a temporary folder now; `maker` is the one process that may."""
    if maker in (None, os.getpid()):  # a forked child is not the one to tidy up
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(KeyError, OSError):
            os.close(_held.pop(folder))


def written_in(folder, make):
    """Do what writes into a folder; where that cannot be written, as in a kit that all students share, or is full, into a temporary one, and say so in a line.

    Parameters
    ----------
    folder : path
    make : callable
        Takes a folder; what it finds there it need not write. It is called again, with the temporary folder, if it could not.

    Returns
    -------
    object
        What `make` returns.

    Raises
    ------
    OSError
        Of anything else that `make` does, and if the temporary folder cannot be written either.
    """
    folder, where = Path(folder), os.path.realpath(folder)
    if where not in _instead:
        try:
            return make(folder)
        except OSError as error:
            if error.errno not in NOT_TO_WRITE or not _on_the_way(error.filename, where):
                raise
            aside = temporary_folder()
            print(f"{folder} {'is full' if error.errno in FULL else f'cannot be written ({os.strerror(error.errno)})'}: what belongs there is in {aside} until Python ends.")
            _instead[where] = aside
    return make(_instead[where])


def _on_the_way(name, folder):
    """Whether what an error names, if anything, is in the folder or above it."""
    name = os.path.realpath(name) if isinstance(name, (str, bytes, os.PathLike)) else folder
    return Path(folder).is_relative_to(os.fsdecode(name)) or Path(os.fsdecode(name)).is_relative_to(folder)


def folder_to_write(folder):
    """The folder itself, made if need be; where it cannot be written, a temporary one, which it says in a line: see `written_in`."""

    def tried(place):
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(bytes(1 << 16))  # an empty file fits on a full disk
        return place

    return written_in(folder, tried)


def _hold(folder):
    """Leave a file in it that is locked for as long as this program lives, however that ends; it has its name when it is locked, for others look for it."""
    new = folder / f"{_HELD}.new"
    with suppress(ImportError, OSError):  # Windows; disks without locks: there nobody takes it for left behind
        import fcntl

        _held[folder] = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(_held[folder], fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.replace(new, folder / _HELD)


@cache
def _remove_orphans(within):
    """Once for each place: remove this user's temporary folders in it whose programs have ended."""
    with suppress(ImportError, OSError), os.scandir(within) as there:
        import fcntl

        for each in there:
            with suppress(OSError):  # no folder of ours, or somebody holds it
                if each.stat(follow_symlinks=False).st_uid != os.getuid() or not each.is_dir(follow_symlinks=False):
                    continue
                held = os.open(os.path.join(each.path, _HELD), os.O_RDWR | os.O_NOFOLLOW)
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(each.path, ignore_errors=True)
                finally:
                    os.close(held)


def leads_to(path, stream):
    """Whether a path is where one of this program's outputs goes: ``/dev/stdout``, or the file to which the shell has sent it."""
    with suppress(AttributeError, OSError, ValueError):  # who called may have closed it
        return os.path.samestat(os.stat(path), os.fstat(stream.fileno()))
    return False


def own_output(path):
    """The open output of this program to which a path leads; None if it leads to none."""
    return next((stream for stream in (sys.__stdout__, sys.__stderr__) if leads_to(path, stream)), None)


def is_stream(path):
    """Whether what is written to a path is gone at once, and cannot be replaced when it is whole: a pipe, a device, an output of this program."""
    with suppress(OSError, ValueError):
        kind = os.stat(path).st_mode
        return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)) or own_output(path) is not None
    return False


@contextmanager
def whole_file(path, mode="w"):
    """Open a file for writing that takes the place of an old one when it is whole; whatever goes wrong, the old one stays.

    Who may read the old one may read the new one, and nobody else.

    Parameters
    ----------
    path : path
        Its folder is made if need be. A stream (`is_stream`), such as ``/dev/stdout``, is written to directly.
    mode : {"w", "wb"}
        Text is UTF-8.

    Yields
    ------
    file

    Raises
    ------
    OSError
        If it cannot be written; of a full disk as well it says for which file.
    """
    with suppress(FileNotFoundError):
        os.stat(path)  # links that lead in a circle are an error
    try:
        with (_straight if is_stream(path) else _aside)(path, mode, None if "b" in mode else "utf-8") as file:
            yield file
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = os.fspath(path)
        raise


@contextmanager
def _straight(path, mode, encoding):
    """Under the name that was given, for a pipe has no other; an output that is open already goes on where it is, and is not emptied."""
    own = own_output(path)
    with open(path if own is None else os.dup(own.fileno()), mode, encoding=encoding) as file:
        yield file


@contextmanager
def _aside(path, mode, encoding):
    path = Path(os.path.realpath(path))  # a link stays a link
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = _aside_of(path, os.getpid())
    try:
        with open(aside, mode, encoding=encoding) as file:
            as_open_as(path, file.fileno())  # before there is anything in it
            yield file
        rename(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def as_open_as(path, new):
    """Give a new file, by its name or descriptor, the permissions of the one that it replaces or lies beside, if there is one; on Windows the folder decides.

    Where its group cannot be given, a group may do no more than everybody.
    """
    if os.name == "nt":
        return
    with suppress(OSError):  # there is none; disks without permissions
        old = os.stat(path)
        os.chmod(new, old.st_mode & (0o707 | (old.st_mode & 0o007) << 3))
        os.chown(new, -1, old.st_gid)
        os.chmod(new, old.st_mode & 0o777)


def with_ending(path, ending):
    """A path with something appended to its whole name; a name that becomes too long for disks is cut, and gets a mark that tells it from others.

    Parameters
    ----------
    path : pathlib.Path
    ending : str

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> with_ending(Path("a.png"), ".faces.jpg").name, with_ending(Path("a" * 250), ".faces.jpg").name[-25:]
    ('a.png.faces.jpg', 'aaaaaa-3f3e35e0.faces.jpg')
    """
    name = os.fsencode(path.name)
    if len(name) + len(os.fsencode(ending)) > LONGEST:
        mark = f"-{hashlib.sha256(name).hexdigest()[:8]}{ending}"
        return path.with_name(name[: LONGEST - len(os.fsencode(mark))].decode("utf-8", "ignore") + mark)
    return path.with_name(path.name + ending)


def _aside_of(path, number):
    """The temporary name of a file while a process writes it."""
    return with_ending(path.with_name("." + path.name), f".{number}.part")


def remove_halves(path):
    """Remove the temporary files of writers that were killed in the middle: they hold parts of what the file should have had. Returns those whose writer seems to be at work still."""
    path = Path(os.path.realpath(path))
    left, numbered = [], [(each, re.search(r"\.(\d+)\.part$", each.name)) for each in path.parent.iterdir()]
    for half in [each for each, number in numbered if number and each.name == _aside_of(path, number[1]).name]:
        try:
            writer = int(half.name.split(".")[-2])
            if os.name != "nt" and writer != os.getpid():  # Windows removes nothing that is open; in a container every program has the same number
                os.kill(writer, 0)
                left.append(half)
                continue
        except ProcessLookupError:
            pass
        except (PermissionError, OverflowError):  # somebody else's; no number of a process
            left.append(half)
            continue
        with suppress(OSError):
            half.unlink()
    return left


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
    """``os.replace``, again if Windows says that a virus scanner is still reading the file; what is open for longer, as in a spreadsheet, is named."""
    for attempt in range(tries):
        try:
            return os.replace(source, target)
        except PermissionError as error:
            if os.name != "nt" or attempt == tries - 1:
                if os.name == "nt" and os.path.isfile(target):
                    raise PermissionError(error.errno, "another program, such as a spreadsheet, has it open: close it there", os.fspath(target)) from None
                raise
            time.sleep(0.1 * 2**attempt)


@cache
def _say_that_there_are_no_locks(folder):
    print(f"note: the disk of {folder} knows no locks: start nothing else that writes there until this has ended", file=sys.stderr, flush=True)


@contextmanager
def only_one(path, waiting, tidy=False):
    """Hold the lock `path` while the body runs; wait while another process or thread holds it.

    The lock belongs to the operating system: a process that dies, however it dies, lets it go. Its empty file stays.

    Parameters
    ----------
    path : path
        The lock's file; made with its folder.
    waiting : str
        Printed if there is someone to wait for.
    tidy : bool
        Remove the file at the end, while nobody else has the lock: one that has waited for it makes another.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, fallback_to_soft=False)  # a file that stands for a lock would stay when its process is killed
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(waiting, flush=True)
            lock.acquire()
    except (NotImplementedError, OSError) as error:  # some network disks know no locks, and work goes on without
        if isinstance(error, OSError) and error.errno not in NO_LOCKS:
            raise
        _say_that_there_are_no_locks(Path(path).parent)
    try:
        yield
    finally:
        if tidy:
            with suppress(OSError):  # Windows removes nothing that is open
                os.unlink(path)
        lock.release()
