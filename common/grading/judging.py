"""How one submission is judged: every function by name, each check on fresh data, in a sandbox."""

import functools
import inspect
import re
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from common.exercises.calling import in_form
from common.exercises.errors import sentence
from common.exercises.exercise import NOT_ATTEMPTED, RIGHT, WRONG, Unsolved, Verdict, judge
from common.exercises.old_keras import advice
from common.exercises.reference import load
from common.grading.calls import TOLD
from common.grading.notebook_source import NotebookError, collect, read_notebook, written_twice
from common.grading.problems import MISSING, is_problem, named, not_parsed, not_there
from common.grading.rebuilt import rebuilt
from common.grading.sandbox import Sandbox
from common.grading.sandbox_worker import HELPERS, begins
from common.grading.session import Ended, Raised, RemoteObject
from common.grading.tasks import measured_by

_CANNOT_LOAD = "The notebook's definitions cannot be loaded: it"
_NOT_LOADED = " The notebook's data and networks are not there in grading: give the function what it needs as an argument, or make it in the function."
_MOST_ATTEMPTS = 6
_STANDS_IN = "which stands in for yours"


@dataclass(frozen=True)
class Try:
    """One try of a function, and in what company.

    Attributes
    ----------
    verdict : Verdict
    stand_ins : dict of str to str or None
        Functions that the reference answered for, and in which form.
    problems : list of (str, dict)
        What of the notebook failed to load.
    told : dict of str to str
        What was asked, what came, what was expected.
    asked : set of str
        Those of the stand-ins that were called.
    ended : bool
        Was it stopped: too slow, too large, gone?
    """

    verdict: Verdict
    stand_ins: dict
    problems: list = field(default_factory=list)
    told: dict = field(default_factory=dict)
    asked: set = field(default_factory=set)
    ended: bool = False


@dataclass
class Remote:
    """Where a check runs when a class is graded: the student's functions in the sandbox, the reference here."""

    session: object
    task: object
    own: set
    seed: int
    lenient: bool = True  # a class hands in notebooks that were written for the published course, too
    doing: str = ""
    right: frozenset = frozenset()  # what the notebook has right, also where the reference answers in its place

    def __post_init__(self):
        for name, form in self.session.stand_ins.items():  # what the notebook's own functions call in the place of others
            self.session.stand_ins[name] = self._in_form(self.stand_in(name), form)

    @staticmethod
    def _in_form(function, form):
        return function if form is None else lambda *args, **kwargs: load(form)(args, function(*args, **kwargs))

    def function(self, name):
        """The student's function."""
        item = self.task.by_name.get(name)
        asked = {"takes": list(item.takes), "spare": list(item.spare)} if item else {}
        return lambda *args, **kwargs: self.session.call(name, args, kwargs, **asked)

    def stand_in(self, name):
        """What answers in the place of a function of the student's: the reference, as far as it fits to his other functions."""
        item = self.task.by_name[name]
        reference = load(item.answer)
        if not item.stand_in:
            return reference

        def network(name, shape):
            made = rebuilt(self.session.call(name, [shape], {}), shape)
            if made is None:
                raise Unsolved(f"nothing can be made of the network that {name} gives")
            return made

        here = {n: functools.partial(network, n) for n in self.own}

        def fitting(*args, **kwargs):
            try:
                return load(item.stand_in)(here, reference)(*args, **kwargs)
            except Unsolved:  # nothing can be made of them
                return reference(*args, **kwargs)

        return fitting

    def other(self, name):
        """The student's function if it may be relied on, else what stands in for it."""
        if name in self.own:
            return in_form(self.function(name), self.task.by_name[name].form)
        function = self.stand_in(name)

        def stand_in(*args, **kwargs):
            answer = self.session.by_reference(function, args, kwargs)
            return self.model(answer) if hasattr(answer, "to_json") else answer

        return stand_in

    def stands_in(self, name):
        """Does something else answer in the place of this function, as the student's is not right or not there?"""
        return name not in self.own and name not in self.right

    def model(self, model):
        """A Keras model of the check, in the sandbox."""
        return self.session.send_model(model)

    def run(self, path, *args):
        """Call a helper of the kit in the sandbox."""
        return self.session.request("run", path=path, args=list(args))

    def trap(self, f, names):
        """Lay out false answers as global variables in the sandbox."""
        self.session.request("trap", names=names)
        return lambda: None


