"""Calling a student's function as the notebook does: the same parameters, whatever their order; and what it does to its arguments."""

import functools
import inspect
from hashlib import blake2b

import numpy as np

from common.exercises.verdict import Wrong

_EMPTY, _BY_NAME = inspect.Parameter.empty, (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class OtherParameters(Wrong):
    """The function cannot be called as the notebook calls it: it lacks a parameter, or asks for one more."""


def _parameters(f):
    try:
        return list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # it does not say
        return None


def _is_as_asked(parameters, takes):
    """Can it be called just so?"""
    kinds = {p.kind for p in parameters}
    if {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD} <= kinds and len(parameters) == 2:
        return True
    first, more = parameters[: len(takes)], parameters[len(takes) :]
    return [p.name for p in first if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD] == list(takes) and all(
        p.default is not _EMPTY or p.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD) for p in more)


def _arranged(parameters, takes, given, spare):
    """Arguments for these parameters: by name where they have the stub's names, else by their place."""
    names, places = {p.name for p in parameters if p.kind in _BY_NAME}, [p.name for p in parameters if p.kind in _BY_PLACE]
    any_place, any_name = (next((p.name for p in parameters if p.kind is kind), None) for kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD))
    values, lost = {}, []
    for place, name in enumerate(takes):
        if name not in given:
            continue
        if name in names:
            values[name] = given[name]
        elif place < len(places) and (places[place] == name or places[place] not in takes):
            values[places[place]] = given[name]
        elif any_name:
            values.setdefault(any_name, {})[name] = given[name]
        elif any_place:
            values[any_place] = (*values.get(any_place, ()), given[name])
        elif name not in spare:
            lost.append(name)
    call = f"({', '.join(takes)})"
    if lost:
        raise OtherParameters(f"It takes no `{lost[0]}`, and the cells below hand it one: keep the parameters of the stub, {call}")
    asked = [p.name for p in parameters if p.kind in (*_BY_PLACE, inspect.Parameter.KEYWORD_ONLY) and p.default is _EMPTY and p.name not in values]
    if asked:
        raise OtherParameters(f"It asks for `{asked[0]}` as well, and the cells below do not hand it one: keep the parameters of the stub, {call}")
    return values


def as_asked(f, takes, spare=()):
    """A function that can be called by the stub's parameters, whatever their order and names in `f`.

    Parameters
    ----------
    f : callable
    takes : sequence of str
        Names of the stub's parameters; none: `f` stays as it is.
    spare : sequence of str
        Those that `f` may lack: they are not handed on. The published course had not all that the notebook has.

    Returns
    -------
    callable
        `f` itself where nothing has to be done. Otherwise, calling it raises `OtherParameters` if `f` lacks a parameter
        that is not spare, or asks for one more.
    """
    parameters = None if inspect.isclass(f) else _parameters(f)
    if not takes or parameters is None or _is_as_asked(parameters, takes) or getattr(f, "takes", None) == tuple(takes):
        return f

    @functools.wraps(f)
    def call(*args, **kwargs):
        given = dict(zip(takes, args)) | kwargs
        if len(given) != len(args) + len(kwargs) or not set(given) <= set(takes):
            return f(*args, **kwargs)  # this is no call of the notebook's: Python says what is wrong with it
        bound = inspect.BoundArguments(inspect.signature(f), _arranged(parameters, takes, given, spare))
        return f(*bound.args, **bound.kwargs)

    call.takes = tuple(takes)
    return call


def in_form(f, form):
    """A function whose answer is brought into the form that the notebook's cells, and the checks, go on with.

    Parameters
    ----------
    f : callable
    form : callable or None
        From an answer to an answer; what it cannot read, it hands on as it is.
    """
    if form is None or getattr(f, "form", None) is form:
        return f

    @functools.wraps(f)
    def call(*args, **kwargs):
        return form(f(*args, **kwargs))

    call.form = form
    return call


def fingerprint(value):
    """Something that differs once a value was changed in place: the numbers of arrays, the contents of lists and dictionaries."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.shape, value.dtype.str, blake2b(np.ascontiguousarray(value)).digest()
    if isinstance(value, dict):
        return tuple((key, fingerprint(inner)) for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(map(fingerprint, value))
    return id(value)


def watched(f, takes):
    """A function that raises `Wrong` where it has changed one of its arguments in place."""
    @functools.wraps(f)
    def call(*args, **kwargs):
        values = {**dict(zip(takes, args)), **kwargs}
        before = {name: fingerprint(value) for name, value in values.items()}
        answer = f(*args, **kwargs)
        changed = [name for name, value in values.items() if before[name] != fingerprint(value)]
        if changed:
            raise Wrong(f"It changes `{changed[0]}` in place, and the cells below go on with that: work on a copy")
        return answer

    return call
