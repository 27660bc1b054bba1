"""Unpack zip and tar archives that strangers made: whole, or not at all, and never outside the folder."""

import errno
import lzma
import os
import re
import shutil
import struct
import tarfile
import time
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from common.downloads.archive_readers import CHUNK, ArchiveError, Limits, open_archive
from common.downloads.locks import only_one

MAX_BYTES = 8 << 30
MAX_FILES = 200_000
RESERVED = {"CON", "PRN", "AUX", "NUL", "CLOCK$", "CONIN$", "CONOUT$",
            *(f"{port}{n}" for port in ("COM", "LPT") for n in "0123456789¹²³")}
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, struct.error, ValueError,
          OverflowError, NotImplementedError, RuntimeError, IndexError, MemoryError)
# What the disk answers, as against what a damaged archive makes Python answer (EINVAL, or no number at all).
DISK = {errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOENT,
        errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


@dataclass(frozen=True)
class _Entry:
    """One thing to unpack: where it goes, and how its bytes are had."""

    parts: tuple      # where it goes, below the folder
    folder: bool
    size: int         # as declared
    number: int       # its place in the archive's own list
    link: tuple = ()  # for a link: the entry (its parts in the archive) that it stands for


def unpack(archive, folder, members=None, *, max_bytes=MAX_BYTES, max_files=MAX_FILES):
    """Unpack a zip or a tar (plain, gz, bz2 or xz) into a folder: whole or not at all.

    Everything is unpacked beside its place first and checked; only then is it renamed into place. A folder that was
    not there appears at once. Into a folder that was there, what lies at the top of the archive (often one folder) is
    moved entry by entry, and moved back if one of them cannot be. Links that stay inside become copies,
    for Windows has none; the archive's owners and permissions are not taken over.

    Parameters
    ----------
    archive : str or path
    folder : str or path
        Where to unpack; made if it is not there.
    members : str, optional
        Only this folder (or file) of the archive, ``*`` standing for one level: of a GitHub archive,
        ``*/TrackDetector/Face_Recognition_data`` unpacks as ``folder/Face_Recognition_data``.
    max_bytes, max_files : int
        More than this is refused, by what the archive declares and again by what it really holds.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ArchiveError
        If the archive is damaged or no archive; or if a name in it is absolute, climbs with ``..``, is not possible on
        Windows or equals another but for case; if a link leaves; if there is a device; if it is a bomb; if `members`
        is not in it. Nothing has been written then.
    FileExistsError
        If something with a name from the top of the archive already lies in the folder.
    OSError
        If the disk is full or the folder cannot be written. Nothing is left behind then either.
    """
    archive, folder = Path(archive), Path(folder).absolute()
    reader = open_archive(archive)
    limits = Limits(max_bytes, max_files)
    # inside the folder where there is one: above a folder that is mounted into a container, nothing may be writable
    beside = folder if folder.is_dir() else folder.parent
    with only_one(beside / f".{folder.name}.unpack.lock",
                  f"another process is unpacking into {folder}; waiting for it"):
        try:
            entries = _plan(archive.name, list(reader(archive, limits)), members, limits)
            _need_room(folder, sum(entry.size for entry in entries), archive.name)
            tops = sorted({entry.parts[0] for entry in entries})
            taken = _taken(folder, tops)
            if taken:
                raise FileExistsError(f"{folder} already holds {', '.join(taken)}: move it away or delete it, then "
                                      f"unpack {archive.name} again; nothing was changed")
            _unpack_aside(archive, folder, beside / f".{folder.name}.unpacking", reader, entries, limits, tops)
        except ArchiveError:
            raise
        except DAMAGE as error:
            raise _damaged(archive, error) from error
        except OSError as error:
            if error.errno in DISK or isinstance(error, FileExistsError):
                raise
            raise _damaged(archive, error) from error
    return folder


def check(archive):
    """Read an archive from end to end and say if it is whole.

    Parameters
    ----------
    archive : str or path

    Raises
    ------
    ArchiveError
        If it is no archive, is cut short, or a checksum in it is wrong.
    """
    archive = Path(archive)
    reader = open_archive(archive)
    limits = Limits(1 << 50, 1 << 31)
    try:
        for _ in reader(archive, limits, lambda number, stream: _copy(stream, None, None, archive.name)):
            pass
    except ArchiveError:
        raise
    except (*DAMAGE, OSError) as error:
        raise _damaged(archive, error) from error


def _plan(name, raws, members, limits):
    """Turn what the archive says into what will be written, or refuse."""
    chosen = [(number, raw, _chosen(raw.name, members)) for number, raw in enumerate(raws)]
    chosen = [(number, raw, kept) for number, raw, kept in chosen if kept is not None]
    if not chosen:
        raise ArchiveError(f"{name} is empty" if members is None else f"{name} holds no {members}; is it the right file?")
    by_place, seen, entries = {}, {}, []
    for number, raw, skip in chosen:
        whole = _parts(name, raw.name)
        parts = whole[skip:]
        if not parts and raw.kind == "folder":
            continue
        if raw.kind not in ("file", "folder", "link", "hardlink"):
            raise ArchiveError(f"{name}: {raw.name!r} is a {raw.kind}, which no course archive needs")
        if raw.size < 0 or not parts:
            raise ArchiveError(f"{name}: {raw.name!r} is damaged")
        _no_clash(name, parts, raw.kind == "folder", seen)
        link = _link(name, raw, whole) if raw.kind in ("link", "hardlink") else ()
        entry = _Entry(parts, raw.kind == "folder", raw.size, number, link)
        by_place[whole] = entry
        entries.append(entry)
    entries = [_resolve(name, entry, by_place) for entry in entries]
    total = sum(entry.size for entry in entries)
    if total > limits.bytes:
        raise ArchiveError(f"{name} would unpack to {total / 1e9:.1f} GB, more than the {limits.bytes / 1e9:.1f} GB allowed: "
                           "an archive bomb, or not the file you meant")
    return entries


def _chosen(name, members):
    """How many leading parts of this name to drop; None if it is not wanted."""
    if members is None:
        return 0
    wanted = members.strip("/").split("/")
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if len(parts) >= len(wanted) and all(map(fnmatchcase, parts, wanted)):
        return len(wanted) - 1
    return None


def _parts(archive, name):
    """The name as a tuple of parts, or a refusal: what must not be on one system is refused on all."""
    def no(why):
        return ArchiveError(f"{archive}: the name {name[:200]!r} {why}; nothing was unpacked")

    if any(ord(char) < 32 or ord(char) == 127 for char in name):
        raise no("has a control character in it")
    path = name.replace("\\", "/")
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        raise no("is absolute")
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if ".." in parts:
        raise no("leaves the folder with '..'")
    if len(parts) > 64:
        raise no("is too deep")
    for part in parts:
        try:
            long = len(part.encode("utf-8")) > 255
        except UnicodeEncodeError:
            raise no("is not text") from None
        if long:
            raise no("is too long")
        if part.split(".")[0].rstrip().upper() in RESERVED:
            raise no("is reserved on Windows")
        if part != part.rstrip(". ") or any(char in '<>:"|?*' for char in part):
            raise no("is not possible on Windows")
    return parts


def _no_clash(archive, parts, folder, seen):
    """Refuse two names that are one on a disk that does not tell case (Windows, macOS), or that are there twice."""
    key = ()
    for depth, part in enumerate(parts, 1):
        key += (unicodedata.normalize("NFC", unicodedata.normalize("NFC", part).casefold()),)
        this = parts[:depth], depth < len(parts) or folder
        if key not in seen:
            seen[key] = this
        elif seen[key] != this or not this[1]:
            raise ArchiveError(f"{archive}: the names {'/'.join(seen[key][0])!r} and {'/'.join(parts)!r} clash: they are there "
                               "twice, or are one on a disk that does not tell upper from lower case; nothing was unpacked")


def _link(archive, raw, whole):
    """Where in the archive a link points, as parts; refused if that is outside."""
    target = raw.link.replace("\\", "/")
    base = () if raw.kind == "hardlink" else whole[:-1]
    inside = list(base)
    outside = target.startswith("/") or re.match(r"[A-Za-z]:", target) or any(ord(char) < 32 for char in target)
    for part in target.split("/"):
        if part == "..":
            outside = outside or not inside
            inside = inside[:-1]
        elif part not in ("", "."):
            inside.append(part)
    if not inside and not outside:
        raise ArchiveError(f"{archive}: the link {raw.name!r} points to the whole archive, which is no file")
    if outside:
        raise ArchiveError(f"{archive}: the link {raw.name!r} leaves the folder, to {raw.link!r}; nothing was unpacked")
    return tuple(inside)


def _resolve(archive, entry, by_place):
    """Follow a link to the file it stands for, and take over that file's size and place."""
    end = entry
    for _ in range(16):
        if not end.link:
            break
        end = by_place.get(end.link)
        if end is None or end.folder:
            raise ArchiveError(f"{archive}: the link {'/'.join(entry.parts)!r} points to {'/'.join(entry.link)!r}, "
                               "which is no file of what is unpacked")
    else:
        raise ArchiveError(f"{archive}: the link {'/'.join(entry.parts)!r} goes in a circle")
    return entry if end is entry else _Entry(entry.parts, False, end.size, end.number, end.parts)


def _taken(folder, tops):
    """Which of these names the folder already holds, whatever their case."""
    there = {name.casefold(): name for name in os.listdir(folder)} if folder.is_dir() else {}
    return [there[top.casefold()] for top in tops if top.casefold() in there]


def _need_room(folder, total, name):
    """Refuse before the disk is full, not after."""
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if total > free:
        raise OSError(errno.ENOSPC, f"{name} unpacks to {total / 1e6:,.0f} MB, but the disk of {place} has only "
                                    f"{free / 1e6:,.0f} MB free: make room, or choose a folder on another disk")


def _unpack_aside(archive, folder, aside, reader, entries, limits, tops):
    """Write everything to a folder beside its place, then rename."""
    # left by a process that was killed: nobody else can be at it, for this one holds the lock
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir(parents=True)
        _write(archive, aside, reader, entries, limits)
        if folder.is_dir():
            _move_in(aside, folder, tops)
        else:
            rename(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write(archive, aside, reader, entries, limits):
    files = {entry.number: entry for entry in entries if not entry.folder and not entry.link}
    written = 0

    def take(number, stream):
        nonlocal written
        if number in files:
            target = aside.joinpath(*files[number].parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "xb") as out:
                written += _copy(stream, out, files[number].size, archive.name)
            if written > limits.bytes:
                raise ArchiveError(f"{archive.name} unpacks to more than {limits.bytes / 1e9:.1f} GB")

    for entry in entries:
        if entry.folder:
            aside.joinpath(*entry.parts).mkdir(parents=True, exist_ok=True)
    for _ in reader(archive, limits, take):
        pass
    for entry in entries:
        if entry.link:
            target = aside.joinpath(*entry.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(aside.joinpath(*entry.link), target)


def _copy(stream, out, size, name):
    """Copy to the end and count; what an archive declares is not believed."""
    count = 0
    while block := stream.read(CHUNK):
        count += len(block)
        if size is not None and count > size:
            break
        if out is not None:
            out.write(block)
    if size is not None and count != size:
        raise ArchiveError(f"{name}: a file in it declares {size:,} bytes and holds another number: damaged, or a bomb")
    return count


def _move_in(aside, folder, tops):
    """Rename entry by entry into a folder that has other things in it; back again if one fails."""
    moved = []
    try:
        for top in tops:
            rename(aside / top, folder / top)
            moved.append(top)
    except OSError:
        for top in moved:
            rename(folder / top, aside / top)
        raise


def rename(source, target, tries=6):
    """``os.replace``, again if Windows says that a virus scanner is still reading the file."""
    for attempt in range(tries):
        try:
            return os.replace(source, target)
        except PermissionError:
            if os.name != "nt" or attempt == tries - 1:
                raise
            time.sleep(0.1 * 2 ** attempt)


def _damaged(archive, error):
    return ArchiveError(f"{archive.name} is damaged or not complete ({str(error) or type(error).__name__}): delete it and "
                        "download it again; nothing was unpacked")
