"""A notebook that is damaged in a small way is read all the same, and what was mended is told."""

import contextlib
import json
import re

_BOMS = (b"\xff\xfe\0\0", b"\0\0\xfe\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_OURS, _BASE, _THEIRS, _END = (re.compile(rf"^{re.escape(mark * 7)}(?: .*)?$") for mark in "<|=>")
_DECODER = json.JSONDecoder(strict=False)  # line ends and tabs within a text are what an editor or a merge leaves there
_ESCAPE = re.compile(r"\\(?:[\"\\/bfnrt]|u[0-9a-fA-F]{4})?")
_CELL = re.compile(r'\{\s*"(?:cell_type|attachments|execution_count|id|metadata|outputs|source)"\s*:')


class NotebookError(ValueError):
    """The file is no notebook."""


def one_side(text, upper=True):
    """The text of one side of every merge conflict in it.

    Parameters
    ----------
    text : str
    upper : bool
        The side of ``<<<<<<<``, else that of ``>>>>>>>``.

    Returns
    -------
    str
    """
    kept, side = [], None
    for line in text.split("\n"):
        bare = line.rstrip("\r")
        if _OURS.match(bare):
            side = True
        elif side is not None and _BASE.match(bare):
            side = "base"
        elif side is not None and _THEIRS.match(bare):
            side = False
        elif side is not None and _END.match(bare):
            side = None
        elif side is None or side is upper:
            kept.append(line)
    return "\n".join(kept)


def _in_conflict(text):
    return bool(re.search(r"^<{7}(?: .*)?\r?$", text, re.M) and re.search(r"^>{7}(?: .*)?\r?$", text, re.M))


def _what_it_is(name, data):
    """What a file that is no notebook seems to be, and what to hand in instead."""
    start = data.lstrip()[:200].lower()
    if not data.strip(b"\0\t\r\n "):
        return f"{name} is empty: hand the notebook in again"
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return f"{name} is a web page, not the notebook: download the file itself (on GitHub: Raw; in Colab: File, Download .ipynb)"
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return f"{name} is a zip archive under the name of a notebook: hand in the notebook that is in it"
    if data[:2] == b"\x1f\x8b":
        return f"{name} is packed with gzip: hand in the notebook that is in it"
    if data[:5] == b"%PDF-":
        return f"{name} is a PDF, not the notebook: hand in the .ipynb"
    if re.match(rb"(#|import |from |def |'''|\"\"\")", start):
        return f"{name} is a Python script, not a notebook: hand in the .ipynb"
    return None


def _whole_cells(text):
    """The cells of a notebook that is cut short or damaged, without those that cannot be read."""
    found = re.search(r'"cells"\s*:\s*\[', text)
    cells, begins = [], _CELL.search(text, found.end()) if found else None
    while begins:
        try:
            cell, place = _DECODER.raw_decode(text, begins.start())
        except ValueError:
            place = begins.end()
        else:
            cells.append(cell)
        begins = _CELL.search(text, place)
    return [c for c in cells if "cell_type" in c]


def _read(text):
    """A JSON text whose strings may hold what JSON writes otherwise: line ends, tabs, single backslashes."""
    try:
        return _DECODER.decode(text)
    except ValueError:
        return _DECODER.decode(_ESCAPE.sub(lambda found: found[0] if len(found[0]) > 1 else "\\\\", text))


def parse(data, name):
    """A notebook's JSON, mended where that is possible.

    Parameters
    ----------
    data : bytes
    name : str
        For the messages.

    Returns
    -------
    notebook : dict
    notes : list of str
        What was mended.

    Raises
    ------
    NotebookError
        If it is no notebook; the message says why.
    """
    notes, bom = [], next((b for b in _BOMS if data.startswith(b)), None)
    if bom is not None:
        notes.append("it begins with a byte-order mark, which was left out")
    text = data.decode(json.detect_encoding(data) if bom is None or bom[:1] != b"\xef" else "utf-8-sig", errors="replace").lstrip("\ufeff")
    try:
        return json.loads(text), notes
    except ValueError as error:
        fault = error
    with contextlib.suppress(ValueError, RecursionError):
        return _read(text), [*notes, "its texts hold line ends, tabs or backslashes as they are, which were read so"]
    what = _what_it_is(name, data)
    if what:
        raise NotebookError(what)
    if _in_conflict(text):
        for upper in (True, False):
            try:
                return json.loads(one_side(text, upper)), [*notes, f"it holds marks of a merge conflict; its {'upper' if upper else 'lower'} side counts"]
            except ValueError:
                continue
    start = text.find("{")
    if start >= 0:
        try:
            notebook, end = _DECODER.raw_decode(text, start)
        except ValueError:
            notebook = None
        if isinstance(notebook, dict) and notebook.keys() & {"cells", "worksheets"}:
            if text[:start].strip():
                notes.append(f"{start:,} characters before its beginning were left out")
            if text[end:].strip():
                notes.append(f"{len(text) - end:,} characters after its end were left out")
            return notebook, notes
        cells = _whole_cells(text)
        if cells:
            return {"cells": cells}, [*notes, f"it is cut short or damaged ({fault}); the {len(cells)} cells that are whole count"]
    raise NotebookError(f"{name} cannot be read as a notebook ({type(fault).__name__}: {str(fault)[:120]})")


def code_of(notebook):
    """Texts of the code cells of a notebook of any version, and what was mended in them.

    Raises
    ------
    KeyError, TypeError, AttributeError
        If it has no cells.
    """
    notes, notebook = [], {"cells": notebook} if isinstance(notebook, list) and notebook else notebook
    if "cells" not in notebook and "worksheets" not in notebook:
        raise KeyError("it has no cells")
    if "cells" not in notebook:
        notes.append(f"it is written in the format of nbformat {str(notebook.get('nbformat', 3))[:10]}, which was read as it is")
    cells = notebook["cells"] if "cells" in notebook else [c for sheet in notebook["worksheets"] for c in sheet["cells"]]
    if not isinstance(cells, list):
        raise TypeError("its cells are no list")
    texts = [c.get("source", c.get("input")) or "" for c in cells if isinstance(c, dict) and c.get("cell_type") == "code"]
    texts = ["".join(map(str, t)) if isinstance(t, list) else str(t) for t in texts]
    texts = [t.replace("\r\n", "\n").replace("\r", "\n") for t in texts]  # an editor on Windows; all that follows looks for \n
    if any(map(_in_conflict, texts)):
        notes.append("code cells hold marks of a merge conflict; the upper side counts")
        texts = [one_side(t) if _in_conflict(t) else t for t in texts]
    return texts, notes
