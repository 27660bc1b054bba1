"""Folders that the environment names, found from wherever a notebook runs."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def from_root(folder):
    """A folder as its name was typed: here, or else in the kit's own folder, from which `make` is called.

    A notebook runs in the folder that it lies in, so ``FDDB_DIR=../shared/fddb make run`` means another place there.

    Parameters
    ----------
    folder : path

    Returns
    -------
    Path
    """
    folder = Path(folder).expanduser()
    return folder if folder.is_dir() or not (ROOT / folder).is_dir() else ROOT / folder
