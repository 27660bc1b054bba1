"""Get a file whole and verified, or say why not and what to do by hand. Nothing here runs at import."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tqdm.auto import tqdm

from common.downloads.archives import ArchiveError, unpack
from common.downloads.sources import FDDB_MIRROR, SOURCES, fddb_addresses, fddb_files, own_mirror, shown
from common.downloads.transfer import TRIES, Job, Refused, bring, new_session, wrong
from common.files import has_room, in_mb, only_one, rename


class DownloadError(OSError):
    """A file could not be had. The message lists every address `tried` and why, and how to do it by hand."""

    def __init__(self, what, tried, hand, kept=False):
        self.tried = [(shown(url), str(why)) for url, why in tried]
        kept = ["What has come so far is kept; the next try goes on from there."] if kept else []
        super().__init__("\n".join([f"{what}. Tried:", *(f"  {url}: {why}" for url, why in self.tried), *kept, f"By hand: {hand}"]))


def fetch(name, folder, *, sources=SOURCES, progress=True, tries=TRIES, wait=1.0, sleep=time.sleep):
    """Have one file of the table in a folder: whole and verified, or not at all.

    What is already there is checked and used. Otherwise it is loaded under a temporary name beside the target, goes on where an
    earlier try stopped, and gets its name only when its SHA-256 is right, or, where none is published, when the archive can be
    read from end to end; its path is returned. A second process waits for the first. The system's proxies and certificates are
    honoured. ``FACE_KIT_MIRROR=https://…`` names a school's own copy, tried first; ``FACE_KIT_OFFLINE=1`` keeps the kit from reaching out.

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

    Raises
    ------
    DownloadError, ValueError, OSError
        If no address gave the right file; if there is no such name in the table; if the disk is full or cannot be written.
    """
    if name not in sources:
        raise ValueError(f"there is no file {name!r} to fetch; there are: {', '.join(sources)}")
    source, folder = sources[name], _folder(folder)
    target, say = folder / source.name, print if progress else (lambda text: None)
    job = Job(source.name, folder / f"{source.name}.part", source.sha256, source.size, source.size or 3 * (source.about or 1 << 38) + 10_000_000)
    with only_one(folder / f".{source.name}.lock", f"another process is loading {source.name}; waiting for it"):
        if not _there(target, job, say):
            urls, expected = (*own_mirror(source.name), *source.urls), source.size or source.about
            _offline(source.name, urls, target)
            has_room(folder, (expected or 0) - job.there(), source.name)
            bar = tqdm(desc=source.name, total=expected, initial=job.there(), unit="B", unit_scale=True, disable=not progress)
            with bar as job.bar, new_session() as session:
                tried = _from_any(session, urls, job, target, tries, wait, sleep)
            if tried:
                hand = f"open one of these addresses in a browser, save the file as {target}, and run this again: it will be checked and used."
                hand += f" Its SHA-256 must be {job.sha256}." if job.sha256 else ""
                raise DownloadError(f"{source.name} could not be downloaded", tried, hand, kept=job.goes_on())
            checked = "SHA-256 as published" if job.sha256 else "read from end to end, for no SHA-256 is published"
            say(f"{source.name}: {in_mb(target.stat().st_size)}, {checked}")
    return target


def fetch_unpacked(name, folder, *, keep=True, sources=SOURCES, **how):
    """Fetch an archive of the table and unpack the part of it that is needed; what is unpacked already is not touched.

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
        ``folder/data``, ``folder/original/data`` or ``folder/Face_Recognition_data``.
    """
    known = [key for key, source in sources.items() if source.unpacks_to]
    if name not in known:
        raise ValueError(f"there is no archive {name!r} to unpack; there are: {', '.join(known)}")
    source, folder = sources[name], _folder(folder)
    place = folder / source.unpacks_to
    with only_one(folder / f".{source.name}.unpack.lock", f"another process is unpacking {name}; waiting for it"):
        if not place.is_dir():
            archive = fetch(name, folder, sources=sources, **how)
            unpack(archive, place.parent, source.members)
            if not keep:
                archive.unlink()
    if not place.is_dir():
        raise ArchiveError(f"{name} was unpacked in {folder}, but there is no {place.name} in it: it is not the file it should be")
    return place


def fetch_fddb(folder, *, files=None, mirrors=(FDDB_MIRROR,), connections=4, progress=True, tries=3, wait=1.0, sleep=time.sleep):
    """Have FDDB in a folder: 2,845 photos and the lists of the ten folds (58 MB), each file checked by its SHA-256.

    Files that are there and right are not loaded again, so it goes on where it stopped. The lists come last: a folder
    with ``FDDB-folds`` in it is whole. After ten files that cannot be had, or without a network, it ends.

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
    folder, mirrors = _folder(folder), (*own_mirror("fddb"), *mirrors)
    parts, failures = folder / ".fddb.parts", []

    def load(job):
        if len(failures) >= 10:
            raise Refused("not begun")  # nor is what comes after it
        urls = [url for mirror in mirrors for url in fddb_addresses(job.name, mirror)]
        if tried := _from_any(session, urls, job, folder / job.name, tries, wait, sleep):
            failures.extend([tried] * (10 if all(why.unreachable for _, why in tried) else 1))

    with only_one(folder / ".fddb.lock", f"another process is loading FDDB into {folder}; waiting for it"):
        jobs = [Job(path, parts / f"{sha256}.part", sha256, size, size) for path, size, sha256 in (fddb_files() if files is None else files)]
        missing = [job for job in jobs if wrong(folder / job.name, job)]
        if missing:
            _offline("FDDB", mirrors, folder)
            has_room(folder, sum(job.size for job in missing), "FDDB")
            parts.mkdir(exist_ok=True)
            with new_session() as session, ThreadPoolExecutor(connections) as pool, suppress(Refused):
                for lists in (False, True):
                    group = [job for job in missing if job.name.startswith("FDDB-folds/") == lists]
                    if group and not failures:
                        list(tqdm(pool.map(load, group), desc="FDDB", total=len(group), unit="file", disable=not progress))
            with suppress(OSError):  # not empty: what has come of a file is kept
                parts.rmdir()
            missing = [job for job in missing if wrong(folder / job.name, job)]
    if missing:
        raise DownloadError(
            f"FDDB: {len(missing):,} of {len(jobs):,} files could not be downloaded ({missing[0].name} …)", failures[0],
            f"unpack FDDB-folds.tgz and originalPics.tar.gz from a copy of FDDB into {folder}, so that it holds FDDB-folds/ and "
            "originalPics/, or name the folder of a copy in FDDB_DIR.", kept=len(missing) < len(jobs))  # fmt: skip
    return folder


