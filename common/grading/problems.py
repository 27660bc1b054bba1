"""What of a notebook's statements could not be loaded, in words for the student."""

import re

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
