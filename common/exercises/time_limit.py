"""A limit on the time of what runs in this process: a loop without an end is stopped where it is."""

import _thread
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress

AGAIN = 0.05  # seconds; a loop that catches everything may have caught the first one
LINES = 7  # of a loop that catches everything
MOST = 3  # times the limit, on a computer that has other things to do


class TooLong(BaseException):
    """The time is over. No `Exception`, so that ``except Exception`` in a loop does not swallow it."""


@contextmanager
def time_limit(seconds):
    """Raise `TooLong` in the body once it has taken so many seconds.

    Where other programs leave it less than half of them to compute in, it may take up to three times as long. A signal does
    it where the system has a timer; else a thread that interrupts the main one, which Python heeds between two steps. In
    another thread than the main one there is no limit: such a thread cannot be stopped.

    Parameters
    ----------
    seconds : float
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    begun, worked = time.monotonic(), time.process_time()

    def over():
        return time.process_time() - worked >= seconds / 2 or time.monotonic() - begun >= MOST * seconds

    bell, traced = _Bell(sys._getframe(2)), sys.gettrace()
    try:
        with (_by_timer if hasattr(signal, "setitimer") else _by_thread)(seconds, over, bell):
            yield
    finally:
        bell.off = True
        if bell.rings > 1:
            sys.settrace(traced)


class _Bell:
    """Raises `TooLong`, and raises it again some lines later if the student's code has caught it.

    A loop that catches everything spends nearly all of its time inside of what catches, so it would get away for long. A trace
    function raises between two lines, in one function after the other and some lines later each time: sooner or later outside.
    """

    def __init__(self, outside):
        self.outside, self.rings, self.off, self.frame, self.lines = outside, 0, False, None, 0

    def ring(self, frame):
        self.rings += 1
        inside = []
        while frame is not None and frame is not self.outside:
            inside.append(frame)
            frame = frame.f_back
        if self.rings > 1 and inside:
            turn, place = divmod(self.rings, len(inside))
            self.frame, self.lines = inside[place], 1 + turn % LINES
            self.frame.f_trace = self._line
            sys.settrace(lambda *event: None)  # heeds lines of frames that have a function of their own
        raise TooLong

    def _line(self, frame, event, argument):
        if self.off or frame is not self.frame:
            return None
        self.lines -= event == "line"
        if self.lines <= 0:
            raise TooLong
        return self._line


@contextmanager
def _by_timer(seconds, over, bell):
    def ring(number, frame):
        if over():
            bell.ring(frame)

    handler, start = signal.signal(signal.SIGALRM, ring), time.monotonic()
    left, every = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    finally:
        _until_done(lambda: signal.setitimer(signal.ITIMER_REAL, 0))
        signal.signal(signal.SIGALRM, handler)
        if left:  # one limit within another
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - start), AGAIN), every)


@contextmanager
def _by_thread(seconds, over, bell):
    done, rings = threading.Event(), threading.Event()

    def interrupt():
        wait = seconds
        while not done.wait(wait):
            wait = AGAIN
            if over():
                rings.set()
                _thread.interrupt_main()

    def ring(number, frame):
        if rings.is_set() and not done.is_set():
            bell.ring(frame)
        if not rings.is_set():
            raise KeyboardInterrupt  # the student's own stop button

    handler = signal.signal(signal.SIGINT, ring)
    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    try:
        yield
    finally:
        _until_done(done.set)
        _until_done(thread.join)
        time.sleep(0)  # what rang last is heard here
        signal.signal(signal.SIGINT, handler)


def _until_done(step):
    """Run a step to its end, although `TooLong` may be raised in the middle of it."""
    done = False
    while not done:
        with suppress(TooLong):
            step()
            done = True
