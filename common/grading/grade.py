"""Grading a class from outside: every function by name, each check on fresh data, in a sandbox.

``python -m common.grading.grade --task RegionDetector --submissions FOLDER --out build/grades`` writes ``marks.csv``, a page for the
class and one for each student. A submission is a notebook (with ``NAME.weights.h5`` beside it), or a folder with one notebook and a
file of weights. What was graded already is not graded again, unless the submission has changed.
"""

import argparse
import importlib
import json
import queue
import re
import shutil
import signal
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from common.console import print_any_name
from common.exercises.exercise import NOT_ATTEMPTED, RIGHT, WRONG, Verdict, judge
from common.exercises.old_keras import advice
from common.exercises.reference import load
from common.grading.notebook_source import NotebookError, collect, read_cells
from common.grading.sandbox import Ended, Raised, RemoteObject, Sandbox
from common.grading.sandbox_worker import begins
from common.grading.submissions import ROOT, TASKS, find_submissions, left_out

_CANNOT_LOAD = "The notebook's definitions cannot be loaded: it"
_MOST_ATTEMPTS = 6
NOTEBOOKS = {"RegionDetector": "Face_Detection.ipynb", "TrackDetector": "Face_Recognition_task.ipynb"}


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

    def grade(self, submission, data):
        """Marks of a submission: a dictionary for JSON."""
        self.verdicts, self.borrowed, self.made = {}, {}, set()
        try:
            source = collect(read_cells(submission.notebook))
        except NotebookError as error:
            self.verdicts = {n: Verdict(n, WRONG, str(error)) for n in self.task.by_name}
            return self._result(submission)
        for item in _in_order(self.task.exercises):
            self.verdicts[item.name] = self.check(item, source)
        measure = importlib.import_module(f"{self.task.name}.grading").measure
        try:
            measured = measure(self, source, submission, data)
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
        return {"student": submission.name, "rows": rows, "total": round(sum(r["marks"] for r in rows), 2)}


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


def grade_class(task_name, submissions, out, jobs=2, seed=2026, train=0, data=None, progress=True):
    """Grade a folder of submissions.

    Parameters
    ----------
    task_name : {"RegionDetector", "TrackDetector"}
    submissions, out : path-like
    jobs : int
        Submissions at a time.
    seed : int
        Of the fresh data: the same seed gives the same marks.
    train : float
        Seconds for fitting, where no weights were handed in; 0: do not fit.
    data : path-like, optional
        Folder of the real data; by default the built-in data.
    progress : bool

    Returns
    -------
    list of dict
        One for each student; also written to `out` as ``marks.csv`` and pages.

    Raises
    ------
    FileNotFoundError
        If there is no submission.
    RuntimeError
        If the grader itself failed on some; the marks of the others are kept.
    """
    from tqdm.auto import tqdm

    from common.grading.report import write_report
    from common.grading.student_package import write_tree

    task = importlib.import_module(f"{task_name}.exercises").TASK
    grading = importlib.import_module(f"{task_name}.grading")
    prelude = collect(read_cells(ROOT / task_name / NOTEBOOKS[task_name]))
    prelude.statements = [s for s in prelude.statements if not s.startswith(("import sys", "from RegionDetector.exercises", "from TrackDetector.exercises"))]
    todo, out = find_submissions(submissions), Path(out)
    (out / "results").mkdir(parents=True, exist_ok=True)
    results = {}
    for item in todo:
        stored = out / "results" / f"{item.name}.json"
        key = item.digest(task_name, seed, train, data)
        if stored.is_file():
            try:
                old = json.loads(stored.read_text(encoding="utf-8"))
            except ValueError:
                old = {}
            if old.get("key") == key:
                results[item.name] = old
    waiting = [item for item in todo if item.name not in results]
    if waiting:
        fresh = grading.fresh_data(data, seed)
        kit = Path(tempfile.mkdtemp(prefix="kit-"))
        try:
            write_tree(kit, notebooks=False, sandbox=True)
            for path in (kit, *kit.rglob("*")):
                path.chmod(0o755 if path.is_dir() else 0o644)
            boxes = queue.SimpleQueue()
            started = [Sandbox(kit, slot) for slot in range(min(jobs, len(waiting)))]
            for sandbox in started:
                boxes.put(sandbox)

            stopped = threading.Event()

            def one(item):
                sandbox = boxes.get()
                try:
                    result = Grader(task, prelude, sandbox, seed, train).grade(item, fresh)
                finally:
                    boxes.put(sandbox)
                if stopped.is_set():  # these are the marks of a sandbox that was taken away
                    return None
                result["key"] = item.digest(task_name, seed, train, data)
                part = out / "results" / f"{item.name}.part"
                part.write_text(json.dumps(result, indent=1), encoding="utf-8")
                part.replace(out / "results" / f"{item.name}.json")
                return result

            pool, failed = ThreadPoolExecutor(len(started)), {}
            try:
                futures = {pool.submit(one, item): item.name for item in waiting}
                for future in tqdm(as_completed(futures), "submissions", len(futures), disable=not progress):
                    if future.exception() is None:
                        results[futures[future]] = future.result()
                    else:  # a fault of the grader; the others' marks do not wait for its being mended
                        failed[futures[future]] = future.exception()
            except BaseException:
                stopped.set()
                raise
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
                for sandbox in started:
                    sandbox.close()
                pool.shutdown()
        finally:
            shutil.rmtree(kit, ignore_errors=True)
        if failed:
            name, error = next(iter(failed.items()))
            raise RuntimeError(f"{len(failed)} of {len(todo)} submissions could not be graded ({', '.join(failed)}); the others' marks are kept, and the same "
                               f"command tries these again. {name}: {type(error).__name__}: {error}") from error
    answer = [results[item.name] for item in todo]
    write_report(out, task, answer)
    return answer


def _stop(*_):
    raise KeyboardInterrupt


def main(arguments=None):
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description="Grade a folder of submitted notebooks.")
    parser.add_argument("--task", required=True, choices=TASKS)
    parser.add_argument("--submissions", required=True, help="folder with NAME.ipynb (and NAME.weights.h5), or with a folder for each student")
    parser.add_argument("--out", default="build/grades", help="folder for marks.csv and the pages")
    parser.add_argument("--jobs", type=int, default=2, help="submissions at a time")
    parser.add_argument("--seed", type=int, default=2026, help="of the fresh data")
    parser.add_argument("--train", type=float, nargs="?", const=300, default=0, metavar="SECONDS", help="fit where no weights were handed in, for at most so long")
    parser.add_argument("--data", help="folder of the real data; by default the built-in data")
    given = parser.parse_args(arguments)
    print_any_name()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)  # as Ctrl-C: end the sandboxes, tidy up
    try:
        results = grade_class(given.task, given.submissions, given.out, given.jobs, given.seed, given.train, given.data)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped. What was graded is kept: the same command goes on from there.", file=sys.stderr)
        return 130
    for name, reason in left_out(given.submissions).items():
        print(f"Left out: {name}: {reason}", file=sys.stderr)
    possible = sum(r["of"] for r in results[0]["rows"])
    print(f"{len(results)} submissions, {sum(r['total'] for r in results) / len(results):.2f} of {possible:g} marks on average: {Path(given.out) / 'index.html'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
