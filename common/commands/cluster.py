"""Work shared out by Dask: over the cores of this machine, or over many machines. Dask is an extra (requirements-cluster.lock)."""

import importlib
import logging
import os
import sys
from contextlib import contextmanager, suppress
from itertools import islice
from threading import Event, Thread
from uuid import uuid4

from common.commands.journal import stamp
from common.commands.run import attempt
from common.commands.versions import unlike, versions
from common.console import say

TRIES, PATIENCE = 10, 60  # to hand workers what they need, while some of them die; seconds to wait for one
LOOKING = 10  # seconds between looks whether there are workers
AHEAD = 4  # files that wait at each worker's door, so that none is idle; the others wait here


class ClusterError(OSError):
    """There is no cluster, or it was lost; the message says what to do."""


@contextmanager
def connected(address="local", workers=None, patience=20):
    """A client of a Dask scheduler.

    Parameters
    ----------
    address : str
        ``tcp://host:port``, the file that a scheduler wrote, or "local": workers on this machine, as many as there are cores.
    workers : int, optional
        So many, if it is "local".
    patience : float
        Seconds to wait for a scheduler.

    Yields
    ------
    distributed.Client

    Raises
    ------
    ClusterError
        If Dask is not installed, or nobody answers at the address.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ClusterError("--cluster needs Dask: python -m pip install --require-hashes -r requirements-cluster.lock") from None
    from common.device import cores

    local = None
    try:
        if address == "local":
            # bound to this machine; one thread each: the networks use the cores themselves
            local = LocalCluster(n_workers=workers or cores(), threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None, memory_limit=0,
                                 scheduler_kwargs={"dashboard_address": "127.0.0.1:0"})  # any free port
            client = Client(local)
        elif os.path.isfile(address):
            client = Client(scheduler_file=address, timeout=patience)
        else:
            client = Client(address, timeout=patience)
    except (OSError, ValueError, TimeoutError) as error:
        raise ClusterError(f"--cluster {address}: no scheduler answers ({error}); expected tcp://HOST:PORT, as `dask scheduler` prints it") from None
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # of a lost scheduler it writes a page, and the command a line
    ended = Event()
    Thread(target=_watched, args=(client, ended), daemon=True).start()
    try:
        yield client
    finally:
        ended.set()
        for each in (client, local):
            with suppress(TimeoutError, KeyError):  # what does not end by itself is ended with this program; Dask looks for a worker that has just died
                if each is not None:
                    each.close(timeout=10)


def _watched(client, ended):
    """Say it when no worker is left: Dask waits for one, for ever and without a word."""
    there = True
    while not ended.wait(LOOKING):
        with suppress(OSError, TimeoutError, ValueError, RuntimeError):  # the scheduler has gone: who waits for answers hears of that
            before, there = there, bool(client.nthreads())
            if before and not there and client.status == "running":
                say(f"note: --cluster: the scheduler at {client.scheduler.address} has no worker; going on as soon as there is one. Ctrl-C ends the work", sys.stderr)


def same_versions(client, patience=PATIENCE):
    """Wait for a worker, and refuse workers with another kit or other packages: they may give other answers and other marks.

    Parameters
    ----------
    client : distributed.Client
    patience : float
        Seconds to wait for the first worker, and for all to say what they have.

    Raises
    ------
    ClusterError
    """
    address = client.scheduler.address
    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError:
        raise ClusterError(f"the scheduler at {address} has no workers; start some in the kit's folder: PYTHONPATH=. .venv/bin/dask worker {address}") from None

    async def asked():
        return await client.run(versions, on_error="return")

    try:
        found = client.sync(asked, callback_timeout=patience)
    except TimeoutError:  # one of them hangs; each looks for itself before it answers
        return
    other = {worker: differs for worker, theirs in found.items() if not isinstance(theirs, OSError) and (differs := unlike(theirs))}  # OSError: it has gone meanwhile
    if other:
        worker, differs = min(other.items())
        raise ClusterError(f"{len(other)} of {len(found)} workers may give other answers: {worker} has {differs}; start them in a copy of this folder "
                           "(git rev-parse HEAD tells its version) with the packages of this machine (requirements.lock)")


def expect_versions(theirs):
    """In a worker: refuse work for a machine with another kit or other packages, as of a worker that came later than `same_versions`."""
    if differs := unlike(theirs):
        raise ClusterError(f"this worker would give answers of another version than the machine that asks, which has {differs}; start it anew in a copy of that kit")


_made = {}  # in a worker: the function that answers, which has loaded a network; the last one only


def _answer(path, work, theirs, place, module, settings, gift, file, name):
    """One answer, made in a worker."""
    if work not in _made:
        expect_versions(theirs)
        _go_to(place)
        for each in reversed(path):
            if each not in sys.path:
                sys.path.insert(0, each)
        _made.clear()
        _made[work] = importlib.import_module(module).asker(*([] if gift is None else [gift]), **settings)
    return attempt(_made[work], file, name)


def _go_to(place):
    """In a worker: names that do not begin at the root mean there what they mean on the machine that asks, from whose folder they begin."""
    try:
        if place is not None:
            os.chdir(place)
    except OSError as error:
        raise ClusterError(f"it does not see {place} ({error.strerror}), where the photos' names begin; name photos and folders by whole paths that all workers see") from None


def shared_out(address, module, gift=None, **settings):
    """A function like `run.one_by_one` that asks the workers of a cluster.

    A worker that dies costs nothing but time: what it had in hand is given to another. Files that were in hand where several
    workers died are asked about again at the end, one at a time: at which of them workers die then gets an error, and no other.

    Parameters
    ----------
    address : str
        See `connected`.
    module : str
        Its ``asker(**settings)`` makes the function that answers about one file.
    gift : callable, optional
        Gives bytes that every worker gets once, as the first argument of `asker`.
    **settings
        Plain values that can be sent.

    Returns
    -------
    callable
        From (files with names, stops) to an iterable of (file, answer), as they come.
    """
    def ask(todo, stops):
        todo = list(todo)
        if not todo:
            return
        paths = [*(file for file, _ in todo), *(value for value in settings.values() if isinstance(value, os.PathLike))]
        place = None if all(map(os.path.isabs, paths)) else os.getcwd()
        with connected(address) as client:
            same_versions(client)
            yield from _as_they_come(client, (uuid4().hex, versions(), place, module, settings), None if gift is None else gift(), todo, stops)

    return ask


def _as_they_come(client, work, gift, todo, stops):
    from distributed import CancelledError, as_completed
    from distributed.client import FutureCancelledError
    from distributed.scheduler import KilledWorker

    lost = (CancelledError, FutureCancelledError)
    path, left, pending = [each for each in sys.path if each], iter(todo), {}
    given, losses, suspects, alone = _given(client, gift), 0, [], False

    def submit(file, name):
        future = client.submit(_answer, path, *work, given, file, name, pure=False)
        pending[future.key] = file, name, stamp(file), given
        return future

    def more():
        """The next file. Files at which a worker died come last, one at a time, so that it is known which of them does it."""
        nonlocal alone
        one = next(left, None)
        if one is None and suspects and not pending:
            one, alone = suspects.pop(0), True
        if one is not None:
            waiting.add(submit(*one))

    try:
        room = AHEAD * max(1, len(client.scheduler_info()["workers"]))
        waiting = as_completed([submit(*each) for each in islice(left, room)])
        for future in waiting:
            file, name, mark, had = pending.pop(future.key)
            try:
                error = future.exception()
                answer = future.result() if error is None else {"error": f"{file}: every worker that looked at it died"}
            except lost:
                # the last worker that had the gift has died: it is given anew, so long as there is a scheduler to give it to
                if gift is None or client.status != "running" or losses > len(todo):
                    raise
                if had is given:  # all that were in hand have lost it: once is enough
                    losses, given = losses + 1, _given(client, gift)
                waiting.add(submit(file, name))
                continue
            if error is not None and not isinstance(error, KilledWorker):
                raise ClusterError(f"--cluster: a worker cannot do the work ({'' if isinstance(error, ClusterError) else f'{type(error).__name__}: '}{error})")
            future.release()
            if error is not None and not alone:
                suspects.append((file, name))  # Dask suspects all that the worker had in hand
            else:
                with stops.held():
                    yield file, {**answer, "stamp": mark}
            more()
    except (*lost, TimeoutError, OSError) as error:
        if isinstance(error, ClusterError):
            raise
        raise ClusterError(f"--cluster: the scheduler was lost ({' '.join(str(error).split()) or type(error).__name__})") from None


def _given(client, gift):
    """Hand something to every worker once; repeated if a worker dies while it is handed over."""
    for left in reversed(range(TRIES if gift is not None else 0)):
        try:
            client.wait_for_workers(1, timeout=PATIENCE)  # those that died are started anew
            return client.scatter(gift, broadcast=True, hash=False)
        except (OSError, TimeoutError):
            if client.status != "running" or not left:
                raise
