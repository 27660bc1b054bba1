"""The explorers under a hand: sliders dragged, keys pressed, faces clicked; every picture is the one that the plain function draws."""

import base64
import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_jupyterlab import write

pytestmark = pytest.mark.browser

# Small material that needs no training. The same text runs in the notebook and here, so the twin is drawn from the same state.
HEAD = """
import sys
sys.path.insert(0, {root!r})
import numpy as np
from skimage.data import astronaut
from common.pictures import explorers
from common.scores import precision_recall_curve
photo = astronaut()[:352:2, 80:432:2]
"""
CELLS = {
    "iou": "front = explorers.explore_iou([10, 53, 48, 83], photo)",
    "threshold": """
rng = np.random.default_rng(0)
corner = rng.integers(0, 130, (20, 2))
true = np.column_stack([np.sort(rng.integers(0, 4, 20)), corner, corner + [38, 30]])
pred = np.concatenate([true[:16] + [0, 2, 3, 2, 3], true[3:12] + [0, 40, 20, 40, 20]])
decision = rng.normal(3, 3, 25)
found = explorers.Detections([photo] * 4, [photo.shape] * 4, pred, true, decision, precision_recall_curve(pred, true, decision))
front = explorers.explore_threshold(found, 2.0)""",
    "window": """
import keras
from RegionDetector import model
from RegionDetector.pictures import explorers as region_explorers
keras.utils.set_random_seed(0)
whole, one = model.generate_fcnn_model(photo.shape), model.generate_fcnn_model((32, 32, 3))
one.set_weights(whole.get_weights())
front = region_explorers.explore_window(photo, whole, one)""",
    "scales": """
import keras
from RegionDetector import model
from RegionDetector.pictures import explorers as region_explorers
keras.utils.set_random_seed(0)
front = region_explorers.explore_scales(photo, model.generate_fcnn_model(photo.shape), threshold=0.05)""",
    "neighbors": """
import keras
from TrackDetector.classifier import Classifier
from TrackDetector.pictures.explorers import Neighbors, explore_neighbors
network = keras.Sequential([keras.Input((44, 44, 3)), keras.layers.AveragePooling2D(11), keras.layers.Flatten(name="colours")])
parts = [photo[r:r + 44, c:c + 44] for r in range(0, 132, 44) for c in range(0, 176, 44)]
gallery = {f"{k}.jpg": part for k, part in enumerate(parts)}
knows = Classifier(network, n_neighbors=3, preprocess=None, threshold=0.2).fit(gallery, {name: "ABC"[k % 3] for k, name in enumerate(gallery)})
asked = [part[::-1] for part in parts[:6]]
front = explore_neighbors(Neighbors(knows, gallery, asked, ["A", "B", "C", "A", "B", "nobody"]))""",
}
PICTURE = ".jp-OutputArea-output .widget-image"
BYTES = """async image => {
    const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
    return btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(""));
}"""


class Hand:
    """What a reader does with an explorer, and what is to be seen then."""

    def __init__(self, page, panel):
        self.page, self.panel = page, panel
        self.seen = self.words()

    def words(self):
        return self.panel.locator("[role=status]").inner_text()

    def picture(self):
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(self.panel.locator(PICTURE).evaluate(BYTES)))))

    def until_changed(self):
        """Wait until the words differ from those that were last seen, and the kernel has rested for a while: a drag goes on in steps."""
        resting, quiet, last = self.panel.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]"), 0, self.seen
        for _ in range(600):
            self.page.wait_for_timeout(100)
            now = self.words()
            quiet = quiet + 1 if now == last != self.seen and resting.count() else 0
            last = now
            if quiet == 10:
                self.seen = now
                return
        raise AssertionError(f"the explorer still says: {self.seen}")

    def drag(self, number, share):
        """Drag a slider's handle to a share of its track, in small steps as a hand does."""
        track = self.panel.locator(".noUi-base").nth(number)
        track.scroll_into_view_if_needed()
        box, handle = track.bounding_box(), self.panel.locator(".noUi-handle").nth(number).bounding_box()
        self.page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2, steps=12)
        self.page.mouse.up()

    def press(self, number, key):
        self.panel.locator(".noUi-handle").nth(number).focus()
        self.page.keyboard.press(key)

    def values(self):
        return [float(text.replace("−", "-").replace(",", "")) for text in self.panel.locator(".widget-readout").all_inner_texts()]


def twin_of(name, root):
    names = {}
    exec(HEAD.format(root=str(root)) + CELLS[name], names)
    return names["front"]


