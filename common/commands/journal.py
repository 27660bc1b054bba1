"""Answers kept as they come, one line of JSON each; a second run reads what the first has answered, and goes on."""

import hashlib
import json
import math
import os
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from common.commands.versions import versions
from common.console import printable, say
from common.files import as_open_as, is_stream, only_one, temporary_folder, whole_file

LINES = (".jsonl", ".ndjson")  # endings of a file that grows by lines
UNFINISHED = ".part.jsonl"  # what comes behind the name of a file that is made whole at the end
EVERY_SECONDS = 1.0  # so often the disk is told to keep what it was given
ERROR = "error"


class JournalError(OSError):
    """The answers cannot be kept; the message says where, why and what to do."""


def for_any_reader(value):
    """The same answer, with every text in it `printable`, and None for numbers that JSON does not know."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable(key): for_any_reader(each) for key, each in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return [for_any_reader(each) for each in value] if isinstance(value, (list, tuple)) else value


def stamp(file):
    """Size and time of a file, by which a second run knows that it is another; None where there is none."""
    try:
        known = os.stat(file)
    except (OSError, ValueError):
        return None
    return f"{known.st_size}-{known.st_mtime_ns}"


def settings_mark(settings):
    """A short mark of what the answers depend on, apart from the files: answers with another mark belong to another run."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode("utf-8", "backslashreplace")).hexdigest()[:12]


def _is_there(path):
    return os.path.exists(path) or "\\x" in path  # a name that is no text cannot be looked up by what JSON says of it


def _copies(answer):
    """The names of the files that were written with an answer."""
    return [answer[part] for part in ("drawn",) if part in answer] + answer.get("subtitles", [])


def _remove(file):
    with suppress(OSError):  # Windows removes nothing that is open, or that somebody waits for
        file.unlink()


