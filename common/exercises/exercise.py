"""Exercises of a notebook: the reference stands in until a student writes the function; checks, hints, marks."""

import dis
import functools
import inspect
import os
import time
import types
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

from common.exercises.calling import as_asked, in_form, watched
from common.exercises.errors import describe_error, is_unwritten, sentence
from common.exercises.progress import line_of
from common.exercises.reference import load, source_of
from common.exercises.switched import switched
from common.exercises.time_limit import TooLong, time_limit
from common.exercises.verdict import NOT_ATTEMPTED, NOT_YET, RIGHT, WRONG, Verdict, Wrong, show
from common.exercises.which import exercise_of

_NO_ATTRIBUTES = (types.MethodType, types.BuiltinFunctionType)
CHECK_SECONDS = 60  # what a check may take in a notebook; KIT_CHECK_SECONDS gives it more on a slow computer


class Unsolved(Exception):
    """An exercise without a body was called, and there is no reference to stand in for it."""

    def _render_traceback_(self):
        # IPython prints this instead of a page of stack
        return [str(self)]


@dataclass(frozen=True)
class Exercise:
    """A function (or class) that a student writes.

    Attributes
    ----------
    name, section : str
    marks : float
    check : callable
        ``check(f, kit)`` calls `f` on small examples and raises `Wrong`; `kit` gives it the other
        exercises (`kit.other`), helpers that run where `f` runs (`kit.run`) and `kit.seed`.
    hints : tuple of str
    answer : str
        ``module:function`` of the reference.
    parts : tuple of str
        More of the same kind that the reference consists of; a student does not get them. ``module:*`` is all
        that it uses of a module.
    shared : tuple of str
        What the reference calls of its own module, and a student gets as well.
    uses : tuple of str
        Exercises that a right answer may call.
    picture : callable, optional
        ``picture(reference)`` draws what the reference does, as the target.
    seconds : int
        Processor time that its check may take when it is graded.
    takes : tuple of str
        Names of the stub's parameters; what takes them by name only, in another order, or calls them otherwise, is right as well.
    spare : tuple of str
        Those that the published course's stub has not: who wrote for that one is right without them.
    form : callable, optional
        Brings an answer into the form that the notebook's cells go on with; see `common.exercises.calling.in_form`.
    forms : tuple of str
        ``module:function`` that gives a stand-in's answer in another form, from its arguments and its answer: what a student's
        other functions may be written for.
    stand_in : str
        ``module:function`` that makes of the student's own functions and of the reference what stands in for this one; by
        default the reference does.
    """

    name: str
    section: str
    marks: float
    check: object
    hints: tuple
    answer: str
    parts: tuple = ()
    shared: tuple = ()
    uses: tuple = ()
    picture: object = None
    seconds: int = 20
    takes: tuple = ()
    spare: tuple = ()
    form: object = None
    stand_in: str = ""
    forms: tuple = ()


@dataclass(frozen=True)
class Score:
    """Marks for a measured number: ``steps`` of (at least, marks), the lowest first.

    `needs` are the exercises that must be the student's own for the marks to count; `above` asks
    for more than the step instead of at least it.
    """

    name: str
    section: str
    what: str
    steps: tuple
    needs: tuple = ()
    above: bool = False

    @property
    def marks(self):
        return self.steps[-1][1]

    def earned(self, value):
        """Marks for a value."""
        return max([m for least, m in self.steps if (value > least if self.above else value >= least)], default=0.0)


def _is_stub_code(code):
    instructions = [i for i in dis.get_instructions(code) if i.opname not in ("RESUME", "NOP", "CACHE", "PUSH_NULL", "PRECALL")]
    names = [i.opname for i in instructions]
    if code.co_names == ("NotImplementedError",):
        return set(names) <= {"LOAD_GLOBAL", "LOAD_CONST", "CALL", "CALL_FUNCTION", "RAISE_VARARGS"}
    return not code.co_names and set(names) <= {"LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"} and (
        # a body of `pass`, `...` or a docstring only: None comes back
        all(i.argval is None for i in instructions if i.opname in ("LOAD_CONST", "RETURN_CONST"))
    )


def is_stub(f):
    """Has nobody written the body of this function, or of any method of this class?"""
    if inspect.isclass(f):
        methods = [m for c in f.__mro__ for m in vars(c).values() if isinstance(m, types.FunctionType)]  # also those of whom it inherits
        return all(_is_stub_code(m.__code__) for m in methods)
    code = getattr(f, "__code__", None)
    return code is not None and _is_stub_code(code)


