"""Plain data over a pipe: numbers, text, lists, dictionaries and arrays; no pickle, nothing that runs."""

import json
import struct
import sys
from pathlib import Path, PurePath

import numpy as np

MOST_BYTES = 1 << 29
_MOST_HEADER = 1 << 26
_KINDS = "biufcUS"


class WireError(ValueError):
    """What came over the pipe is no message, or too large a one."""


class Handle:
    """An object that stays on the other side; `number` names it."""

    def __init__(self, number, kind):
        self.number, self.kind = number, kind


def pack(value, keep=None):
    """A value as bytes.

    Parameters
    ----------
    value : object
        None, bool, int, float, str, list, tuple, dict, numpy scalars and arrays, what has ``__array__``, and paths of this system: as keys of
        several dictionaries they must stay equal.
    keep : callable, optional
        ``keep(object) -> Handle`` for everything else; without it, `WireError`.
    """
    blocks = []

    def array(a):
        a = np.ascontiguousarray(a)
        blocks.append(a.tobytes())
        return {"a": [a.dtype.str, list(np.shape(a)), len(blocks[-1])]}

    def encode(v):
        if v is None or isinstance(v, (bool, str)):
            return v
        if isinstance(v, int):
            return {"i": str(v)}
        if isinstance(v, float):
            return {"f": v.hex()}
        if isinstance(v, type(PurePath())):  # not all that has ``__fspath__``: that may be any object
            return {"p": PurePath.__str__(v)}
        if isinstance(v, Handle):
            return {"h": [v.number, v.kind]}
        if isinstance(v, np.generic) and v.dtype.kind in _KINDS:
            return encode(v.item()) if v.dtype.kind in "biufUS" else array(v)
        if isinstance(v, np.ndarray) and v.dtype.kind in _KINDS:
            return {**array(v), "s": list(v.shape)}
        if isinstance(v, np.ndarray) and v.dtype == object:
            return {"l": [encode(x) for x in v]}
        if isinstance(v, (list, tuple)):
            return {"t" if isinstance(v, tuple) else "l": [encode(x) for x in v]}
        if isinstance(v, dict):
            return {"d": [[encode(k), encode(x)] for k, x in v.items()]}
        if hasattr(v, "__array__") and not isinstance(v, type):
            try:
                return encode(np.asarray(v.detach().cpu() if hasattr(v, "detach") else v))  # PyTorch gives no arrays of what it is fitting
            except (TypeError, ValueError, NotImplementedError):  # a tensor of a network that only says what will be there
                if keep is None:
                    raise WireError(f"{type(v).__name__} is no plain data") from None
                return encode(keep(v))
        if keep is None:
            raise WireError(f"{type(v).__name__} is no plain data")
        return encode(keep(v))

    header = json.dumps(encode(value)).encode()
    size = len(header) + sum(map(len, blocks))
    if size > MOST_BYTES:
        raise WireError(f"a message of {size >> 20} MB; at most {MOST_BYTES >> 20} MB are passed on")
    return b"".join([struct.pack("<QQ", len(header), size), header, *blocks])


def unpack(header, blocks, give=None):
    """The value that `pack` made; ``give(Handle)`` answers for handles."""
    position = 0

    def decode(v):
        nonlocal position
        if v is None or isinstance(v, (bool, str)):
            return v
        (kind, x), *more = v.items()
        if kind == "i":
            return int(x)
        if kind == "f":
            return float.fromhex(x)
        if kind == "p":
            return Path(x)
        if kind == "a":
            dtype, shape, size = np.dtype(x[0]), tuple(map(int, x[1])), int(x[2])
            if dtype.kind not in _KINDS or dtype.itemsize * int(np.prod(shape, dtype=object)) != size or position + size > len(blocks):
                raise WireError("an array whose size is not what it says")
            position += size
            array = np.frombuffer(blocks[position - size : position], dtype).reshape(shape).copy()
            if dtype.kind == "U" and array.size and array.view(np.uint32).max() > sys.maxunicode:
                raise WireError("text that is none")
            return array
        if kind == "d":
            return {decode(k): decode(y) for k, y in x}
        if kind in "lt":
            items = [decode(y) for y in x]
            return tuple(items) if kind == "t" else items
        if kind == "h":
            handle = Handle(int(x[0]), str(x[1]))
            return give(handle) if give else handle
        raise WireError(f"unknown kind {kind!r}")

    try:
        return decode(json.loads(header))
    except WireError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise WireError(f"no message: {error}") from None


def send(write, value, keep=None):
    """Pack and write a value; ``write(bytes)`` writes all of it."""
    write(pack(value, keep))


def receive(read, give=None):
    """Read one value; ``read(n)`` gives n bytes or raises EOFError."""
    length, size = struct.unpack("<QQ", read(16))
    if not 0 < length <= min(size, _MOST_HEADER) or size > MOST_BYTES:
        raise WireError("a message of impossible length")
    body = read(size)
    return unpack(body[:length], body[length:], give)