@dataclass
class Grader:
    """Grades one submission after another in one sandbox."""

    task: object
    prelude: object
    sandbox: Sandbox
    seed: int = 2026
    train: float = 0
    verdicts: dict = field(default_factory=dict)
    found_right: dict = field(default_factory=dict)
    told: dict = field(default_factory=dict)
    asked: dict = field(default_factory=dict)
    stuck: set = field(default_factory=set)
    made: set = field(default_factory=set)
    head: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def open(self, source, seconds, stand_ins=(), files=(), names=None, of=None):
        """A session with the functions of a submission in it; and what of it failed to load.

        Parameters
        ----------
        source : common.grading.needed.Source
        seconds : float
        stand_ins : sequence of str, or dict of str to str or None
            Functions that are replaced by the reference; where the reference's answer is to be given in another form, which (see `Exercise.forms`).
        files : sequence of path-like
        names : set of str, optional
            Variables that are made by work in the notebook's cells, which is otherwise not repeated; by default those that the right
            functions have asked for.
        of : collection of str, optional
            Functions whose helpers and constants are to be what work has made of them; by default the right ones.
        """
        names = self.made if names is None else names
        of = [n for n, v in self.verdicts.items() if v.status == RIGHT] if of is None else of
        ways = [source.with_work(names, of), source.with_assignments(names)]  # the second, without what changes values, where the first takes too long
        for own in ways[: 1 if ways[0] == ways[1] else 2]:
            try:
                return self._load(own, source, seconds, stand_ins, files)
            except (Ended, Raised) as error:
                ended = error
        raise ended

    def _load(self, own, source, seconds, stand_ins, files):
        session = self.sandbox.open(seconds, files)
        session.stand_ins = dict(stand_ins) if isinstance(stand_ins, dict) else dict.fromkeys(stand_ins)
        ours = self.prelude.around(source)
        places = [*("" for _ in ours), *(getattr(text, "places", "") for text in own)]
        try:
            problems = session.request("load", statements=[*ours, *own], stand_ins=list(stand_ins), pylab=source.pylab, later=source.later, seed=self.seed,
                                       task=self.task.name, places=places, modules=source.modules, taken=[name for name in HELPERS if source.makes(name)])
        except (Ended, Raised):
            session.close()
            raise
        kits = {begins(text) for text in ours}  # these may fail without the work between them; the student has not written them
        return session, [p for p in problems if is_problem(p) and p[0] not in kits] if isinstance(problems, list) else []

    def open_as_judged(self, name, source, seconds, files=()):
        """A session in which a right function finds what it found when it was judged; see `open`."""
        return self.open(source, seconds, self.found_right.get(name, {}), files, of=[name])

    def _problem(self, item, source):
        """Why the function is not there, if it is not."""
        if item.name in source.defined or source.makes(item.name):
            return None
        return Verdict(item.name, WRONG if item.name in source.broken else NOT_ATTEMPTED, not_there(source, item.name, self.task.by_name))

    def _attempt(self, item, source, own, forms=()):
        """A try; where the function asks for a variable that the notebook's cells make, they make it, and it is tried again.

        So it is where one of its helpers could not be defined for want of such a variable.
        """
        names, now, missing = set() if item.name in source.defined else {item.name}, None, None
        for _ in range(_MOST_ATTEMPTS):
            before, asked, now = now, missing, self._try(item, source, own, dict(forms), names)
            verdict = now.verdict
            if "AST constructor recursion depth" in verdict.message:  # a fault of Python 3.11 in threads, ours and not the student's
                continue
            if before is not None and verdict.message.startswith(_CANNOT_LOAD):
                if asked is None:
                    return before
                message = (f"{before.verdict.message} The cell that makes it could not be run: it{verdict.message.removeprefix(_CANNOT_LOAD)} "
                           "Give the function what it needs as an argument, or make it in the function.")
                return replace(before, verdict=Verdict(item.name, WRONG, message))
            missing = MISSING.search(verdict.message) if verdict.status != RIGHT else None
            more = {name for name in _lacking(now, source, item) if source.makes(name)} - names
            if not more:
                break
            names = names | more
        if verdict.status == RIGHT:
            self.made |= names
        why = (named(now.problems, missing[1]) or not_parsed(source, missing[1])) if missing else ""
        last = ["", *MISSING.findall(verdict.message + why)][-1] if missing else ""
        if last in self.prelude.kept or self.prelude.makes(last):
            why += _NOT_LOADED
        return replace(now, verdict=replace(verdict, message=verdict.message + why)) if why not in verdict.message else now

    def _try(self, item, source, own, forms, names=()):
        stand_ins = {n: forms.get(n) for n in item.uses if n not in own}
        try:
            session, problems = self.open(source, item.seconds, stand_ins, names=names, of={item.name, *own.intersection(item.uses)})
        except (Ended, Raised) as error:
            return Try(Verdict(item.name, WRONG, sentence(f"{_CANNOT_LOAD} {error}")), stand_ins)
        asked = session.asked
        try:
            remote = Remote(session, self.task, own, self.seed, right=frozenset(n for n, v in self.verdicts.items() if v.status == RIGHT))
            if session.request("has", name=item.name) is not True:
                return Try(Verdict(item.name, WRONG, f"Its definition cannot be run.{named(problems, item.name)}"), stand_ins, problems)
            verdict = judge(item, remote.function(item.name), remote)
            if verdict.status == RIGHT:
                verdict = replace(verdict, message=f"{verdict.message} {_lent(session.request('lent'))}".strip())
            told = {} if verdict.status == RIGHT else session.calls.told(item.name, verdict.message, self._expected(item, session), verdict.expected or None, verdict.calls)
            return Try(verdict, stand_ins, problems, told, asked, session.ended)
        except (Ended, Raised) as error:
            return Try(Verdict(item.name, WRONG, sentence(f"It {error}")), stand_ins, problems, {}, asked, session.ended)
        finally:
            session.close()

    def _expected(self, item, session):
        """What answers a call of an exercise as it should be answered; of an object's methods and of what takes minutes nobody does."""
        reference = load(item.answer)

        def answer(name, args, kwargs):
            files = any(isinstance(a, (str, PurePath)) for a in (*args, *kwargs.values()))  # the student's process may have put links to ours in their place
            if name != item.name or not item.marks or isinstance(reference, type) or files:
                raise LookupError(name)
            usual = {name: value for name, value in (("verbose", False), ("rng", self.seed)) if name in [*inspect.signature(reference).parameters][len(args) :]}
            known = [session.models.get(a.handle.number) if isinstance(a, RemoteObject) else a for a in args]
            return reference(*known, **{**usual, **kwargs})

        return answer

    def _ways(self, item, source, right):
        """In what company a function is tried: the functions that are the student's own, and the forms in which stand-ins answer.

        First with all of his own that there are; where some of them are not right, with the reference in their place; then with stand-ins that
        answer in another form, as his own might; and at last with the reference in place of all, for own ones that nothing fits to.
        """
        uses = set(item.uses)
        broken = {n for n in uses if n in source.defined and n not in right}
        if not broken & self.stuck:
            yield right | broken, {}
        if broken:
            yield right, {}
        if not item.marks:
            return  # nothing is lost, and these take minutes
        for name in item.uses:
            if name not in right and name in self.asked.get(item.name, ()):
                yield from ((right, {name: form}) for form in self.task.by_name[name].forms)
        if uses & right and uses - right:
            yield right - uses, {}

    def check(self, item, source):
        """Verdict on one exercise of a submission.

        A broken part costs its own marks only: see `_ways`. If none of them is right, the message is that of the try with the reference
        in place of what is broken, unless it was the reference that could not go on.
        """
        missing = self._problem(item, source)
        if missing:
            return missing
        right, tries = {n for n, v in self.verdicts.items() if v.status == RIGHT}, []
        for own, forms in self._ways(item, source, right):
            tries.append(self._attempt(item, source, own, forms))
            self.asked[item.name] = self.asked.get(item.name, set()) | tries[-1].asked
            if tries[-1].verdict.status == RIGHT:
                self.found_right[item.name] = tries[-1].stand_ins
                self.told.pop(item.name, None)
                return tries[-1].verdict
            if tries[-1].ended and len(tries) > 1:  # it will not come back in other company either
                break
        if all(t.ended for t in tries):
            self.stuck.add(item.name)
        chosen = self._chosen(tries, {n for n in item.uses if n in source.defined and n not in right})
        self.told[item.name] = chosen.told if chosen.verdict.status == WRONG else {}
        helped = sorted(n for n in chosen.stand_ins if n in source.defined and n in chosen.asked)
        note = f" (It was tried with the kit's {' and '.join(helped)}, as yours is not right yet.)" if helped else ""
        return replace(chosen.verdict, message=chosen.verdict.message + note) if chosen.verdict.status == WRONG else chosen.verdict

    @staticmethod
    def _chosen(tries, broken):
        """The try whose message a student should read: that with the reference in the place of what is broken, in the form that leads furthest."""
        able = [t for t in tries if _STANDS_IN not in t.verdict.message and broken <= t.stand_ins.keys()]
        plain = next((t for t in able if broken and not any(t.stand_ins.values())), tries[0])
        return max([plain, *(t for t in able if any(t.stand_ins.values()))], key=_how_far)

    def grade(self, submission, data, only=None, old=None):
        """Marks of a submission: a dictionary for JSON.

        Parameters
        ----------
        submission : common.grading.submissions.Submission
        data : object
            From the task's `fresh_data`.
        only : str, optional
            Judge this exercise (or these scores) alone; the other marks are those of `old`.
        old : dict, optional
            What this has returned for the same submission before.
        """
        self.head, self.notes, self.made = [], [], set((old or {}).get("made", ()))
        self.found_right = dict((old or {}).get("found_right", {}))
        self.told, self.asked, self.stuck = {r["name"]: {k: r[k] for k in TOLD if k in r} for r in old["rows"]} if only else {}, {}, set()
        self.verdicts = {r["name"]: Verdict(r["name"], r["status"], r["message"], r["marks"]) for r in old["rows"]} if only else {}
        before = dict(self.verdicts)
        try:
            cells, self.notes = read_notebook(submission.notebook)
            source = collect(cells)
        except NotebookError as error:
            self.verdicts = {n: Verdict(n, WRONG, str(error)) for n in self.task.by_name}
            return self._result(submission)
        self.notes += [f"{name} is written in {number} cells; the last one counts" for name, number in written_twice(cells, self.task.by_name).items()]
        for item in _in_order(self.task.exercises):
            if only in (None, item.name):
                self.verdicts[item.name] = self.check(item, source)
        if only in before and only not in [s.name for s in self.task.scores] and self.verdicts[only].status == before[only].status:
            return self._result(submission)  # the scores were measured with it as it still is
        try:
            measured = measured_by(self.task.name).measure(self, source, submission, data)
        except Ended as error:
            measured = {score.name: (None, f"it {error}") for score in self.task.scores}
        except Raised as error:
            measured = {score.name: (None, f"raises {error.kind}: {error}{error.line}. {advice(error.kind, str(error))}") for score in self.task.scores}
        for score in self.task.scores:
            value, message = measured.get(score.name, (None, "not measured"))
            earned = score.earned(value) if value is not None else 0.0
            text = f"{score.what} {value:.3f}; asked for {'more than' if score.above else 'at least'} {score.steps[0][0]:g}" if value is not None else ""
            self.verdicts[score.name] = Verdict(score.name, RIGHT if earned else WRONG, "; ".join(t for t in (text, message) if t), earned)
        return self._result(submission)

    def _result(self, submission):
        rows = [{"name": i.name, "section": i.section, "of": i.marks, "marks": self.verdicts[i.name].marks, "status": self.verdicts[i.name].status,
                 "message": self.verdicts[i.name].message, **self.told.get(i.name, {})} for i in (*self.task.exercises, *self.task.scores)]
        return {"student": submission.name, "rows": rows, "total": round(sum(r["marks"] for r in rows), 2), "made": sorted(self.made),
                "found_right": self.found_right, "head": self.head, "notes": self.notes}


