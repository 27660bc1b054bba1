"""After a restart of the kernel: which cells made what, and those of them run again that a section needs. And errors of cells, said in a line.

The cells are read from the notebook's file, so what is brought back is what was saved last.
"""

import ast
import builtins
import errno
import os
import re
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common.exercises.scopes import table_of

_NO_ROOM = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_BUILTINS = frozenset(dir(builtins)) | {"get_ipython", "display"}
_COMPOUND = (ast.For, ast.While, ast.With, ast.If, ast.Try)
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
_again = []  # holds something while cells are run again


@dataclass(frozen=True)
class Cell:
    """A code cell: what it needs and what it makes.

    Attributes
    ----------
    number : int
        Its place among the code cells.
    section, source : str
    needs, makes, changes : frozenset of str
        Names that must be there before it runs; that it gives a value; whose values it changes in place (tags ``changes:NAME``).
    """

    number: int
    section: str
    source: str
    needs: frozenset
    makes: frozenset
    changes: frozenset


def _names(table):
    """Names of the notebook that a piece of Python asks for and those it sets, from its table of symbols."""
    top = table.get_type() == "module"
    uses = {s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global())}
    makes = {s.get_name() for s in table.get_symbols() if (s.is_assigned() or s.is_imported()) and (top or s.is_declared_global())}
    for child in table.get_children():
        inner = _names(child)
        uses, makes = uses | inner[0], makes | inner[1]
    return uses, makes


def needs_and_makes(source):
    """Names that the text of a cell needs from other cells, and those that it makes.

    Examples
    --------
    >>> needs, makes = needs_and_makes("y = [k + x for k in range(3)]\\nz = y")
    >>> sorted(needs), sorted(makes)
    (['x'], ['y', 'z'])
    """
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        body = ast.parse(TransformerManager().transform_cell(source)).body
    except SyntaxError:  # somebody is writing it: it cannot be run
        return frozenset(), frozenset()
    needs, makes = set(), set()
    for node in body:
        uses, sets = _names(table_of(ast.unparse(node)))
        grown = [n.target for n in ast.walk(node) if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)]
        plain = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and n not in grown}
        # in a compound statement the name may be set first and asked for after that
        needs |= (uses - (plain if isinstance(node, _COMPOUND) else set()) | {target.id for target in grown} - plain) - makes
        makes |= sets
    return frozenset(needs - _BUILTINS), frozenset(makes)


def read_notebook(path):
    """The code cells of a notebook's file, and where its sections begin.

    Parameters
    ----------
    path : path

    Returns
    -------
    cells : list of Cell
    starts : dict of str to int
        For every Markdown cell its id, and the number of the code cell that comes next.
    """
    from common.exercises.notebook_format import nbformat

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ids that Colab leaves out, or that a copied cell has as well
        notebook = nbformat.read(path, as_version=4)
    cells, starts, section = [], {}, ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            starts[cell.get("id", "")] = len(cells)
            heading = re.search(r"(?m)^## (.+)$", cell.source)
            section = heading.group(1).strip() if heading else section
        elif cell.cell_type == "code":
            tags = [tag.partition(":") for tag in cell.metadata.get("tags", [])]
            cells.append(Cell(len(cells), section, cell.source, *needs_and_makes(cell.source), frozenset(name for kind, _, name in tags if kind == "changes")))
    return cells, starts


def cells_to_run(cells, start, stop, have):
    """Which cells before `start` have to run again before those from `start` to `stop` can.

    Parameters
    ----------
    cells : list of Cell
    start, stop : int
        The cells that shall run.
    have : collection of str
        Names that are there.

    Returns
    -------
    list of Cell
        In the order of the notebook.
    """
    chosen, asked = set(), set()

    def need(name, before):
        maker = next((cell for cell in reversed(cells[:before]) if name in cell.makes), None)
        if name in have or maker is None or (name, before) in asked:
            return
        asked.add((name, before))
        for cell in (maker, *(cell for cell in cells[maker.number + 1 : start] if name in cell.changes)):
            if cell.number not in chosen:
                chosen.add(cell.number)
                for other in sorted(cell.needs):
                    need(other, cell.number)

    made = set()
    for cell in cells[start:stop]:
        for name in sorted(cell.needs - made):
            need(name, start)
        made |= cell.makes
    return [cells[number] for number in sorted(chosen)]


@contextmanager
def running_again():
    """Inside, `is_running_again` is true: what took long and was saved may be read instead."""
    _again.append(True)
    try:
        yield
    finally:
        _again.pop()


def is_running_again():
    """Whether cells are being run again after a restart."""
    return bool(_again)


