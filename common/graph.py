"""Every plot of the detection task. Each function draws on a new figure and leaves showing it to the notebook.

Colours are those of Okabe and Ito, told apart with any kind of colour vision; hits, false alarms and
misses differ in shape as well: a solid box, a dashed box, a dotted ellipse.
"""

import numpy as np
from matplotlib import patches, patheffects
from matplotlib import pyplot as plt

from common.boxes import as_boxes
from common.pictures.image_grid import image_grid
from common.pictures.words import described
from common.scores import auc, best_match

BLUE, ORANGE, GREEN, VERMILION, PURPLE, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#777777"
HIT, FALSE_ALARM, MISS = (GREEN, "-"), (VERMILION, "--"), (PURPLE, ":")


def picture(image):
    """What imshow takes: bytes as they are, floats from 0 to 255 or from 0 to 1 brought to 0 ... 1."""
    image = np.asarray(image)
    if image.dtype == np.uint8:
        return image
    return np.clip(image / (255 if image.max(initial=0) > 1.5 else 1), 0, 1)


def _pick(count, wanted, seed):
    return np.sort(np.random.default_rng(seed).permutation(count)[:wanted])


def visualize_samples(data, n_cols=10, n_rows=2, title=None, seed=0):
    """Show some patches.

    Parameters
    ----------
    data : sequence of ndarray, each (H, W, 3)
    n_cols, n_rows : int
    title : str, optional
    seed : int
        Which ones; the same seed shows the same patches.
    """
    figure, axes = image_grid(n_rows, n_cols, 1.0, 1.0, title)
    chosen = _pick(len(data), n_cols * n_rows, seed)
    for ax, i in zip(axes.flat, chosen):
        ax.imshow(picture(data[i]))
    described(figure, f"{len(chosen)} small patches{': ' + title if title else ''}.")


def _halo(patch, color="white"):
    """A thin whole line below a coloured one, so that it is seen on any photo."""
    below = patheffects.Stroke(linewidth=3.6, foreground=color, alpha=0.7, dashes={"dash_offset": 0, "dash_list": None})
    patch.set_path_effects([below, patheffects.Normal()])
    return patch


def draw_boxes(ax, boxes, color, style="-", texts=None):
    """Draw boxes (N, 4) on axes, each with its text, if any, above it, or inside where it would leave the photo; a list of what was drawn."""
    drawn, (low, high) = [], sorted(ax.get_ylim())
    for i, (top, left, bottom, right) in enumerate(boxes):
        drawn.append(ax.add_artist(_halo(
            patches.Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, ec=color, ls=style, lw=1.8)
        )))
        if texts is not None and texts[i]:
            place = (top - 2, "bottom") if top > low + 0.06 * (high - low) else (max(top, low) + 1, "top")
            drawn.append(ax.text(left, place[0], texts[i], color="white", fontsize=7, va=place[1],
                                 bbox={"facecolor": color, "edgecolor": "none", "pad": 1}))  # fmt: skip
    return drawn


def draw_missed(ax, boxes):
    """Draw faces (N, 4) that nothing found, as dotted ellipses; a list of what was drawn."""
    (color, style), drawn = MISS, []
    for top, left, bottom, right in boxes:
        middle = ((left + right - 1) / 2, (top + bottom - 1) / 2)
        drawn.append(ax.add_artist(_halo(patches.Ellipse(middle, right - left, bottom - top, fill=False, ec=color, ls=style, lw=2.2), "#202020")))
    return drawn


def shape_handles():
    """Legend entries of hits, false alarms and missed faces: colour, line and shape."""
    hit, false_alarm = (plt.Line2D([], [], color=c, ls=s, marker="s", mfc="none", ms=9, mew=1.6, lw=1.8) for c, s in (HIT, FALSE_ALARM))
    missed = plt.Line2D([], [], color=MISS[0], ls=MISS[1], marker="o", mfc="none", ms=9, mew=1.6, lw=2.2)
    for line, name in ((hit, "hit"), (false_alarm, "false alarm"), (missed, "missed face")):
        line.set_label(name)
    return [hit, false_alarm, missed]


