"""What tests have a fold do in a process of its own; in a module of its own, so that those processes need not load what tests need."""

import threading
from pathlib import Path

from RegionDetector.fddb import folds


def without_training(*task):
    """A fold where nothing else is done: training is one epoch that takes no time."""
    from common.detection import network
    from RegionDetector.one_pass import training

    def fit(records, plan, callbacks, verbose):
        [callback.on_epoch_end(0, None) for callback in callbacks]
        return network.generate_detector(widths=plan.widths, neck=plan.neck, normalised=False)

    training.fit_on_fddb = fit
    folds._in_process(*task)


def finds_damage(folder, out, fold, plan):
    """One that can do nothing with what lies there, and says so as the network does, without having loaded it."""
    raise OSError(f"{folds._weights(out, fold, plan)}: these are not weights")


def forever(*task):
    """One that takes longer than anybody waits; a file says that it has begun."""
    Path(task[1], f"begun-{task[2]}").touch()
    threading.Event().wait()
