"""Where the kit's files come from: names, addresses, sizes and SHA-256. A table, and nothing that reaches out."""

import os
from dataclasses import dataclass
from pathlib import Path

FDDB_MANIFEST = Path(__file__).with_name("fddb.sha256")
RELEASE = "https://github.com/vslutov/face-detection/releases/download/v1.2"
FDDB_MIRROR = "https://raw.githubusercontent.com/Jmanderson1997/ECE763_Project1/eb1ea7d84d7287eb2634c1724ce3a0885141d48f"
FIGSHARE = "https://ndownloader.figshare.com/files"


@dataclass(frozen=True)
class Source:
    """One file that can be fetched.

    Attributes
    ----------
    name : str
        The file's name on the disk.
    urls : tuple of str
        Where it can be had, best first.
    sha256 : str or None
        What its bytes must hash to; None if nobody has written it down yet, and then the first download is recorded in
        its folder and later ones must match.
    size : int or None
        Its exact size in bytes, where known.
    about : int or None
        Its rough size in bytes, for messages and as a bound (twice that is refused), where the exact one is not known.
    members : str or None
        The part of the archive that is needed; None for all of it.
    unpacks_to : str or None
        What lies in the folder once the archive is unpacked; both course archives hold a ``data``, so each has its place.
    contents_known : bool
        Every file inside is checked against a list of SHA-256, so that the archive itself may come by plain http.
    """

    name: str
    urls: tuple
    sha256: str | None = None
    size: int | None = None
    about: int | None = None
    members: str | None = None
    unpacks_to: str | None = None
    contents_known: bool = False


SOURCES = {source.name: source for source in (
    Source("data.zip", (f"{RELEASE}/data.zip",), about=30_000_000, unpacks_to="data"),
    Source("original_data.zip", (f"{RELEASE}/original_data.zip",), about=523_000_000, unpacks_to="original/data"),
    Source("Face_Recognition_data", (
        "https://github.com/renjmindy/FaceDetectors/archive/refs/heads/master.zip",
        "https://codeload.github.com/renjmindy/FaceDetectors/zip/refs/heads/master",
    ), about=770_000_000, members="*/TrackDetector/Face_Recognition_data", unpacks_to="Face_Recognition_data"),
    # LFW as scikit-learn knows it (sklearn.datasets.fetch_lfw_people): it takes these files where it finds them
    Source("lfw-funneled.tgz", (f"{FIGSHARE}/5976015", "http://vis-www.cs.umass.edu/lfw/lfw-funneled.tgz"),
           "b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a", about=243_000_000),
    Source("pairsDevTrain.txt", (f"{FIGSHARE}/5976012", "http://vis-www.cs.umass.edu/lfw/pairsDevTrain.txt"),
           "1d454dada7dfeca0e7eab6f65dc4e97a6312d44cf142207be28d688be92aabfa", about=60_000),
    Source("pairsDevTest.txt", (f"{FIGSHARE}/5976009", "http://vis-www.cs.umass.edu/lfw/pairsDevTest.txt"),
           "7cb06600ea8b2814ac26e946201cdb304296262aad67d046a16a7ec85d0ff87c", about=30_000),
    Source("pairs.txt", (f"{FIGSHARE}/5976006", "http://vis-www.cs.umass.edu/lfw/pairs.txt"),
           "ea42330c62c92989f9d7c03237ed5d591365e89b3e649747777b70e692dc1592", about=160_000),
)}

LFW_FILES = ("pairsDevTrain.txt", "pairsDevTest.txt", "pairs.txt", "lfw-funneled.tgz")

# FDDB's own two archives. Their hosts have been dead for years; every file in them is checked against the manifest.
FDDB_ARCHIVES = (
    Source("FDDB-folds.tgz", ("https://vis-www.cs.umass.edu/fddb/FDDB-folds.tgz", "http://vis-www.cs.umass.edu/fddb/FDDB-folds.tgz"),
           about=1_000_000, contents_known=True),
    Source("originalPics.tar.gz", ("https://tamaraberg.com/faceDataset/originalPics.tar.gz",
                                   "http://tamaraberg.com/faceDataset/originalPics.tar.gz"),
           about=1_700_000_000, contents_known=True),
)


def fddb_files(manifest=FDDB_MANIFEST):
    """The files of FDDB, as the list committed with the kit has them: 2,845 photos and the twenty lists of the folds.

    Returns
    -------
    list of (str, int, str)
        Path below the folder (``originalPics/…`` or ``FDDB-folds/…``), size in bytes, SHA-256.
    """
    rows = (line.split(maxsplit=2) for line in Path(manifest).read_text(encoding="ascii").splitlines())
    return [(path, int(size), sha256) for sha256, size, path in rows]


def fddb_addresses(path, mirrors=(FDDB_MIRROR,)):
    """Where one file of FDDB can be had: mirrors that keep the photos at their top, or below ``originalPics``."""
    short = path.removeprefix("originalPics/")
    return tuple(dict.fromkeys(f"{mirror}/{name}" for mirror in mirrors for name in (short, path)))


def own_mirror():
    """The address a school may name in ``FACE_KIT_MIRROR``, where it keeps the same files; None if it names none."""
    return (os.environ.get("FACE_KIT_MIRROR") or "").rstrip("/") or None
