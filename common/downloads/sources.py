"""Where the kit's files come from: names, addresses, sizes and SHA-256. A table, and nothing that reaches out."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

FDDB_MANIFEST = Path(__file__).with_name("fddb.sha256")
RELEASE = "https://github.com/vslutov/face-detection/releases/download/v1.2"
REPOSITORY = "github.com/renjmindy/FaceDetectors"
FDDB_MIRROR = "https://raw.githubusercontent.com/Jmanderson1997/ECE763_Project1/eb1ea7d84d7287eb2634c1724ce3a0885141d48f"


@dataclass(frozen=True)
class Source:
    """One file that can be fetched."""

    name: str  # on the disk
    urls: tuple  # where it can be had, best first
    sha256: str | None = None
    size: int | None = None  # exact, in bytes, where known
    about: int | None = None  # rough, for messages; more than three times that is refused
    members: str | None = None  # the part of an archive that is needed; None for all of it
    unpacks_to: str | None = None  # what lies in the folder once an archive is unpacked: two archives of the course hold a ``data``


SOURCES = {
    "data.zip": Source("data.zip", (f"{RELEASE}/data.zip",), about=30_000_000, unpacks_to="data"),
    "original_data.zip": Source("original_data.zip", (f"{RELEASE}/original_data.zip",), about=523_000_000, unpacks_to="original/data"),
    "Face_Recognition_data": Source(
        "Face_Recognition_data.zip",
        (f"https://{REPOSITORY}/archive/refs/heads/master.zip", f"https://codeload.{REPOSITORY}/zip/refs/heads/master"),
        about=770_000_000, members="*/TrackDetector/Face_Recognition_data", unpacks_to="Face_Recognition_data"),
}  # fmt: skip


def fddb_files():
    """FDDB's 2,845 photos and twenty lists: path (``originalPics/…`` or ``FDDB-folds/…``), size in bytes and SHA-256 of each."""
    rows = (line.split(maxsplit=2) for line in FDDB_MANIFEST.read_text(encoding="ascii").splitlines())
    return [(path, int(size), sha256) for sha256, size, path in rows]


def fddb_addresses(path, mirror=FDDB_MIRROR):
    """Where one file of FDDB can be had: a mirror keeps the photos at its top, or below ``originalPics``."""
    return tuple(dict.fromkeys(_below(mirror, name) for name in (path.removeprefix("originalPics/"), path)))


def own_mirror(name):
    """Where a school keeps this file, if it names its copy in ``FACE_KIT_MIRROR``: one address or none."""
    school = os.environ.get("FACE_KIT_MIRROR", "").strip()
    return (_below(school, name),) if school else ()


def _below(mirror, name):
    """The address of a file below a mirror's; what stands behind a question mark, a key for example, stays at the end."""
    place, mark, key = mirror.partition("?")
    return f"{place.rstrip('/')}/{name}{mark}{key}"


def shown(address):
    """An address as it may be printed or kept: without a password or a key."""
    return re.sub(r"\?.*", "?…", re.sub(r"//[^/]*@", "//…@", address), flags=re.S)
