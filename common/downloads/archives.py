"""Unpack zip and tar archives that strangers made: whole, or not at all, and never outside the folder.

`zipfile` and `tarfile` read; what they would let pass is refused here: names that leave, clash, or are not possible on Windows,
links, devices, bombs, a list that breaks off.
"""

import bz2
import errno
import gzip
import lzma
import os
import re
import stat
import tarfile
import time
import unicodedata
import zipfile
from collections import namedtuple
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from functools import partial
from itertools import islice
from pathlib import Path

from common.files import has_room, remove_folder, rename, temporary_folder

MAX_BYTES = 8 << 30
MAX_FILES = 200_000
MAX_HEADER = 1 << 20  # a header of a tar is a few kilobytes; one of many megabytes is an attack on memory
MAX_LISTED = 1 << 10  # bytes of a line in the list of a zip, in the mean
UNPACKERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
RESERVED = re.compile(r"(CON|PRN|AUX|NUL|CLOCK\$|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³])\s*(\.|$)", re.IGNORECASE)
IMPOSSIBLE = {
    "has a control character in it": lambda name, parts: re.search(r"[\x00-\x1f\x7f]", name),
    "is absolute": lambda name, parts: re.match(r"[/\\]|[A-Za-z]:", name),
    "leaves the folder with '..'": lambda name, parts: ".." in parts,
    "is not text": lambda name, parts: re.search("[\ud800-\udfff]", name),
    "is too deep, or too long": lambda name, parts: len(parts) > 64 or any(len(part.encode()) > 255 for part in parts),
    "is not possible on Windows": lambda name, parts: any(p != p.rstrip(". ") or set(p) & set('<>:"|?*') or RESERVED.match(p) for p in parts),
}


class ArchiveError(ValueError):
    """The archive is damaged, is not an archive, or would do harm; nothing of it was unpacked."""


# One thing in an archive, as the archive tells it, nothing believed yet; `kind` is file, folder, or what no course archive needs,
# `open` a call that gives a stream of its bytes, `date` when it was written (a zip's bears no zone and is taken for this machine's), `sure`
# whether the letters of its name are
_Entry = namedtuple("_Entry", "name kind size open date sure")


def unpack(archive, folder, members=None, *, max_bytes=MAX_BYTES, max_files=MAX_FILES):
    """Unpack a zip or a tar (plain, gz, bz2 or xz) into a folder, which is returned: whole or not at all.

    Everything is unpacked beside its place first and checked; only then is it renamed into place. Its owners and permissions are not taken.

    Parameters
    ----------
    archive, folder : path
    members : str, optional
        Only this folder (or file) of the archive, ``*`` standing for one level: of a GitHub archive,
        ``*/TrackDetector/Face_Recognition_data`` unpacks as ``folder/Face_Recognition_data``.
    max_bytes, max_files : int
        More than this is refused, by what the archive declares and again by what it really holds.

    Raises
    ------
    ArchiveError, FileExistsError, OSError
        If the archive is damaged or none, would do harm, or has no `members`; if something with a name from its top already lies
        in the folder; if the disk is full or cannot be written. Nothing is left behind then.
    """
    archive, folder = Path(archive), Path(folder).absolute()
    # inside the folder where there is one: above a folder that is mounted into a container, nothing may be writable
    beside = folder if folder.is_dir() else folder.parent
    with opened(archive, max_bytes, max_files) as entries:
        plan = _plan(archive.name, entries, members, max_bytes)
        tops = {parts[0].casefold(): parts[0] for parts in plan}
        if taken := [name for name in os.listdir(folder) if name.casefold() in tops] if folder.is_dir() else []:
            raise FileExistsError(f"{folder} already holds {', '.join(taken)}: move it away or delete it, and unpack {archive.name} again; nothing was changed")
        beside.mkdir(parents=True, exist_ok=True)
        has_room(beside, sum(entry.size for entry in plan.values()), archive.name, "unpacks to")
        scratch = temporary_folder(f".{folder.name}.unpacking-", beside)
        try:
            aside = scratch / "all"
            for parts, entry in plan.items():
                _write(archive.name, entry, aside.joinpath(*parts))
            _move_in(aside, folder, tops.values())
        finally:
            remove_folder(scratch)
    return folder


