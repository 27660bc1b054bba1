"""Taking functions by name out of a notebook that somebody handed in, without running it."""

import ast
import contextlib
import re
import sys
import threading
from pathlib import Path

from common.grading.intake.mending import NotebookError, code_of, parse
from common.grading.needed import Source, effects

MOST_BYTES, MOST_CODE = 100 << 20, 2 << 20  # pictures make a notebook large; nobody writes two megabytes of code
_ONE_TREE = threading.Lock()  # Python 3.11 counts the depth of its trees for all threads together, and fails if they meet
_CELL_MAGIC_WITH_PYTHON = ("time", "timeit", "capture", "prun")
NEWER = "it was last run with Python"  # begins the remark on a notebook that a newer Python may read otherwise
# what was matched is not given back: a megabyte of blanks must not take hours
_MAGIC = re.compile(r"^(\s*+)(?:[%!?].*|[\w\s,.\[\]]++=\s*+[%!].*|[\w.]++\?{1,2}\s*|\?.*)$")
_RUN = re.compile(r"^%run[ \t]++(?:-[\w.]++[ \t]++)*+[\"']?(?:[^\s\"'/]*+/)*+([A-Za-z_]\w*+)(?:\.(?:py|ipynb))?[\"']?[ \t]*+$")
_BOUND = re.compile(r"^(?:(?:async )?def |class |type |)[ \t]*+(\w++)(?=[ \t]*+(?:[:(=\[]|$))", re.M)  # what a piece at the left margin would have made
_MODULE = re.compile(r"\s*%%(?:writefile|file)[ \t]+(-a[ \t]+|--append[ \t]+)?(?:\./)?(\w{1,80})\.py[ \t]*\n(.*)", re.S)
# Calls that only make a value; anything else at the top level of a notebook is work, and is not repeated
_HARMLESS = {"np.array", "numpy.array", "np.asarray", "np.zeros", "np.ones", "np.arange", "np.float32", "np.uint8", "tuple", "list", "dict", "set", "range",
             "int", "float", "str", "bool", "len", "min", "max", "sum", "Path", "os.path.join", "frozenset", "namedtuple", "collections.namedtuple",
             "np.random.default_rng", "numpy.random.default_rng", "np.random.RandomState", "re.compile", "round", "abs", "np.sqrt", "np.prod"}


