"""Taking functions by name out of a notebook that somebody handed in, without running it."""

import ast
import contextlib
import json
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

MOST_BYTES = 100 << 20
_ONE_TREE = threading.Lock()  # Python 3.11 counts the depth of its trees for all threads together, and fails if they meet
_CELL_MAGIC_WITH_PYTHON = ("time", "timeit", "capture", "prun")
_MAGIC = re.compile(r"^(\s*)(?:[%!?].*|[\w\s,.\[\]]+=\s*[%!].*|[\w.]+\?{1,2}\s*|\?.*)$")
# Calls that only make a value; anything else at the top level of a notebook is work, and is not repeated
_HARMLESS = {"np.array", "numpy.array", "np.asarray", "np.zeros", "np.ones", "np.arange", "np.float32", "np.uint8", "tuple", "list", "dict", "set", "range",
             "int", "float", "str", "bool", "len", "min", "max", "sum", "Path", "os.path.join", "frozenset", "namedtuple", "collections.namedtuple",
             "np.random.default_rng", "numpy.random.default_rng", "np.random.RandomState", "re.compile", "round", "abs", "np.sqrt", "np.prod"}


class NotebookError(ValueError):
    """The file is no notebook."""


@dataclass
class Source:
    """What a notebook defines.

    Attributes
    ----------
    statements : list of str
        Imports, definitions and constants, in the order of the notebook.
    defined, stubs : set of str
        Names of functions and classes that are written; that are there, but without a body.
    broken : dict of str to str
        Names of functions that do not parse, and why.
    pylab : bool
        Whether ``%pylab`` is used.
    """

    statements: list = field(default_factory=list)
    defined: set = field(default_factory=set)
    stubs: set = field(default_factory=set)
    broken: dict = field(default_factory=dict)
    pylab: bool = False


def read_cells(path):
    """Texts of the code cells of a notebook of any version.

    Raises
    ------
    NotebookError
        If the file is no notebook; the message says why.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise NotebookError(f"{path.name} is larger than {MOST_BYTES >> 20} MB; clear its outputs")
        notebook = json.loads(path.read_bytes().decode("utf-8-sig", errors="replace"))
        cells = notebook["cells"] if "cells" in notebook else [c for sheet in notebook["worksheets"] for c in sheet["cells"]]
        texts = [c.get("source", c.get("input", "")) for c in cells if c.get("cell_type") == "code"]
        return ["".join(map(str, t)) if isinstance(t, list) else str(t) for t in texts]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, NotebookError):
            raise
        raise NotebookError(f"{path.name} cannot be read as a notebook ({type(error).__name__}: {str(error)[:120]})") from None


def without_magics(text):
    """The Python of a cell: lines with ``%``, ``!`` and ``?`` become ``pass``.

    Examples
    --------
    >>> without_magics("%matplotlib inline\\nx = 1\\n!pip install keras")
    'pass\\nx = 1\\npass'
    """
    first, _, rest = text.lstrip().partition("\n")
    if first.startswith("%%"):
        words = first[2:].split()
        return without_magics(rest) if words and words[0] in _CELL_MAGIC_WITH_PYTHON else ""
    return "\n".join(_MAGIC.sub(r"\1pass", line) for line in text.split("\n"))


def _parse(text):
    try:
        with _ONE_TREE:
            for _ in range(5):
                with contextlib.suppress(SystemError):
                    return ast.parse(text)
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return error


def _blocks(text):
    """The pieces of a cell that begin at the left margin, so that one broken function does not take its neighbours along."""
    block = []
    for line in text.split("\n"):
        begins = line[:1] not in ("", " ", "\t", ")", "]", "}", "#") and not re.match(r"(else|elif|except|finally)\b", line)
        if begins and block and not block[-1].startswith("@"):
            yield "\n".join(block)
            block = []
        block.append(line)
    yield "\n".join(block)


def _dotted(node):
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return inner and f"{inner}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _is_value(node):
    return node is not None and all(_dotted(n.func) in _HARMLESS for n in ast.walk(node) if isinstance(n, ast.Call)) and not any(
        isinstance(n, (ast.Await, ast.Yield, ast.YieldFrom, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)) for n in ast.walk(node))


def _is_stub(node):
    if isinstance(node, ast.ClassDef):
        inner = [n for n in node.body if not isinstance(n, (ast.Pass, ast.Expr))]
        methods = [n for n in inner if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
        if any(_dotted(base) != "object" for base in node.bases) or (inner and not methods):
            return False  # an heir, or a class of constants: that is written
        return all(map(_is_stub, methods))
    body = [n for n in node.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    return all(isinstance(n, ast.Pass) or (isinstance(n, ast.Raise) and n.exc is not None and _dotted(getattr(n.exc, "func", n.exc)) == "NotImplementedError")
               for n in body)


def _take(node, source):
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        node.decorator_list = [d for d in node.decorator_list if not _dotted(getattr(d, "func", d)).endswith("exercise")]
        if _is_stub(node):
            source.stubs.add(node.name)
            return
        source.defined.add(node.name)
        source.statements.append(ast.unparse(node))
    elif isinstance(node, ast.Import):
        source.statements += [ast.unparse(ast.Import([alias])) for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
        source.statements += [ast.unparse(ast.ImportFrom(node.module, [alias], node.level)) for alias in node.names]
    elif isinstance(node, (ast.Assign, ast.AnnAssign)) and _is_value(node.value):
        source.statements.append(ast.unparse(node))
    elif isinstance(node, ast.Try) and all(isinstance(n, (ast.Import, ast.ImportFrom, ast.Pass)) for n in (*node.body, *(m for h in node.handlers for m in h.body))):
        source.statements.append(ast.unparse(node))


def collect(cells):
    """What the cells define, whatever their order, with broken and extra ones between them.

    Parameters
    ----------
    cells : sequence of str

    Returns
    -------
    Source
    """
    source = Source()
    for text in cells:
        source.pylab |= bool(re.search(r"^\s*%pylab", text, re.M))
        tree = _parse(text)
        if not isinstance(tree, ast.Module):
            text = without_magics(text)
            tree = _parse(text)
        trees = [(text, tree)] if isinstance(tree, ast.Module) else [(b, _parse(b)) for b in _blocks(text)]
        for block, tree in trees:
            if isinstance(tree, ast.Module):
                for node in tree.body:
                    try:
                        _take(node, source)
                    except RecursionError:
                        continue
            else:
                reason = f"{getattr(tree, 'msg', tree)}" + (f", at: {str(tree.text).strip()[:80]}" if getattr(tree, "text", None) else "")
                source.broken.update((name, reason) for name in re.findall(r"^(?:def|class)\s+(\w+)", block, re.M))
    source.stubs -= source.defined
    source.broken = {name: why for name, why in source.broken.items() if name not in source.defined}
    return source