def visualize_bboxes(
    images, pred_bboxes=None, true_bboxes=None, decision_function=None, n_cols=5, n_rows=1, shapes=None, chosen=None,
    title=None, seed=0, iou_threshold=0.5,
):  # fmt: skip
    """Show photos with their boxes: true ones, found ones, or what was hit, missed and invented.

    Parameters
    ----------
    images : sequence of ndarray, each (H, W, 3)
    pred_bboxes, true_bboxes : array_like, shape (N, 5), optional
        Course boxes. With both of them and `decision_function`, hits are drawn as solid boxes, false
        alarms as dashed boxes, missed faces as dotted ellipses.
    decision_function : array_like, shape (N,), optional
    n_cols, n_rows : int
    shapes : array_like, shape (N, 2 or 3), optional
        Photo sizes: shows the photo without its black margin.
    chosen : sequence of int, optional
        Which images to show; else some at random.
    title : str, optional
    seed : int
    iou_threshold : float
        A hit overlaps its face by more than this.
    """
    if chosen is None:
        chosen = _pick(len(images), n_cols * n_rows, seed)
    pred = as_boxes([] if pred_bboxes is None else pred_bboxes, 5)
    true = as_boxes([] if true_bboxes is None else true_bboxes, 5)
    matching = pred_bboxes is not None and true_bboxes is not None
    confidence = np.zeros(len(pred)) if decision_function is None else np.asarray(decision_function, dtype=float)
    hits, missed = set(), set()
    if matching:
        matched, false_negative, _ = best_match(pred, true, confidence, iou_threshold)
        hits, missed = {p for _, p in matched}, set(false_negative)
    figure, axes = image_grid(n_rows, n_cols, 2.6, 2.6, title)
    for ax, i in zip(axes.flat, chosen):
        image = picture(images[i])
        ax.imshow(image if shapes is None else image[: shapes[i][0], : shapes[i][1]])
        for k in np.flatnonzero(pred[:, 0] == i):
            color, style = (HIT if k in hits else FALSE_ALARM) if matching else (BLUE, "-")
            text = None if decision_function is None else [f"{confidence[k]:.1f}"]
            draw_boxes(ax, pred[k : k + 1, 1:], color, style, text)
        for k in np.flatnonzero(true[:, 0] == i):
            if not matching:
                draw_boxes(ax, true[k : k + 1, 1:], ORANGE)
            elif k in missed:
                draw_missed(ax, true[k : k + 1, 1:])
    if matching:
        figure.legend(handles=shape_handles(), loc="outside lower center", ncols=3, frameon=False, handlelength=3)
    here = set(map(int, chosen))
    found, faces = [k for k in range(len(pred)) if int(pred[k, 0]) in here], [k for k in range(len(true)) if int(true[k, 0]) in here]
    lost = [k for k in faces if k in missed]
    told = f"faces: {len(faces)}, of them hit {len(hits & set(found))}, missed {len(lost)}; false alarms: {len(set(found) - hits)}" if matching else (
        f"boxes: {len(found)}" if pred_bboxes is not None else f"boxes around faces: {len(faces)}")
    described(figure, f"{len(here)} photo{'s' if len(here) != 1 else ''}{': ' + title if title else ''}. Drawn {told}.")


def _crop(image, box, shape, margin=0.5):
    """The part of a photo around a box, and the corner where it was cut."""
    top, left, bottom, right = box
    more = margin * max(bottom - top, right - left)
    top, left = (int(max(0, edge - more)) for edge in (top, left))
    bottom, right = (int(min(side, edge + more)) for side, edge in zip(shape[:2], (bottom, right)))
    return image[top : max(bottom, top + 1), left : max(right, left + 1)], np.array([top, left, top, left])


