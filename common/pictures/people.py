"""Pictures of recognition: people, landmarks, alignment, neighbours, maps, distances, film strips, curves.

Every function returns its matplotlib figure, so that a notebook shows it and a script can save it.
Colours are told apart with any kind of colour vision (Okabe and Ito), and the same person and another
differ by a sign as well: ✓ and ✗.
Photos are RGB uint8, boxes [min_row, min_col, max_row, max_col], landmarks (row, column).
"""

import numpy as np

from common.pictures.image_grid import image_grid
from common.pictures.words import described

SAME, OTHER, MARK = "#00795A", "#C24E00", "#0065A8"  # a little darker than Okabe and Ito have them: they colour text


def _grid(count, columns, size, title="", shape=1.0, **margins):
    columns = max(1, min(columns, count))
    return image_grid(max(1, -(-count // columns)), columns, size, size * shape, title, **margins)


def _photo(ax, image, title="", colour="black", size=9):
    ax.imshow(image)
    if title:
        ax.set_title(title, fontsize=size, color=colour, parse_math=False)


def short(name, most=16):
    """A name that fits above a small picture.

    Examples
    --------
    >>> short("Luiz_Inacio_Lula_da_Silva")
    'Luiz Inacio Lul…'
    """
    name = str(name).replace("_", " ")
    return name if len(name) <= most else name[: most - 1] + "…"


def visualize(images, labels=None, columns=8, most=24, title=""):
    """Photos side by side, with their names.

    Parameters
    ----------
    images : dict of str to ndarray, or sequence of ndarray
    labels : dict or sequence of str, optional
        By the same keys, or in the same order.
    columns, most : int
        Photos in a row, and in all.
    title : str
    """
    keys = list(images)[:most] if isinstance(images, dict) else range(min(most, len(images)))
    figure, axes = _grid(len(keys), columns, 1.4, title, shape=1.15, above=0 if labels is None else 8)
    for ax, key in zip(axes.flat, keys):
        _photo(ax, images[key], "" if labels is None else short(labels[key]), size=8)
    names = [] if labels is None else list(dict.fromkeys(short(labels[key]) for key in keys))
    return described(figure, f"{len(keys)} photo{'s' if len(keys) != 1 else ''}{': ' + title if title else ''}{'; they show ' + ', '.join(names) if names else ''}.")


def visualize_faces(images, faces, titles=None, columns=6, title=""):
    """Photos with what was found in them: boxes and landmarks; a guess is drawn dashed.

    Parameters
    ----------
    images : sequence of ndarray
    faces : sequence of list
        For each photo, objects with `box`, `landmarks` and `found`. The first of a list is the one meant.
    titles : sequence of str, optional
    """
    from matplotlib.patches import Rectangle

    figure, axes = _grid(len(images), columns, 1.9, title, shape=1.1, above=0 if titles is None else 9)
    for i, (ax, image, found) in enumerate(zip(axes.flat, images, faces)):
        _photo(ax, image, titles[i] if titles is not None else "")
        for j, face in enumerate(found):
            top, left, bottom, right = face.box
            colour = (SAME if j == 0 else MARK) if face.found else OTHER
            ax.add_artist(Rectangle((left, top), right - left, bottom - top, fill=False, lw=1.8, ec=colour, ls="-" if face.found else "--"))
            ax.scatter(*np.asarray(face.landmarks).T[::-1], s=9, color="yellow", edgecolors="black", linewidths=0.4)
    every = [face for found in faces for face in found]
    return described(figure, f"{len(images)} photos{': ' + title if title else ''}. Drawn are {len(every)} boxes with five landmarks each; "
                             f"{sum(not face.found for face in every)} of the boxes are a guess.")


def visualize_alignment(images, crops, landmarks=None, title=""):
    """Photos above, aligned crops below; where the landmarks shall fall is marked on each crop.

    Parameters
    ----------
    images, crops : sequence of ndarray
    landmarks : array_like, shape (5, 2), optional
        (row, column) in the crops, in pixels.
    """
    figure, axes = _grid(2 * len(images), len(images), 1.7, title)
    for above, below, image, crop in zip(axes[0], axes[1], images, crops):
        _photo(above, image)
        _photo(below, crop)
        if landmarks is not None:
            below.scatter(*np.asarray(landmarks).T[::-1], s=14, marker="+", color="yellow", linewidths=1)
    return described(figure, f"{len(images)} photos above, and below each the face cut out of it and turned upright{': ' + title if title else ''}.")


def visualize_neighbors(rows, title="", columns=None):
    """Strips: a face, and the faces nearest to it; ✓ is the same person, ✗ another.

    Parameters
    ----------
    rows : sequence of list of (ndarray, str, float)
        Picture, name and distance; the first of a row is the face asked about (its distance is not shown).
    """
    width = columns or max(len(row) for row in rows)
    figure, axes = _grid(len(rows) * width, width, 1.4, title, shape=1.2, above=2 * 8)
    for line, row in zip(axes, rows):
        for ax, (image, name, distance) in zip(line, row):
            asked = ax is line[0]
            same = name == row[0][1]
            _photo(ax, image, short(name, 15) if asked else f"{'✓' if same else '✗'} {short(name, 13)}\n{distance:.2f}",
                   "black" if asked else SAME if same else OTHER, size=8)
    told = [f"{short(row[0][1])}: {sum(name == row[0][1] for _, name, _ in row[1:])} of the {len(row) - 1} nearest are the same person" for row in rows]
    return described(figure, f"{len(rows)} rows of faces{': ' + title if title else ''}. {'; '.join(told)}.")


def visualize_descriptors(descriptors, labels, seed=0, named=40, title="Every point is a photo, every colour and shape a person"):
    """A map of descriptors in two dimensions (t-SNE): photos that are alike lie together.

    Parameters
    ----------
    descriptors : ndarray, shape (N, D), N >= 4
    labels : sequence of str
    seed : int
    named : int
        How many people are named in the map.

    References
    ----------
    L. van der Maaten and G. Hinton, "Visualizing data using t-SNE", JMLR 9, 2008.
    """
    import matplotlib.pyplot as plt
    from sklearn.manifold import TSNE

    labels = np.asarray(labels)
    perplexity = min(12.0, (len(labels) - 1) / 3)
    flat = TSNE(2, perplexity=perplexity, init="pca", random_state=seed, max_iter=500).fit_transform(np.asarray(descriptors))
    people, counts = np.unique(labels, return_counts=True)
    figure, ax = plt.subplots(figsize=(8, 6.5), layout="constrained")
    for i, person in enumerate(people):
        points = flat[labels == person]
        # with an outline: a yellow mark is hardly seen on white
        ax.scatter(*points.T, s=26, color=plt.cm.gist_rainbow(i * 0.618 % 1), marker="osD^v"[i % 5], edgecolors="#333333", linewidths=0.5)
    for person in people[np.argsort(-counts, kind="stable")][:named]:
        ax.annotate(short(person), np.median(flat[labels == person], axis=0), fontsize=8, xytext=(5, 5), textcoords="offset points", parse_math=False)
    ax.set(title=title, xticks=[], yticks=[])
    return described(figure, f"A map of {len(labels)} points, one a photo, of {len(people)} people. {title}.")


def plot_distances(same, different, threshold=None, title="Distances between two photos", names=("the same person", "different people")):
    """Distances of photos of one person and of two people, with a threshold.

    Parameters
    ----------
    same, different : array_like of float
    threshold : float, optional
    title : str
    names : (str, str)
        What the two are called.
    """
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
    bins = np.linspace(0, max(np.max(same), np.max(different)), 60)
    ax.hist(same, bins, density=True, alpha=0.65, color=SAME, label=f"{names[0]} ({len(same)})")
    ax.hist(different, bins, density=True, alpha=0.65, color=OTHER, hatch="//", ec="white", lw=0, label=f"{names[1]} ({len(different)})")
    if threshold is not None:
        ax.axvline(threshold, color="black", ls="--", label=f"threshold {threshold:.3f}")
    ax.set(title=title, xlabel="distance", ylabel="density")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)  # the hills may stand anywhere
    told = "; ".join(f"{name}: {len(values)} distances around {np.median(values):.2f}, from {np.min(values):.2f} to {np.max(values):.2f}"
                     for name, values in zip(names, (same, different)))
    return described(figure, f"Two histograms. {title}. {told}" + (f"; the threshold is {threshold:.3f}." if threshold is not None else "."))


def plot_choice(ks, scores, title="Chosen on the training photos alone", ylabel="right answers"):
    """One curve for each of several choices over k.

    Parameters
    ----------
    ks : sequence of int
    scores : dict of str to sequence of float
        Name of the choice to its score at each k.
    """
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
    sizes = np.linspace(11, 4, len(scores))  # of curves that lie on one another each is seen
    for (name, values), marker, size in zip(scores.items(), "osD^vP*X" * 4, sizes):
        ax.plot(ks, values, marker=marker, ms=size, lw=size / 3, label=name, clip_on=False)
    lowest = min(min(values) for values in scores.values())
    ax.set_title(title, pad=10)
    ax.set(xlabel="k, photos that vote", ylabel=ylabel, xticks=list(ks), ylim=(min(lowest - 0.1 * (1.01 - lowest), 0.98), 1.0))
    ax.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    told = "; ".join(f"{name} from {min(values):.3f} to {max(values):.3f}" for name, values in scores.items())
    return described(figure, f"Curves over k. {title}. {ylabel}: {told}.")


def plot_confusion(labels, counts, most=15, title="Who is taken for whom"):
    """A confusion matrix; where there are many people, those with mistakes alone.

    Parameters
    ----------
    labels : sequence of str
    counts : ndarray of int, shape (n, n)
        Rows are the truth, columns the answers.
    most : int
        Up to so many people all are shown.
    """
    import matplotlib.pyplot as plt

    counts = np.asarray(counts)
    wrong = counts - np.diag(np.diag(counts))
    keep = np.arange(len(labels))
    if len(labels) > most:
        keep = np.flatnonzero(wrong.sum(axis=0) + wrong.sum(axis=1))[:most]
        title += f": {len(keep)} of {len(labels)} people, the others have no mistake"
    part, names = counts[np.ix_(keep, keep)], [short(labels[i], 22) for i in keep]
    side = 2.4 + 0.38 * len(keep)
    figure, ax = plt.subplots(figsize=(max(6.0, side + 1.2), max(2.0, side)), layout="constrained")
    if not len(keep):
        ax.axis("off")
        ax.text(0.5, 0.5, f"all {int(counts.sum())} answers are right", ha="center", va="center", fontsize=13)
        return described(figure, f"{title}. All {int(counts.sum())} answers are right.")
    ax.imshow(part, cmap="Blues")
    for row, col in np.argwhere(part):
        ink = "white" if part[row, col] > part.max() / 2 else OTHER if row != col else "black"
        ax.text(col, row, part[row, col], ha="center", va="center", fontsize=9, color=ink, weight="bold" if row != col else None)
    ax.set_xticks(range(len(keep)), names, rotation=60, ha="right", fontsize=8, parse_math=False)
    ax.set_yticks(range(len(keep)), names, fontsize=8, parse_math=False)
    ax.set(title=title, xlabel="the answer", ylabel="the truth")
    ax.title.set_fontsize(10)
    told = [f"{short(labels[row])} for {short(labels[col])} {wrong[row, col]} times" for row, col in np.argwhere(wrong)[:8]]
    return described(figure, f"{title}. {int(wrong.sum())} of {int(counts.sum())} answers are wrong{': ' + ', '.join(told) if told else ''}.")


def visualize_film(clips, title="", columns=10):
    """Film strips: the frames of clips with the vote of each; a frame without a face is framed in grey.

    Parameters
    ----------
    clips : sequence of (list of ndarray, list of (int, str, float), str, str)
        Frames; number, name and distance of each frame with a face; answer; truth.
    columns : int
        Frames shown of each clip, evenly spread.
    """
    width = min(columns, max(len(frames) for frames, *_ in clips))
    tallest = max(frame.shape[0] / frame.shape[1] for frames, *_ in clips for frame in frames[:1])
    figure, axes = _grid(len(clips) * width, width, 1.25, title, shape=tallest + 0.3, above=2 * 7, left=0.45)
    for line, (frames, votes, answer, truth) in zip(axes, clips):
        votes = {number: (name, distance) for number, name, distance in votes}
        for ax, t in zip(line, np.unique(np.linspace(0, len(frames) - 1, min(width, len(frames))).round().astype(int))):
            name, distance = votes.get(int(t), (None, 0))
            colour = "#888888" if name is None else SAME if name == truth else OTHER
            sign = "" if name is None else "✓ " if name == truth else "✗ "
            _photo(ax, frames[t], "no face" if name is None else f"{sign}{short(name, 11)}\n{distance:.2f}", colour, size=7)
            ax.set_frame(colour)
        right = "right" if answer == truth else f"it is {short(truth)}"
        line[0].set_ylabel(f"{short(answer, 14)}\n({right})", fontsize=8, color=SAME if answer == truth else OTHER, parse_math=False)
    told = [f"{short(truth)} is called {short(answer)}, {sum(name == truth for _, name, _ in votes)} of {len(votes)} votes are right" for _, votes, answer, truth in clips]
    return described(figure, f"{len(clips)} film strips{': ' + title if title else ''}. {'; '.join(told)}.")


def plot_accept_curve(false_accept, correct_accept, point=None, title="Strangers kept out, known people let in"):
    """Correct accepts over false accepts, with the working point.

    Parameters
    ----------
    false_accept, correct_accept : array_like, shape (K,)
        From `identification.accept_curve`.
    point : (float, float), optional
        False and correct accepts at the threshold in use.
    """
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    ax.step(np.asarray(false_accept), np.asarray(correct_accept), where="post", color=MARK)
    if point is not None:
        ax.plot(*point, "o", color=OTHER, ms=8, label=f"the threshold: {point[1]:.1%} correct accepts\nat {point[0]:.1%} false accepts")
        ax.legend(loc="lower right")
    ax.axvline(0.01, color="grey", ls=":", lw=1)
    # a linear scale up to one in a hundred and a logarithmic one above: few strangers, yet 0 must be seen
    ax.set_xscale("symlog", linthresh=0.01, linscale=0.6)
    ticks = [0, 0.01, 0.1, 1]
    ax.set_xticks(ticks, [f"{t:.0%}" for t in ticks])
    ax.minorticks_off()
    ax.set(title=title, xlabel="false accepts: strangers who get a name", ylabel="correct accepts", xlim=(0, 1), ylim=(0.5, 1.01))
    ax.grid(alpha=0.3)
    at = f" The threshold in use gives {point[1]:.1%} correct accepts at {point[0]:.1%} false accepts." if point is not None else ""
    return described(figure, f"A curve of correct accepts over false accepts. {title}.{at}")


def plot_rates(parts, title="Rates by group, with 95 % intervals"):
    """A rate for each group as a dot, with its interval as a line: where the lines overlap, the groups may well be alike.

    Parameters
    ----------
    parts : dict of str to list
        What was measured, to what `identification.rates_by_group` gives. One panel each.
    title : str
    """
    import matplotlib.pyplot as plt

    rows = max((len(rates) for rates in parts.values()), default=1)
    figure, axes = plt.subplots(1, max(1, len(parts)), figsize=(max(4.2, 3.9 * len(parts)), 1.5 + 0.42 * rows), squeeze=False, layout="constrained")
    for ax, (name, rates) in zip(axes.flat, parts.items()):
        for row, (group, hits, trials, low, high) in enumerate(rates):
            ax.plot([low, high], [row, row], color=MARK, lw=3, solid_capstyle="butt")
            ax.plot(hits / trials, row, "o", color="black", ms=6)
        ax.set(xlim=(-0.02, 1.02), ylim=(len(rates) - 0.4, -0.6), yticks=range(len(rates)))
        ax.set_yticklabels([f"{short(group, 18)} ({hits} of {trials})" for group, hits, trials, _, _ in rates], parse_math=False)
        ax.set_title(name, fontsize=10, parse_math=False)
        ax.grid(axis="x", alpha=0.3)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    figure.suptitle(title, fontsize=11)
    told = "; ".join(f"{name}: " + ", ".join(f"{group} {hits} of {trials}" for group, hits, trials, _, _ in rates) for name, rates in parts.items())
    return described(figure, f"{title}. {told}.")