def _from_any(session, urls, job, target, tries, wait, sleep):
    """Try one address after the other; returns nothing, or the addresses with why they were of no use."""
    tried = []
    for url in urls:
        try:
            bring(session, url, job, tries, wait, sleep)
            target.parent.mkdir(parents=True, exist_ok=True)
            brought = rename(job.part, target)
            job.forget()
            return brought
        except Refused as refusal:
            tried.append((url, refusal))
    return tried


def _offline(name, urls, target):
    if os.environ.get("FACE_KIT_OFFLINE", "") not in ("", "0"):
        raise DownloadError(f"{name} is not in {target.parent if target.suffix else target}", [(url, "not tried: FACE_KIT_OFFLINE is set") for url in urls],
                            f"unset FACE_KIT_OFFLINE, or put the file there yourself: {target}")  # fmt: skip


def _folder(folder):
    folder = Path(folder).expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _there(target, job, say):
    """Whether the file is there and has its SHA-256; another file of this name is moved aside and not deleted, for it may be somebody's work."""
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder, where the file {job.name} belongs: move it away and run this again")
    if target.exists() and wrong(target, job):
        rename(target, target.with_name(f"{target.name}.wrong"))
        say(f"{target.name} is damaged or not the published file: moved to {target.name}.wrong, loading it again")
    return target.exists()