@dataclass
class Local:
    """Where a check runs in a notebook: in the same process.

    Attributes
    ----------
    lenient : bool
        Also what is right in the published course, where this notebook's cells ask for more, counts.
    doing : str
        What the check is about to do, for the message if that never ends.
    """

    task: object
    seed: int = 0
    lenient: bool = False
    doing: str = ""

    def limit(self):
        """Context in which the check must end."""
        return time_limit(float(os.environ.get("KIT_CHECK_SECONDS", CHECK_SECONDS)))

    def other(self, name):
        """Another exercise's function: the student's, else the reference."""
        return self.task.current(name)

    def stands_in(self, name):
        """Whether the reference answers in the place of this function because the student's is broken; never so in a notebook."""
        return False

    def model(self, model):
        """A Keras model of the check, where the student's function lives."""
        return model

    def run(self, path, *args):
        """Call a helper function ``module:name`` where the student's function lives."""
        return load(path)(*args)

    def trap(self, f, names):
        """Put false answers under global names that only a cheating function would read; returns a function that removes them."""
        methods = [m for c in f.__mro__ for m in vars(c).values() if isinstance(m, types.FunctionType)] if inspect.isclass(f) else [f]
        spaces = [m.__globals__ for m in methods[:1] if hasattr(m, "__globals__")]
        before = [(space, {n: space[n] for n in names if n in space}) for space in spaces]
        for space in spaces:
            space.update(names)

        def undo():
            for space, old in before:
                for name in names:
                    space.pop(name, None)
                space.update(old)

        return undo


def _too_long(kit, seconds):
    doing = f" {kit.doing}" if kit.doing else ""
    return (f"It was stopped after {seconds:.0f} s{doing}: is there a loop without an end? (If this computer is slow, set the environment "
            "variable KIT_CHECK_SECONDS to a larger number.)")


def _answer_of_an_error(exercise, error, f, doing):
    kind = getattr(error, "kind", "")
    if getattr(error, "unwritten", "") == exercise.name or is_unwritten(error, f):  # the first is found out in the sandbox
        return Verdict(exercise.name, NOT_ATTEMPTED, "It still raises NotImplementedError.")
    if kind == "OtherParameters":  # found out in the sandbox
        return Verdict(exercise.name, WRONG, str(error))
    if kind == "SystemExit":
        return Verdict(exercise.name, WRONG, "It ends the program (sys.exit); return the answer instead.")
    if getattr(error, "plain", False):  # the sandbox's own words: it took too long, or has gone
        return Verdict(exercise.name, WRONG, sentence(f"It {error}") + (f" That was {doing}." if doing else ""))
    return Verdict(exercise.name, WRONG, f"It {describe_error(error, getattr(f, '__name__', exercise.name))}.")


def judge(exercise, f, kit):
    """Run the check of an exercise.

    Parameters
    ----------
    exercise : Exercise
    f : callable
    kit : Local or any object with the same methods

    Returns
    -------
    Verdict
    """
    call = in_form(as_asked(f, exercise.takes, exercise.spare if kit.lenient else ()), exercise.form)
    if exercise.takes and not kit.lenient:
        call = watched(call, exercise.takes)
    begun = time.monotonic()
    try:
        with getattr(kit, "limit", nullcontext)():
            # a loop that is stopped in the middle of its `except` leaves Python what it caught there, as the cause of every later error: in a generator, only to that
            note = next(exercise.check(call, kit) for _ in (0,))
    except Wrong as error:
        return Verdict(exercise.name, WRONG, str(error), expected=error.expected, calls=getattr(error, "calls", None))
    except TooLong:
        return Verdict(exercise.name, WRONG, _too_long(kit, time.monotonic() - begun))
    except Unsolved as error:
        return Verdict(exercise.name, NOT_YET, str(error))
    except KeyboardInterrupt:
        raise
    except SystemExit:
        return Verdict(exercise.name, WRONG, "It ends the program (sys.exit); return the answer instead.")
    except BaseException as error:  # whatever a student's function raises is an answer, not our failure
        return replace(_answer_of_an_error(exercise, error, f, getattr(kit, "doing", "")), calls=getattr(error, "calls", None))
    return Verdict(exercise.name, RIGHT, note or "", exercise.marks)


