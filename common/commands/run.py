"""Asking about every file that has no answer yet: the loop that the commands share."""

import argparse
import os
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tqdm.auto import tqdm

from common.commands.inputs import DRAWN
from common.commands.journal import LINES, Journal, JournalError, settings_mark, stamp
from common.commands.stops import Stop
from common.commands.tables import write_csv, write_json
from common.console import a_path, an_output, counted, prepare_outputs, printable, say
from common.device import short_of_memory
from common.files import FULL, is_stream

_FEW = 20  # files up to here need no bar


@dataclass(frozen=True)
class Answers:
    """How a command puts its answers.

    Attributes
    ----------
    key : str
        What an answer calls its file.
    things : str
        What the files are, for people: "photos", of which one is a "photo".
    lines : callable
        From an answer to the lines that are printed.
    columns, rows
        See `tables.write_csv`.
    head : dict, optional
        See `tables.write_json`.
    nothing : dict
        What stands in an answer beside its error.
    """

    key: str
    things: str
    lines: object
    columns: tuple
    rows: object
    head: dict | None = None
    nothing: dict = field(default_factory=dict)

    def write(self, out):
        """The function that writes a file named `out` whole."""
        if Path(out).suffix.lower() == ".csv":
            return lambda file, answers: write_csv(file, answers, self.columns, self.rows)
        return lambda file, answers: write_json(file, answers, self.head)


class _AsTyped(argparse.Action):
    """Remembers under which of an option's names it was typed, for messages."""

    def __call__(self, parser, namespace, values, option_string=None):
        namespace.out, namespace.out_option = values, option_string


def add_options(parser, copies):
    """Options that the commands share; `copies` says what `--draw` writes."""
    parser.set_defaults(out_option="--out")
    parser.add_argument("--out", "--json", dest="out", action=_AsTyped, type=an_output, metavar="OUT",
                        help="write the answers to a file: .json and .csv are made whole at the end; .jsonl grows by one line for each file as it is "
                        "answered. Stopped at any moment, the same command goes on where it was. Boxes are min_row, min_col, max_row, max_col in pixels "
                        "of the upright photo, rows first, counted from 0 at its top left corner")
    parser.add_argument("--draw", type=a_path, metavar="FOLDER", help=copies)
    parser.add_argument("--cluster", nargs="?", const="local", metavar="ADDRESS",
                        help="share the work by Dask (requirements-cluster.lock): the address of a scheduler, tcp://..., whose workers see the same files; "
                        "without one, workers on this machine")


def check_outputs(options, inputs, **more):
    """Refuse outputs that cannot be written, or would be written over what is read; `more` are other options with files.

    A copy that was drawn into the folder before is not read: the one that is drawn of its photo would be written over it.

    Raises
    ------
    ValueError
    """
    prepare_outputs({options.out_option: options.out, **more}, options.draw, inputs)
    check_kind(options.out, options.out_option)
    place = options.draw and os.path.realpath(options.draw)
    for file in inputs if options.draw else ():
        if Path(file).stem.endswith(DRAWN) and Path(os.path.realpath(file)).is_relative_to(place):
            raise ValueError(f"--draw {options.draw}: {file} is called as the copies there, and may be written over; leave it out, or draw into another folder")


def check_kind(out, option="--out"):
    """Refuse a name that promises what is not written: in ``faces.xlsx`` there would be JSON.

    Raises
    ------
    ValueError
    """
    if out is not None and out.suffix.lower() not in ("", ".json", ".csv", *LINES) and not is_stream(out):
        raise ValueError(f"{option} {out}: answers are written as .json, .csv or .jsonl; choose a name that ends so")


def attempt(ask, file, name, check=lambda: None):
    """What there is to say about one file, whatever is wrong with it: a bad file costs one answer.

    Parameters
    ----------
    ask : callable
        Takes the file, what to call it and `check`; returns an answer.
    check : callable
        Called now and then in long work; raises `Stop` if it shall end.

    Returns
    -------
    dict
        The answer with `stamp` and, if there is something to note, `notes`; or `error`.

    Raises
    ------
    OSError
        If the disk is full: that is no fault of the file.
    """
    mark = stamp(file)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        try:
            if os.path.isdir(file):
                os.listdir(file)
                raise OSError(f"{file}: expected a photo or a film, got a folder")
            answer = ask(file, name, check)
        except OSError as error:
            if error.errno in FULL:
                raise
            answer = {"error": str(error)}
        except Exception as error:  # a damaged file may set off anything in a decoder, OpenCV or dlib
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
            answer = {"error": f"{file}: {'there is not enough memory for it' if short_of_memory(error) else said}"}
    notes = list(dict.fromkeys(str(each.message) for each in told))
    return {"stamp": mark, **answer, **({"notes": notes} if notes else {})}


