"""The front desk as a picture that follows sliders: whom it accepts, asks and refuses, who waits, and what that costs."""

import numpy as np
from matplotlib.patches import Rectangle

from common.console import counted
from common.pictures.explorers import Explorer, slider
from common.pictures.people import MARK, OTHER, SAME
from common.pictures.sheet import Sheet
from TrackDetector.in_use.front_desk import Costs, day

BINS = 36
_OUTCOMES = ("let in", "false accepts", "asked", "turned away", "refused")
_WORDS = {"let in": "let in under their own name", "false accepts": "got somebody else's file", "asked": "asked for name and date of birth",
          "turned away": "known, but turned away", "refused": "strangers refused"}
_BAD = {"false accepts", "turned away"}


class _Desk(Sheet):
    """Distances of known people and strangers with the two thresholds, what became of them, and the queue of the day."""

    def __init__(self, arrivals, seed=0):
        super().__init__(9.2, 4.9)
        self.arrivals, self.seed = arrivals, seed
        distances = np.array([each.distance for each in arrivals])
        finite = distances[np.isfinite(distances)]
        self.right = float(max(0.6, 1.05 * finite.max())) if len(finite) else 1.0
        known = np.array([each.who is not None for each in arrivals], bool)
        edges = np.linspace(0, self.right, BINS + 1)
        self.hills = ax = self.panel(0.06, 0.57, 0.9, 0.33, "how far those who arrive are from whom they look most like", axis=True)
        counts = [np.histogram(np.clip(distances[part], 0, self.right), edges)[0] for part in (known, ~known)]
        ax.bar(edges[:-1], counts[0], np.diff(edges), align="edge", color=SAME, label="known people")
        ax.bar(edges[:-1], counts[1], np.diff(edges), bottom=counts[0], align="edge", color=OTHER, hatch="///", edgecolor="white", lw=0, label="strangers")
        self.top = 1.3 * max(1, int((counts[0] + counts[1]).max()))
        ax.set(xlim=(0, self.right), ylim=(0, self.top), yticks=[])
        ax.legend(loc="upper left", fontsize=9, frameon=False)
        self.bars = self.panel(0.36, 0.06, 0.18, 0.36)
        self.bars.set(xlim=(0, max(1, len(arrivals))), ylim=(len(_OUTCOMES) - 0.4, -0.6))
        self.line = self.panel(0.62, 0.12, 0.34, 0.3, "people at the desk and in the queue", axis=True)
        self.line.set_xlabel("hours after the opening", fontsize=9)
        self.words = self.page()

    def move(self, accept, refuse, costs):
        refuse = max(accept, refuse)
        today = day(self.arrivals, accept, refuse, self.seed)
        for start, end, name, colour in ((0, accept, "accept", SAME), (accept, refuse, "ask", MARK), (refuse, self.right, "refuse", "#444444")):
            if end > start:
                self.put(self.hills, Rectangle((start, 0), end - start, self.top, fc=colour, alpha=0.12, ec="none"),
                         self.hills.text((start + end) / 2, 0.93 * self.top, name, ha="center", va="top", fontsize=10, weight="bold", color=colour))
        for place in (accept, refuse):
            self.put(self.hills, self.hills.axvline(place, color="black", ls="--", lw=1.5))
        for row, what in enumerate(_OUTCOMES):
            number, bad = today.counts[what], what in _BAD
            self.put(self.bars, Rectangle((0, row - 0.36), number, 0.72, fc=OTHER if bad else SAME, hatch="///" if bad else "", ec="white", lw=0),
                     self.bars.text(-0.02 * max(1, len(self.arrivals)), row, f"{_WORDS[what]}  {number}", ha="right", va="center", fontsize=9.5, color="black",
                                    weight="bold" if bad and number else "normal"))
        times, waiting = today.queue()
        hours = np.concatenate([[0], times]) / 3600
        self.line.set(xlim=(0, max(1.0, float(hours[-1]))), ylim=(0, max(4, 1.15 * float(waiting.max(initial=0)))))
        self.put(self.line, *self.line.step(hours, np.concatenate([[0], waiting]), where="post", color=MARK, lw=1.2))
        lost, longest = today.cost(costs), today.waited.max(initial=0) / 60
        text = f"{counted(round(lost), 'minute')} lost in all; the longest wait: {counted(round(longest), 'minute')}"
        self.put(self.words, self.words.text(0.06, 0.495, text, fontsize=12, weight="bold", color="black", va="center"))
        counts = ", ".join(f"{today.counts[what]} {_WORDS[what]}" for what in _OUTCOMES)
        return (f"Accepted up to {accept:.2f}, refused beyond {refuse:.2f}. Of {len(self.arrivals)} who arrive: {counts}. "
                f"The longest wait is {counted(round(longest), 'minute')}; in all {counted(round(lost), 'minute')} are lost.")


def draw_desk(arrivals, accept, refuse, costs=None, seed=0):
    """A day at the front desk at two thresholds.

    Parameters
    ----------
    arrivals : list of Arrival
    accept, refuse : float
        Accepted up to the one distance, refused beyond the other, asked between them.
    costs : Costs, optional
    seed : int
        Of the times at which people come.

    Returns
    -------
    matplotlib.figure.Figure
    """
    return _Desk(arrivals, seed).at(accept, refuse, costs or Costs())


def explore_desk(arrivals, accept=0.25, refuse=0.6, seed=0):
    """Choose the thresholds, and what mistakes cost: four sliders for `draw_desk`."""
    sheet = _Desk(arrivals, seed)

    def state(accept, band, false_accept, turned_away):
        return accept, accept + band, Costs(false_accept, turned_away)

    return Explorer(sheet, state, {
        "accept": slider("accept up to", 0, round(sheet.right, 2), accept, 0.01, "the greatest distance at which the camera's name is believed"),
        "band": slider("ask over the next", 0, round(sheet.right, 2), round(refuse - accept, 2), 0.01, "who is farther is asked, up to so much more"),
        "false_accept": slider("a false accept costs, min", 0, 1000, 240, 20, "somebody gets the file of somebody else"),
        "turned_away": slider("turned away costs, min", 0, 120, 30, 5, "a known person is refused"),
    })
