"""Every plot of the detection task. Each function draws on a new figure and leaves showing it to the notebook.

Colours are those of Okabe and Ito, told apart with any kind of colour vision; hits, false alarms and
misses differ in line style as well.
"""

import numpy as np
from matplotlib import patches
from matplotlib import pyplot as plt

from common.boxes import as_boxes
from common.scores import auc, average_precision, best_match

BLUE, ORANGE, GREEN, VERMILION, PURPLE, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#777777"
HIT, FALSE_ALARM, MISS = (GREEN, "-"), (VERMILION, "--"), (PURPLE, ":")


def _picture(image):
    """What imshow takes: bytes as they are, floats from 0 to 255 or from 0 to 1 brought to 0 ... 1."""
    image = np.asarray(image)
    if image.dtype == np.uint8:
        return image
    return np.clip(image / (255 if image.max(initial=0) > 1.5 else 1), 0, 1)


def _grid(n_cols, n_rows, width=2.6, height=2.6, title=None):
    figure, axes = plt.subplots(n_rows, n_cols, figsize=(width * n_cols, height * n_rows), squeeze=False, layout="constrained")
    for ax in axes.flat:
        ax.set_axis_off()
    if title:
        figure.suptitle(title)
    return figure, axes


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
    _, axes = _grid(n_cols, n_rows, 1.0, 1.05, title)
    for ax, i in zip(axes.flat, _pick(len(data), n_cols * n_rows, seed)):
        ax.imshow(_picture(data[i]))


def draw_boxes(ax, boxes, color, style="-", texts=None):
    """Draw boxes (N, 4) on axes, each with a text above it."""
    for i, (top, left, bottom, right) in enumerate(boxes):
        ax.add_patch(
            patches.Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, ec=color, ls=style, lw=1.8)
        )
        if texts is not None:
            ax.text(left, top - 2, texts[i], color="white", fontsize=7, va="bottom",
                    bbox={"facecolor": color, "edgecolor": "none", "pad": 1})  # fmt: skip


