"""Networks in processes: what was forked from one that has a network says so, and does not wait for ever."""

import json
import os
import select
import signal
import warnings

import numpy as np
import pytest

pytest.importorskip("keras")

from common.detection import faces, network
from common.device import backend
from common.inference import compiled
from TrackDetector.descriptors import build_dlib_resnet

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
PATIENCE = 300  # seconds after which who waits for ever is ended


def in_a_child(ask):
    """What the exceptions say that are raised by calls in a forked process; None if it does not end."""
    ours, theirs = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forks beside threads
        child = os.fork()
    if child == 0:
        told = []
        for call in ask:
            try:
                call()
                told.append("nothing")
            except BaseException as error:
                told.append(f"{type(error).__name__}: {error}")
        os.write(theirs, json.dumps(told).encode())
        os._exit(0)
    os.close(theirs)
    try:
        return json.loads(os.read(ours, 1 << 16)) if select.select([ours], [], [], PATIENCE)[0] else None
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ours)


@pytest.mark.skipif(backend() == "torch", reason="PyTorch lives on in a forked process")
@pytest.mark.parametrize("used", [False, True], ids=["loaded", "used"])
def test_a_forked_process_says_that_its_network_stayed_behind(used):
    """Whether it would use the network that was there, or make one."""
    photo = np.zeros((64, 64, 3), np.uint8)
    run = compiled(network.load_detector())
    faces.detector()
    if used:
        faces.find_faces(photo)
    told = in_a_child([lambda: faces.find_faces(photo), lambda: run(photo[None].astype(np.float32)), network.load_detector, build_dlib_resnet])
    assert told is not None, "it waits for ever"
    assert all(text.startswith("RuntimeError: this process was forked") and "spawn" in text for text in told) and len(told) == 4
    assert len(faces.find_faces(photo).boxes) == 0  # here nothing has changed
