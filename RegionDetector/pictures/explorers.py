"""Two explorers of the detector: a window that moves over a photo, and the levels of a pyramid.

See `common.pictures.explorers`: each is a function that draws a figure from a state, and sliders for it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.patches import Rectangle

from common.boxes import covered, iou, non_maximum_suppression
from common.exercises.reference import load
from common.graph import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, draw_boxes, picture
from common.inference import compiled
from common.pictures.controls import Explorer, slider
from common.pictures.sheet import Sheet
from RegionDetector.detector import WINDOW, cell_stride, face_answer
from RegionDetector.pictures.drawings import receptive_fields

COVERED = 0.5  # a box of which more lies in a surer box is the same face, or a part of it
MOST = 12  # boxes; with more nobody sees anything
SAME_FACE = 0.4  # boxes of one face at two levels overlap by more than this
LINES = tuple(zip((BLUE, VERMILION, GREEN, PURPLE, ORANGE, GREY), ("-", "--", "-.", ":", "-", "--"), "osD^vP"))


# --- the window -------------------------------------------------------------------------------------------------


class Windows:
    """A photo, the FCNN's two answers for every cell of its map, and the classifier's for one window.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3)
        On its canvas, pixels from 0 to 255.
    fcnn_model : keras.Model
        Takes (N, H, W, 3), answers (N, h, w, 2).
    window_model : keras.Model
        The same weights for one window: takes (N, 32, 32, 3), answers (N, 1, 1, 2).
    shape : tuple of int, optional
        Height and width of the photo on the canvas; the window stays on it.
    """

    def __init__(self, image, fcnn_model, window_model, shape=None):
        self.image = np.asarray(image)
        self.map = compiled(fcnn_model)(self.image[None].astype("float32"))[0]
        self._answer = compiled(window_model)
        fields = receptive_fields(fcnn_model)
        self.rim = (fields[-1].size - int(WINDOW[0])) // 2 if fields else 0  # pixels that a cell sees beyond its window, on each side
        sides = np.array(self.image.shape[:2])
        self.stride = max(int(cell_stride(sides, self.map.shape[:2], fcnn_model)[0]), 1)
        photo = sides if shape is None else np.asarray(shape)[:2]
        # cells whose windows begin and end on the photo; one at least
        self.cells = np.minimum(np.maximum((photo - WINDOW) // self.stride + 1, 1), self.map.shape[:2])

    def patch(self, cell):
        """What cell (row, column) looks at: (32, 32, 3)."""
        top, left = np.array(cell) * self.stride
        return self.image[top : top + WINDOW[0], left : left + WINDOW[1]]

    def alone(self, cell):
        """The classifier's two answers for that patch alone, before the softmax: not a face, face."""
        return self._answer(self.patch(cell)[None].astype("float32")).reshape(-1)

    def here(self, cell):
        """The FCNN's two answers in that cell."""
        return self.map[tuple(cell)]

    def best(self):
        """The cell that answers "face" most."""
        rows, cols = self.cells
        heat = self.map[:rows, :cols, 1] - self.map[:rows, :cols, 0]
        return np.unravel_index(np.argmax(heat), heat.shape)