def visualize_worst(images, pred_bboxes, true_bboxes, decision_function, shapes, n_cols=8, iou_threshold=0.1, title=None):
    """The worst mistakes first: the surest false alarms, the least sure hits, and the missed faces, each cut out.

    Parameters
    ----------
    images : sequence of ndarray, each (H, W, 3)
    pred_bboxes, true_bboxes : array_like, shape (N, 5), (M, 5)
        Course boxes: those that the detector keeps, and the faces.
    decision_function : array_like, shape (N,)
    shapes : array_like, shape (K, 2 or 3)
        Photo sizes.
    n_cols : int
        So many of each kind.
    iou_threshold : float
        A hit overlaps its face by more than this.
    title : str, optional
    """
    pred, true, decision = as_boxes(pred_bboxes, 5), as_boxes(true_bboxes, 5), np.asarray(decision_function, dtype=float)
    matched, missed, invented = best_match(pred, true, decision, iou_threshold)
    hits = sorted((box for _, box in matched), key=lambda k: decision[k])
    invented = sorted(invented, key=lambda k: -decision[k])
    rows = [(invented, pred, *FALSE_ALARM, f"surest of {len(invented)} false alarms"), (hits, pred, *HIT, f"least sure of {len(hits)} hits"),
            (missed, true, None, None, f"{len(missed)} missed faces")]  # fmt: skip
    rows = [row for row in rows if row[0]]
    figure, axes = image_grid(max(len(rows), 1), n_cols, 1.25, 1.6, title, above=9, below=8)
    for line, (which, boxes, color, style, name) in zip(axes, rows):
        line[0].set_title(name, fontsize=9, loc="left")
        for ax, k in zip(line, which[:n_cols]):
            photo, box = int(boxes[k, 0]), boxes[k, 1:]
            part, corner = _crop(images[photo], box, shapes[photo])
            ax.imshow(picture(part))
            if color is None:
                draw_missed(ax, [box - corner])
                continue
            draw_boxes(ax, [box - corner], color, style)
            ax.set_xlabel(f"{decision[k]:.1f}", fontsize=8)
    if not rows:
        figure.text(0.5, 0.5, "no box was kept, and no face missed", ha="center")
    described(figure, f"Cut-outs of mistakes{': ' + title if title else ''}. In rows: {'; '.join(row[-1] for row in rows) or 'none'}.")


def visualize_heatmap(images, heatmap, n_cols=5, n_rows=1, others=None, names=("heat map",), title=None):
    """Show images above their heat maps.

    Parameters
    ----------
    images : sequence of ndarray, each (H, W, 3)
    heatmap : ndarray, shape (N, h, w)
    n_cols, n_rows : int
        The first ``n_cols * n_rows`` images are shown.
    others : list of ndarray, optional
        More heat maps of the same images, each drawn in a row of its own.
    names : sequence of str
        What stands beside each row of maps.
    title : str, optional
    """
    kinds = [heatmap, *(others or [])]
    rows = 1 + len(kinds)
    # colour bars want Axes of their own
    figure, axes = plt.subplots(rows * n_rows, n_cols, figsize=(2.2 * n_cols, 2.2 * rows * n_rows), squeeze=False, layout="constrained")
    for ax in axes.flat:
        ax.set_axis_off()
    if title:
        figure.suptitle(title)
    for i in range(min(n_cols * n_rows, len(images))):
        block, col = divmod(i, n_cols)
        axes[block * rows, col].imshow(picture(images[i]))
        for k, maps in enumerate(kinds):
            ax = axes[block * rows + 1 + k, col]
            shown = ax.imshow(maps[i], cmap="viridis")
            figure.colorbar(shown, ax=ax, shrink=0.7, label="face minus no face" if col == min(n_cols, len(images)) - 1 else "")
            if col == 0 and k < len(names):
                ax.set_title(names[k], fontsize=9, loc="left")
    tops = [f"{name}, at most {np.max(maps[: n_cols * n_rows]):.1f}" for name, maps in zip([*names, *["another map"] * len(kinds)], kinds)]
    described(figure, f"{min(n_cols * n_rows, len(images))} photos{': ' + title if title else ''}, and below each its heat map: {'; '.join(tops)}.")


