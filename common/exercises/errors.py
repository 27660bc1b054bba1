"""An exception of a student's function in one line, and what to write instead."""

import re

from common.exercises import old_keras


def describe_error(error):
    """One line about an exception that a student's function raised, with what to write today if it is about old Keras."""
    kind = getattr(error, "kind", type(error).__name__)
    text = " ".join(str(error).split())[:500]
    advice = old_keras.advice(kind, text)
    line = getattr(error, "line", "") or _line_of(error)
    if getattr(error, "of", ""):
        line += f", says the kit's {error.of}, which stands in for yours"
    if advice and len(text) > 160:  # numpy, for one, explains at length what the advice says in a line
        text = text[:157] + "..."
    if kind == "TypeError" and re.search(r"\w+\(\) (takes|missing) .*positional argument", text) and not line:
        advice = "The check calls it as the stub says: keep its parameters, in their order"
    return f"raises {kind}{': ' + text if text else ''}{line}" + (f". {advice}" if advice else "")


def _line_of(error):
    """Which line of the student's code raised."""
    trace, last = error.__traceback__, ""
    while trace:
        if "ipykernel" in trace.tb_frame.f_code.co_filename or trace.tb_frame.f_code.co_filename.startswith("<"):
            last = f" (line {trace.tb_lineno} of {trace.tb_frame.f_code.co_name})"
        trace = trace.tb_next
    return last