def visualize_bboxes(
    images, pred_bboxes=None, true_bboxes=None, decision_function=None, n_cols=5, n_rows=1, shapes=None, chosen=None,
    title=None, seed=0, iou_threshold=0.5,
):  # fmt: skip
    """Show photos with their boxes: true ones, found ones, or what was hit, missed and invented.

    Parameters
    ----------
    images : sequence of ndarray, each (H, W, 3)
    pred_bboxes, true_bboxes : array_like, shape (N, 5), optional
        Course boxes. With both of them and `decision_function`, hits are drawn solid, false alarms
        dashed, missed faces dotted.
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
    figure, axes = _grid(n_cols, n_rows, title=title)
    for ax, i in zip(axes.flat, chosen):
        image = _picture(images[i])
        ax.imshow(image if shapes is None else image[: shapes[i][0], : shapes[i][1]])
        for k in np.flatnonzero(pred[:, 0] == i):
            color, style = (HIT if k in hits else FALSE_ALARM) if matching else (BLUE, "-")
            text = None if decision_function is None else [f"{confidence[k]:.1f}"]
            draw_boxes(ax, pred[k : k + 1, 1:], color, style, text)
        for k in np.flatnonzero(true[:, 0] == i):
            if not matching or k in missed:
                draw_boxes(ax, true[k : k + 1, 1:], *(MISS if matching else (ORANGE, "-")))
    if matching:
        lines = [plt.Line2D([], [], color=c, ls=s, lw=2, label=n)
                 for (c, s), n in ((HIT, "hit"), (FALSE_ALARM, "false alarm"), (MISS, "missed face"))]  # fmt: skip
        figure.legend(handles=lines, loc="outside lower center", ncols=3, frameon=False)


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
    figure, axes = _grid(n_cols, rows * n_rows, 2.2, 2.2, title)
    for i in range(min(n_cols * n_rows, len(images))):
        block, col = divmod(i, n_cols)
        axes[block * rows, col].imshow(_picture(images[i]))
        for k, maps in enumerate(kinds):
            ax = axes[block * rows + 1 + k, col]
            shown = ax.imshow(maps[i], cmap="viridis")
            figure.colorbar(shown, ax=ax, shrink=0.7)
            if col == 0 and k < len(names):
                ax.set_title(names[k], fontsize=9, loc="left")


def plot_history(history):
    """Accuracy and loss, epoch by epoch, with the epoch of the least validation loss marked.

    Parameters
    ----------
    history : keras.callbacks.History
    """
    record = history.history
    best = int(np.argmin(record["val_loss"]))
    _, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for ax, name in zip(axes, ("accuracy", "loss")):
        epochs = np.arange(1, len(record[name]) + 1)
        ax.plot(epochs, record[name], color=BLUE, marker="o", ms=3, label="training (changed patches, dropout)")
        ax.plot(epochs, record[f"val_{name}"], color=VERMILION, marker="s", ms=3, ls="--", label="validation")
        ax.axvline(best + 1, color=GREY, ls=":", label=f"best epoch: {best + 1}")
        ax.set(xlabel="epoch", ylabel=name)
        ax.grid(alpha=0.3)
    axes[1].legend(fontsize=8)


def plot_precision_recall(precision, recall, thresholds=None, threshold=None, label=None, others=None, title=None):
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
    """
    _, ax = plt.subplots(figsize=(6, 4.6), layout="constrained")
    x = np.linspace(0.01, 1, 200)
    for f1 in (0.5, 0.7, 0.8, 0.9):
        y = f1 * x / np.where(2 * x - f1 > 0, 2 * x - f1, np.nan)
        ax.plot(x[y <= 1.02], y[y <= 1.02], color="#cccccc", lw=0.8, zorder=0)
        ax.annotate(f"F1 {f1}", (1.0, f1 / (2 - f1)), fontsize=7, color=GREY, ha="right", va="bottom")
    curves = {label or "detector": (precision, recall), **(others or {})}
    for (name, (p, r)), color, style in zip(curves.items(), (BLUE, VERMILION, GREEN, PURPLE), ("-", "--", "-.", ":")):
        ax.plot(r, p, color=color, ls=style, lw=1.8, label=f"{name}: AUC-PR {auc(r, p):.3f}, AP {average_precision(p, r):.3f}")
    if threshold is not None and thresholds is not None:
        at = int(np.flatnonzero(np.asarray(thresholds) >= threshold)[0])
        ax.plot(recall[at], precision[at], "o", ms=9, mfc="none", mec=VERMILION, mew=2,
                label=f"threshold {threshold:.2f}: recall {recall[at]:.3f}, precision {precision[at]:.3f}")  # fmt: skip
    ax.set(xlabel="recall: share of the faces that are found", ylabel="precision: share of the boxes that are faces",
           xlim=(0, 1.01), ylim=(0, 1.03), title=title or "Precision and recall")  # fmt: skip
    ax.grid(alpha=0.3)
    ax.legend(loc="lower left", fontsize=8)


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
    _, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    axes[0].bar(*np.unique(counts, return_counts=True), color=BLUE)
    axes[0].set(xlabel="faces in a photo", ylabel="photos", xticks=np.unique(counts))
    for k, (name, color) in enumerate((("height", BLUE), ("width", ORANGE))):
        axes[1].hist(boxes[:, 3 + k] - boxes[:, 1 + k], bins=np.arange(23, 42), color=color, alpha=0.7, label=name)
    axes[1].set(xlabel="pixels", ylabel="faces")
    axes[1].legend()


def plot_borders(difference):
    """How far the FCNN differs from the classifier, window by window.

    Parameters
    ----------
    difference : ndarray of float, shape (h, w)
    """
    _, ax = plt.subplots(figsize=(4.6, 3.6), layout="constrained")
    shown = ax.imshow(difference, cmap="magma")
    plt.colorbar(shown, ax=ax, label="largest difference of the logits")
    ax.set(xlabel="column of the heat map", ylabel="row of the heat map")
