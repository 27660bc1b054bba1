"""A front desk: people arrive, a camera proposes a name, and the desk accepts, asks or refuses; what the mistakes cost, and who waits."""

from dataclasses import dataclass, field

import numpy as np

from common.console import counted

ACCEPT, ASK, REFUSE = "accept", "ask", "refuse"
SECONDS = {ACCEPT: 10, ASK: 75, REFUSE: 40}  # that each takes the clerk
PER_HOUR = 45  # people who arrive, on average


@dataclass(frozen=True)
class Arrival:
    """Somebody at the desk.

    Attributes
    ----------
    who : str or None
        Who it is; None: nobody of the gallery.
    name : str
        Who looks most alike.
    distance : float
        To that person.
    kind : str
        "photo" or "clip": what the camera saw.
    person : str
        For telling people apart, strangers as well.
    """

    who: str | None
    name: str
    distance: float
    kind: str = "photo"
    person: str = ""


@dataclass(frozen=True)
class Costs:
    """What things cost, in minutes of somebody's life.

    Attributes
    ----------
    false_accept : float
        Somebody gets the file of somebody else: a stranger, or a known person under a wrong name.
    turned_away : float
        A known person is refused, and comes again through another door.
    waiting : float
        Each minute in the queue, and each minute at the desk.
    """

    false_accept: float = 240.0
    turned_away: float = 30.0
    waiting: float = 1.0


def arrivals_of(answers, truth=None, kind="photo", people=None):
    """Answers of a classifier as people who arrive.

    Parameters
    ----------
    answers : dict of str to Answer
    truth : dict of str to str, optional
        Names by the same keys; without it they are all strangers.
    kind : str
    people : dict of str to str, optional
        Who the strangers are, so that each is in one week only.

    Returns
    -------
    list of Arrival
    """
    return [Arrival(None if truth is None else truth[key], answer.name, float(answer.distance), kind,
                    truth[key] if truth is not None else f"stranger {people[key] if people else key}") for key, answer in answers.items()]


def weeks(arrivals, seed=0):
    """Two weeks with other people in each: one to choose the thresholds, one to see how they hold.

    Parameters
    ----------
    arrivals : list of Arrival
    seed : int

    Returns
    -------
    this, next : list of Arrival
        In an order drawn by lot.
    """
    rng = np.random.default_rng(seed)
    people = rng.permutation(sorted({arrival.person for arrival in arrivals}))
    first = set(people[: len(people) // 2].tolist())
    mixed = [arrivals[i] for i in rng.permutation(len(arrivals))]
    return [each for each in mixed if each.person in first], [each for each in mixed if each.person not in first]


@dataclass
class Day:
    """What happened: times in seconds from the opening.

    Attributes
    ----------
    decisions : list of str
        For each arrival: accept, ask or refuse.
    counts : dict of str to int
        let in, false accepts, asked, turned away (known people), refused (strangers).
    arrived, waited, left : ndarray, shape (N,)
    """

    decisions: list
    counts: dict
    arrived: np.ndarray
    waited: np.ndarray
    left: np.ndarray = field(repr=False)

    def queue(self):
        """Times and how many people stand there from then on, the one at the desk included: two arrays."""
        times = np.concatenate([self.arrived, self.left])
        order = np.argsort(times, kind="stable")
        steps = np.concatenate([np.ones(len(self.arrived), int), -np.ones(len(self.left), int)])
        return times[order], np.cumsum(steps[order])

    def cost(self, costs):
        """Minutes that the day cost in all."""
        at_desk = sum(SECONDS[decision] for decision in self.decisions)
        return (self.counts["false accepts"] * costs.false_accept + self.counts["turned away"] * costs.turned_away
                + costs.waiting * (self.waited.sum() + at_desk) / 60)

    def line(self, costs):
        """The day in one line."""
        counts = ", ".join(f"{number} {what}" for what, number in self.counts.items())
        longest, lost = (counted(round(minutes), "minute") for minutes in (self.waited.max(initial=0) / 60, self.cost(costs)))
        return f"{counts}; the longest wait: {longest}; lost in all: {lost}"


def decide(distances, accept, refuse):
    """Accept up to one distance, refuse beyond another, ask between them.

    Parameters
    ----------
    distances : array_like, shape (N,)
    accept, refuse : float
        Where `refuse` is smaller, nobody is asked.

    Returns
    -------
    list of str

    Examples
    --------
    >>> decide([0.2, 0.4, 0.6], accept=0.3, refuse=0.5)
    ['accept', 'ask', 'refuse']
    """
    return [ACCEPT if distance <= accept else ASK if distance <= refuse else REFUSE for distance in distances]


def day(arrivals, accept, refuse, seed=0, per_hour=PER_HOUR):
    """Let people arrive, one desk for all.

    Parameters
    ----------
    arrivals : list of Arrival
        In their order. They come at random times (a Poisson process).
    accept, refuse : float
        See `decide`.
    seed : int
        Of the times.
    per_hour : float
        How many come, on average.

    Returns
    -------
    Day
    """
    decisions = decide([each.distance for each in arrivals], accept, refuse)
    counts = dict.fromkeys(("let in", "false accepts", "asked", "turned away", "refused"), 0)
    for arrival, decision in zip(arrivals, decisions):
        if decision == ACCEPT:
            counts["let in" if arrival.who == arrival.name else "false accepts"] += 1
        else:
            counts["asked" if decision == ASK else "refused" if arrival.who is None else "turned away"] += 1
    arrived = np.cumsum(np.random.default_rng(seed).exponential(3600 / per_hour, len(arrivals)))
    left, free = np.zeros(len(arrivals)), 0.0
    for i, decision in enumerate(decisions):
        free = max(free, arrived[i]) + SECONDS[decision]
        left[i] = free
    waited = left - arrived - np.array([SECONDS[decision] for decision in decisions], float)
    return Day(decisions, counts, arrived, waited, left)


def cheapest(arrivals, costs, steps=25):
    """The two distances at which a week costs least, of a grid over all distances.

    Parameters
    ----------
    arrivals : list of Arrival
        A week to choose with; report on another.
    costs : Costs
    steps : int

    Returns
    -------
    accept, refuse : float
    """
    distances = [each.distance for each in arrivals if np.isfinite(each.distance)]
    grid = np.unique(np.quantile(distances, np.linspace(0, 1, steps)).round(3)) if distances else np.zeros(1)
    pairs = [(accept, refuse) for accept in grid for refuse in grid[grid >= accept]]
    return tuple(float(each) for each in min(pairs, key=lambda pair: day(arrivals, *pair).cost(costs)))
