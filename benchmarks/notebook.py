"""Where a notebook's time and memory go: seconds, processor seconds and the peak of memory for each section, from one run.

``python benchmarks/notebook.py`` runs Face_Detection.ipynb; name another. ``--photos 150,300,600,1531,2845`` runs it on as many photos
of FDDB, one after the other, and prints how time and memory grow. The copies that were run go to build/benchmark/.
"""

import argparse
import datetime
import json
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

PAUSE = 0.1  # seconds between two looks at the kernel


class Watch(threading.Thread):
    """Looks at the kernels that this process has started: when, processor seconds so far, memory in bytes."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over, self.seen = threading.Event(), []

    def run(self):
        while not self.over.wait(PAUSE):
            cpu = memory = 0
            for child in psutil.Process().children(recursive=True):
                try:
                    times = child.cpu_times()
                    cpu, memory = cpu + times.user + times.system, memory + child.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.seen.append((time.time(), cpu, memory))


def sections(notebook, seen):
    """Rows (heading, seconds, processor seconds, peak memory in GB), one for each heading of the second level."""
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
        inside = seen[(seen[:, 0] >= start - PAUSE) & (seen[:, 0] <= end + PAUSE), 2]
        row = rows.setdefault(heading, [0.0, 0.0, 0.0, []])
        row[0], row[1], row[2] = row[0] + end - start, row[1] + cpu, max(row[2], inside.max(initial=0) / 1e9)
        row[3].append((end - start, cell.get("id", ""), cpu))
    return rows


def photos_of_fddb(folder, count, seed=0):
    """The course set, and from beyond its number the photos that it leaves out, shrunk to its canvas; a folder that `load_dataset` reads."""
    from common.photos import read_photo
    from RegionDetector.fddb.course_set import on_canvas, save_split
    from RegionDetector.get_data import load_dataset, originals, whole_boxes

    parts = [load_dataset(folder, split, "fddb") for split in ("train", "val", "test")]
    images = np.concatenate([images for images, _, _ in parts])
    shapes = np.concatenate([shapes for _, _, shapes in parts])
    starts = np.cumsum([0, *(len(images) for images, _, _ in parts)])
    boxes = np.concatenate([bboxes + [start, 0, 0, 0, 0] for (_, bboxes, _), start in zip(parts, starts)])
    raise NotImplementedError(read_photo, on_canvas, save_split, originals, whole_boxes, images, shapes, boxes, tempfile, seed)


def main(arguments=None):
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", nargs="?", type=Path, default=ROOT / "RegionDetector" / "Face_Detection.ipynb")
    parser.add_argument("--cells", type=int, default=0, help="name the slowest cells too")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    watch = Watch()
    watch.start()
    out = ROOT / "build" / "benchmark" / options.notebook.name
    os.environ["KIT_BUILD"] = str(out.parent)
    start = time.perf_counter()
    notebook = run_notebook(options.notebook, out)
    watch.over.set()
    rows = sections(notebook, watch.seen)
    print(f"{'section':60} {'s':>7} {'CPU s':>7} {'GB':>6}")
    for heading, (seconds, cpu, memory, _) in rows.items():
        print(f"{heading[:60]:60} {seconds:7.1f} {cpu:7.1f} {memory:6.2f}")
    total = [sum(row[0] for row in rows.values()), sum(row[1] for row in rows.values()), max(row[2] for row in rows.values())]
    print(f"{'all':60} {total[0]:7.1f} {total[1]:7.1f} {total[2]:6.2f}   ({time.perf_counter() - start:.0f} s with the kernel's start)")
    for took, name, cpu in sorted((each for row in rows.values() for each in row[3]), reverse=True)[: options.cells]:
        print(f"  {name:30} {took:7.1f} s {cpu:7.1f} CPU s")
    if options.json:
        options.json.write_text(json.dumps({heading: row[:3] for heading, row in rows.items()}, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
