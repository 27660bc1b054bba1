"""From drag to picture: how long each explorer takes, on material of the size that the notebooks have.

    python benchmarks/explorers.py [--drags 40] [--browser]

A drag sets a control's value; the clock runs until the new picture is ready to be sent to the browser. With `--browser`
a JupyterLab is started and a browser opens it, and the clock runs there as well: from a key that is pressed, or from
the last movement of a slider that is dragged, until the picture is painted (needs what `make test-browser` installs).
Where other programs run beside it, the processor's time says more than the clock.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "agg")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# Runs in the page before a key or a movement: notes when it came, and when each picture after it was on the screen.
WATCH = """image => {
    const times = window.kitTimes = {begin: null, painted: []};
    const begin = event => { times.begin = event.timeStamp; };
    for (const kind of ["keydown", "pointermove", "mousemove"]) document.addEventListener(kind, begin, true);
    image.onload = () => requestAnimationFrame(() => setTimeout(() => times.painted.push(performance.now())));
    times.stop = () => { for (const kind of ["keydown", "pointermove", "mousemove"]) document.removeEventListener(kind, begin, true); };
}"""
TOOK = "() => { window.kitTimes.stop(); return window.kitTimes.painted.at(-1) - window.kitTimes.begin; }"


def detector_fronts():
    """The explorers of the detector, on scenes of the course's size with an untrained network."""
    import keras
    import numpy as np
    from skimage.data import astronaut

    from common.pictures import explorers
    from common.scores import precision_recall_curve
    from RegionDetector import model
    from RegionDetector.pictures import explorers as region_explorers

    keras.utils.set_random_seed(0)
    photo = astronaut()[:352:2, 80:432:2]
    whole, one = model.generate_fcnn_model(photo.shape), model.generate_fcnn_model((32, 32, 3))
    one.set_weights(whole.get_weights())
    rng = np.random.default_rng(0)
    corner = rng.integers(0, 130, (477, 2))
    true = np.column_stack([np.sort(rng.integers(0, 306, 477)), corner, corner + [38, 30]])
    pred = np.concatenate([true + np.append(0, rng.integers(-4, 5, 4))] * 2)
    pred = np.concatenate([pred, np.column_stack([rng.integers(0, 306, 4000), c := rng.integers(0, 130, (4000, 2)), c + [38, 30]])])
    decision = rng.normal(0, 5, len(pred))
    found = explorers.Detections([photo] * 306, [photo.shape] * 306, pred, true, decision, precision_recall_curve(pred, true, decision))
    yield "IoU", explorers.explore_iou([10, 53, 48, 83], photo)
    yield "threshold", explorers.explore_threshold(found, 4.0)
    yield "window", region_explorers.explore_window(photo, whole, one)
    yield "scales", region_explorers.explore_scales(astronaut(), whole, threshold=0.08)


def neighbor_front():
    """The neighbour explorer on the ORL people, 90 photos in the gallery as in the notebook."""
    import numpy as np

    from common.orl import orl_faces
    from TrackDetector.classifier import Classifier
    from TrackDetector.pictures.explorers import Neighbors, explore_neighbors

    images, person = orl_faces()
    faces = np.repeat(images[:, :, :, None], 3, axis=3)[:, 10:102]
    known = [i for i in range(300) if i % 10 < 3]
    names = {f"{i}.png": f"s{person[i] + 1:02d}" for i in known}
    gallery = {f"{i}.png": faces[i] for i in known}
    study = Classifier(n_neighbors=3, preprocess=None, threshold=0.45).fit(gallery, names)
    asked = [*range(5, 95, 10), 305, 315, 325]
    yield "neighbours", explore_neighbors(Neighbors(study, gallery, [faces[i] for i in asked], [f"s{person[i] + 1:02d}" for i in asked]))


def drags(front, count):
    """Milliseconds by the clock and of the processor for so many changes of its controls in turn, each to another value."""
    controls, took = list(front.controls.values()), []
    for number in range(count + 2):
        control = controls[number % len(controls)]
        if hasattr(control, "options"):
            value = (control.value + 1) % len(control.options)
        else:
            value = control.value + control.step if control.value + control.step <= control.max else control.min
        start = time.perf_counter(), time.process_time()
        control.value = value
        took.append((1000 * (time.perf_counter() - start[0]), 1000 * (time.process_time() - start[1])))
    return took[2:]  # the first ones fill caches of fonts


