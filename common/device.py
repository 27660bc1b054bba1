"""GPU or CPU: which one this runs on, and one seed for everything."""

import ctypes
import gc
import os
import platform
import random
import re
import sys
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# TensorFlow reads it when it is loaded; without it, it complains of GPUs that are not there. Set 0 to see that
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

BESIDE = ("matplotlib", "pandas", "sklearn", "IPython")
CGROUP = Path("/sys/fs/cgroup")  # where Linux says what a container may take


def seed_everything(seed):
    """Seed Python, NumPy and the Keras backend, so that a run on the same machine gives the same result.

    Parameters
    ----------
    seed : int
    """
    import keras

    random.seed(seed)
    keras.utils.set_random_seed(seed)


def backend():
    """Name of the Keras backend in use: ``"tensorflow"``, ``"jax"`` or ``"torch"``."""
    import keras

    return keras.config.backend()


def _processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown processor"


def gpus():
    """Names of the GPUs that the Keras backend sees; an empty list where there is none."""
    name = backend()
    if name == "tensorflow":
        import tensorflow as tf

        found = tf.config.list_physical_devices("GPU")
        details = [tf.config.experimental.get_device_details(gpu) for gpu in found]
        return [detail.get("device_name", gpu.name) for gpu, detail in zip(found, details)]
    if name == "jax":
        import jax

        return [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    import torch

    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


@contextmanager
def _quiet():
    """Keep compiled code from writing to standard error: TensorFlow prints ten lines at its start that mean nothing here."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


@contextmanager
def not_found(names):
    """Inside, packages are as if they were not installed, unless they are loaded already."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def _leaves_quietly():
    """Whether this TensorFlow ends without complaints when modules were loaded in another order than usual: 2.16, which Intel Macs have, does not."""
    try:
        return tuple(map(int, version("tensorflow").split(".")[:2])) >= (2, 21)
    except PackageNotFoundError:
        return True


def prepare(alone=False):
    """Load the Keras backend quietly, and let a GPU share its memory instead of taking all of it at once.

    Call it before the first model is made; later calls change nothing. TensorFlow's oneDNN kernels are asked for outright: on processors
    without AVX-512 it leaves them off, and they halve the time of a convolution there. ``TF_ENABLE_ONEDNN_OPTS=0`` forbids them.

    Parameters
    ----------
    alone : bool
        Keras does not load what it can work with besides (`BESIDE`), two seconds in which a command begins. What needs
        such a package later finds it; Keras' own parts that do, its plots and what takes tables, do not.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with _quiet():
        if alone and _leaves_quietly():
            with suppress(ImportError), not_found(BESIDE):  # if a later Keras needs one of them after all, it is loaded as always
                import keras  # noqa: F401
        gpus()
        import keras

        keras.config.set_image_data_format("channels_last")  # whatever a keras.json of old times in the user's folder says
    if backend() == "tensorflow":
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # it warns of every new image size
        for gpu in tf.config.list_physical_devices("GPU"):
            try:
                tf.config.experimental.set_memory_growth(gpu, True)
            except RuntimeError:  # the GPU is in use already; its memory plan cannot change now
                break
    _leave_what_is_there()


@lru_cache(maxsize=1)
def _leave_what_is_there():
    """Exempt what was imported from garbage collection: to look through TensorFlow's half a million objects each time takes a seventh of a notebook's time."""
    gc.collect()
    gc.freeze()


def give_back_memory():
    """Let the system have what the layers of a network needed while they computed: glibc keeps it otherwise, and ten notebooks share a hub."""
    gc.collect()  # Keras' models are rings of references, and Python has time
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # another library or system, which has no such call
        pass


@contextmanager
def memory_given_back():
    """Give unused memory back at the end, of a block or of a decorated function: after many photos were read that is a fifth of a gigabyte."""
    try:
        yield
    finally:
        give_back_memory()


def free_memory():
    """Bytes that programs may still take: what the system has available, and no more than a container's limit leaves."""
    import psutil

    left = psutil.virtual_memory().available
    for folder, limit, used in (CGROUP, "memory.max", "anon"), (CGROUP / "memory", "memory.limit_in_bytes", "total_rss"):
        with suppress(OSError, ValueError, KeyError):  # another system, another version of control groups, or no limit
            counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            left = min(left, int((folder / limit).read_text()) - int(counts[used]))
    return max(left, 0)


def short_of_memory(error):
    """Whether an error says that memory was short, in the words of whoever asked for it: then neither a file nor a package is damaged."""
    return isinstance(error, MemoryError) or re.search("failed to map segment|cannot allocate memory|failed to allocate|insufficient memory|out of memory|bad_alloc|ResourceExhausted",
                                                       f"{type(error).__name__}: {error}", re.IGNORECASE) is not None  # fmt: skip


def cores():
    """How many processor cores this program may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe():
    """One line on where the work is done, for notebooks and results cards.

    Returns
    -------
    str
        For example ``"CPU: AMD EPYC, 2 cores"`` or ``"GPU: NVIDIA H100"``.
    """
    found = gpus()
    if found:
        return "GPU: " + ", ".join(found)
    return f"CPU: {_processor()}, {cores()} cores"