def assert_same(hand, twin):
    drawn = np.asarray(Image.open(io.BytesIO(twin.image.value)))
    assert hand.words() == twin.label
    shown = hand.picture()
    assert shown.shape == drawn.shape and np.abs(shown.astype(int) - drawn).max() <= 2  # the network may answer a millionth differently in another process


def keep(page, panel, name):
    """A screenshot of the explorer, where they are asked for."""
    if shots := os.environ.get("KIT_SCREENSHOTS"):
        Path(shots).mkdir(parents=True, exist_ok=True)
        panel.locator(PICTURE).last.scroll_into_view_if_needed()
        page.screenshot(path=str(Path(shots) / f"{name}.png"))


@pytest.mark.parametrize("name", [name for name in CELLS if name != "neighbors"])
def test_sliders_are_dragged_and_moved_by_keys(lab, kit, name):
    front = twin_of(name, kit)
    controls = list(front.controls.values())

    def play(lab, page, panel):
        hand = Hand(page, panel)
        assert_same(hand, front)
        before = hand.picture()
        for number, control in enumerate(controls):
            share = (control.value - control.min) / (control.max - control.min)
            hand.drag(number, 0.2 if share > 0.5 else 0.8)
            hand.until_changed()
            for each, value in zip(controls, hand.values()):
                each.value = type(each.value)(value)
            assert_same(hand, front)
        assert not np.array_equal(before, hand.picture())
        hand.press(0, "ArrowRight" if controls[0].value < controls[0].max else "ArrowLeft")
        hand.until_changed()
        controls[0].value = type(controls[0].value)(hand.values()[0])
        assert_same(hand, front)
        keep(page, panel, name)

    sight = lab.run_all(write(kit, f"{name}.ipynb", HEAD.format(root=str(kit)) + CELLS[name] + "\nfront"), 5, play)
    assert not sight.errors and not sight.page_errors and not sight.lost_widgets


def test_a_face_is_clicked_and_reached_by_keys(lab, kit):
    front = twin_of("neighbors", kit)

    def play(lab, page, panel):
        hand = Hand(page, panel)
        assert_same(hand, front)
        faces = panel.locator(".widget-toggle-button")
        assert faces.count() == 6
        assert all("data:image/jpeg" in face.evaluate("face => getComputedStyle(face).backgroundImage") for face in faces.all())
        marked = "faces => faces.map(face => face.classList.contains('mod-active'))"
        assert faces.evaluate_all(marked) == [True] + 5 * [False]
        faces.nth(4).click()  # the second one of that name
        hand.until_changed()
        assert faces.evaluate_all(marked) == 4 * [False] + [True, False]
        front.controls["asked"].value = 4
        assert_same(hand, front)
        page.keyboard.press("Tab")  # to the next face
        page.keyboard.press("Enter")
        hand.until_changed()
        front.controls["asked"].value = 5
        assert_same(hand, front)
        keep(page, panel, "neighbors")

    sight = lab.run_all(write(kit, "neighbors.ipynb", HEAD.format(root=str(kit)) + CELLS["neighbors"] + "\nfront"), 5, play)
    assert not sight.errors and not sight.page_errors and not sight.lost_widgets


@pytest.mark.parametrize("width, scheme", [(800, "dark"), (1400, "light")])
def test_an_explorer_fits_the_window(lab, kit, width, scheme):
    def look(lab, page, panel):
        around = panel.locator(".jp-OutputArea-output", has=page.locator(".widget-image"))
        picture, output = panel.locator(PICTURE).bounding_box(), around.bounding_box()
        assert picture["x"] >= output["x"] - 1 and picture["x"] + picture["width"] <= output["x"] + output["width"] + 1
        assert abs(picture["width"] / picture["height"] - 920 / 430) < 0.02  # not squeezed
        for slider in panel.locator(".widget-slider").all():
            box = slider.bounding_box()
            assert box["x"] + box["width"] <= output["x"] + output["width"] + 1
        dark = page.evaluate("getComputedStyle(document.body).getPropertyValue('--jp-layout-color0')").strip().lower()
        assert (dark in ("white", "#fff", "#ffffff")) == (scheme == "light"), dark
        ink, paper = (tuple(map(int, re.findall(r"\d+", panel.locator("[role=status]").evaluate(f"p => getComputedStyle(p).{part}"))))[:3]
                      for part in ("color", "backgroundColor"))
        assert (sum(ink) > 380) == (scheme == "dark"), (ink, paper)
        keep(page, panel, f"threshold-{width}-{scheme}")

    name = write(kit, f"fits-{width}.ipynb", HEAD.format(root=str(kit)) + CELLS["threshold"] + "\nfront")
    assert not lab.run_all(name, 5, look, width, scheme).errors
