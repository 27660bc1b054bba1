"""What the classifier says, and the small change between dictionaries, lists and arrays."""

from dataclasses import dataclass, field

import numpy as np

from common.identification import as_name

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Answer:
    """What the classifier says about one photo or clip.

    Attributes
    ----------
    label : str
        Name of the person, or "unknown" if the distance is above the threshold.
    name : str
        Name of the person who looks most alike, stranger or not.
    distance : float
        To that person, 0 to 2: mean distance of unit descriptors to the (up to three) nearest photos; of dlib's network evened, as if the photos
        of everybody lay equally far apart (`neighbors.strangers.distances_to`).
    found : bool
        Whether a face was found; if not, the answer is about the middle of the photo.
    neighbors : list of (str, str, float)
        The nearest photos: file name, person, Euclidean distance of the descriptors.
    frames : list of (int, str, float)
        For clips: number of each frame with a face, its own name and distance.
    doubt : str
        Why the name is not sure, in a few words; empty if nothing speaks against it.
    """

    label: str
    name: str
    distance: float
    found: bool
    neighbors: list = field(default_factory=list)
    frames: list = field(default_factory=list)
    doubt: str = ""


def unit(descriptors):
    """Descriptors (N, D) scaled to length 1; a descriptor of zeros stays."""
    length = np.linalg.norm(descriptors, axis=1, keepdims=True)
    return descriptors / np.where(length > 0, length, 1)


def named(items, labels=None, what="photos"):
    """Names and values of a dictionary or sequence, and the labels in the same order."""
    if isinstance(items, np.ndarray) and items.ndim in (2, 3):
        raise ValueError(f"expected several {what}, got one array of shape {items.shape}; hand in a list or a dictionary")
    if items is None or isinstance(items, (str, bytes)):
        raise ValueError(f"expected {what} in a dictionary or a list, got {type(items).__name__}")
    items = items if isinstance(items, (dict, np.ndarray)) else list(items)
    names = [str(name) for name in items] if isinstance(items, dict) else [str(i) for i in range(len(items))]
    values = list(items.values()) if isinstance(items, dict) else list(items)
    if labels is None:
        return names, values
    if isinstance(items, dict) != isinstance(labels, dict):
        raise ValueError(f"expected {what} and labels both as dictionaries or both as lists")
    if isinstance(labels, dict):
        missing = [name for name in items if name not in labels]
        if missing:
            raise ValueError(f"{len(missing)} of {len(items)} {what} have no label, for example {missing[0]!r}")
        labels = [labels[name] for name in items]
    labels = list(labels)
    if len(labels) != len(values):
        raise ValueError(f"{len(values)} {what}, but {len(labels)} labels")
    for name, label in zip(names, labels):
        # NaN, which pandas makes of an empty cell, is not equal to itself; its NA says neither yes nor no
        if label is None or type(label).__name__ == "NAType" or np.ndim(label) or label != label or not as_name(label):
            raise ValueError(f"expected the name of a person for each of the {what}, got {label!r} for {name!r}")
    return names, values, [as_name(label) for label in labels]


def named_clips(items):
    """Names and clips of a dictionary or sequence, each clip with a length; `ValueError` for one image where a clip should be."""
    names, clips = named(items, what="clips")
    clips = [clip if clip is None or isinstance(clip, (dict, str, np.ndarray)) else list(clip) for clip in clips]
    for name, clip in zip(names, clips):
        if clip is None or isinstance(clip, (dict, str)) or isinstance(clip, np.ndarray) and clip.ndim in (2, 3):
            got = f"one image of shape {clip.shape}" if isinstance(clip, np.ndarray) else type(clip).__name__
            raise ValueError(f"clip {name}: expected a list of frames, got {got}; hand in a dictionary of clips, and [frame] for a clip of one frame")
    return names, clips


def like(items, answers):
    """Answers as a dictionary with the keys of `items`, if that is one; else as a list."""
    return dict(zip(items, answers)) if isinstance(items, dict) else answers
