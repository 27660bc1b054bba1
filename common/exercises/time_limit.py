"""A limit on the time of what runs in this process: a loop without an end is stopped where it is."""

import _thread
import signal
import threading
import time
from contextlib import contextmanager, suppress

AGAIN = 0.05  # seconds; a loop that catches everything may have caught the first one
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

    with (_by_timer if hasattr(signal, "setitimer") else _by_thread)(seconds, over):
        yield


@contextmanager
def _by_timer(seconds, over):
    def ring(number, frame):
        if over():
            raise TooLong

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
def _by_thread(seconds, over):
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
            raise TooLong
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
    """Do it, although the time may ring in between."""
    done = False
    while not done:
        with suppress(TooLong):
            step()
            done = True