def _how_far(tried):
    """To an answer rather than to an exception, else to which line of one."""
    raised = re.match(r"It raises .*\(line (\d+) of ", tried.verdict.message, re.S)
    return not tried.ended and not tried.verdict.message.startswith("It raises"), int(raised[1]) if raised else 0


def _lent(names):
    """A word about files of the published course that a right function has used."""
    names = [n[:60] for n in names[:5] if isinstance(n, str)] if isinstance(names, list) else []
    return f"The grader has lent it {', '.join(names)}, which this kit has not: see docs/from-the-course.md." if names else ""


def _lacking(tried, source, item):
    """Names that a wrong function found nowhere, and those that the definitions which it leads to lacked when they were loaded."""
    if tried.verdict.status == RIGHT:
        return set()
    there = source.reach([item.name])
    lacked = {found[1] for _, error in tried.problems if error["kind"] == "NameError" and (found := MISSING.search(error["text"]))}
    return (lacked & there) | {found[1] for found in [MISSING.search(tried.verdict.message)] if found}


def _in_order(exercises):
    """Those that others use come first, as far as that goes."""
    done, waiting = [], list(exercises)
    while waiting:
        ready = [e for e in waiting if all(u in [d.name for d in done] or u not in [w.name for w in waiting] for u in e.uses)] or waiting[:1]
        done.append(ready[0])
        waiting.remove(ready[0])
    return done
