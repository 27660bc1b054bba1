"""Start JupyterLab in the container: put the kit into /work, where it is not there yet, and go.

A student's own folder is mounted on /work. What is in it is never written over: only files that it does not have are
copied, so that work is kept from one run, and from one image, to the next. Everything after the image's name goes to
JupyterLab; its token is on, and is in the address that it prints.
"""

import os
import shutil
import sys
import urllib.request
from pathlib import Path

KIT = Path(__file__).resolve().parent.parent
WORK = Path(os.environ.get("KIT_WORK", "/work"))
NOT_COPIED = shutil.ignore_patterns("docker", "__pycache__", ".git*", ".ci")


def copy_missing(kit, work):
    """Copy the files of the kit that the folder does not have; never change one that it has.

    Parameters
    ----------
    kit, work : pathlib.Path

    Returns
    -------
    int
        How many were copied.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    copied = 0
    for folder, folders, files in os.walk(kit):
        skip = NOT_COPIED(folder, folders + files)
        folders[:] = [name for name in folders if name not in skip]
        target = work / Path(folder).relative_to(kit)
        for name in files:
            if name not in skip and not (target / name).exists():
                target.mkdir(parents=True, exist_ok=True)
                aside = target / f".{name}.new"
                shutil.copyfile(Path(folder, name), aside)
                os.replace(aside, target / name)
                copied += 1
    return copied


def healthy(port):
    """Exit status 0 if JupyterLab answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=4) as answer:
            return 0 if answer.status == 200 else 1
    except OSError:
        return 1


def main(arguments):
    port = os.environ.get("KIT_PORT", "8888")
    if arguments[:1] == ["--healthy"]:
        return healthy(port)
    try:
        copied = copy_missing(KIT, WORK)
    except OSError as error:
        sys.exit(f"The folder mounted on {WORK} cannot be written by user {os.getuid()} ({error.strerror}): make it before the first run "
                 '(mkdir work), and start the container with --user "$(id -u):$(id -g)".')
    print(f"{copied} files of the kit copied to {WORK}; what was there is as it was." if copied else f"The kit is in {WORK}, as you left it.",
          flush=True)
    os.chdir(WORK)
    os.execvp("jupyter", ["jupyter", "lab", "--ip=0.0.0.0", f"--port={port}", "--ServerApp.port_retries=0", "--no-browser",
                          f"--ServerApp.root_dir={WORK}", *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
