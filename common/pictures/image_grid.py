"""Many pictures side by side. All of them lie in one Axes: Matplotlib takes longer to make and draw an Axes for each than for all that is in it."""

import numpy as np

GAP = 0.07  # inches between a picture and the next
LINE = 1.3 / 72  # inches of a line of text, for each point of its size


class Place:
    """Where one picture goes, its title above it and its name to the left. What is drawn there is placed by pixels of the picture, as in an Axes of its own.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Its unit is the inch, from the upper left corner.
    top, left, bottom, right : float
        Where the picture may be, in inches.
    above, below : float
        Inches for the words above and below it.
    """

    def __init__(self, ax, top, left, bottom, right, above, below):
        self.ax, self.limits, self.shape, self.words = ax, (top, left, bottom, right), None, (above, below)

    def imshow(self, image):
        """Show a picture, as large as there is room for; the AxesImage."""
        from matplotlib.patches import Rectangle
        from matplotlib.transforms import Affine2D

        (top, left, bottom, right), (height, width) = self.limits, np.shape(image)[:2]
        scale = min((bottom - top) / height, (right - left) / width)
        top, left = (top + bottom - scale * height) / 2, (left + right - scale * width) / 2
        self.shape, self.limits = (height, width), (top, self.limits[1], top + scale * height, right)
        self.pixels = Affine2D().translate(0.5, 0.5).scale(scale).translate(left, top) + self.ax.transData
        self.edge = Rectangle((left, top), scale * width, scale * height, fill=False, transform=self.ax.transData)
        self._widen_axes(top - self.words[0], left, top + scale * height + self.words[1], left + scale * width)
        return self.ax.imshow(image, extent=(left, left + scale * width, top + scale * height, top))

    def _widen_axes(self, top, left, bottom, right):
        """Let the Axes show this too, and nothing that stays empty."""
        if self.ax.images:
            (low, high), (foot, head) = self.ax.get_xlim(), self.ax.get_ylim()
            top, left, bottom, right = min(top, head), min(left, low), max(bottom, foot), max(right, high)
        self.ax.set(xlim=(left, right), ylim=(bottom, top))

    def get_ylim(self):
        """The picture's rows, as an Axes has them."""
        return self.shape[0] - 0.5, -0.5

    def add_artist(self, artist):
        """Something drawn over the picture; what leaves it is cut off."""
        artist.set_transform(self.pixels)
        self.ax.add_artist(artist)
        artist.set_clip_path(self.edge)
        return artist

    def text(self, x, y, text, **how):
        """Words in the picture."""
        return self.ax.text(x, y, text, transform=self.pixels, **how)

    def scatter(self, x, y, **how):
        """Points in the picture."""
        return self.ax.scatter(x, y, transform=self.pixels, **how)

    def set_title(self, text, loc="center", **how):
        """Words above the picture, or above its place if it is not there yet; several lines grow upwards."""
        top, left, _, right = self.limits
        at = (left + right) / 2 if loc == "center" else left
        return self.ax.text(at, top - GAP / 2, text, ha=loc, va="bottom", linespacing=1.1, **how)

    def set_xlabel(self, text, **how):
        """Words below it."""
        _, left, bottom, right = self.limits
        return self.ax.text((left + right) / 2, bottom + GAP / 2, text, ha="center", va="top", **how)

    def set_ylabel(self, text, **how):
        """Words to its left, from bottom to top."""
        top, left, bottom, _ = self.limits
        return self.ax.text(left - GAP, (top + bottom) / 2, text, ha="right", va="center", rotation=90, multialignment="center", **how)

    def set_frame(self, colour, linewidth=2):
        """A frame around the picture."""
        self.edge.set(edgecolor=colour, linewidth=linewidth)
        self.ax.add_artist(self.edge).set_clip_on(False)


def image_grid(n_rows, n_cols, width, height, title="", above=0, below=0, left=0.0):
    """A figure with places for pictures.

    Parameters
    ----------
    n_rows, n_cols : int
    width, height : float
        Inches of a place, with what is written above and below the picture.
    title : str
        Of the figure.
    above, below : int
        Points of the text above and below each picture: lines times size.
    left : float
        Inches to the left of all, for names of rows.

    Returns
    -------
    figure : matplotlib.figure.Figure
    places : ndarray of Place, shape (n_rows, n_cols)
    """
    import matplotlib.pyplot as plt

    wide, high = left + n_cols * width, n_rows * height
    figure, ax = plt.subplots(figsize=(wide, high + (0.35 if title else 0)), layout="constrained")
    ax.set_axis_off()
    ax.set(xlim=(0, wide), ylim=(high, 0), aspect="equal", autoscale_on=False)
    places = np.empty((n_rows, n_cols), object)
    for row, col in np.ndindex(places.shape):
        top, begin = row * height, left + col * width
        places[row, col] = Place(ax, top + above * LINE + GAP, begin + GAP / 2, top + height - below * LINE, begin + width - GAP / 2, above * LINE, below * LINE)
    if title:
        figure.suptitle(title, parse_math=False)  # a name may hold dollar signs
    return figure, places
