"""What of a notebook's statements could not be loaded, in words for the student."""

import re
import sys
from difflib import get_close_matches

from common.exercises.old_keras import advice

MISSING = re.compile(r"name '(\w+)' is not defined")


def is_problem(value):
    """Is this what the sandbox says of a statement that failed? What is in there may write into its answers."""
    return (isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict)
            and all(isinstance(value[1].get(key), str) for key in ("kind", "text")))


def named(problems, name):
    """The statement that should have made a name, and why it failed; where it lacked a name itself, also that one's, down to the first that failed."""
    told, seen = "", set()
    while name and name not in seen:
        seen.add(name)
        line, error = next((problem for pattern in (rf"\b(import|as|def|class)\s+{name}\b|^{name}\b.*=", r"import \*$") for problem in problems if re.search(pattern, problem[0])), ("", None))
        if error is None:
            break
        say = advice(error["kind"], f"{line} {error['text']}")
        told += f" `{line}` raises {error['kind']}: {error['text'][:200]}." + (f" {say}." if say else "")
        lacked = MISSING.search(error["text"]) if error["kind"] == "NameError" else None
        name = lacked and lacked[1]
    return told


def _broken(source, name):
    """Why the piece of a notebook that would make a name does not parse; another Python may have read it."""
    return f"{source.broken[name]} (read as Python {sys.version_info.major}.{sys.version_info.minor})"


def not_parsed(source, name):
    """A sentence about a name that is nowhere, as the lines that would have made it are no Python."""
    return f" What makes `{name}` does not parse: {_broken(source, name)}." if name in source.broken else ""


def not_there(source, name, exercises):
    """Why a notebook has no function for an exercise; `exercises` are the names of all."""
    if name in source.broken:
        return f"It does not parse: {_broken(source, name)}."
    if name in source.stubs:
        return "Its body is not written."
    like = get_close_matches(name, sorted(source.defined.difference(exercises)), 1, 0.8)
    return "The notebook has no function of this name." + (f" Is `{like[0]}` meant? It must be called as the stub is." if like else "")