class Journal:
    """The answers made so far, in a file of JSON Lines that grows by whole lines only.

    Parameters
    ----------
    path : path
        What ``--out`` names. If it ends in .jsonl, that is the journal; else the journal lies beside it until it is made whole.
        A stream, such as ``/dev/stdout``, is written at the end, and there is no going on.
    key : str
        What an answer calls its file: "image" or "file".
    mark : str
        See `settings_mark`.
    beside : path, optional
        The file whose permissions a new journal has, if there is one; by default what ``--out`` names.

    Attributes
    ----------
    path : pathlib.Path
        Of the journal itself.
    answered : dict of str to (str or None, int, int)
        File to its stamp (`ERROR`, which no file has, where it could not be read or its copy not be written), and where its line begins and ends.
    elsewhere : set of str
        Files whose answer another version of the kit made, or other packages.
    failed : set of str
        Files whose answer is that they could not be read, or their copies not be written.
    stays : bool
        Whether a second run finds it.

    Raises
    ------
    JournalError
        If it cannot be opened, holds something else, or answers that were made with other settings.
    """

    def __init__(self, path, key, mark, beside=None):
        self.out, self.key, self.mark, self.answered, self.elsewhere, self.failed, self._made = Path(path), key, mark, {}, set(), set(), {}
        self._by = settings_mark(versions())
        self.stays = not is_stream(self.out)
        if not self.stays:
            self.path = temporary_folder() / "answers.jsonl"
        elif self.out.suffix.lower() in LINES:
            self.path = Path(os.path.realpath(self.out))  # a link stays a link
        else:
            self.path = self.out.with_name(self.out.name + UNFINISHED)
        with ExitStack() as opened:
            try:
                lock = self.path.with_name(f".{self.path.name}.lock")
                if os.name == "nt":  # Windows removes no open file; elsewhere the lock's file is removed while it is still locked, or a third run could lock a new one beside the second
                    opened.callback(_remove, lock)
                opened.enter_context(only_one(lock, f"waiting for another run, which writes {self.path}", tidy=True))
                new = not os.path.lexists(self.path)
                self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
                if new:
                    as_open_as(beside or self.out, self._file)
            except OSError as error:
                raise JournalError(f"{self.path}: cannot be written ({error.strerror or error}); choose a folder of your own") from None
            opened.callback(os.close, self._file)
            self.end, self._kept = self._read(), time.monotonic()
            os.ftruncate(self._file, self.end)
            self._opened = opened.pop_all()
        if self.elsewhere:
            say(f"note: {self.path}: another version of the kit, or of its packages, made {len(self.elsewhere):,} of the {len(self.answered):,} answers in it; "
                "delete it to have all of them made by this one", sys.stderr)

    def _read(self):
        """Take in what is there; returns where the last whole line ends."""
        place, begin = 0, b'{"%s": ' % self.key.encode()
        with open(self.path, "rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    text = line.rstrip(b"\0")  # the power went before the disk had the rest
                    if not place and text[: len(begin)] != begin[: len(text)]:
                        self._strange()
                    break  # the run before was ended while it wrote this; the file is asked about again
                try:
                    answer = json.loads(line)
                    mark = answer["settings"].partition("-")[0]
                    if not all(isinstance(text, str) for text in (answer[self.key], *_copies(answer))):
                        self._strange()
                except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                    self._strange()
                if mark != self.mark:
                    raise JournalError(f"{self.path}: holds answers that were made with other settings or another gallery; "
                                       "delete it, name another file, or use the settings of then")
                self._remember(answer, place, place + len(line))
                place += len(line)
        return place

    def _remember(self, answer, start, end):
        file = answer[self.key]
        failed = "error" in answer or "not_drawn" in answer
        self.answered[file] = ERROR if failed else answer.get("stamp"), start, end
        (self.failed.add if failed else self.failed.discard)(file)
        (self.elsewhere.discard if answer["settings"].endswith(f"-{self._by}") else self.elsewhere.add)(file)
        self._made.pop(file, None)
        if made := _copies(answer):
            self._made[file] = made

    def _strange(self):
        raise JournalError(f"{self.path}: holds something else than answers of this command; name another file, or delete it")

    def has(self, file):
        """Whether a file has an answer as it is now, and the copies made with it are there. An error does not count, nor an answer without its copy: their cause may have passed."""
        name = printable(file)
        known = self.answered.get(name)
        return known is not None and known[0] == stamp(file) and all(map(_is_there, self._made.get(name, ())))

    def kept(self, what="the answers are"):
        """The sentence for an early end: where the answers lie. Empty if there are none, or if they do not outlive this program."""
        return f"; {what} in {self.path}, and the same command goes on from there" if self.stays and self.end else ""

    def add(self, file, answer):
        """Keep one answer; nothing is written if the last one about this file was the same.

        Parameters
        ----------
        file : path
        answer : dict
            What JSON can hold.

        Raises
        ------
        JournalError
            If the disk is full, for example: what was kept before is whole.
        """
        whole = for_any_reader({self.key: os.fspath(file), **answer, "settings": f"{self.mark}-{self._by}"})
        line = (json.dumps(whole) + "\n").encode("ascii")
        if whole[self.key] in self.answered and self._line(whole[self.key]) == line:
            return
        try:
            os.lseek(self._file, self.end, os.SEEK_SET)
            done = 0
            while done < len(line):
                done += os.write(self._file, line[done:])
            if time.monotonic() - self._kept > EVERY_SECONDS:
                os.fsync(self._file)
                self._kept = time.monotonic()
        except OSError as error:
            os.ftruncate(self._file, self.end)
            raise JournalError(f"{self.path}: cannot be written any more ({error.strerror or error}){self.kept()}") from None
        self._remember(whole, self.end, self.end + len(line))
        self.end += len(line)

    def _line(self, name):
        _, start, end = self.answered[name]
        os.lseek(self._file, start, os.SEEK_SET)
        return os.read(self._file, end - start)

    def answers(self, first=()):
        """Every answer, read from the file: those of the files in `first` in their order, then all others."""
        order = dict.fromkeys(map(printable, first))
        for name in [*(name for name in order if name in self.answered), *(name for name in self.answered if name not in order)]:
            yield {part: value for part, value in json.loads(self._line(name)).items() if part != "settings"}

    def make_whole(self, files, write):
        """Write what ``--out`` names from the journal, which is removed then.

        Parameters
        ----------
        files : sequence of path
            Their order is that of the answers.
        write : callable
            Takes an open text file and the answers.

        Raises
        ------
        JournalError
            If it cannot be written; the journal stays, and an old file as well.
        BrokenPipeError
            If nobody reads it.
        """
        if self.path == Path(os.path.realpath(self.out)):
            return
        try:
            with whole_file(self.out) as file:
                write(file, self.answers(files))
        except BrokenPipeError:
            raise
        except OSError as error:
            raise JournalError(f"{self.out}: cannot be written ({error.strerror or error}){self.kept()}") from None
        if os.name == "nt":  # as with the lock
            self.close()
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self, passing=False):
        """Let go of the file; what is in it stays. An empty one goes, if it lies beside what ``--out`` names or is `passing` itself."""
        if not self.end and (passing or self.path != Path(os.path.realpath(self.out))):
            _remove(self.path)
        self._opened.close()