@dataclass
class Task:
    """The exercises of one notebook, and what the student has done of them.

    Its methods `exercise`, `check`, `hint`, `solution`, `target` and `marks` are what a notebook uses.
    """

    name: str
    exercises: tuple
    scores: tuple = ()
    own: dict = field(default_factory=dict)
    verdicts: dict = field(default_factory=dict)
    hinted: dict = field(default_factory=dict)

    def __post_init__(self):
        self.by_name = {e.name: e for e in (*self.exercises, *self.scores)}

    def _find(self, f):
        return self.by_name[exercise_of(f, self.by_name)]

    def exercise(self, f):
        """Decorator of a stub: the reference stands in for it until its body is written.

        Parameters
        ----------
        f : function or class
            Named as an exercise of this task.

        Returns
        -------
        function or class
            `f` itself once it is written, or what calls it with the stub's parameters and brings its answer into the form that
            the cells go on with; else the reference; else, where there is no reference, a function that raises `Unsolved`.
        """
        item = self._find(f)
        self.verdicts.pop(item.name, None)
        if not is_stub(f):
            return self._take(item, f)
        self.own.pop(item.name, None)
        reference = self._reference(item)
        if reference is None:
            print(f"{item.name}: not written yet")
            return self._unsolved(item)
        print(f"{item.name}: not written yet, the reference stands in")
        return reference

    def _take(self, item, f):
        mine = in_form(as_asked(f, item.takes), item.form)
        mine = functools.partial(mine) if isinstance(mine, _NO_ATTRIBUTES) else mine
        mine.exercise_name = item.name
        self.own[item.name] = mine
        return mine

    def _reference(self, item):
        reference = load(item.answer)
        return load(item.stand_in)(self.own, reference) if reference is not None and item.stand_in else reference

    def _unsolved(self, item):
        worth = item.section + (f", {item.marks:g} mark{'s' * (item.marks != 1)}" if item.marks else "" if item.section == "optional" else ", optional")

        def unsolved(*args, **kwargs):
            raise Unsolved(f"The exercise {item.name} ({worth}) is not written yet. Write its body in the cell "
                           f"that begins with `def {item.name}` or `class {item.name}`, run that cell, and go on from there. "
                           f"hint({item.name}) helps.")

        unsolved.__name__ = unsolved.exercise_name = item.name
        return unsolved

    def current(self, name):
        """The student's function of this name, else the reference, else one that raises `Unsolved`."""
        item = self.by_name[name]
        return self.own.get(name) or self._reference(item) or self._unsolved(item)

    def check(self, f, value=None):
        """Say whether an exercise is right, and if not, why; or how many marks a measured number earns.

        Parameters
        ----------
        f : callable or str
            The function or its name; the name of a score.
        value : float, optional
            The number measured, for a score.
        """
        item = self._find(f)
        verdict = self._measure(item, value) if isinstance(item, Score) else self._judge(item, f)
        self.verdicts[item.name] = verdict
        show(verdict)
        if verdict.status != RIGHT and item.marks and os.environ.get("NBGRADER_EXECUTION"):
            raise AssertionError(str(verdict))  # nbgrader gives the points of a cell that does not raise

    def _judge(self, item, f):
        if callable(f) and f is not load(item.answer) and not is_stub(f) and not hasattr(f, "exercise_name"):
            self._take(item, f)  # a function without the decorator, which may have been written after one with it
        mine = self.own.get(item.name)
        if mine is None:
            return Verdict(item.name, NOT_ATTEMPTED, f"{item.marks:g} of ten marks wait here." if item.marks else "Optional.")
        return Verdict(item.name, WRONG, why) if (why := switched()) else judge(item, mine, Local(self))

    def _measure(self, score, value):
        earned = score.earned(float(value))
        # a network shows its accuracy by itself; the functions that it needs must be the student's own
        borrowed = [n for n in score.needs if n not in self.own]
        least = " / ".join(f"{step:g}" for step, _ in score.steps)
        text = f"{score.what} {value:.3f}; asked for {'more than' if score.above else 'at least'} {least}"
        if borrowed:
            return Verdict(score.name, NOT_ATTEMPTED, f"{text}. Without marks, as the reference stands in for {', '.join(borrowed)}.")
        return Verdict(score.name, RIGHT if earned else WRONG, f"{text}: {earned:g} of {score.marks:g} marks.", earned)

    def hint(self, f):
        """Print the next hint of an exercise."""
        item = self._find(f)
        hints = getattr(item, "hints", ())
        number = self.hinted.get(item.name, 0)
        if not hints:
            print(f"{item.name}: there is no hint")
            return
        print(f"{item.name}, hint {min(number, len(hints) - 1) + 1} of {len(hints)}: {hints[min(number, len(hints) - 1)]}")
        self.hinted[item.name] = number + 1

    def solution(self, f):
        """Print the reference's source."""
        item = self._find(f)
        print(source_of(item) or f"{item.name}: the reference is not in this package; your instructor has it")

    def target(self, f):
        """Show what the reference does, as a picture to aim at."""
        from common.exercises.targets import show_target

        return show_target(self, self._find(f))

    def marks(self, line=False):
        """Print the table of marks, or one line about them, and return their sum."""
        if line:
            print(line_of(self))
            return sum(verdict.marks for verdict in self.verdicts.values())
        total = 0.0
        for item in sorted((*self.exercises, *self.scores), key=lambda item: item.section):
            verdict = self.verdicts.get(item.name, Verdict(item.name, "not checked yet"))
            total += verdict.marks
            if item.marks:
                print(f"{item.section:24s} {item.name:34s} {verdict.marks:4g} of {item.marks:<4g} {verdict.status}")
        possible = sum(item.marks for item in (*self.exercises, *self.scores))
        print(f"{'':24s} {'together':34s} {total:4g} of {possible:<4g}")
        return total