def settled(page):
    """Milliseconds from the last key or movement to the last picture, once the kernel rests and none has come for half a second."""
    resting, seen = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook-ExecutionIndicator[data-status=idle]"), -1
    for _ in range(240):
        page.wait_for_timeout(500)
        count = page.evaluate("window.kitTimes.painted.length")
        if count and count == seen and resting.count():
            return page.evaluate(TOOK)
        seen = count
    raise RuntimeError("no picture came within two minutes")


def pressed(page, area, number):
    """A key that changes the first control: an arrow on a slider, Enter on the next face."""
    buttons = area.locator(".widget-toggle-button")
    handle = buttons.nth((number + 1) % buttons.count()) if buttons.count() else area.locator(".noUi-handle").first
    handle.focus()
    area.locator(".widget-image").evaluate(WATCH)
    page.keyboard.press("Enter" if buttons.count() else "ArrowRight" if number % 4 < 2 else "ArrowLeft")
    return settled(page)


def dragged(page, area, number):
    """A drag along the first slider, a movement for each picture of the screen; the last one is what is timed."""
    track, handle = area.locator(".noUi-base").first.bounding_box(), area.locator(".noUi-handle").first.bounding_box()
    y = handle["y"] + handle["height"] / 2
    page.mouse.move(handle["x"] + handle["width"] / 2, y)
    page.mouse.down()
    area.locator(".widget-image").evaluate(WATCH)
    for share in range(1, 21):
        page.mouse.move(track["x"] + track["width"] * (0.2 + 0.03 * (share if number % 2 else 20 - share)), y)
        page.wait_for_timeout(16)
    took = settled(page)
    page.mouse.up()
    return took


def in_browser(count):
    """Medians by name, of so many key presses and a third as many drags."""
    import nbformat

    sys.path.insert(0, str(ROOT / "tests" / "browser"))
    from lab import JupyterLab, chromium

    names, results = ("IoU", "threshold", "window", "scales", "neighbours"), {}
    here = str(Path(__file__).resolve().parent)
    cells = [f"import sys\nsys.path.insert(0, {here!r})\nimport explorers\nfronts = {{**dict(explorers.detector_fronts()), **dict(explorers.neighbor_front())}}"]
    cells += [f"fronts[{name!r}]" for name in names]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}

    def play(lab, page, panel):
        for place, name in enumerate(names):
            area = panel.locator(".jp-OutputArea-output:has(.widget-image)").nth(place)
            area.scroll_into_view_if_needed()
            keys = [pressed(page, area, number) for number in range(count + 2)][2:]
            results[name] = {"key_to_picture_ms": round(statistics.median(keys))}
            if area.locator(".noUi-handle").count():
                results[name]["drag_to_picture_ms"] = round(statistics.median(dragged(page, area, number) for number in range(max(3, count // 3))))

    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        root, home = Path(folder, "root"), Path(folder, "home")
        root.mkdir(), home.mkdir()
        nbformat.write(notebook, root / "explorers.ipynb")
        with JupyterLab(root, home, browser) as lab:
            errors = lab.run_all("explorers.ipynb", 10, play).errors
    if errors:
        raise RuntimeError(errors[0])
    return results


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--drags", type=int, default=40)
    parser.add_argument("--browser", action="store_true", help="measure in a browser as well")
    options = parser.parse_args(arguments)

    from common import device

    results = {"device": device.describe(), "cores": os.cpu_count(), "load before": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None}
    for make in (detector_fronts, neighbor_front):
        for name, front in make():
            clock, processor = map(sorted, zip(*drags(front, options.drags)))
            results[name] = {"median_ms": round(statistics.median(clock)), "slowest_of_ten_ms": round(clock[int(0.9 * len(clock))]),
                             "median_processor_ms": round(statistics.median(processor)), "picture_kB": round(len(front.image.value) / 1000)}
    if options.browser:
        for name, times in in_browser(max(3, options.drags // 2)).items():
            results[name] |= times
        results["load after"] = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    print(json.dumps(results, indent=2))
    return results


if __name__ == "__main__":
    main()