class _Window(Sheet):
    """The photo with the window on it, the patch, its two logits as bars, and the heat map with its cell."""

    def __init__(self, windows):
        super().__init__(9.2, 3.9)
        self.windows = w = windows
        self.photo = self.panel(0.01, 0.03, 0.36, 0.85)
        self.photo.imshow(picture(w.image), interpolation="nearest")
        self.patch = self.panel(0.40, 0.47, 0.18, 0.41, "what it shows")
        self.logits = ax = self.panel(0.47, 0.08, 0.11, 0.27, "its two logits")
        self.limit = 1.2 * max(1e-3, float(np.abs(w.map).max()))
        for y, name in enumerate(("no face", "face")):
            ax.text(-1.05 * self.limit, y, name, va="center", ha="right", fontsize=9, color="black")
        ax.axvline(0, color="black", lw=0.8)
        ax.set(xlim=(-self.limit, self.limit), ylim=(1.6, -0.6))
        self.heat = ax = self.panel(0.62, 0.12, 0.36, 0.76, axis=True)
        heat = w.map[..., 1] - w.map[..., 0]
        ax.imshow(heat, cmap="viridis", interpolation="nearest")
        ax.set(xticks=range(0, heat.shape[1], 12), yticks=range(0, heat.shape[0], 12))
        ax.tick_params(labelsize=8)
        self.words = self.page()

    def move(self, row, col):
        w, cell = self.windows, (row, col)
        top, left = row * w.stride, col * w.stride
        alone, here = w.alone(cell), w.here(cell)
        self.title(self.photo, f"window from pixel ({top}, {left})")
        self.put(self.photo, *draw_boxes(self.photo, [[top, left, top + WINDOW[0], left + WINDOW[1]]], ORANGE))
        self.put(self.patch, self.patch.imshow(picture(w.patch(cell)), interpolation="nearest"))
        for y, (value, color) in enumerate(zip(alone, (VERMILION, GREEN))):
            bar = Rectangle((0, y - 0.35), float(np.clip(value, -self.limit, self.limit)), 0.7, fc=color)
            self.put(self.logits, bar, self.logits.text(0.06 * self.limit * (1 if value < 0 else -1), y, f"{value:.1f}", va="center",
                                                        ha="left" if value < 0 else "right", fontsize=9, color="black"))  # fmt: skip
        self.title(self.heat, f"heat map, cell ({row}, {col}): {here[1] - here[0]:.2f}")
        for color, width in (("white", 3.5), (VERMILION, 1.8)):
            self.put(self.heat, Rectangle((col - 1, row - 1), 2, 2, fill=False, ec=color, lw=width))
        under = f"face minus no face; the window alone: {alone[1] - alone[0]:.2f}"
        self.put(self.words, self.words.text(0.80, 0.035, under, fontsize=9.5, ha="center", va="center", color="black"))
        return (
            f"The window from pixel ({top}, {left}) gives {alone[0]:.2f} for no face and {alone[1]:.2f} for a face, a difference of {alone[1] - alone[0]:.2f}. "
            f"Cell ({row}, {col}) of the heat map says {here[1] - here[0]:.2f}"
            + (f"; it also sees the {w.rim} pixels around the window, where the window alone has padding." if w.rim > 0 else ".")
        )


def draw_window(windows, row, col):
    """A window on the photo, its patch, its two scores, and the cell of the heat map that says the same.

    Parameters
    ----------
    windows : Windows
    row, col : int
        The cell; its window begins at pixel (stride * row, stride * col).

    Returns
    -------
    matplotlib.figure.Figure
    """
    return _Window(windows).at(row, col)


def explore_window(image, fcnn_model, window_model, shape=None):
    """Move the window over the photo, four pixels at a time: sliders for `draw_window`.

    It begins where the heat map is highest; see `Windows` for the parameters.
    """
    windows = Windows(image, fcnn_model, window_model, shape)
    row, col = (int(k) for k in windows.best())

    def state(row, col):
        return row, col

    return Explorer(_Window(windows), state, {
        "row": slider("down, cells", 0, int(windows.cells[0]) - 1, row),
        "col": slider("right, cells", 0, int(windows.cells[1]) - 1, col),
    })


# --- the pyramid ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Level:
    """One level of a pyramid.

    Attributes
    ----------
    factor : float
        The photo's sides times this.
    image : ndarray of uint8, shape (h, w, 3)
    heat : ndarray of float
        The heat map of the level, those cells whose windows lie on the photo.
    boxes : ndarray of float, shape (P, 4)
        What answers above the threshold, in pixels of the photo.
    values : ndarray of float, shape (P,)
    """

    factor: float
    image: np.ndarray
    heat: np.ndarray
    boxes: np.ndarray
    values: np.ndarray


