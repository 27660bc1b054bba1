"""The reference answers: finding them, their source, and which names of the kit a student does not get."""

import ast
import importlib
import inspect
from functools import lru_cache

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


@lru_cache(maxsize=64)
def _tree(module):
    """A module's statements, and their lines."""
    text = inspect.getsource(importlib.import_module(module))
    return ast.parse(text).body, text.split("\n")


@lru_cache(maxsize=64)
def _definitions(module):
    """What a module defines at its top: name to (its lines, names that they use)."""
    (body, lines), found = _tree(module), {}
    for node in body:
        names = [node.name] if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else (
            [n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)] if isinstance(node, ast.Assign) else [])
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
        piece = "\n".join(lines[first - 1 : node.end_lineno])
        found |= dict.fromkeys(names, (piece, {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}))
    return found


@lru_cache(maxsize=64)
def _imported(module):
    """Names that a module imports: name to (module, name there)."""
    return {a.asname or a.name: (node.module, a.name) for node in _tree(module)[0] if isinstance(node, ast.ImportFrom) for a in node.names}


def _used(answer, modules):
    """What an answer uses of some modules, and what that uses of them: paths, in the order of the modules."""
    start = tuple(answer.split(":"))
    used, waiting = set(), {start}
    while waiting:
        used |= waiting
        found = set()
        for module, name in waiting:
            defined, imported = _definitions(module), _imported(module)
            found |= {(module, n) if n in defined else imported.get(n, ("", n)) for n in defined[name][1]}
        waiting = {(m, n) for m, n in found if m in modules} - used
    return [f"{m}:{n}" for m in modules for n in _definitions(m) if (m, n) in used - {start}]


def parts_of(exercise):
    """Paths of the parts of an answer; ``module:*`` among its parts stands for all that the answer uses of that module."""
    stars = [path.partition(":")[0] for path in exercise.parts if path.endswith(":*")]
    paths = [path for path in exercise.parts if not path.endswith(":*")] + (_used(exercise.answer, stars) if stars else [])
    return tuple(dict.fromkeys(paths))


def answer_names():
    """Names that are answers, or parts of them, by module: dict of str to set of str."""
    names = {}
    for task in TASKS:
        for item in importlib.import_module(f"{task}.exercises").EXERCISES:
            for path in (item.answer, *parts_of(item)):
                module, _, name = path.partition(":")
                names.setdefault(module, set()).add(name)
    return names


def _imports(modules, text):
    """Import statements of modules that the text needs, without those that bring answers along."""
    used = {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
    hidden = answer_names()
    lines = []
    for module in modules:
        for node in _tree(module)[0]:
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
    exercise : common.exercises.exercise.Exercise

    Returns
    -------
    str or None
        None where there is no reference.
    """
    if load(exercise.answer) is None:
        return None
    paths = (*parts_of(exercise), exercise.answer)
    split = [path.partition(":")[::2] for path in paths]
    if any(name not in _definitions(module) for module, name in split):
        return None
    pieces = list(dict.fromkeys(_definitions(module)[name][0].rstrip() for module, name in split))
    body = pieces[0]
    for before, piece in zip(pieces, pieces[1:]):
        body += ("\n\n\n" if before.startswith(("def ", "class ", "@")) or piece.startswith(("def ", "class ", "@")) else "\n") + piece
    modules = list(dict.fromkeys(path.partition(":")[0] for path in paths))
    shared = {}
    for path in exercise.shared:
        module, _, name = path.partition(":")
        shared.setdefault(module, []).append(name)
    head = _imports(modules, body) + [f"from {module} import {', '.join(names)}" for module, names in shared.items()]
    return "\n".join(head) + "\n\n\n" + body + "\n"
