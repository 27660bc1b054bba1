"""The neighbour explorer: click a face, and see who is nearest, and what it would be called.

See `common.pictures.explorers`: a function that draws a figure from a state, and faces to click for it.
"""

import base64
import io
from dataclasses import dataclass
from types import SimpleNamespace

import cv2
import numpy as np
from matplotlib.patches import Rectangle

from common.pictures.controls import Explorer, widgets
from common.pictures.people import MARK, OTHER, SAME, short
from common.pictures.sheet import Sheet
from TrackDetector.neighbors.predictions import UNKNOWN

KS = (1, 3, 5)
SIDE = 96  # pixels of a face in the strip of neighbours


@dataclass(frozen=True)
class Called:
    """What a face would be called if k photos voted.

    Attributes
    ----------
    k : int
    name : str
        Who gets most of the vote, the nearer photos weighing more.
    distance : float
        To that person, as the threshold judges it (0 to 2).
    label : str
        The name, or "unknown" beyond the threshold.
    """

    k: int
    name: str
    distance: float
    label: str


class Neighbors:
    """Some faces, and for each its nearest photos, its nearest people, and what it would be called.

    Parameters
    ----------
    classifier : TrackDetector.classifier.Classifier
        Fitted; with a threshold if strangers shall stay strangers.
    gallery_faces : dict of str to ndarray, each (H, W, 3)
        The picture of every photo of its gallery, by file name.
    faces : sequence of ndarray, each (H, W, 3)
        The faces to click: crops as the classifier cuts them.
    names : sequence of str
        Who they are.
    descriptors : ndarray, shape (N, D), optional
        Of the faces; by default described anew.
    ks : sequence of int
        How many photos vote; more than there are in the gallery are left out.
    """

    def __init__(self, classifier, gallery_faces, faces, names, descriptors=None, ks=KS):
        from sklearn.metrics import pairwise_distances
        from sklearn.neighbors import KNeighborsClassifier

        g = classifier.gallery_
        self.gallery, self.faces, self.names = g, list(faces), [str(name) for name in names]
        self.small = {photo: cv2.resize(gallery_faces[photo], (SIDE, SIDE), interpolation=cv2.INTER_AREA) for photo in g.photos}
        self.threshold, self.people = classifier.threshold, classifier.classes_
        descriptors = classifier.describe(np.asarray(self.faces)) if descriptors is None else np.asarray(descriptors)
        self.distances = pairwise_distances(descriptors, g.descriptors)  # (faces, photos of the gallery)
        everybody = [classifier.distances(descriptors, [person] * len(descriptors)) for person in self.people]
        self.to_people = np.stack(everybody, axis=1)  # (faces, people), as the threshold judges them
        self.called = [[] for _ in self.faces]
        for k in (k for k in ks if k <= len(g)):
            vote = KNeighborsClassifier(k, weights="distance", algorithm="brute").fit(g.descriptors, g.labels)
            for i, name in enumerate(vote.predict(descriptors)):
                away = float(self.to_people[i, np.flatnonzero(self.people == name)[0]])
                known = self.threshold is None or away <= self.threshold
                self.called[i].append(Called(k, str(name), away, str(name) if known else UNKNOWN))


