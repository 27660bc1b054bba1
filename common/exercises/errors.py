"""An exception of a student's function in one line, and what to write instead."""

import inspect
import re
import types

from common.exercises import old_keras


def describe_error(error, name=None):
    """One line about an exception that a student's function raised, with what to write today if it is about old Keras.

    Parameters
    ----------
    error : BaseException
    name : str, optional
        The function's own name: where it is called otherwise than it wants, and not another one by it, its parameters are not those of the stub.
    """
    kind = getattr(error, "kind", type(error).__name__)
    text = " ".join(re.sub("\x1b\\[[0-9;]*m", "", str(error)).split())[:500]  # Keras prints in bold
    text = text[:-1] if text.endswith(".") and not text.endswith("..") else text  # the sentence goes on
    advice = old_keras.advice(kind, text)
    if not advice and type(error) is NameError:  # in a notebook
        advice = "Look whether it is spelt right, and whether the cell that makes or imports it has been run"
    line = raised_at(error)
    if getattr(error, "of", ""):
        line += f", says the kit's {error.of}, which stands in for yours"
    if advice and len(text) > 160:  # numpy, for one, explains at length what the advice says in a line
        text = text[:157] + "..."
    if kind == "TypeError" and re.search(rf"(?<!\w){re.escape(name) if name else '.*'}(\.\w+)?\(\) (takes|missing) .*positional argument", text) and not line:
        advice = "The check calls it as the stub says: keep its parameters, in their order"
    return f"raises {kind}{': ' + text if text not in ('', kind) else ''}{line}" + (f". {advice}" if advice else "")


def sentence(text):
    """A sentence with its full stop, where it does not end in a question mark."""
    return text if text.endswith("?") else f"{text}."


def is_unwritten(error, f):
    """Is this the ``raise NotImplementedError`` of a stub, in the function itself or in a method of the class?

    One with a text, or from what the function calls, is a mistake in what was written: Keras says so of a network without `call`.
    """
    if not isinstance(error, NotImplementedError) or error.args or error.__traceback__ is None:
        return False
    trace, f = error.__traceback__, inspect.unwrap(f)
    while trace.tb_next:
        trace = trace.tb_next
    written = vars(f).values() if inspect.isclass(f) else [f]
    return trace.tb_frame.f_code in [part.__code__ for part in map(inspect.unwrap, written) if isinstance(part, types.FunctionType)]


def raised_at(error):
    """Which line of the student's code raised, in brackets; empty if none is known."""
    told = getattr(error, "line", "")
    if told and isinstance(told, str):  # by the sandbox; OpenCV's errors have a `line`, too, a number in its own code
        return told
    trace, last = error.__traceback__, ""
    while trace:
        if "ipykernel" in trace.tb_frame.f_code.co_filename or trace.tb_frame.f_code.co_filename.startswith("<"):
            last = f" (line {trace.tb_lineno} of {trace.tb_frame.f_code.co_name})"
        trace = trace.tb_next
    return last