def check(archive):
    """Read an archive from end to end; raises `ArchiveError` if it is none, is cut short, or a checksum in it is wrong."""
    with opened(Path(archive), 1 << 50, 1 << 31) as entries:
        for entry in entries:
            if entry.kind == "file":
                _write(Path(archive).name, entry)


@contextmanager
def opened(archive, max_bytes, max_files):
    """The entries of a zip or a tar, a list of `_Entry`. The first bytes decide which it is, as an ending may be wrong. All damage becomes an `ArchiveError`."""
    with open(archive, "rb") as file:
        start = file.read(512)
    try:
        if start[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
            with open(archive, "rb") as plain, _zip(archive.name, plain, max_files) as opened:
                yield _listed(archive.name, _of_zip(archive.name, opened), max_files)
        elif opener := next((opener for magic, opener in UNPACKERS.items() if start.startswith(magic)), open if start[257:262] == b"ustar" else None):
            with opener(archive, "rb") as plain:
                yield _listed(archive.name, _of_tar(archive.name, plain, max_bytes + max_files * 2048 + MAX_HEADER), max_files)
        else:
            what = "is empty" if not start else "is a web page" if start.lstrip()[:1] == b"<" else "is neither zip nor tar"
            raise ArchiveError(f"{archive.name} {what}: delete it and download it again")
    except (ArchiveError, FileExistsError):
        raise
    except Exception as error:  # a damaged archive makes the libraries raise nearly everything; what the disk answers has a number
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise ArchiveError(f"{archive.name} is damaged or not complete ({str(error) or type(error).__name__}): delete it and "
                           "download it again; nothing was unpacked") from error  # fmt: skip


def _refuse(why):
    raise ArchiveError(why)


def _listed(name, found, max_files):
    entries = list(islice(found, max_files + 1))
    if len(entries) > max_files:
        _too_many(name, max_files)
    return entries


def _too_many(name, max_files):
    raise ArchiveError(f"{name} holds more than {max_files:,} files, as an archive bomb does")


def _zip(name, plain, max_files):
    """`zipfile` makes an object of all that the list at the end of a zip names, before anybody can count them: they are counted here, in what it reads."""
    read = plain.read

    def counted_read(size=-1):
        if size > max(MAX_HEADER, max_files * MAX_LISTED) or (data := read(size)).count(b"PK\1\2") > max_files:
            _too_many(name, max_files)
        return data

    plain.read = counted_read
    opened = zipfile.ZipFile(plain)
    plain.read = read
    return opened


def _of_zip(name, opened):
    kinds, end = {stat.S_IFLNK: "link", stat.S_IFDIR: "folder", stat.S_IFREG: "file", 0: "file"}, 0
    for info in sorted(opened.infolist(), key=lambda info: info.header_offset):
        # said when it is opened: who takes what there is loses this file only
        why = ("the files in it overlap, as in an archive bomb" if info.header_offset < end else  # before Python 3.11.9 zipfile does not look
               f"{info.filename!r} is locked with a password" if info.flag_bits & 1 else None)
        end = end if why else info.header_offset + 30 + info.compress_size
        # orig_filename: zipfile cuts .filename at a NUL, and what was cut off must be judged too
        kind = "folder" if info.orig_filename.endswith(("/", "\\")) else kinds.get(stat.S_IFMT(info.external_attr >> 16), "device")
        stream = partial(_refuse, f"{name}: {why}") if why else partial(opened.open, info)
        yield _Entry(info.orig_filename, kind, info.file_size if kind == "file" else 0, stream, _seconds(info.date_time), bool(info.flag_bits & 0x800))


def _seconds(date):
    try:
        return time.mktime((*date, 0, 0, -1))
    except (ValueError, OverflowError):
        return 0.0


def _of_tar(name, plain, limit):
    """What `tarfile` lists, read through a meter: no header of megabytes, an end to the unpacking, and the list's end seen."""
    kinds = {tarfile.SYMTYPE: "link", tarfile.LNKTYPE: "link", tarfile.DIRTYPE: "folder"}
    read, seek, last = plain.read, plain.seek, b""

    def metered_read(size):
        nonlocal last
        if size > MAX_HEADER or plain.tell() > limit:
            raise ArchiveError(f"{name}: it unpacks to more than {limit / 1e9:.1f} GB or claims a header of {size:,} bytes, as an archive bomb does")
        last = read(size)
        return last

    plain.read, plain.seek = metered_read, lambda position, *whence: seek(min(position, limit + 1), *whence)
    opened = tarfile.open(fileobj=plain, mode="r:")  # closed with `plain`
    for member in opened:
        kind = kinds.get(member.type, "file" if member.isreg() and not member.issparse() else "device")
        yield _Entry(member.name, kind, member.size if kind == "file" else 0, partial(opened.extractfile, member), float(member.mtime), True)
    # tarfile takes a damaged header in the middle for the end of the list; the real end is a block of zeros
    if last != bytes(512):
        raise ArchiveError(f"{name} is damaged or cut short: download it again")
    while metered_read(1 << 18):  # to the very end, where the checksum of the compression is
        pass


def _plan(name, entries, members, max_bytes):
    """What will be written where, by its parts below the folder; or a refusal."""
    wanted = members.strip("/").split("/") if members else []
    skip, plan, seen = max(0, len(wanted) - 1), {}, {}
    for entry in entries:
        parts = tuple(part for part in entry.name.replace("\\", "/").split("/") if part not in ("", "."))
        if len(parts) < len(wanted) or not all(map(fnmatchcase, parts, wanted)) or (not parts and entry.kind == "folder"):
            continue
        if why := next((why for why, is_so in IMPOSSIBLE.items() if is_so(entry.name, parts)), None if parts else "is none"):
            raise ArchiveError(f"{name}: the name {entry.name[:200]!r} {why}; nothing was unpacked")
        if entry.kind not in ("file", "folder"):
            raise ArchiveError(f"{name}: {entry.name!r} is a {entry.kind}, which no course archive needs; nothing was unpacked")
        _no_clash(name, parts[skip:], entry.kind == "folder", seen)
        plan[parts[skip:]] = entry
    if not plan:
        raise ArchiveError(f"{name} holds no {members}; is it the right file?" if members else f"{name} is empty")
    total = sum(entry.size for entry in plan.values())
    if total > max_bytes:
        raise ArchiveError(f"{name} would unpack to {total / 1e9:.1f} GB, more than the {max_bytes / 1e9:.1f} GB allowed: a bomb, or not the file you meant")
    return plan


def _no_clash(archive, parts, folder, seen):
    """Refuse two names that are one on a disk that does not tell case (Windows, macOS), or that are there twice."""
    for depth in range(1, len(parts) + 1):
        key = tuple(unicodedata.normalize("NFC", unicodedata.normalize("NFC", part).casefold()) for part in parts[:depth])
        this = parts[:depth], depth < len(parts) or folder
        before = seen.setdefault(key, this)
        if before is not this and (before != this or not this[1]):
            raise ArchiveError(f"{archive}: the names {'/'.join(before[0])!r} and {'/'.join(parts)!r} clash: they are there "
                               "twice, or are one on a disk that does not tell upper from lower case; nothing was unpacked")  # fmt: skip


def _write(archive, entry, target=None):
    """Write one entry, or only read it, and count: what an archive declares is not believed."""
    if entry.kind == "folder":
        return target.mkdir(parents=True, exist_ok=True)
    if target:
        target.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with entry.open() as stream, open(target or os.devnull, "wb") as out:
        while count <= entry.size and (block := stream.read(1 << 18)):
            count += len(block)
            out.write(block)
    if count != entry.size:
        raise ArchiveError(f"{archive}: a file in it declares {entry.size:,} bytes and holds another number: damaged, or a bomb")


def _move_in(aside, folder, tops):
    """Rename into place: the whole, or one by one into a folder that has other things in it; back again if one fails."""
    if not folder.is_dir():
        return rename(aside, folder)
    with ExitStack() as back:
        for top in tops:
            rename(aside / top, folder / top)
            back.callback(rename, folder / top, aside / top)
        back.pop_all()
