"""Sheets of paper: figures of which most stays and a little moves, for the explorers.

What stays is drawn once. Each new state is drawn over a copy of that, which takes a third of the time
that a whole figure takes. Saved or shown in a notebook, the figure is whole, like any other.
"""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

ABOVE = 100  # added to the z-order of what moves: it lies on what stays, in whichever way the figure is drawn


class Sheet:
    """A figure that shows one state after the other. A subclass draws what stays in `__init__`, and what moves in `move`.

    Parameters
    ----------
    width, height : float
        Inches. Opaque and white, so that it can be read on a dark page as well.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
    """

    def __init__(self, width, height):
        self.figure = Figure(figsize=(width, height), dpi=100, facecolor="white")
        self._canvas, self._titles = FigureCanvasAgg(self.figure), []
        self._ground, self._laid_ground = None, None  # pixels of what stays; with what is laid on it
        self._laid, self._laid_for, self._moving = [], None, []

    def panel(self, left, bottom, width, height, title="", axis=False):
        """Axes at a fixed place (shares of the figure), the title at a fixed height: to compute them takes long."""
        ax = self.figure.add_axes([left, bottom, width, height])
        if not axis:
            ax.set_axis_off()
        ax.set_title(title, fontsize=10, loc="left", y=1.0)
        return ax

    def page(self):
        """Axes as large as the figure, for words beside the panels: from 0 to 1 both ways."""
        ax = self.panel(0, 0, 1, 1)
        ax.set(xlim=(0, 1), ylim=(0, 1))
        return ax

    def title(self, ax, text):
        """A panel's title that differs from state to state."""
        title = ax.set_title(text, fontsize=10, loc="left", y=1.0)
        title.set_animated(True)
        if title not in self._titles:
            self._titles.append(title)

    def put(self, ax, *artists):
        """Artists of this state, on axes; the next state takes them away."""
        for artist in artists:
            if artist.axes is None:
                ax.add_artist(artist)
            artist.set(animated=True, zorder=artist.get_zorder() + ABOVE)
            self._moving.append(artist)

    def lay(self, key, draw):
        """Artists below those of `put` that stay while `key` is the same; `draw` takes nothing and returns them."""
        if self._laid and key == self._laid_for:
            return
        for artist in self._laid:
            artist.remove()
        self._laid, self._laid_for, self._laid_ground = list(draw()), key, None
        for artist in self._laid:
            artist.set_animated(True)

    def move(self, *state):
        """Draw what belongs to a state with `put`, `lay` and `title`; return in words what the figure shows then."""
        raise NotImplementedError

    def at(self, *state):
        """The figure in a state; its label says what it shows."""
        for artist in self._moving:
            artist.remove()
        self._moving = []
        self.figure.set_label(self.move(*state))
        return self.figure

    def pixels(self):
        """The figure as it is now: (H, W, 3) bytes."""
        if self._ground is None:
            shown = [artist for artist in (*self._laid, *self._moving) if artist.get_visible()]
            for artist in shown:  # what is animated is left out, but for pictures, before Matplotlib 3.10
                artist.set_visible(False)
            self._canvas.draw()
            for artist in shown:
                artist.set_visible(True)
            self._ground = self._canvas.copy_from_bbox(self.figure.bbox)
        for ax in self.figure.axes:
            ax.apply_aspect()  # a picture of another shape may have come
        if self._laid_ground is None:
            self._canvas.restore_region(self._ground)
            self._draw(self._laid)
            self._laid_ground = self._canvas.copy_from_bbox(self.figure.bbox)
        self._canvas.restore_region(self._laid_ground)
        self._draw([*self._titles, *self._moving])
        return np.asarray(self._canvas.buffer_rgba())[..., :3]

    def _draw(self, artists):
        place = {ax: number for number, ax in enumerate(self.figure.axes)}
        for artist in sorted(artists, key=lambda artist: (place[artist.axes], artist.get_zorder())):
            self.figure.draw_artist(artist)