def read_notebook(path):
    """Texts of the code cells of a notebook of any version, and what was mended on the way.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    cells : list of str
    notes : list of str
        For the student's page; empty if the file is as it should be.

    Raises
    ------
    NotebookError
        If the file is no notebook; the message says why.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise NotebookError(f"{path.name} is larger than {MOST_BYTES >> 20} MB; clear its outputs")
        notebook, notes = parse(path.read_bytes(), path.name)
        texts, more = code_of(notebook)
        if sum(map(len, texts)) > MOST_CODE:
            raise NotebookError(f"{path.name} holds more than {MOST_CODE >> 20} MB of code")
        if (newer := _newer_python(notebook)) and collect(texts).broken:
            more.append(f"{NEWER} {newer}, and was read as Python {sys.version_info[0]}.{sys.version_info[1]}: of what does not parse, something may be right there")
        return texts, [*notes, *more]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, NotebookError):
            raise
        raise NotebookError(f"{path.name} cannot be read as a notebook ({type(error).__name__}: {str(error)[:120]})") from None


def _newer_python(notebook):
    """The Python that a notebook says it was last run with, if this one is older."""
    try:
        version = re.match(r"(\d{1,2})\.(\d{1,3})", notebook["metadata"]["language_info"]["version"])
    except (KeyError, TypeError):
        return None
    return version[0] if version and sys.version_info[:2] < (int(version[1]), int(version[2])) else None


def read_cells(path):
    """As `read_notebook`, the cells alone."""
    return read_notebook(path)[0]


def written_twice(cells, names):
    """Functions that several cells write, each differently: name to number of cells. The last of them counts.

    Parameters
    ----------
    cells : sequence of str
    names : collection of str
    """
    found = {}
    for text in dict.fromkeys(cells):
        if any(f"def {n}" in text or f"class {n}" in text for n in names):
            for name in collect([text]).defined & set(names):
                found[name] = found.get(name, 0) + 1
    return {name: number for name, number in found.items() if number > 1}


def without_magics(text):
    """The Python of a cell: lines with ``%``, ``!`` and ``?`` become ``pass``, those that run a file take all names from it.

    Examples
    --------
    >>> without_magics("%matplotlib inline\\nx = 1\\n!pip install keras")
    'pass\\nx = 1\\npass'
    """
    first, _, rest = text.lstrip().partition("\n")
    if first.startswith("%%"):
        words = first[2:].split()
        return without_magics(rest) if words and words[0] in _CELL_MAGIC_WITH_PYTHON else ""
    return "\n".join(_MAGIC.sub(r"\1pass", _RUN.sub(r"from \1 import *", line)) for line in text.split("\n"))


def _unindented(text):
    """A cell that is indented as a whole, at the margin, as IPython runs it."""
    lines = text.strip("\n").split("\n")
    margin = re.match(r"[ \t]*", lines[0]).group()
    return "\n".join(line.removeprefix(margin) for line in lines) if margin else text


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


def _calls(node):
    """Calls that are made where this expression stands; those in the body of a lambda come later, if at all."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            yield node
        if not isinstance(node, ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def _is_value(node):
    return node is not None and all(_dotted(call.func) in _HARMLESS for call in _calls(node)) and (isinstance(node, ast.Lambda) or not any(
        isinstance(n, (ast.Await, ast.Yield, ast.YieldFrom, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)) for n in ast.walk(node)))


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


def _inside(nodes, source):
    pairs = [_split(node, source) for node in nodes]
    return [k for kept, _ in pairs for k in kept], [r for _, rest in pairs for r in rest]


def _split(node, source):
    """What of a statement is always taken: definitions, imports and values, also those inside of ``if``, ``try`` and ``with``; and what is left, as work."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        node.decorator_list = [d for d in node.decorator_list if not _dotted(getattr(d, "func", d)).endswith("exercise")]
        (source.stubs if _is_stub(node) else source.defined).add(node.name)
        return [] if _is_stub(node) else [node], []
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        source.later |= any(alias.name == "annotations" for alias in node.names)
        return [], []
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [node], []
    if isinstance(node, (ast.Assign, ast.AnnAssign)) and _is_value(node.value):
        if isinstance(node.value, (ast.Lambda, ast.Name, ast.Attribute)):
            source.defined |= effects(node)[0]  # a function under another name is a function
        return [node], []
    like = lambda new: ast.copy_location(new, node)  # noqa: E731
    if isinstance(node, ast.If):
        (body, left), (other, over) = _inside(node.body, source), _inside(node.orelse, source)
        rest = [like(ast.If(node.test, [n], [])) for n in left] + [like(ast.If(node.test, [ast.Pass()], [n])) for n in over]  # each may be needed alone
        if _is_value(node.test):
            return [like(ast.If(node.test, body or [ast.Pass()], other))] if body or other else [], rest
        return body or other, rest
    if isinstance(node, ast.Try):
        inside = [_inside(part, source) for part in (node.body, node.orelse, node.finalbody, *(h.body for h in node.handlers))]
        (body, other, last, *caught), (left, over, end, *more) = zip(*inside)
        handlers = lambda bodies: [ast.copy_location(ast.ExceptHandler(h.type, h.name, b or [ast.Pass()]), h) for h, b in zip(node.handlers, bodies)]  # noqa: E731
        rest = [like(ast.Try(left or [ast.Pass()], handlers(more), over if more else [], end or ([] if more else [ast.Pass()])))] if any((left, over, end, *more)) else []
        return [like(ast.Try(body, handlers(caught), other, last))] if body and caught else body + other + last, rest
    if isinstance(node, ast.With):
        body, left = _inside(node.body, source)
        alone = not any(item.optional_vars for item in node.items)  # what reads a file goes on where the line before has stopped
        return body, [like(ast.With(node.items, part)) for part in ([[n] for n in left] if alone else [left]) if part]
    return [], [] if isinstance(node, ast.AnnAssign) and node.value is None else [node]


def _take(node, source):
    kept, rest = _split(node, source)
    for each in kept:  # of imports one by one, so that one that is missing does not take the others along
        if isinstance(each, ast.Import):
            parts = [ast.Import([alias]) for alias in each.names]
        else:
            parts = [ast.ImportFrom(each.module, [alias], each.level) for alias in each.names] if isinstance(each, ast.ImportFrom) else [each]
        for part in parts:
            source.keep(part)
    for each in rest:
        source.put_off(each)


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
        module = _MODULE.match(text)
        if module:  # its functions are the notebook's, wherever they are imported
            source.modules[module[2]] = (source.modules.get(module[2], "") if module[1] else "") + module[3] + "\n"
            source.defined |= collect(["pass\n" + module[3]]).defined
        source.pylab |= bool(re.search(r"^[ \t]*+%pylab", text, re.M))
        text = text.lstrip("\n")  # as IPython does, so that lines have the same numbers here as in the notebook
        tree = _parse(text)
        if not isinstance(tree, ast.Module):
            text = without_magics(_unindented(text))
            tree = _parse(text)
        trees = [(text, tree)] if isinstance(tree, ast.Module) else [(b, _parse(b)) for b in _blocks(text)]
        begins = 0
        for block, tree in trees:
            if isinstance(tree, ast.Module):
                ast.increment_lineno(tree, begins)
                for node in tree.body:
                    try:
                        _take(node, source)
                    except RecursionError:
                        continue
            else:
                reason = f"{getattr(tree, 'msg', tree)}" + (f", at: {str(tree.text).strip()[:80]}" if getattr(tree, "text", None) else "")
                source.broken.update((name, reason) for name in _BOUND.findall(block))
            begins += block.count("\n") + 1
    source.stubs -= source.defined
    source.broken = {name: why for name, why in source.broken.items() if name not in source.defined}
    return source
