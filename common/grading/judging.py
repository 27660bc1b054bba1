"""How one submission is judged: every function by name, each check on fresh data, in a sandbox."""

import re
from dataclasses import dataclass, field

from common.exercises.exercise import NOT_ATTEMPTED, RIGHT, WRONG, Verdict, judge
from common.exercises.old_keras import advice
from common.exercises.reference import load
from common.grading.notebook_source import NotebookError, collect, read_notebook, written_twice
from common.grading.sandbox import Ended, Raised, RemoteObject, Sandbox
from common.grading.sandbox_worker import begins
from common.grading.tasks import measured_by

_CANNOT_LOAD = "The notebook's definitions cannot be loaded: it"
_MOST_ATTEMPTS = 6


@dataclass
class Remote:
    """Where a check runs when a class is graded: the student's functions in the sandbox, the reference here."""

    session: object
    task: object
    own: set
    seed: int

    def function(self, name):
        """The student's function."""
        return lambda *args, **kwargs: self.session.request("call", target=name, args=list(args), kwargs=kwargs)

    def other(self, name):
        """The student's function if it may be relied on, else the reference."""
        if name in self.own:
            return self.function(name)
        reference = load(self.task.by_name[name].answer)

        def stand_in(*args, **kwargs):
            if name != "copy_weights":  # that one works on the models in the sandbox
                args = [self.session.models.get(a.handle.number, a) if isinstance(a, RemoteObject) else a for a in args]
            answer = reference(*args, **kwargs)
            return self.model(answer) if hasattr(answer, "to_json") else answer

        return stand_in

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
    borrowed: dict = field(default_factory=dict)
    made: set = field(default_factory=set)
    notes: list = field(default_factory=list)

    def open(self, source, seconds, stand_ins=(), files=(), names=None):
        """A session with the functions of a submission in it, those of `stand_ins` replaced by the reference; and what of it failed to load.

        `names` are variables that are made by work in the notebook's cells, which is otherwise not repeated; by default
        those that the right functions have asked for.
        """
        session = self.sandbox.open(seconds, files)
        session.stand_ins = {name: load(self.task.by_name[name].answer) for name in stand_ins}
        try:
            problems = session.request("load", statements=[*self.prelude.statements, *source.with_work(self.made if names is None else names)], stand_ins=list(stand_ins),
                                       pylab=source.pylab, seed=self.seed, task=self.task.name)
        except (Ended, Raised):
            session.close()
            raise
        kits = {begins(text) for text in self.prelude.statements}  # these may fail without the work between them; the student has not written them
        return session, [p for p in problems if p[0] not in kits] if isinstance(problems, list) else []

    def _problem(self, item, source):
        """Why the function is not there, if it is not."""
        if item.name in source.defined or source.makes(item.name):
            return None
        if item.name in source.broken:
            return Verdict(item.name, WRONG, f"It does not parse: {source.broken[item.name]}.")
        return Verdict(item.name, NOT_ATTEMPTED, "Its body is not written." if item.name in source.stubs else "The notebook has no function of this name.")

    def _attempt(self, item, source, own):
        """A verdict; where the function asks for a variable that the notebook's cells make, they make it, and it is tried again."""
        names, verdict, missing = set() if item.name in source.defined else {item.name}, None, None
        for _ in range(_MOST_ATTEMPTS):
            before, (verdict, problems) = verdict, self._try(item, source, own, names)
            if "AST constructor recursion depth" in verdict.message:  # a fault of Python 3.11 in threads, ours and not the student's
                continue
            missing = re.search(r"name '(\w+)' is not defined", verdict.message) if verdict.status != RIGHT else None
            if before is not None and verdict.message.startswith(_CANNOT_LOAD):
                return Verdict(item.name, WRONG, f"{before.message} The cell that makes it could not be run: it{verdict.message.removeprefix(_CANNOT_LOAD)} "
                                                 "Give the function what it needs as an argument, or make it in the function.")
            if missing is None or missing[1] in names or not source.makes(missing[1]):
                break
            names = names | {missing[1]}
        if verdict.status == RIGHT:
            self.made |= names
        return Verdict(item.name, verdict.status, verdict.message + _named(problems, missing[1]), verdict.marks) if missing else verdict

    def _try(self, item, source, own, names=()):
        """A verdict, and what of the notebook failed to load."""
        stand_ins = [n for n in item.uses if n not in own]
        try:
            session, problems = self.open(source, item.seconds, stand_ins, names=names)
        except (Ended, Raised) as error:
            return Verdict(item.name, WRONG, f"{_CANNOT_LOAD} {error}."), []
        try:
            remote = Remote(session, self.task, own, self.seed)
            if session.request("has", name=item.name) is not True:
                return Verdict(item.name, WRONG, f"Its definition cannot be run.{_named(problems, item.name)}"), problems
            return judge(item, remote.function(item.name), remote), problems
        except (Ended, Raised) as error:
            return Verdict(item.name, WRONG, f"It {error}."), problems
        finally:
            session.close()

    def check(self, item, source):
        """Verdict on one exercise of a submission.

        It is tried with the student's own other functions, and if it is wrong then, with the reference in
        place of those that are wrong: a broken part costs its own marks only.
        """
        missing = self._problem(item, source)
        if missing:
            return missing
        right = {n for n, v in self.verdicts.items() if v.status == RIGHT}
        verdict = self._attempt(item, source, right | {n for n in item.uses if n in source.defined})
        if verdict.status != RIGHT and any(n in source.defined and n not in right for n in item.uses):
            again = self._attempt(item, source, right)
            self.borrowed[item.name] = [n for n in item.uses if n not in right]
            elsewhere = any(f" of {n})" in verdict.message for n in self.borrowed[item.name])  # it was another function that raised
            verdict = again if again.status == RIGHT or "cannot" in verdict.message or elsewhere else verdict
        return verdict

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
        self.borrowed, self.notes, self.made = {}, [], set((old or {}).get("made", ()))
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
                 "message": self.verdicts[i.name].message} for i in (*self.task.exercises, *self.task.scores)]
        return {"student": submission.name, "rows": rows, "total": round(sum(r["marks"] for r in rows), 2), "made": sorted(self.made),
                "notes": self.notes}


def _named(problems, name):
    """The statement that should have made a name, and why it failed."""
    for pattern in (rf"\b(import|as|def|class)\s+{name}\b|^{name}\b.*=", r"import \*$"):
        for line, error in problems:
            if re.search(pattern, line):
                say = advice(error["kind"], f"{line} {error['text']}")
                return f" `{line}` raises {error['kind']}: {error['text'][:200]}." + (f" {say}." if say else "")
    return ""


def _in_order(exercises):
    """Those that others use come first, as far as that goes."""
    done, waiting = [], list(exercises)
    while waiting:
        ready = [e for e in waiting if all(u in [d.name for d in done] or u not in [w.name for w in waiting] for u in e.uses)] or waiting[:1]
        done.append(ready[0])
        waiting.remove(ready[0])
    return done
