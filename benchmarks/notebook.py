"""Where a notebook's time and memory go: seconds, processor seconds and the peak of memory for each section, from one run.

``python benchmarks/notebook.py`` runs Face_Detection.ipynb; name another. ``--photos 150,300,600,1531,2845`` runs it on as many photos
of FDDB, one after the other, and prints how time and memory grow. The copies that were run go to build/benchmark/.
"""

import argparse
import datetime
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from common.notebooks import run_notebook  # noqa: E402
from common.photos import photo_shape, read_photo  # noqa: E402
from RegionDetector.fddb.course_set import CANVAS, FACE_SIZE, course_scale, on_canvas, save_split, split_indices, whole_boxes  # noqa: E402
from RegionDetector.fddb.reading import find_fddb, read_folds  # noqa: E402

DETECTION = ROOT / "RegionDetector" / "Face_Detection.ipynb"
FEWEST = 10  # photos of which a notebook makes training, validation and test parts
PAUSE = 0.1  # seconds between two looks at the kernel


class Watch(threading.Thread):
    """Looks at the kernels that this process has started: when, processor seconds so far, memory in bytes, and how much of it is their own.

    Pages of libraries are not: on one machine, as under a hub, all notebooks share them.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.over, self.seen = threading.Event(), []

    def run(self):
        while not self.over.wait(PAUSE):
            cpu = memory = own = 0
            for child in psutil.Process().children(recursive=True):
                try:
                    times, now = child.cpu_times(), child.memory_info()
                    cpu, memory, own = cpu + times.user + times.system, memory + now.rss, own + now.rss - getattr(now, "shared", 0)
                except psutil.NoSuchProcess:
                    continue
            self.seen.append((time.time(), cpu, memory, own))


def sections(notebook, seen):
    """Seconds, processor seconds, peaks of memory and of a kernel's own memory in GB, and the cells, by heading of the second level."""
    seen, rows, heading = np.array(seen), {}, "start"
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = next((line.lstrip("# ") for line in cell.source.splitlines() if line.startswith("## ")), heading)
            continue
        took = cell.metadata.get("execution", {})
        if "shell.execute_reply" not in took:
            continue
        start, end = (datetime.datetime.fromisoformat(took[key].replace("Z", "+00:00")).timestamp() for key in ("iopub.execute_input", "shell.execute_reply"))
        cpu = np.diff(np.interp([start, end], seen[:, 0], seen[:, 1]))[0]
        memory, own = seen[(seen[:, 0] >= start - PAUSE) & (seen[:, 0] <= end + PAUSE), 2:].max(axis=0, initial=0) / 1e9
        row = rows.setdefault(heading, [0.0, 0.0, 0.0, 0.0, []])
        row[:4] = row[0] + end - start, row[1] + cpu, max(row[2], memory), max(row[3], own)
        row[4].append((end - start, cell.get("id", ""), cpu))
    return rows


def lay_out(made, folder):
    """So many photos of FDDB as a prepared course set, 60/20/20, in a folder: the course set's, and beyond their number the others, shrunk to its canvas."""
    for name, chosen in split_indices(len(made)).items():
        images, boxes, shapes = zip(*(made[i] for i in chosen))
        bboxes = np.concatenate([np.column_stack([np.full(len(b), n), b]) for n, b in enumerate(boxes)])
        save_split(Path(folder) / f"fddb-{name}.npz", np.stack(images), bboxes, np.array(shapes))


def photos_of_fddb(count):
    """`count` photos of FDDB, each (canvas, boxes, shape): at first those of the course set, in an order drawn once.

    Raises
    ------
    FileNotFoundError, ValueError
        If FDDB is not here, or has fewer photos: a row of figures would stand beside a number of photos that it does not come from.
    """
    records = read_folds(find_fddb())
    if count > len(records):
        raise ValueError(f"{count:,} photos were asked for, and FDDB has {len(records):,} here")
    inside, outside = [], []
    for i in np.random.default_rng(0).permutation(len(records)):
        shape = photo_shape(records[i].path)
        boxes = whole_boxes(records[i].ellipses, shape)
        factor = course_scale(boxes, shape)
        fitting = min(FACE_SIZE / (boxes[:, 2:] - boxes[:, :2]).mean(), CANVAS / max(shape[:2]))
        (outside if factor is None else inside).append((records[i].path, boxes, factor or fitting))
    return [on_canvas(read_photo(path), boxes, factor) for path, boxes, factor in (inside + outside)[:count]]


def measured(path, out, parameters=None):
    """Run a notebook, and return its `sections`."""
    watch = Watch()
    watch.start()
    try:
        return sections(run_notebook(path, out, parameters), watch.seen)
    finally:
        watch.over.set()


def counts(text):
    """Numbers of photos, with commas between them."""
    numbers = [int(n) for n in text.split(",")]
    if min(numbers) < FEWEST:
        raise argparse.ArgumentTypeError(f"expected {FEWEST} photos or more, for there are three parts, got {min(numbers)}")
    return numbers


def main(arguments=None):
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", nargs="?", type=Path, default=DETECTION, help="default: RegionDetector/Face_Detection.ipynb")
    parser.add_argument("--cells", type=int, default=0, help="name so many of the slowest cells too")
    parser.add_argument("--photos", type=counts, metavar="N,N", help="as many photos of the FDDB that FDDB_DIR names, one run after the other; of Face_Detection.ipynb alone")
    options = parser.parse_args(arguments)
    if not options.notebook.is_file():
        parser.error(f"{options.notebook}: no such notebook")
    if options.photos and options.notebook.resolve() != DETECTION:
        parser.error(f"--photos is for {DETECTION.name}, whose photos are FDDB's: {options.notebook.name} would look at its own")
    out = ROOT / "build" / "benchmark" / options.notebook.name
    os.environ["KIT_BUILD"] = str(out.parent)
    if options.photos:
        os.environ["FACE_KIT_OFFLINE"] = "1"
        try:
            photos = photos_of_fddb(max(options.photos))
        except (OSError, ValueError) as error:
            parser.error(f"--photos: {error}")
        os.environ.pop("FDDB_DIR")  # the kernel takes the prepared set
        print(f"{'photos':>7} {'s':>7} {'CPU s':>7} {'peak GB':>8} {'own':>6}")
        for count in options.photos:
            with tempfile.TemporaryDirectory() as folder:
                lay_out(photos[:count], folder)
                rows = measured(options.notebook, out, {"DATA": folder}).values()
            print(f"{count:7} {sum(r[0] for r in rows):7.1f} {sum(r[1] for r in rows):7.1f} {max(r[2] for r in rows):8.2f} {max(r[3] for r in rows):6.2f}", flush=True)
        return 0
    rows = measured(options.notebook, out)
    print(f"{'section':60} {'s':>7} {'CPU s':>7} {'GB':>6} {'own':>6}")
    columns = list(zip(*(row[:4] for row in rows.values())))
    for heading, row in [*rows.items(), ("all", (*map(sum, columns[:2]), *map(max, columns[2:])))]:
        print(f"{heading[:60]:60} {row[0]:7.1f} {row[1]:7.1f} {row[2]:6.2f} {row[3]:6.2f}")
    for took, name, cpu in sorted((each for row in rows.values() for each in row[4]), reverse=True)[: options.cells]:
        print(f"  {name:30} {took:7.1f} s {cpu:7.1f} CPU s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