def plot_history(history):
    """Accuracy and loss, epoch by epoch, with the epoch of the least validation loss marked.

    Parameters
    ----------
    history : keras.callbacks.History
    """
    record = history.history
    best = int(np.argmin(record["val_loss"]))
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for ax, name in zip(axes, ("accuracy", "loss")):
        epochs = np.arange(1, len(record[name]) + 1)
        ax.plot(epochs, record[name], color=BLUE, marker="o", ms=3, label="training (changed patches, dropout)")
        ax.plot(epochs, record[f"val_{name}"], color=VERMILION, marker="s", ms=3, ls="--", label="validation")
        ax.axvline(best + 1, color=GREY, ls=":", label=f"best epoch: {best + 1}")
        ax.set(xlabel="epoch", ylabel=name)
        ax.grid(alpha=0.3)
    axes[1].legend(fontsize=8)
    described(figure, f"Two charts over {len(record['loss'])} epochs. Accuracy on training patches ends at {record['accuracy'][-1]:.3f}, on validation patches at "
                      f"{record['val_accuracy'][-1]:.3f}; validation loss is least in epoch {best + 1}, at {record['val_loss'][best]:.3f}.")


def draw_equal_f1(ax):
    """Lines of equal F1, the harmonic mean of precision and recall; named beside the frame, where no curve is."""
    x = np.linspace(0.01, 1, 200)
    for f1 in (0.5, 0.7, 0.8, 0.9):
        y = f1 * x / np.where(2 * x - f1 > 0, 2 * x - f1, np.nan)
        ax.plot(x[y <= 1.02], y[y <= 1.02], color="#bbbbbb", lw=0.8, zorder=0)
        ax.text(1.03, f1 / (2 - f1), f"F1 {f1}", fontsize=7, color="#555555", va="center")


def plot_precision_recall(precision, recall, thresholds=None, threshold=None, label=None, others=None, title=None, scores=None):
    """The precision/recall curve with its area, lines of equal F1, and the chosen threshold.

    Parameters
    ----------
    precision, recall : array_like, shape (K,)
    thresholds : array_like, shape (K,), optional
    threshold : float, optional
        Marks the point where the detector is used.
    label : str, optional
    others : dict of str to (precision, recall), optional
        More curves, to compare.
    title : str, optional
    scores : dict of float, optional
        From `scores.detector_scores`: the course score and AP@0.5 of the first curve, named beside it.
    """
    figure, ax = plt.subplots(figsize=(6, 4.6), layout="constrained")
    draw_equal_f1(ax)
    curves = {label or "detector": (precision, recall), **(others or {})}
    for (name, (p, r)), color, style in zip(curves.items(), (BLUE, VERMILION, GREEN, PURPLE), ("-", "--", "-.", ":")):
        areas = f"AUC-PR {auc(r, p):.3f}"
        if scores is not None and color == BLUE:
            areas = f"course score (AUC-PR) {scores['auc_pr']:.3f}, AP@0.5 {scores['ap50']:.3f}"
        ax.plot(r, p, color=color, ls=style, lw=1.8, label=f"{name}: {areas}")
    marked = threshold is not None and thresholds is not None
    above = np.flatnonzero(np.asarray(thresholds) >= threshold) if marked else ()  # none, if the detector is never so sure
    for at in sorted(above, key=lambda k: thresholds[k])[:1]:  # whichever way the curve runs
        ax.plot(recall[at], precision[at], "o", ms=9, mfc="none", mec=VERMILION, mew=2,
                label=f"threshold {threshold:.2f}: recall {recall[at]:.3f}, precision {precision[at]:.3f}")  # fmt: skip
    ax.set(xlabel="recall: share of the faces that are found", ylabel="precision: share of the boxes that are faces",
           xlim=(0, 1.01), ylim=(0, 1.03), title=title or "Precision and recall")  # fmt: skip
    ax.grid(alpha=0.3)
    ax.legend(loc="lower left", fontsize=8)
    described(figure, f"{title or 'Precision and recall'}: precision upwards, recall to the right. " + "; ".join(ax.get_legend_handles_labels()[1]) + ".")