class _Neighbors(Sheet):
    """The face that is asked, the photos nearest to it, the people nearest to it as bars, and its name at k = 1, 3, 5."""

    def __init__(self, neighbors, shown=7):
        super().__init__(9.2, 4.5)
        self.neighbors, self.shown = neighbors, shown
        n = neighbors
        self.face = self.panel(0.01, 0.52, 0.17, 0.36)
        # one strip instead of seven axes, which would take longer than all the rest
        self.strip = self.panel(0.2, 0.54, 0.79, 0.28)
        self.people = ax = self.panel(0.56, 0.08, 0.42, 0.32)
        self.right = 1.1 * max(np.sort(n.to_people, axis=1)[:, : min(6, len(n.people))].max(), n.threshold or 0)  # one scale for all faces
        if n.threshold is not None:
            ax.text(n.threshold, -0.75, f"threshold {n.threshold:.2f}", ha="center", va="bottom", fontsize=9, color=MARK)
        ax.text(0, min(6, len(n.people)) - 0.3, "distance to the nearest people", va="top", fontsize=9.5, color="black")
        ax.set(ylim=(5.6, -1.2), xlim=(0, self.right))
        self.words = ax = self.page()
        ax.text(0.2, 0.955, "the nearest photos, with their distances (✓ the same person, ✗ somebody else)", fontsize=9.5, color="black")
        ax.text(0.01, 0.43, "what it would be called", fontsize=10, color="black")
        for row, called in enumerate(n.called[0] if n.called else ()):
            voters = "nearest photo" if called.k == 1 else f"{called.k} nearest photos"
            ax.text(0.02, 0.345 - 0.085 * row, f"k = {called.k}, the {voters}", fontsize=9.5, color="black")
        if n.threshold is not None:
            ax.text(0.02, 0.06, f"unknown: farther from the person than {n.threshold:.2f}", fontsize=9, color="#444444")

    def move(self, asked):
        n, truth = self.neighbors, self.neighbors.names[asked]
        self.put(self.face, self.face.imshow(n.faces[asked], interpolation="nearest"))
        self.put(self.words, self.words.text(0.095, 0.9, f"asked: {short(truth)}", fontsize=10, weight="bold", color="black", ha="center", parse_math=False))
        order = np.argsort(n.distances[asked], kind="stable")[: self.shown]
        strip = np.full((SIDE, self.shown * (SIDE + 6) - 6, 3), 255, np.uint8)
        for place, photo in enumerate(order):
            name, left = n.gallery.labels[photo], place * (SIDE + 6)
            strip[:, left : left + SIDE] = n.small[n.gallery.photos[photo]]
            sign, color = ("✓", SAME) if name == truth else ("✗", OTHER)
            text = f"{sign} {short(name, 11)}\n{n.distances[asked, photo]:.2f}"
            self.put(self.strip, self.strip.text(left + SIDE / 2, -6, text, fontsize=9, color=color, ha="center", va="bottom", parse_math=False))
        self.put(self.strip, self.strip.imshow(strip, interpolation="nearest"))
        self._people(asked, truth)
        for row, called in enumerate(n.called[asked]):
            right = called.label == (truth if truth in n.people else UNKNOWN)
            sign, color = ("✓", SAME) if right else ("✗", OTHER)
            text = f"{sign} {short(called.label, 22)}"
            self.put(self.words, self.words.text(0.26, 0.345 - 0.085 * row, text, fontsize=10.5, color=color, weight="bold", parse_math=False))
        nearest = ", ".join(f"{n.gallery.labels[photo]} at {n.distances[asked, photo]:.2f}" for photo in order[:3])
        answers = "; ".join(f"{called.label} at k = {called.k}" for called in n.called[asked])
        return f"Asked: {truth}. The nearest photos show {nearest}. It would be called {answers}."

    def _people(self, asked, truth):
        """The nearest people as bars."""
        n, ax = self.neighbors, self.people
        for row, person in enumerate(np.argsort(n.to_people[asked], kind="stable")[:6]):
            away, same = n.to_people[asked, person], n.people[person] == truth
            bar = Rectangle((0, row - 0.37), away, 0.74, fc=SAME if same else OTHER, alpha=0.9, hatch="" if same else "///", ec="white", lw=0)
            name = ax.text(-0.02 * self.right, row, f"{short(n.people[person], 16)}  {away:.2f}", va="center", ha="right", fontsize=9, color="black", parse_math=False)
            self.put(ax, bar, name)
        if n.threshold is not None:
            self.put(ax, ax.axvline(n.threshold, ymax=0.9, color=MARK, ls="--", lw=2))  # across the bars


def draw_neighbors(neighbors, asked, shown=7):
    """A face, the photos nearest to it, the people nearest to it, and its name at k = 1, 3, 5.

    Parameters
    ----------
    neighbors : Neighbors
    asked : int
        Which of its faces.
    shown : int
        So many photos.

    Returns
    -------
    matplotlib.figure.Figure
    """
    return _Neighbors(neighbors, shown).at(asked)


def thumbnails(pictures, names, size=58):
    """Faces to click: one button for each, which Tab and the arrow keys reach as well.

    Parameters
    ----------
    pictures : sequence of ndarray of uint8, each (H, W, 3)
    names : sequence of str
        Shown below the faces.
    size : int
        Pixels.

    Returns
    -------
    buttons : ipywidgets.ToggleButtons
        Its value is the number of the face. Without ipywidgets no buttons, but the value of the first.
    style : ipywidgets.HTML
        Lays the pictures on the buttons; it must be shown too.
    """
    if widgets is None:
        return SimpleNamespace(value=0), None
    # the page finds the chosen button by its text: of one name, each further one gets a space more that is not seen
    shown = [short(name, 9) for name in names]
    buttons = widgets.ToggleButtons(
        options=[(name + "\u200b" * shown[:number].count(name), number) for number, name in enumerate(shown)], tooltips=[f"ask whose face this is: {name}" for name in names],
        style={"button_width": f"{size + 8}px"}, layout=widgets.Layout(width="100%"),
    )
    name = f"kit-faces-{buttons.model_id}"
    buttons.add_class(name)
    rules = [f".{name} button {{height: {size + 30}px !important; padding: 0 !important; padding-top: {size + 2}px !important; line-height: 20px !important; "
             f"background-size: {size}px {size}px !important; background-repeat: no-repeat !important; background-position: center 4px !important; "
             "overflow: hidden; font-size: 12px; border: 3px solid transparent !important}"
             f".{name} button.mod-active {{border-color: {MARK} !important; font-weight: bold}}"
             f".{name} button:focus-visible {{outline: 3px solid {OTHER} !important; outline-offset: -6px}}"]  # inside, or the row would cut it off
    for number, picture in enumerate(pictures):
        rules.append(f".{name} button:nth-of-type({number + 1}) {{background-image: url(data:image/jpeg;base64,{_jpeg(picture, size)}) !important}}")
    return buttons, widgets.HTML(f"<style>{''.join(rules)}</style>", layout=widgets.Layout(display="none"))


def _jpeg(picture, size):
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.asarray(picture, np.uint8)).resize((size, size)).save(out, "jpeg", quality=80)
    return base64.b64encode(out.getvalue()).decode()


def explore_neighbors(neighbors):
    """Click a face: buttons for `draw_neighbors`."""
    buttons, style = thumbnails(neighbors.faces, neighbors.names)

    def state(asked):
        return (asked,)

    return Explorer(_Neighbors(neighbors), state, {"asked": buttons}, extra=[style])
