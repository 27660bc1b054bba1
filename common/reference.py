"""The reference answers: finding them, their source, and which names of the kit a student does not get."""

import ast
import importlib
import inspect
import textwrap

TASKS = ("RegionDetector", "TrackDetector")


def load(path):
    """The object that ``module:name`` names; None if the module or the name is not there."""
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        if error.name and not module.startswith(error.name):
            raise
        return None


def answer_names():
    """Names that are answers, or parts of them, by module: dict of str to set of str."""
    names = {}
    for task in TASKS:
        for item in importlib.import_module(f"{task}.exercises").EXERCISES:
            for path in (item.answer, *item.parts):
                module, _, name = path.partition(":")
                names.setdefault(module, set()).add(name)
    return names


def _imports(modules, text):
    """Import statements of modules that the text needs, without those that bring answers along."""
    used = {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
    hidden = answer_names()
    lines = []
    for module in modules:
        for node in ast.parse(inspect.getsource(importlib.import_module(module))).body:
            if isinstance(node, ast.Import):
                wanted = [a for a in node.names if (a.asname or a.name.partition(".")[0]) in used]
                lines += [ast.unparse(ast.Import(wanted))] if wanted else []
            elif isinstance(node, ast.ImportFrom):
                wanted = [a for a in node.names if (a.asname or a.name) in used and a.name not in hidden.get(node.module, ())]
                lines += [ast.unparse(ast.ImportFrom(node.module, wanted, node.level))] if wanted else []
    return list(dict.fromkeys(lines))


def source_of(exercise):
    """An answer that can be put in the place of the stub: imports, helpers, the function itself.

    Parameters
    ----------
    exercise : common.exercise.Exercise

    Returns
    -------
    str or None
        None where there is no reference.
    """
    paths = (*exercise.parts, exercise.answer)
    found = [load(path) for path in paths]
    if any(f is None for f in found):
        return None
    names = [path.partition(":")[2] for path in paths]
    pieces = [textwrap.dedent(inspect.getsource(f)).rstrip() if callable(f) else f"{name} = {f!r}" for name, f in zip(names, found)]
    body = "\n\n\n".join(pieces)
    modules = list(dict.fromkeys(path.partition(":")[0] for path in paths))
    shared = {}
    for path in exercise.shared:
        module, _, name = path.partition(":")
        shared.setdefault(module, []).append(name)
    head = _imports(modules, body) + [f"from {module} import {', '.join(names)}" for module, names in shared.items()]
    return "\n".join(head) + "\n\n\n" + body + "\n"