def plot_sizes(bboxes, images):
    """How many faces a photo has, and how tall and wide they are.

    Parameters
    ----------
    bboxes : array_like, shape (M, 5)
        Course boxes.
    images : int
        Number of photos.
    """
    boxes = as_boxes(bboxes, 5)
    counts = np.bincount(boxes[:, 0].astype(int), minlength=images)
    figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    axes[0].bar(*np.unique(counts, return_counts=True), color=BLUE)
    axes[0].set(xlabel="faces in a photo", ylabel="photos", xticks=np.unique(counts))
    sizes, bins = boxes[:, 3:] - boxes[:, 1:3], np.arange(23, 42)  # the course set's, a pixel each
    if sizes.size and (sizes.min() < bins[0] or sizes.max() > bins[-1]):
        bins = np.linspace(sizes.min(), sizes.max() + 1, 31)
    for k, (name, color) in enumerate((("height", BLUE), ("width", ORANGE))):
        axes[1].hist(sizes[:, k], bins=bins, color=color, alpha=0.7, label=name)
    axes[1].set(xlabel="pixels", ylabel="faces")
    axes[1].legend()
    tall, wide = sizes.T
    described(figure, f"Two histograms. Of {images:,} photos {int((counts == 1).sum()):,} show one face, the fullest {counts.max(initial=0)}. " + (
        f"Faces are {tall.min():.0f} to {tall.max():.0f} pixels tall, {np.median(tall):.0f} in the middle, "
        f"and {wide.min():.0f} to {wide.max():.0f} wide, {np.median(wide):.0f} in the middle."
        if len(boxes) else "There are no faces."))


def plot_found_by_size(pred_bboxes, true_bboxes, decision_function, bins=12, iou_threshold=0.1, title=None):
    """Which faces are found and which are missed, by their size.

    Parameters
    ----------
    pred_bboxes, true_bboxes : array_like, shape (N, 5), (M, 5)
        Course boxes: those that the detector keeps, and the faces.
    decision_function : array_like, shape (N,)
    bins : int
    iou_threshold : float
        A hit overlaps its face by more than this.
    title : str, optional
    """
    true = as_boxes(true_bboxes, 5)
    if not len(true):
        raise ValueError("there are no faces to be found or missed")
    sizes = (true[:, 3:] - true[:, 1:3]).mean(axis=1)
    missed = np.zeros(len(true), bool)
    missed[best_match(pred_bboxes, true, decision_function, iou_threshold)[1]] = True
    # sizes grow by a constant factor from bar to bar, as in a pyramid: few faces are very large
    edges = np.geomspace(max(sizes.min(), 1) - 1e-6, sizes.max() + 1e-6, bins + 1)
    found, lost = (np.histogram(sizes[which], edges)[0] for which in (~missed, missed))
    figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
    ax.bar(edges[:-1], found, np.diff(edges), align="edge", color=HIT[0], ec="white", label=f"found ({found.sum():,})")
    ax.bar(edges[:-1], lost, np.diff(edges), found, align="edge", color=MISS[0], ec="white", hatch="///", label=f"missed ({lost.sum():,})")
    for left, right, yes, no in zip(edges, edges[1:], found, lost):
        if yes + no:
            ax.text((left + right) / 2, yes + no, f"{yes / (yes + no):.0%}", ha="center", va="bottom", fontsize=8)
    ax.set(xlabel="size of the face, mean of height and width, pixels", ylabel="faces", ylim=(0, 1.12 * max((found + lost).max(), 1)),
           title=title or "Faces found and missed, by size; above each bar the share found")  # fmt: skip
    ax.title.set_fontsize(10)
    ax.legend()
    described(figure, f"{title or 'Faces found and missed, by size'}: bars from {edges[0]:.0f} to {edges[-1]:.0f} pixels. "
                      f"Found are {found.sum():,} of {found.sum() + lost.sum():,} faces; "
                      f"of the smaller half of the bars {found[: bins // 2].sum():,} of {(found + lost)[: bins // 2].sum():,}.")


def plot_borders(difference):
    """How far the FCNN differs from the classifier, window by window.

    Parameters
    ----------
    difference : ndarray of float, shape (h, w)
    """
    figure, ax = plt.subplots(figsize=(4.6, 3.6), layout="constrained")
    shown = ax.imshow(difference, cmap="magma")
    plt.colorbar(shown, ax=ax, label="largest difference of the logits")
    ax.set(xlabel="column of the heat map", ylabel="row of the heat map")
    described(figure, f"A map of {difference.shape[0]} × {difference.shape[1]} cells: how far the two networks differ, "
                      f"{np.median(difference):.2f} in the middle and {np.max(difference):.2f} at most.")
