"""Names that strangers gave, made safe: for a file, for a spreadsheet, for a page."""

import html
import re
import unicodedata

_TURNS = ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")  # characters that change the direction of writing
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


def shown(name):
    """A file's name as text that can be written anywhere, its letters in one piece each: file systems allow bytes that are no letters."""
    return unicodedata.normalize("NFC", name.encode("utf-8", "backslashreplace").decode())


def safe_name(name):
    """A file name for a student: letters, digits, ``.``, ``-`` and ``_``, and none that a system keeps for itself.

    Examples
    --------
    >>> safe_name("../Anna Müller")
    '_Anna_Müller'
    """
    name = re.sub(r"[^\w.-]", "_", name).lstrip(".").rstrip(".")
    while len(name.encode()) > 160:
        name = name[:-1]
    return f"_{name}" if not name or name.split(".")[0].casefold() in _RESERVED else name


def unlike(name, taken):
    """The name, with a number behind it where it is taken already; some file systems take ``A`` and ``a`` for the same.

    Parameters
    ----------
    name : str
    taken : set of str
        Case-folded; the answer is added.
    """
    answer, number = name, 2
    while answer.casefold() in taken:
        answer, number = f"{name} ({number})", number + 1
    taken.add(answer.casefold())
    return answer


def markup(text):
    """Text of a student's for a page: no markup, and nothing that hides or turns round what stands beside it."""
    bad = (unicodedata.bidirectional(c) in _TURNS or unicodedata.category(c) == "Cs" or (c < " " and c not in "\n\t") for c in text)
    return html.escape("".join("\N{REPLACEMENT CHARACTER}" if wrong else c for wrong, c in zip(bad, text)))


def cell(text):
    """Text of a student's for a table: what begins like a formula must not become one in a spreadsheet; numbers and a single dash stay."""
    text = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cs") else c for c in text)
    formula = text.lstrip()[:1] in ("=", "+", "-", "@", "\t", "\r") and text.strip() != "-" and not re.fullmatch(r"[+-]?\d+([.,]\d+)?%?", text.strip())
    return "'" + text if formula else text
