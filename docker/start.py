"""Start in the container: bring the kit into /work, up to date, and run JupyterLab there, or the command that is given.

A student's own folder is mounted on /work. A file in it that is as some version of the kit put it there follows this version;
what the student has changed or made is kept, and named where this version has another. Options after the image's name go to
JupyterLab, whose token is on and is in the address that it prints; a command (a JupyterHub sends ``jupyterhub-singleuser …``) is
run instead.
"""

import errno
import hashlib
import json
import os
import shutil
import sys
import urllib.request
from pathlib import Path

KIT = Path(__file__).resolve().parent.parent
WORK = Path(os.environ.get("KIT_WORK", "/work"))
NOTE = ".kit-files.json"  # what this folder was last offered, name to hash
NOT_COPIED = shutil.ignore_patterns("docker", "__pycache__", ".git*", ".ci")
KIT_ROOMS = ("common", "RegionDetector", "TrackDetector", "tests", "benchmarks", "docs")
# Versions before there was such a note: the first digits of the git names of all their files
BEFORE_NOTES = Path(__file__).with_name("files_before_notes.txt")


def digest(path):
    """The name that git has for the content of a file."""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def files_of(kit):
    """The files of a kit that students get: name below it to hash."""
    found = {}
    for folder, folders, files in os.walk(kit):
        skip = NOT_COPIED(folder, folders + files)
        folders[:] = [name for name in folders if name not in skip]
        found |= {Path(folder, name).relative_to(kit).as_posix(): digest(Path(folder, name)) for name in files if name not in skip}
    return dict(sorted(found.items()))


def bring_up_to_date(kit, work):
    """Make a folder hold this version of the kit, and everything that its owner has changed.

    Parameters
    ----------
    kit, work : pathlib.Path

    Returns
    -------
    dict of str to list of str
        Names of files: "new", "replaced", "removed" (no longer in the kit), "kept" (changed by the owner, and by this version).

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    offered, now, told = _read_note(work), files_of(kit), {"new": [], "replaced": [], "removed": [], "kept": []}
    before = frozenset() if offered else frozenset(BEFORE_NOTES.read_text(encoding="ascii").split())
    for name, hashed in now.items():
        path = work / name
        here = digest(path) if path.is_file() else None
        if path.is_dir() or any(above.is_file() for above in path.parents if above != work and work in above.parents):
            told["kept"].append(name)  # a folder of the owner's own under the name of a file, or the other way round
        elif here is None or (here != hashed and (here == offered.get(name) or here[:12] in before)):
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.with_name(f".{path.name}.new")
            shutil.copyfile(kit / name, aside)
            os.replace(aside, path)
            told["replaced" if here else "new"].append(name)
        elif here != hashed and offered.get(name) != hashed:
            told["kept"].append(name)
    for name, hashed in (offered or _left_by_earlier(work, before)).items():
        if name not in now and (work / name).is_file() and digest(work / name) == hashed:
            (work / name).unlink()
            told["removed"].append(name)
    if offered != now:
        aside = work / f"{NOTE}.new"
        aside.write_text(json.dumps(now, indent=0, sort_keys=True), encoding="utf-8")
        os.replace(aside, work / NOTE)
    return told


def _read_note(work):
    try:
        note = json.loads((work / NOTE).read_text(encoding="utf-8"))
        return {str(name): str(hashed) for name, hashed in note.items() if not Path(name).is_absolute() and ".." not in Path(name).parts}
    except (OSError, ValueError, AttributeError):
        return {}


def _left_by_earlier(work, before):
    """Files of the kit's rooms that are as an earlier version had them."""
    paths = [path for room in KIT_ROOMS for path in (work / room).rglob("*.*") if path.is_file() and path.stat().st_size < 10_000_000]
    hashes = {path.relative_to(work).as_posix(): digest(path) for path in paths}
    return {name: hashed for name, hashed in hashes.items() if hashed[:12] in before}


def in_words(told, work):
    """What was done, in lines for the person who starts the container."""
    words = {"new": "copied", "replaced": "brought up to date", "removed": "removed, for this version has none"}
    done = [f"{len(told[what])} {word}" for what, word in words.items() if told[what]]
    yield f"{work}: {', '.join(done)} of the kit's files; what you changed is as you left it." if done else f"The kit is in {work}, as you left it."
    for name in told["kept"]:
        yield f"  kept, though this version has another: {name} (to get that, rename yours and start again)"


def healthy(port):
    """Exit status 0 if the server answers; behind a JupyterHub it has an address of its own."""
    address = os.environ.get("JUPYTERHUB_SERVICE_URL", f"http://127.0.0.1:{port}/").replace("//0.0.0.0:", "//127.0.0.1:").replace("//:", "//127.0.0.1:")
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}/api", timeout=4) as answer:
            return 0 if answer.status == 200 else 1
    except OSError:
        return 1


def why_not(error):
    """What keeps the kit from being laid into the folder, and what to do, for the person who starts the container."""
    name = error.filename2 or error.filename
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"There is no room left for the kit in {WORK} ({error.strerror}): make room there, and start again. What is there already is whole."
    if name is not None and WORK in Path(name).parents and os.access(WORK, os.W_OK):
        return (f"{name} cannot be read or written by user {os.getuid()} ({error.strerror}), though {WORK} can: perhaps a container of another user made it. "
                'Take all of it over, outside of the container (sudo chown -R "$(id -u):$(id -g)" work), and start again.')  # fmt: skip
    return (f"The folder mounted on {WORK} cannot be written by user {os.getuid()} ({error.strerror}): make it before the first run "
            '(mkdir work), and start the container with --user "$(id -u):$(id -g)".')  # fmt: skip


def main(arguments):
    port = os.environ.get("KIT_PORT", "8888")
    if arguments[:1] == ["--healthy"]:
        return healthy(port)
    try:
        told = bring_up_to_date(KIT, WORK)
    except OSError as error:
        sys.exit(why_not(error))
    print(*in_words(told, WORK), sep="\n", flush=True)
    os.chdir(WORK)
    lab = ["jupyter", "lab", "--ip=0.0.0.0", f"--port={port}", "--ServerApp.port_retries=0", "--no-browser", f"--ServerApp.root_dir={WORK}"]
    command = arguments if arguments and not arguments[0].startswith("-") else [*lab, *arguments]
    try:
        os.execvp(command[0], command)
    except FileNotFoundError:
        sys.exit(f"There is no command {command[0]!r} in this image. Options of JupyterLab begin with a dash.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
