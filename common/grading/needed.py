"""What a notebook defines, and what of the work between its definitions a function needs: its helpers, its constants, and what is made of these."""

import ast
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache

from common.exercises.scopes import table_of

_MOST_ROUNDS = 9
_LATER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Statement(str):
    """Python text of a statement without its comments and layout; `places` are the lines of its parts in the cell, so that what is raised there can be found."""

    __slots__ = ("places",)


def statement(node):
    """The text of a syntax tree, with places."""
    node = ast.fix_missing_locations(node)
    text = Statement(ast.unparse(node))
    text.places = " ".join(f"{n.lineno} {n.end_lineno}" for n in ast.walk(node) if hasattr(n, "lineno"))
    return text


def used(text):
    """Names that a statement may ask the notebook for, at once or later, from inside of the functions in it."""
    try:
        tables = [table_of(text)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names = set()
    for table in tables:  # it grows
        names |= {s.get_name() for s in table.get_symbols() if s.is_declared_global() or s.is_referenced() and (s.is_global() or table is tables[0])}
        tables += table.get_children()
    return names


def _root(node):
    """``a`` of ``a.b[0].c(1).d``; None where it begins with something else."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)) or isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def effects(node):
    """Names that a statement binds, and names whose values it changes: by ``+=``, a part of them, or a method that is called for nothing else.

    Returns
    -------
    made, changed : set of str
    """
    nodes = [node]
    for inner in nodes:  # it grows; what is inside of functions happens later, if at all
        nodes += () if isinstance(inner, _LATER) else ast.iter_child_nodes(inner)
    increased = {id(n.target) for n in nodes if isinstance(n, ast.AugAssign)}
    made = {n.name for n in nodes if isinstance(n, _LATER[:3])}
    made |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and id(n) not in increased}
    changed = {_root(n.target) for n in nodes if isinstance(n, ast.AugAssign)}
    changed |= {_root(n) for n in nodes if isinstance(n, (ast.Attribute, ast.Subscript)) and not isinstance(n.ctx, ast.Load)}
    for value in (n.value for n in nodes if isinstance(n, ast.Expr)):
        call = value.elt if isinstance(value, ast.ListComp) else value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            changed.add(_root(call))
    return made, changed - {None}


@lru_cache(maxsize=4096)
def _bound(text):
    """Names that a statement binds, by imports as well."""
    node = ast.parse(text).body[0]
    imported = (alias.asname or alias.name.partition(".")[0] for alias in getattr(node, "names", ()) if isinstance(alias, ast.alias))
    return frozenset({*effects(node)[0], *imported})


class _First(ast.NodeVisitor):
    """Which names a statement binds before it reads them, as a loop does with those that it counts by."""

    def __init__(self):
        self.bound, self.read = set(), set()

    def visit_Name(self, node):
        if node.id not in self.bound | self.read:
            (self.bound if isinstance(node.ctx, ast.Store) else self.read).add(node.id)

    def visit_Assign(self, node):
        for part in (node.value, *node.targets):
            self.visit(part)

    def visit_AugAssign(self, node):
        self.read |= {_root(node.target)} - self.bound
        self.visit(node.value)

    def visit_For(self, node):
        for part in (node.iter, node.target, *node.body, *node.orelse):
            self.visit(part)


@dataclass(eq=False)
class Work:
    """A statement that calls or changes something, and is run only for a function that needs it.

    Attributes
    ----------
    place : int
        How many of the notebook's kept statements come before it.
    made, changed, uses : frozenset of str
        Names that it binds, whose values it changes, that it asks for.
    plain : bool
        Whether it is an assignment.
    text : Statement
    """

    place: int
    made: frozenset
    changed: frozenset
    uses: frozenset
    plain: bool
    text: Statement


@dataclass
class Source:
    """What a notebook defines.

    Attributes
    ----------
    statements : list of Statement
        Imports, definitions and constants, in the order of the notebook.
    defined, stubs : set of str
        Names of functions and classes that are written; that are there, but without a body.
    broken : dict of str to str
        Names of functions that do not parse, and why.
    work : list of Work
        What is run only where a function needs it (`with_work`).
    pylab : bool
        Whether ``%pylab`` is used.
    later : bool
        Whether annotations are left as text: ``from __future__ import annotations`` in a cell holds for those after it, too.
    kept : set of str
        Names that the statements bind.
    modules : dict of str to str
        What cells with ``%%writefile NAME.py`` write, by the module's name.
    """

    statements: list = field(default_factory=list)
    defined: set = field(default_factory=set)
    stubs: set = field(default_factory=set)
    broken: dict = field(default_factory=dict)
    work: list = field(default_factory=list)
    pylab: bool = False
    later: bool = False
    kept: set = field(default_factory=set)
    modules: dict = field(default_factory=dict)
    _texts: dict = field(default_factory=lambda: defaultdict(list), repr=False)
    _works: dict = field(default_factory=lambda: defaultdict(list), repr=False)

    def keep(self, node):
        """Take a statement that is always run."""
        text = statement(node)
        made, changed = effects(node)
        self.statements.append(text)
        self.kept |= made
        for name in made | changed:
            self._texts[name].append(text)

    def put_off(self, node):
        """Take a statement that is run where it is needed; none that leaves nothing behind."""
        made, changed = effects(node)
        if made or changed:
            text, first = statement(node), _First()
            first.visit(node)
            work = Work(len(self.statements), frozenset(made), frozenset(changed), frozenset(used(text) - first.bound), isinstance(node, (ast.Assign, ast.AnnAssign)), text)
            self.work.append(work)
            for name in made | changed:
                self._works[name].append(work)

    def makes(self, name):
        """Is there work that makes a value of this name?"""
        return any(name in work.made for work in self._works.get(name, ()))

    def around(self, own):
        """The statements for a notebook that is loaded after them: without those that bind nothing but what work in that one makes.

        Else a function that asks for its notebook's network `model` would get a module of the kit, and nobody would see that the network is missing.
        """
        kept = set().union(*map(_bound, own.statements))
        return [text for text in self.statements if not _bound(text) or any(name in kept or not own.makes(name) for name in _bound(text))]

    def reach(self, names):
        """All names that these ask for, however far away."""
        found, waiting = set(), list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += [n for text in self._texts.get(name, ()) for n in used(text)] + [n for work in self._works.get(name, ()) for n in work.uses]
        return found

    def _needed(self, name, asked):
        """The work of a name that has to be done, and that which is done if it needs no more of the notebook."""
        works = self._works.get(name, ())
        if name in self.kept:  # a function that is overwritten by its own answer, as `curve = curve(boxes)` does, is still meant
            return [w for w in works if name in asked or not (w.plain and name in w.made and name in self.defined)], []
        if not self.makes(name):  # imported, or nowhere
            return [], []
        makers = [w for w in works if w.plain]
        if not any(name in w.made for w in makers):
            makers += [w for w in works if name in w.made and not w.plain]
        return makers, [w for w in works if w not in makers]

    def with_work(self, names, of=()):
        """The statements with the work among them that somebody needs, and what that work is made from.

        Parameters
        ----------
        names : collection of str
            Work that makes these is done.
        of : collection of str
            Functions: what changes their helpers and constants is done as well, so that these are what they are in the notebook. Values
            that work alone makes, as a network or the photos, are left to `names`: most functions get them as arguments.

        Returns
        -------
        list of Statement
        """
        asked, seen, taken, spare, waiting = set(names), set(), set(), [], [*names, *of]
        for _ in range(_MOST_ROUNDS):
            while waiting:
                name = waiting.pop()
                if name in seen or name not in self.kept and name not in asked:
                    continue
                seen.add(name)
                waiting += [n for text in self._texts.get(name, ()) for n in used(text)]
                needed, more = self._needed(name, names)
                taken.update(needed)
                spare += more
                uses = {n for work in needed for n in work.uses}
                asked |= uses
                waiting += uses
            light = [w for w in spare if w not in taken and all(n in w.made | w.changed or n in self.kept or not self.makes(n) for n in w.uses)]
            taken.update(light)
            waiting = [n for w in light for n in w.uses]
            if not waiting:
                break
        return self._merged([w for w in self.work if w in taken])

    def with_assignments(self, names):
        """The statements with the assignments that make some names, and what these are made from; nothing that changes a value."""
        asked, waiting, taken = set(), list(names), set()
        while waiting:
            name = waiting.pop()
            if name not in asked:
                asked.add(name)
                plain = [w for w in self._works.get(name, ()) if w.plain]
                taken.update(plain)
                waiting += [n for w in plain for n in w.uses]
        return self._merged([w for w in self.work if w in taken])

    def _merged(self, works):
        answer, at = [], 0
        for work in works:
            answer += [*self.statements[at : work.place], work.text]
            at = work.place
        return answer + self.statements[at:]
