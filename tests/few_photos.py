"""A part of the course set in a folder, where a notebook finds it: what is true of all the photos has tests of its own."""

from itertools import islice
from pathlib import Path

import numpy as np

from common.photos import photo_shape, read_photo
from RegionDetector.demo.scenes import scenes
from RegionDetector.fddb.course_set import course_scale, fingerprint, on_canvas, save_split, whole_boxes
from RegionDetector.fddb.reading import read_folds
from RegionDetector.get_data import demo_version


def joined(images, boxes, shapes):
    """Photos, their boxes and shapes, as `load_dataset` gives them."""
    return np.stack(images), np.concatenate([np.insert(faces, 0, k, axis=1) for k, faces in enumerate(boxes)]), np.array(shapes)


def some(part, count):
    """The first of the built-in scenes."""
    made = list(islice(scenes(part), count))
    return joined([scene.image for scene in made], [scene.faces for scene in made], [scene.shape for scene in made])


def lay_out_demo(folder, **counts):
    """So many built-in scenes of each part; `load_dataset` takes them for all of them."""
    for part, count in counts.items():
        save_split(Path(folder) / f"demo-{part}.npz", *some(part, count), maker=demo_version())


def lay_out_fddb(folder, fddb, **counts):
    """So many photos of FDDB on the course's canvas, in the order of its folds; `load_dataset` takes them for the course set of this FDDB."""
    made = canvases(read_folds(fddb))
    for part, count in counts.items():
        save_split(Path(folder) / f"fddb-{part}.npz", *joined(*zip(*islice(made, count))), lists=fingerprint(fddb))


def canvases(records):
    """Photos of FDDB that fit, one by one: canvas, boxes, shape."""
    for record in records:
        shape = photo_shape(record.path)
        boxes = whole_boxes(record.ellipses, shape)
        factor = course_scale(boxes, shape)
        if factor is not None:
            yield on_canvas(read_photo(record.path), boxes, factor)
