"""Get a file whole and verified, or say why not and what to do by hand. Nothing here runs at import."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from common.downloads.archives import ArchiveError, check, unpack
from common.downloads.sources import FDDB_MIRROR, SOURCES, fddb_addresses, fddb_files, own_mirror
from common.downloads.transfer import TRIES, Job, Refused, bring, new_session, sha256_of
from common.files import has_room, in_mb, only_one, rename

ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz")


class DownloadError(OSError):
    """A file could not be had. The message lists every address `tried` and why, and how to do it by hand."""

    def __init__(self, what, tried, hand, kept=False):
        self.tried = [(url, str(why)) for url, why in tried]
        kept = ["What has come so far is kept; the next try goes on from there."] if kept else []
        super().__init__("\n".join([f"{what}. Tried:", *(f"  {url}: {why}" for url, why in self.tried), *kept, f"By hand: {hand}"]))


def fetch(name, folder, *, sources=SOURCES, progress=True, tries=TRIES, wait=1.0, sleep=time.sleep):
    """Have one file of the table in a folder: whole and verified, or not at all.

    What is already there is checked and used. Otherwise it is loaded under a temporary name beside the target, goes on where an
    earlier try stopped, and gets its name only when its SHA-256 is right, or, where none is published, when the archive can be
    read from end to end. A second process waits for the first. The system's proxies and certificates are honoured.
    ``FACE_KIT_MIRROR=https://…`` names a school's own copy, tried first; ``FACE_KIT_OFFLINE=1`` keeps the kit from reaching out.

    Parameters
    ----------
    name : str
        One of the names in `sources`.
    folder : path
        Made if it is not there.
    sources : dict of str to Source, optional
    progress : bool
        Show a bar, and one line about the outcome.
    tries, wait, sleep
        See `common.downloads.transfer.bring`.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    DownloadError, ValueError, OSError
        If no address gave the right file; if there is no such name in the table; if the disk is full or cannot be written.
    """
    if name not in sources:
        raise ValueError(f"there is no file {name!r} to fetch; there are: {', '.join(sources)}")
    source, folder = sources[name], _folder(folder)
    target, say = folder / source.name, print if progress else (lambda text: None)
    with only_one(folder / f".{source.name}.lock", f"another process is loading {source.name}; waiting for it"):
        most = source.size or 3 * (source.about or 1 << 38) + 10_000_000
        job = Job(source.name, folder / f"{source.name}.part", source.sha256, source.size, most, check if target.suffix in ARCHIVES else None)
        if not (target.exists() and _good(target, job, say)):
            urls = (*own_mirror(source.name), *source.urls)
            _offline(source.name, urls, target)
            has_room(folder, (source.size or source.about or 0) - job.there(), source.name)
            with _bar(source.name, job.there(), source.size or source.about, progress) as job.bar, new_session() as session:
                tried = _from_any(session, urls, job, target, tries, wait, sleep)
            if tried:
                hand = f"open one of these addresses in a browser, save the file as {target}, and run this again: it will be checked and used."
                hand += f" Its SHA-256 must be {job.sha256}." if job.sha256 else ""
                raise DownloadError(f"{source.name} could not be downloaded", tried, hand, kept=job.there() > 0)
            checked = "SHA-256 as published" if job.sha256 else "read from end to end, for no SHA-256 is published" if job.inspect else "as it came"
            say(f"{source.name}: {in_mb(target.stat().st_size)}, {checked}")
    return target


def fetch_unpacked(name, folder, *, keep=True, sources=SOURCES, **how):
    """Fetch an archive of the table and unpack the part of it that is needed.

    Parameters
    ----------
    name : str
        ``data.zip``, ``original_data.zip`` or ``Face_Recognition_data``.
    folder, sources, **how
        As in `fetch`, which says what is raised; and see `unpack`.
    keep : bool
        Keep the archive after unpacking.

    Returns
    -------
    pathlib.Path
        What was unpacked: ``folder/data``, ``folder/original/data`` or ``folder/Face_Recognition_data``. If it is there already, nothing is done.
    """
    known = [key for key, source in sources.items() if source.unpacks_to]
    if name not in known:
        raise ValueError(f"there is no archive {name!r} to unpack; there are: {', '.join(known)}")
    place = _folder(folder) / sources[name].unpacks_to
    with only_one(_folder(folder) / f".{sources[name].name}.unpack.lock", f"another process is unpacking {name}; waiting for it"):
        if not place.is_dir():
            archive = fetch(name, folder, sources=sources, **how)
            unpack(archive, place.parent, sources[name].members)
            if not keep:
                archive.unlink()
    if not place.is_dir():
        raise ArchiveError(f"{name} was unpacked in {folder}, but there is no {place.name} in it: it is not the file it should be")
    return place


def fetch_fddb(folder, *, files=None, mirrors=(FDDB_MIRROR,), connections=4, progress=True, tries=3, wait=1.0, sleep=time.sleep):
    """Have FDDB in a folder: 2,845 photos and the lists of the ten folds (58 MB), each file checked by its SHA-256.

    Files that are there and right are not loaded again, so it goes on where it stopped. The lists come last: a folder
    with ``FDDB-folds`` in it is whole.

    Parameters
    ----------
    folder : path
        Will hold ``FDDB-folds/`` and ``originalPics/``; returned.
    files : list of (str, int, str), optional
        Path, size and SHA-256 of each file; all of FDDB by default.
    mirrors : iterable of str
        Addresses below which the files lie.
    connections : int
        Files loaded at once.
    progress, tries, wait, sleep
        As in `fetch`, which says what is raised; what has come is kept.
    """
    folder, files = _folder(folder), fddb_files() if files is None else files
    mirrors = (*own_mirror("fddb"), *mirrors)
    with only_one(folder / ".fddb.lock", f"another process is loading FDDB into {folder}; waiting for it"):
        missing, tried = _missing(folder, files), []
        if missing:
            _offline("FDDB", mirrors, folder)
            has_room(folder, need := sum(size for _, size, _ in missing), "FDDB")
            total = sum(size for _, size, _ in files)
            with _bar("FDDB", total - need, total, progress) as bar:
                for lists in (False, True):
                    rows = [row for row in missing if row[0].startswith("FDDB-folds/") == lists]
                    tried = tried or _load_all(folder, rows, mirrors, connections, bar, (tries, wait, sleep))
            missing = _missing(folder, missing)
        if missing:
            raise DownloadError(
                f"FDDB: {len(missing):,} of {len(files):,} files could not be downloaded ({missing[0][0]} …)", tried,
                f"unpack FDDB-folds.tgz and originalPics.tar.gz from a copy of FDDB into {folder}, so that it holds FDDB-folds/ and "
                "originalPics/, or name the folder of a copy in FDDB_DIR.", kept=len(missing) < len(files))  # fmt: skip
    return folder


def _load_all(folder, rows, mirrors, connections, bar, how):
    """Load many small files, a few at once; returns what the first failure tried. After ten in a row, or without a network, it ends."""
    parts, failures, in_a_row = folder / ".fddb.parts", [], []
    parts.mkdir(exist_ok=True)

    def load(row):
        if len(in_a_row) < 10:
            job = Job(row[0], parts / f"{row[2]}.part", row[2], row[1], row[1])
            tried = _from_any(session, [url for mirror in mirrors for url in fddb_addresses(row[0], mirror)], job, folder / row[0], *how)
            if tried:
                failures.append(tried)
                in_a_row.extend([tried] * (10 if all(why.unreachable for _, why in tried) else 1))
            else:
                in_a_row.clear()
                bar.update(row[1])

    with new_session() as session, ThreadPoolExecutor(max(1, connections)) as pool:
        try:
            list(pool.map(load, rows))
        except BaseException:  # Ctrl-C, or a full disk: do not begin with those that wait
            pool.shutdown(cancel_futures=True)
            raise
    with suppress(OSError):  # not empty: what has come of a file is kept
        parts.rmdir()
    return failures[0] if failures else []


def _from_any(session, urls, job, target, tries, wait, sleep):
    """Try one address after the other; returns nothing, or the addresses with why they were of no use."""
    tried = []
    for url in urls:
        try:
            bring(session, url, job, tries, wait, sleep)
        except Refused as refusal:
            tried.append((url, refusal))
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        rename(job.part, target)
        job.forget()
        return []
    return tried


def _offline(name, urls, target):
    if os.environ.get("FACE_KIT_OFFLINE", "") not in ("", "0"):
        raise DownloadError(f"{name} is not in {target.parent if target.suffix else target}", [(url, "not tried: FACE_KIT_OFFLINE is set") for url in urls],
                            f"unset FACE_KIT_OFFLINE, or put the file there yourself: {target}")  # fmt: skip


def _bar(name, there, total, show):
    """A bar with rate and time left."""
    from tqdm.auto import tqdm

    return tqdm(desc=name, total=total, initial=there, unit="B", unit_scale=True, disable=not show)


def _folder(folder):
    folder = Path(folder).expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _missing(folder, rows):
    return [row for row in rows if not _same(folder / row[0], row)]


def _same(path, row):
    return path.is_file() and path.stat().st_size == row[1] and sha256_of(path) == row[2]


def _good(target, job, say):
    """Whether what lies there is the file; if not, it is moved aside, for it may be someone's work."""
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder, where the file {job.name} belongs: move it away and run this again")
    with suppress(ArchiveError):
        if sha256_of(target) == job.sha256 or (not job.sha256 and target.stat().st_size and not (job.inspect and job.inspect(target))):
            return True
    rename(target, target.with_name(f"{target.name}.wrong"))
    say(f"{target.name} is damaged or not the published file: moved to {target.name}.wrong, loading it again")
    return False
