"""Get a file whole and verified, or say why not and what to do by hand. Nothing here runs at import."""

import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from common.downloads.archives import ArchiveError, check, rename, unpack
from common.downloads.locks import only_one
from common.downloads.progress import Bar
from common.downloads.sources import FDDB_ARCHIVES, FDDB_MIRROR, LFW_FILES, SOURCES, fddb_addresses, fddb_files, own_mirror
from common.downloads.transfer import TRIES, Client, DownloadError, Job, Refused, bring, forget_note, has_room, sha256_of

__all__ = ["SOURCES", "ArchiveError", "DownloadError", "fetch", "fetch_fddb", "fetch_lfw", "fetch_unpacked", "unpack"]

RECORD = "downloads.sha256"
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz")


def fetch(name, folder, *, sources=SOURCES, progress=True, tries=TRIES, wait=1.0, sleep=time.sleep):
    """Have one file of the table in a folder: whole and verified, or not at all.

    What is already there is checked and used. Otherwise it is loaded under a temporary name beside the target, goes on
    where an earlier try stopped, and gets its name only when its SHA-256 is right. If nobody has written the hash down
    yet, the archive is read from end to end, and its hash recorded in ``downloads.sha256`` in the folder; later
    downloads must match it. A second process waits for the first. Proxies (``HTTPS_PROXY``, the system's settings) and
    the system's certificates are honoured. ``FACE_KIT_MIRROR=https://…`` names a school's own copy, tried first;
    ``FACE_KIT_OFFLINE=1`` keeps the kit from reaching out.

    Parameters
    ----------
    name : str
        One of the names in `sources`.
    folder : str or path
        Made if it is not there.
    sources : dict of str to Source, optional
    progress : bool
        Show a bar with the rate and the time left, and one line about the outcome.
    tries : int
        How often in a row an address may fail without getting any further.
    wait : float
        Seconds before the second try; doubled each time.
    sleep : callable

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    DownloadError
        If no address gave the right file; its message has every address and why, and how to do it by hand.
    ValueError
        If there is no such name in the table.
    OSError
        If the disk is full or the folder cannot be written.
    """
    if name not in sources:
        raise ValueError(f"there is no file {name!r} to fetch; there are: {', '.join(sources)}")
    source, folder = sources[name], _folder(folder)
    if not os.path.splitext(source.name)[1]:
        source = replace(source, name=f"{source.name}.zip")
    target = folder / source.name
    with only_one(folder / f".{source.name}.lock", f"another process is loading {source.name}; waiting for it") as alone:
        source, recorded = _with_record(source, folder)
        if target.exists() and _good(target, source, progress):
            if not source.sha256:
                _record(folder, target, progress)
            return target
        _offline(source.name, source.urls, target)
        part = folder / (f"{source.name}.part" if alone else f"{source.name}.{os.getpid()}.part")
        has_room(folder, (source.size or source.about or 0) - (part.stat().st_size if part.exists() else 0), source.name)
        job = Job(source.name, part, source.sha256, source.size, 3 * (source.about or 1 << 38) + 10_000_000,
                  verified=bool(source.sha256) or source.contents_known,
                  inspect=check if source.name.endswith(ARCHIVES) else None)
        with Bar(source.name, source.size or source.about, progress) as bar:
            job.progress = bar.to
            _from_any(_addresses(source), job, target, recorded, tries, wait, sleep)
        rename(part, target)
        forget_note(job)
        if not source.sha256:
            _record(folder, target, progress)
        elif progress:
            print(f"{source.name}: {target.stat().st_size / 1e6:,.1f} MB, SHA-256 as {'recorded here' if recorded else 'published'}")
    return target


def fetch_unpacked(name, folder, *, keep=True, sources=SOURCES, progress=True, **how):
    """Fetch an archive of the table and unpack the part of it that is needed.

    Parameters
    ----------
    name : str
        ``data.zip``, ``original_data.zip`` or ``Face_Recognition_data``.
    folder : str or path
    keep : bool
        Keep the archive after unpacking.
    sources, progress, **how
        As in `fetch`.

    Returns
    -------
    pathlib.Path
        What was unpacked: ``folder/data``, ``folder/original/data`` or ``folder/Face_Recognition_data``. If it is there already, nothing is done.

    Raises
    ------
    DownloadError, ArchiveError, OSError, ValueError
        As `fetch` and `unpack` do.
    """
    if name not in sources or not sources[name].unpacks_to:
        raise ValueError(f"there is no archive {name!r} to unpack; there are: "
                         f"{', '.join(key for key, source in sources.items() if source.unpacks_to)}")
    place = Path(folder) / sources[name].unpacks_to
    if not place.is_dir():
        archive = fetch(name, folder, sources=sources, progress=progress, **how)
        unpack(archive, place.parent, sources[name].members)
        if not keep:
            archive.unlink()
    if not place.is_dir():
        raise ArchiveError(f"{name} was unpacked in {folder}, but there is no {place.name} in it: it is not the file it should be")
    return place


