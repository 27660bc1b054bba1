"""Read zip and tar archives entry by entry, believing nothing that they say of themselves."""

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
from dataclasses import dataclass

# A header of a tar (a long name, a list of attributes) is a few kilobytes; one of many megabytes is an attack on memory.
MAX_HEADER = 1 << 20
CHUNK = 1 << 18


class ArchiveError(ValueError):
    """The archive is damaged, is not an archive, or would do harm; nothing of it was unpacked."""


@dataclass
class Limits:
    bytes: int
    files: int


@dataclass(frozen=True)
class Raw:
    """One entry as the archive tells it, nothing believed yet."""

    name: str
    kind: str        # file, folder, link (from where it stands), hardlink (from the top), or what else it is
    size: int
    link: str = ""


def open_archive(archive):
    """The reader for this file, by its first bytes: names lie."""
    with open(archive, "rb") as file:
        start = file.read(512)
    if start[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _read_zip
    if start[:2] == b"\x1f\x8b" or start[:3] == b"BZh" or start[:6] == b"\xfd7zXZ\x00" or start[257:262] == b"ustar":
        return _read_tar
    what = "is empty" if not start else "is a web page" if start.lstrip()[:1] == b"<" else "is neither zip nor tar"
    raise ArchiveError(f"{archive.name} {what}: delete it and download it again")


def _read_zip(archive, limits, take=None):
    """Yield the entries of a zip; `take(number, stream)` gets the bytes of each file."""
    with zipfile.ZipFile(archive) as file:
        infos = file.infolist()
        _not_too_many(len(infos) - 1, limits, archive.name)
        _no_overlaps(infos, archive.name)
        for number, info in enumerate(infos):
            kind, link = _zip_kind(info), ""
            if info.flag_bits & 1:
                raise ArchiveError(f"{archive.name}: {info.filename!r} is locked with a password")
            if kind == "link":
                if info.file_size > 4096:
                    raise ArchiveError(f"{archive.name}: the link {info.filename!r} is too long to be one")
                link = file.read(info).decode("utf-8")
            # orig_filename: zipfile cuts .filename at a NUL, and what was cut off must be judged too
            yield Raw(info.orig_filename, kind, info.file_size if kind == "file" else 0, link)
            if take is not None and kind == "file":
                with file.open(info) as stream:
                    take(number, stream)


def _zip_kind(info):
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "link"
    if info.orig_filename.endswith(("/", "\\")) or stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_IFMT(mode) in (0, stat.S_IFREG) else "device"


def _no_overlaps(infos, name):
    """Files that share their bytes: a bomb of kilobytes that unpacks to terabytes."""
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise ArchiveError(f"{name}: the files in it overlap, as in an archive bomb")
        end = info.header_offset + 30 + info.compress_size


def _read_tar(archive, limits, take=None):
    """Yield the entries of a tar; `take(number, stream)` gets the bytes of each file."""
    kinds = {tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.CONTTYPE: "file", tarfile.DIRTYPE: "folder",
             tarfile.SYMTYPE: "link", tarfile.LNKTYPE: "hardlink", tarfile.GNUTYPE_SPARSE: "sparse file"}
    with open(archive, "rb") as raw:
        start = raw.read(6)
        raw.seek(0)
        opener = (gzip.open if start[:2] == b"\x1f\x8b" else bz2.open if start[:3] == b"BZh" else
                  lzma.open if start == b"\xfd7zXZ\x00" else lambda file: file)
        with opener(raw) as plain:
            meter = _Meter(plain, archive.name, limits.bytes + limits.files * 2048 + MAX_HEADER)
            with tarfile.open(fileobj=meter, mode="r:") as tar:
                for number, member in enumerate(tar):
                    _not_too_many(number, limits, archive.name)
                    kind = "sparse file" if member.issparse() else kinds.get(member.type, "device")
                    yield Raw(member.name, kind, member.size if kind == "file" else 0, member.linkname)
                    if take is not None and kind == "file":
                        take(number, tar.extractfile(member))
                # tarfile takes a damaged header in the middle for the end of the list; the real end is a block of zeros
                if meter.last != bytes(512):
                    raise ArchiveError(f"{archive.name} is damaged or cut short: download it again")
                while meter.read(CHUNK):  # to the very end, where the checksum of the compression is
                    pass


def _not_too_many(number, limits, name):
    if number >= limits.files:
        raise ArchiveError(f"{name} holds more than {limits.files:,} files, as an archive bomb does")


class _Meter:
    """What tarfile reads through: no header of megabytes, and an end to the unpacking."""

    def __init__(self, file, name, limit):
        self.file, self.name, self.limit, self.last = file, name, limit, b""

    def read(self, size):
        if size > MAX_HEADER:
            raise ArchiveError(f"{self.name}: a header in it claims {size:,} bytes, as in an archive bomb")
        self.last = self.file.read(size)
        self._not_beyond(self.file.tell())
        return self.last

    def seek(self, position):
        self._not_beyond(position)
        return self.file.seek(position)

    def tell(self):
        return self.file.tell()

    def _not_beyond(self, position):
        if position > self.limit:
            raise ArchiveError(f"{self.name} unpacks to more than {self.limit / 1e9:.1f} GB, as an archive bomb does")
