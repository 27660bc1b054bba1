"""Ctrl-C, a request to end, a closed pipe: work ends where it may, with what was made so far kept."""

import os
import signal
import sys
import threading
from contextlib import contextmanager

from common.console import say

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
PIPE_CLOSED = 128 + 13  # what a shell shows for a program whose reader has gone


class Stop(BaseException):
    """Somebody wants the work to end. No `Exception`: nothing that goes on after a fault may go on after this.

    Attributes
    ----------
    signal : int
    """

    def __init__(self, number):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.signal = number


class Stops:
    """While it is open, a signal to end raises `Stop`: at once, or at the end of what is held.

    Signals that were ignored before, as in a job in the background, stay ignored. A second signal is obeyed at once.
    """

    def __init__(self):
        self.signal, self._held, self._before = None, 0, {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():  # no other thread may
            for number in _SIGNALS:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._come)
        return self

    def __exit__(self, *error):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _come(self, number, frame):
        first, self.signal = self.signal is None, number
        if not (first and self._held):
            raise Stop(number)

    @contextmanager
    def noted(self):
        """Inside the block a first signal stops nothing: the code there looks at `signal` itself and ends in its own way."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    @contextmanager
    def held(self):
        """A signal that comes inside the block takes effect at its end."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
        if self.signal is not None and not self._held:
            raise Stop(self.signal)


def until_stopped(work):
    """Do a command's work, and turn an early end into its exit code.

    Parameters
    ----------
    work : callable
        Takes the `Stops`, returns the exit code.

    Returns
    -------
    int
        The work's own; 128 and the number of the signal that ended it; 141 if nobody reads the output any more; 2 if it cannot be written.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)  # who reads along sees each answer when it is made
    try:
        with Stops() as stops:
            code = _all_said(work(stops))
        return code
    except Stop as stop:
        return 128 + stop.signal
    except BrokenPipeError:
        let_go(sys.stdout)
        return PIPE_CLOSED


def _all_said(code):
    """The exit code of work that is done, when all that it printed is out; 2 where that cannot be, as on a full disk."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        let_go(sys.stdout)
        if code != 2:  # else it was said
            say(f"error: standard output: cannot be written ({error.strerror or error})", sys.stderr)
        return 2
    return code


def let_go(stream):
    """Nobody reads standard output any more: send what Python still writes at its end to nowhere, so that it does not complain."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # a notebook's own stream has no number
        pass