class Pyramid:
    """A photo at all scales, and which face answers at which.

    The steps of `multiscale.multiscale_detector`, with what it throws away kept.

    Parameters
    ----------
    photo : ndarray of uint8, shape (H, W, 3)
    fcnn_model : keras.Model
    threshold : float
        Answers from here on count.
    box_shape : array_like, shape (2,)
        Height and width of a face where it fits the window.
    min_face : float
        Smallest face to look for, pixels.

    Attributes
    ----------
    levels : list of Level
        The largest copy first.
    faces : ndarray of float, shape (F, 4)
        What stays when of overlapping boxes the surest is kept; surest first, 20 at most.
    answers : ndarray of float, shape (len(levels), F)
        The surest box of each level on each face; NaN where none answers.
    """

    def __init__(self, photo, fcnn_model, threshold=0.0, box_shape=WINDOW, min_face=32):
        from RegionDetector.networks.fourier import looking

        scales, boxes_from_maps = load("RegionDetector.multiscale:pyramid_scales"), load("RegionDetector.detector:boxes_from_maps")
        if None in (scales, boxes_from_maps):
            raise LookupError("the reference of the pyramid is not in this package")
        self.photo, self.threshold, self.levels = np.asarray(photo), float(threshold), []
        factors = scales(self.photo.shape, min_face)
        copies = [_resized(self.photo, factor) for factor in factors]
        # all on canvases of one size, or the network would be compiled for every level
        sides = np.max([(32, 32), *(copy.shape[:2] for copy in copies)], axis=0)
        rows, cols = -(-sides // 16) * 16
        run = looking(fcnn_model)
        for factor, copy in zip(factors, copies):
            size = np.array(copy.shape[:2])
            canvas = np.pad(copy, ((0, rows - size[0]), (0, cols - size[1]), (0, 0)))
            heat = face_answer(run(canvas[None].astype("float32")))
            stride = cell_stride(canvas.shape, heat.shape[1:], fcnn_model)
            boxes, sure = boxes_from_maps(heat, stride, [size], box_shape)
            strong, cells = sure >= threshold, np.maximum((size - WINDOW) // stride + 1, 1).astype(int)
            boxes = np.clip(boxes[strong, 1:] / factor, 0, np.tile(self.photo.shape[:2], 2))
            self.levels.append(Level(factor, copy, heat[0, : cells[0], : cells[1]], boxes, sure[strong]))
        boxes = np.concatenate([np.zeros((0, 4)), *(level.boxes for level in self.levels)])
        values = np.concatenate([np.zeros(0), *(level.values for level in self.levels)])
        self.faces = boxes[non_maximum_suppression(boxes, values, COVERED, covered)[:MOST]]
        self.answers = np.full((len(self.levels), len(self.faces)), np.nan)
        for k, level in enumerate(self.levels):
            on = iou(level.boxes, self.faces) > SAME_FACE
            for face in np.flatnonzero(on.any(axis=0)):
                self.answers[k, face] = level.values[on[:, face]].max()


def _resized(photo, factor):
    """A copy of the photo with its sides times `factor`."""
    rows, cols = (max(1, round(side * factor)) for side in photo.shape[:2])
    return cv2.resize(photo, (cols, rows), interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)


class _Scale(Sheet):
    """The photo with its boxes, the copy of one level, its heat map, and how surely the first six boxes answer on every level."""

    def __init__(self, pyramid):
        super().__init__(9.2, 5.4)
        self.pyramid = p = pyramid
        self.photo = ax = self.panel(0.01, 0.42, 0.32, 0.5)
        ax.imshow(picture(p.photo), interpolation="nearest")
        # the same paper for every level, so that the photo shrinks before your eyes and the window stays
        self.copy, self.heat = self.panel(0.345, 0.42, 0.32, 0.5), self.panel(0.68, 0.42, 0.31, 0.5)
        # one scale of colours for all levels, or a level without a face would look as hot as one with
        self.range = min(each.heat.min() for each in p.levels), max(each.heat.max() for each in p.levels)
        self.answers = ax = self.panel(0.08, 0.11, 0.9, 0.24, axis=True)
        for face, (color, style, mark) in zip(range(len(p.faces)), LINES):
            ax.plot(p.answers[:, face], color=color, ls=style, marker=mark, ms=5, lw=1.4)
            peak = int(np.nanargmax(p.answers[:, face]))
            ax.text(peak + 0.08, p.answers[peak, face], f"box {face + 1}", color=color, fontsize=8.5, weight="bold", va="bottom")
        ax.axhline(p.threshold, color="black", lw=1, ls=":")
        ax.text(len(p.levels) - 0.55, p.threshold, "threshold", fontsize=8.5, ha="right", va="bottom", color="black")
        every = range(0, len(p.levels), 1 + len(p.levels) // 20)
        ax.set(xticks=every, xticklabels=[f"{32 / p.levels[k].factor:.0f}" for k in every], xlim=(-0.5, len(p.levels) - 0.5), ylabel="answer",
               xlabel="size of the faces that fill the window on this level, pixels of the photo")  # fmt: skip
        ax.margins(y=0.2)
        ax.locator_params(axis="y", nbins=3)

    def move(self, level):
        p, here = self.pyramid, self.pyramid.levels[level]
        answering = np.flatnonzero(~np.isnan(p.answers[level]))
        others = np.setdiff1d(np.arange(len(p.faces)), answering)
        self.title(self.photo, f"boxes that answer here: {len(answering)} of {len(p.faces)}")
        for color, width in (("#333333", 2.4), ("white", 1)):  # seen on light photos and on dark ones
            self.put(self.photo, PolyCollection(p.faces[others][:, [[1, 0], [3, 0], [3, 2], [1, 2]]], fc="none", ec=color, lw=width))
        for face in others:
            self.put(self.photo, self.photo.text(p.faces[face, 1] + 2, p.faces[face, 0], str(face + 1), color="white", fontsize=8, va="top"))
        texts = [f"box {face + 1}: {p.answers[level, face]:.1f}" for face in answering]
        self.put(self.photo, *draw_boxes(self.photo, p.faces[answering], GREEN, "-", texts))
        for ax, image, largest, colors, name in (
            (self.copy, picture(here.image), p.levels[0].image, {}, f"level {level + 1}: {here.image.shape[0]} × {here.image.shape[1]} pixels"),
            (self.heat, here.heat, p.levels[0].heat, dict(zip(("vmin", "vmax"), self.range)), f"its heat map: {here.heat.shape[0]} × {here.heat.shape[1]} cells"),
        ):
            self.title(ax, name)
            self.put(ax, ax.imshow(image, interpolation="nearest", cmap="viridis", **colors))
            ax.set(xlim=(-0.5, largest.shape[1] - 0.5), ylim=(largest.shape[0] - 0.5, -0.5))
        for color, width in (("white", 3.4), (ORANGE, 1.8)):
            self.put(self.copy, Rectangle((-0.5, -0.5), *WINDOW[::-1], fill=False, ec=color, lw=width))
        self.put(self.answers, self.answers.axvline(level, color="black", lw=6, alpha=0.15))
        names = ", ".join(f"box {face + 1} with {p.answers[level, face]:.1f}" for face in answering) or "no box"
        return (f"Level {level + 1} of {len(p.levels)}: the photo times {here.factor:.2f}, where faces of about {32 / here.factor:.0f} pixels fill the window. "
                f"It answers: {names}.")


def draw_scale(pyramid, level):
    """One level of a pyramid: the shrunken photo, its heat map, and which faces answer here.

    Parameters
    ----------
    pyramid : Pyramid
    level : int
        0 is the largest copy.

    Returns
    -------
    matplotlib.figure.Figure
    """
    return _Scale(pyramid).at(level)


def explore_scales(photo, fcnn_model, threshold=0.0, box_shape=WINDOW, min_face=32):
    """Go up and down the pyramid: a slider for `draw_scale`. See `Pyramid` for the parameters.

    It begins at the level on which most faces answer. In a package without the reference a line says that it is not there.
    """
    try:
        pyramid = Pyramid(photo, fcnn_model, threshold, box_shape, min_face)
    except LookupError as error:
        print(f"no explorer here: {error}")
        return None
    if not pyramid.levels:
        print(f"no explorer here: the photo is smaller than a face of {min_face} pixels")
        return None
    best = int(np.argmax((~np.isnan(pyramid.answers)).sum(axis=1)))

    def state(level):
        return (level - 1,)

    return Explorer(_Scale(pyramid), state, {"level": slider("level of the pyramid", 1, len(pyramid.levels), best + 1)})
