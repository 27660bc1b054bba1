"""Notebooks that `make run` has run already: tests look at that run, if it is of the sources as they are, and need no second one."""

import nbformat

from common.notebooks import ROOT, sources


def by_make_run(name, data):
    """The executed notebook and its results card, or None if there is no such run.

    Parameters
    ----------
    name : str
        One of `common.notebooks.MAIN`.
    data : str
        Begin of what the card must say of the data; the seed must be 0.
    """
    path = ROOT / "build" / name.rpartition("/")[2]
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError):  # none, or one whose writing was stopped
        return None
    run = notebook.metadata.get("face_detectors", {})
    card = run.get("card", {})
    if run.get("sources") != sources() or not card["data"].startswith(data) or card["seed"] != 0:
        return None
    return notebook, card