@contextmanager
def notes_said():
    """While it is open, each warning is printed as one line on standard error, without the place in the code, which says nothing to a user."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        yield
    for note in dict.fromkeys(str(each.message) for each in told):
        say(f"note: {note}", sys.stderr)


@contextmanager
def drawing(file, answer):
    """Draw a copy of a file: what goes wrong is noted as the answer's `not_drawn`, and what is known of the file stays.

    Raises
    ------
    OSError
        If the disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise
        answer["not_drawn"] = str(error)
    except Exception as error:  # an odd name may set off anything in what lays out letters
        answer["not_drawn"] = f"{file}: {type(error).__name__}: {error}"


def one_by_one(make):
    """A way to ask: about one file after the other, in this process. Before a stop the current photo is finished, a film up to its next frame.

    Parameters
    ----------
    make : callable
        Makes the function that answers about one file; called when there is a file to ask about.

    Returns
    -------
    callable
        From (files with names, stops) to an iterable of (file, answer).
    """
    def ask(todo, stops):
        def check():
            if stops.signal is not None:
                raise Stop(stops.signal)

        about = make() if todo else None
        for file, name in todo:
            with stops.held():
                yield file, attempt(about, file, name, check)

    return ask


def answer_all(found, ask, answers, options, settings, stops):
    """Ask about all files, print and keep each answer as it comes, and make the file of answers whole at the end.

    Parameters
    ----------
    found : inputs.Inputs
    ask : callable
        From (files with names, stops) to an iterable of (file, answer): `one_by_one`, or `cluster.shared_out`.
    answers : Answers
    options : argparse.Namespace
        With `out`.
    settings : dict
        What the answers depend on, apart from the files.
    stops : stops.Stops

    Returns
    -------
    int
        Exit code: 0; 1 if a file could not be read or drawn; 2 if the answers cannot be kept.
    """
    journal, todo, total, failed = None, found.files, len(found.files), 0
    done = 0
    try:
        if options.out is not None:
            journal = Journal(options.out, answers.key, settings_mark(settings))
            todo = [each for each in todo if not journal.has(each[0])]
            done = total - len(todo)
            if done:
                say(f"note: {done:,} of {counted(total, answers.things[:-1])} were answered before, in {journal.path}; going on with the others", sys.stderr)
        with tqdm(total=total, initial=done, desc=answers.things, disable=total < _FEW) as bar:
            for file, answer in ask(todo, stops):
                if "error" in answer:
                    answer = {**answer, **answers.nothing}
                if journal is not None:
                    journal.add(file, answer)
                done += 1
                failed += "error" in answer or "not_drawn" in answer
                _say(file, answer, answers)
                bar.update()
        if journal is not None:
            journal.make_whole([file for file, _ in found.files], answers.write(options.out))
            failed = len(journal.failed & {printable(file) for file, _ in found.files})  # it may hold answers about others, which nobody asks about now
    except (Stop, BrokenPipeError):
        say_kept(done, total, answers.things[:-1], journal)
        raise
    except OSError as error:
        say(f"error: {error}", sys.stderr)
        if not isinstance(error, JournalError):
            say_kept(done, total, answers.things[:-1], journal, how="ended")
        return 2
    finally:
        if journal is not None:
            journal.close()
    if failed:
        say(f"{failed:,} of {counted(total, answers.things[:-1])} could not be read or drawn", sys.stderr)
    return 1 if failed else 0


def say_notes(file, answer):
    """Print the notes about a file, which has an answer all the same, on standard error."""
    for note in answer.get("notes", ()):
        say(f"note: {note}" if str(file) in note else f"note: {file}: {note}", sys.stderr)


def _say(file, answer, answers):
    say_notes(file, answer)
    if "error" in answer:
        say(f"skipped: {answer['error']}", sys.stderr)
        return
    for line in answers.lines(answer | {answers.key: str(file)}):
        say(line)
    if "not_drawn" in answer:
        say(f"not drawn: {answer['not_drawn']}", sys.stderr)


def say_kept(done, total, one, journal, many=None, kept="the answers are", how="stopped"):
    """After an early end, print on standard error how many files were answered, and where the journal with the answers lies, if it holds any."""
    try:
        say(f"{how} after {done:,} of {counted(total, one, many)}{journal.kept(kept) if journal is not None else ''}", sys.stderr)
    except OSError:  # nobody reads along
        pass