def fetch_lfw(data_home, *, sources=SOURCES, progress=True, **how):
    """Put LFW where scikit-learn looks for it, so that ``sklearn.datasets.fetch_lfw_people(data_home=…)`` finds it.

    Scikit-learn's own download neither resumes nor tries a second address.

    Parameters
    ----------
    data_home : str or path
        The folder that is given to scikit-learn.
    sources, progress, **how
        As in `fetch`.

    Returns
    -------
    pathlib.Path
        ``data_home``.

    Raises
    ------
    DownloadError, OSError
        As `fetch` does.
    """
    home = Path(data_home) / "lfw_home"
    for name in LFW_FILES:
        if not (name.endswith(".tgz") and (home / "lfw_funneled").is_dir()):
            fetch(name, home, sources=sources, progress=progress, **how)
    return Path(data_home)


def fetch_fddb(folder, *, files=None, mirrors=(FDDB_MIRROR,), archives=FDDB_ARCHIVES, connections=4, progress=True, tries=3,
               wait=1.0, sleep=time.sleep):
    """Have FDDB in a folder: 2,845 photos and the lists of the ten folds (58 MB), each file checked by its SHA-256.

    Files that are there and right are not loaded again, so it goes on where it stopped. The lists come last: a folder
    with ``FDDB-folds`` in it is whole.

    Parameters
    ----------
    folder : str or path
        Will hold ``FDDB-folds/`` and ``originalPics/``.
    files : list of (str, int, str), optional
        Path, size and SHA-256 of each file; all of FDDB by default.
    mirrors : iterable of str
        Addresses below which the files lie.
    archives : iterable of Source
        FDDB's own archives, tried for what no mirror had.
    connections : int
        Files loaded at once.
    progress, tries, wait, sleep
        As in `fetch`.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    DownloadError
        If files are still missing at the end; what came is kept.
    OSError
        If the disk is full or the folder cannot be written.
    """
    folder = _folder(folder)
    files = fddb_files() if files is None else files
    school = own_mirror()
    mirrors = (f"{school}/fddb", *mirrors) if school else tuple(mirrors)
    with only_one(folder / ".fddb.lock", f"another process is loading FDDB into {folder}; waiting for it"):
        missing = _missing(folder, files)
        if not missing:
            return folder
        _offline("FDDB", mirrors, folder)
        has_room(folder, sum(size for _, size, _ in missing), "FDDB")
        total, tried = sum(size for _, size, _ in files), []
        with Bar("FDDB", total, progress) as bar:
            bar.to(total - sum(size for _, size, _ in missing), total)
            # the lists last: where there is a folder FDDB-folds, FDDB is whole
            for lists in (False, True):
                rows = [row for row in missing if row[0].startswith("FDDB-folds/") == lists]
                tried += _load_all(folder, rows, mirrors, connections, bar, tries, wait, sleep)
                for source in archives if _missing(folder, rows) else ():
                    if source.name.startswith("FDDB-folds") == lists:
                        tried += _from_archive(folder, source, _missing(folder, rows), progress, tries, wait, sleep)
                if _missing(folder, rows):
                    break
        missing = _missing(folder, missing)
        if missing:
            raise DownloadError(_message(
                f"FDDB: {len(missing):,} of {len(files):,} files could not be downloaded ({missing[0][0]} …)", tried,
                f"unpack FDDB-folds.tgz and originalPics.tar.gz from a copy of FDDB into {folder}, so that it holds FDDB-folds/ and "
                "originalPics/, or name the folder of a copy in FDDB_DIR.", len(missing) < len(files)), tried)
    return folder


def _load_all(folder, rows, mirrors, connections, bar, tries, wait, sleep):
    """Load many small files, a few at once; returns a (address, reason) for each mirror that failed."""
    state, lock, local = {mirror: [0, None] for mirror in mirrors}, threading.Lock(), threading.local()

    def load(row):
        if not hasattr(local, "client"):
            local.client = Client(verified=True)
        path, size, sha256 = row
        target, parts = folder / path, folder / ".fddb.parts"
        parts.mkdir(exist_ok=True)
        job = Job(path, parts / f"{sha256}.part", sha256, size, verified=True)
        for mirror in mirrors:
            for url in fddb_addresses(path, (mirror,)):
                if state[mirror][0] >= 10:  # ten files in a row: this mirror has gone
                    break
                try:
                    bring(local.client, url, job, tries, wait, sleep)
                except Refused as refusal:
                    why = refusal
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                rename(job.part, target)
                forget_note(job)
                with lock:
                    state[mirror][0] = 0
                    bar.add(size)
                return
            else:
                with lock:
                    state[mirror][0] = 10 if why.unreachable else state[mirror][0] + 1
                    state[mirror][1] = state[mirror][1] or (url, str(why))

    with ThreadPoolExecutor(max(1, connections)) as pool:
        try:
            for _ in pool.map(load, rows):
                pass
        except BaseException:  # Ctrl-C, or a full disk: do not begin with those that wait
            pool.shutdown(cancel_futures=True)
            raise
    with suppress(OSError):  # not empty: what has come of a file is kept
        (folder / ".fddb.parts").rmdir()
    return [first for _, first in state.values() if first]