class Helper:
    """What a notebook's kernel knows about the notebook's own cells.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    path : path
        The notebook as the kit has it; the one that is open is asked for first.
    """

    def __init__(self, shell, path):
        self.shell, self.kits = shell, Path(path)
        self._read, self._stamp = None, None

    def notebook(self):
        """The file of the open notebook: Jupyter and VS Code say which it is; else the kit's own."""
        for name in (self.shell.user_ns.get("__vsc_ipynb_file__"), os.environ.get("JPY_SESSION_NAME")):
            if name and Path(name).suffix == ".ipynb" and Path(name).is_file():
                return Path(name)
        return self.kits

    def cells(self):
        """See `read_notebook`; read anew when the file has changed."""
        path = self.notebook()
        stamp = (path, path.stat().st_mtime_ns)
        if stamp != self._stamp:
            self._read, self._stamp = read_notebook(path), stamp
        return self._read

    def catch_up(self, section):
        """Run those cells again that a section needs and that have not run yet; nothing, if all have.

        Parameters
        ----------
        section : str
            The id of its heading, as in the call that stands below it.
        """
        try:
            cells, starts = self.cells()
        except (OSError, ValueError, KeyError, AttributeError):  # the last two of nbformat, where it brings an old one up to date
            print("The notebook's file cannot be read: choose Run > Run All Above Selected Cell instead.")
            return
        call = re.compile(rf"""catch_up\(["']{re.escape(section)}["']\)""")
        start = next((cell.number for cell in cells if call.search(cell.source)), starts.get(section))
        if start is None:
            raise ValueError(f"there is no section {section!r} in {self.notebook().name}")
        stop = next((cell.number for cell in cells[start:] if cell.section != cells[start].section), len(cells))
        todo = cells_to_run(cells, start, stop, self.shell.user_ns)
        if not todo:
            return
        print(f"Running {len(todo)} cell{'s' * (len(todo) > 1)} again that this section needs ...", flush=True)
        begin = time.perf_counter()
        for cell in todo:
            if not self._run(cell):
                return
        print(f"All that this section needs is there, after {time.perf_counter() - begin:.0f} s.")

    def _run(self, cell):
        from IPython.utils.capture import capture_output

        with running_again(), capture_output() as said:
            result = self.shell.run_cell(cell.source, silent=True)
        if result.success:
            return True
        error = result.error_before_exec or result.error_in_exec
        print(said.stdout.strip().rpartition("\n")[2])
        print(f"A cell of section {cell.section} stopped: {type(error).__name__}: {error}\nIt begins with: {cell.source.strip().splitlines()[0]}")
        return False

    def explain(self, shell, kind, error, trace, tb_offset=None):
        """Show an error as always, or in a line where the notebook knows what it means."""
        line = self.line_about(error, trace)
        if line:
            error._render_traceback_ = lambda: [line]
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)

    def line_about(self, error, trace=None):
        """What an error of a cell means, in a line; None where it means what it says."""
        text = str(error)
        if getattr(error, "errno", None) in _NO_ROOM or "No space left on device" in text:
            place = f" of {error.filename}" if getattr(error, "filename", None) else ""
            return f"The disk{place} is full. Make room (the folder build/ may go), then run this cell again: nothing that was there before is lost."
        if isinstance(error, NameError) and not isinstance(error, UnboundLocalError) and _in_a_cell(trace):
            return self._line_about_name(getattr(error, "name", None) or "".join(re.findall(r"name '(\w+)'", text)[:1]))
        return None

    def _line_about_name(self, name):
        try:
            cells = self.cells()[0]
        except (OSError, ValueError):
            return None
        maker = next((cell for cell in cells if name in cell.makes), None)
        if maker is None or name in self.shell.user_ns:
            return None
        first = next((line for line in maker.source.splitlines() if re.search(rf"\b{re.escape(name)}\b", line)), "").strip()
        where = f"section {maker.section}" if maker.section else "the cells at the top"
        return (f"NameError: there is no {name} yet. It is made in {where}, by the cell with the line `{first}`. Run that one first; after a restart of the "
                "kernel, run the three cells at the top, then the cell with catch_up at the top of this section.")


def _in_a_cell(trace):
    """Did it happen in the cell itself, not in a function? A comprehension belongs to the cell; before Python 3.12 it has a frame of its own."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is None or trace.tb_frame.f_code.co_name in ("<module>", *_COMPREHENSIONS)


def help_in_cells(path):
    """From now on this notebook says in a line what a missing name or a full disk means, and its pictures carry their words.

    Parameters
    ----------
    path : path
        The notebook as the kit has it.

    Returns
    -------
    callable
        ``catch_up(section)``, see `Helper.catch_up`; outside a notebook it does nothing.
    """
    from IPython import get_ipython

    from common.pictures.words import carry_words

    shell = get_ipython()
    if shell is None:
        return lambda section: None
    helper = Helper(shell, path)
    shell.set_custom_exc((Exception,), helper.explain)
    carry_words()
    shell.events.register("pre_run_cell", _carry_words)
    return helper.catch_up


def _carry_words(info=None):
    from common.pictures.words import carry_words

    carry_words()