def _from_archive(folder, source, rows, progress, tries, wait, sleep):
    """Take missing files from one of FDDB's own archives; what does not match the manifest is left."""
    aside = folder / f".{source.name}.unpacked"
    try:
        archive = fetch(source.name, folder, sources={source.name: source}, progress=progress, tries=tries, wait=wait, sleep=sleep)
        if not aside.is_dir():
            unpack(archive, aside)
    except DownloadError as error:
        return error.tried
    except ArchiveError as error:
        return [(source.urls[0], str(error))]
    for row in rows:
        for inside in (row[0], row[0].removeprefix("originalPics/")):
            if _same(aside / inside, row):
                (folder / row[0]).parent.mkdir(parents=True, exist_ok=True)
                rename(aside / inside, folder / row[0])
    shutil.rmtree(aside)
    return []


def _from_any(urls, job, target, recorded, tries, wait, sleep):
    """Try one address after the other."""
    tried = []
    with Client(job.verified) as client:
        for url in urls:
            try:
                return bring(client, url, job, tries, wait, sleep)
            except Refused as refusal:
                tried.append((url, str(refusal)))
    hand = f"open one of these addresses in a browser, save the file as {target}, and run this again: it will be checked and used."
    if job.sha256:
        hand += f" Its SHA-256 must be {job.sha256}" + (
            f", as recorded in {target.parent / RECORD}; if the published file has changed and you trust it, delete its line there."
            if recorded else ".")
    raise DownloadError(_message(f"{job.name} could not be downloaded", tried, hand, job.part.exists()), tried)


def _message(what, tried, hand, kept):
    lines = [f"{what}. Tried:", *(f"  {url}: {why}" for url, why in tried)]
    if kept:
        lines.append("What has come so far is kept; the next try goes on from there.")
    return "\n".join([*lines, f"By hand: {hand}"])


def _offline(name, urls, target):
    if os.environ.get("FACE_KIT_OFFLINE", "") not in ("", "0"):
        tried = [(url, "not tried: FACE_KIT_OFFLINE is set") for url in urls]
        raise DownloadError(_message(f"{name} is not in {target.parent if target.suffix else target}", tried,
                                     f"unset FACE_KIT_OFFLINE, or put the file there yourself: {target}", False), tried)


def _addresses(source):
    school = own_mirror()
    return ((f"{school}/{source.name}",) if school else ()) + source.urls


def _folder(folder):
    folder = Path(folder).expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _missing(folder, rows):
    return [row for row in rows if not _same(folder / row[0], row)]


def _same(path, row):
    return path.is_file() and path.stat().st_size == row[1] and sha256_of(path) == row[2]


def _good(target, source, progress):
    """Whether what lies there is the file; if not, it is moved aside, for it may be someone's work."""
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder, where the file {source.name} belongs: move it away and run this again")
    try:
        if source.sha256:
            if sha256_of(target) == source.sha256:
                return True
        elif target.stat().st_size:
            if source.name.endswith(ARCHIVES):
                check(target)
            return True
    except ArchiveError:
        pass  # the same as a wrong hash: not the file, and said below
    aside = target.with_name(f"{target.name}.wrong")
    rename(target, aside)
    if progress:
        print(f"{target.name} is damaged or not the published file: moved to {aside.name}, loading it again")
    return False


def _with_record(source, folder):
    """The source with the hash recorded here, if the table has none."""
    known = _read_record(folder).get(source.name)
    return (replace(source, sha256=known), True) if known and not source.sha256 else (source, False)


def _read_record(folder):
    """The lines of ``downloads.sha256``, in the format of sha256sum."""
    try:
        lines = (folder / RECORD).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return {line[66:]: line[:64] for line in lines if len(line) > 66}


def _record(folder, target, progress):
    with only_one(folder / f".{RECORD}.lock"):
        record = {**_read_record(folder), target.name: sha256_of(target)}
        aside = folder / f"{RECORD}.new"
        aside.write_text("".join(f"{sha256}  {name}\n" for name, sha256 in sorted(record.items())), encoding="utf-8")
        rename(aside, folder / RECORD)
    if progress:
        print(f"{target.name}: {target.stat().st_size / 1e6:,.1f} MB; no SHA-256 is published for it, so this first one is recorded in "
              f"{RECORD}, and later downloads must match it ({record[target.name][:12]}…)")
