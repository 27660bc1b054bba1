"""Drawings made from the models themselves: what a cell of the heat map sees, and how the head becomes convolutions."""

from dataclasses import dataclass

import numpy as np
from matplotlib import patches
from matplotlib import pyplot as plt

from common.graph import BLUE, GREY, ORANGE, draw_boxes, picture
from common.pictures.words import described

SILENT = ("InputLayer", "Rescaling", "Dropout", "SpatialDropout2D", "Activation", "ReLU", "Softmax")
CHANGED, KEPT = "#F3D9A4", "#C9DDEE"


@dataclass(frozen=True)
class Field:
    """What one cell of a layer's map looks at, in pixels of the image.

    Attributes
    ----------
    name : str
        Of the layer.
    size : int
        Rows, and columns, that it sees.
    stride : int
        How far apart the fields of neighbouring cells are.
    begin : int
        First row that cell 0 sees; negative where padding lies beyond the edge.
    """

    name: str
    size: int
    stride: int
    begin: int


def layers_of(model):
    """The layers of a model in order, those of inner models among them."""
    return [each for layer in model.layers for each in (layers_of(layer) if hasattr(layer, "layers") else [layer])]


def receptive_fields(model):
    """How the field of a cell grows from layer to layer, along rows.

    A kernel of k cells adds (k - 1) times the distance of its cells; a stride multiplies that distance.

    Parameters
    ----------
    model : keras.Model
        A chain of convolutions and poolings, such as `generate_fcnn_model`.

    Returns
    -------
    list of Field
        One for every layer with a kernel or a pool.

    References
    ----------
    A. Araujo, W. Norris and J. Sim, "Computing receptive fields of convolutional neural networks", Distill, 2019.
    """
    size, stride, begin, fields = 1, 1, 0, []
    for layer in layers_of(model):
        kernel = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
        if not isinstance(kernel, (tuple, list)) or len(kernel) != 2:
            continue
        spread = (kernel[0] - 1) * getattr(layer, "dilation_rate", (1, 1))[0]
        step = layer.strides[0]
        if layer.padding == "same":
            begin -= max(spread + 1 - step, 0) // 2 * stride
        size, stride = size + spread * stride, stride * step
        fields.append(Field(layer.name, size, stride, begin))
    return fields


def plot_receptive_field(model, image, cell=(0, 0), window=32):
    """Where 32 pixels and stride 4 come from: the windows of neighbouring cells, and the field layer by layer.

    Parameters
    ----------
    model : keras.Model
        The fully convolutional network.
    image : ndarray, shape (H, W, 3)
        A photo to lay the windows on.
    cell : (int, int)
        Row and column of the heat map.
    window : int
        What the classifier was trained on, pixels.
    """
    fields = receptive_fields(model)
    if not fields:
        print("no drawing: this model has no layer with a kernel to be read")
        return None
    last = fields[-1]
    figure, (ax, steps) = plt.subplots(1, 2, figsize=(9.4, 3.9), layout="constrained", width_ratios=(1, 1.5))
    top, left = (int(k) * last.stride for k in cell)
    ax.imshow(picture(image), interpolation="nearest")
    box = np.array([top, left, top + window, left + window])
    seen = np.array([top, left, top, left]) + last.begin + np.array([0, 0, last.size, last.size])
    draw_boxes(ax, [seen], GREY, ":")
    draw_boxes(ax, [box + last.stride * np.array([1, 0, 1, 0]), box + last.stride * np.array([0, 1, 0, 1])], BLUE, "--")
    draw_boxes(ax, [box], ORANGE)
    around = last.size // 3
    ax.set(xlim=(left - around, left + window + around), ylim=(top + window + around, top - around),
           xticks=np.arange(left, left + window + 1, 8), yticks=np.arange(top, top + window + 1, 8))  # fmt: skip
    ax.set_title(f"cell ({cell[0]}, {cell[1]}) and the next ones, {last.stride} px on", fontsize=10)
    names = {"window of the cell": (ORANGE, "-"), "windows of its neighbours": (BLUE, "--"), f"all it sees: {last.size} px": (GREY, ":")}
    ax.legend(handles=[plt.Line2D([], [], color=c, ls=s, lw=1.8, label=name) for name, (c, s) in names.items()],
              fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=1, frameon=False)  # fmt: skip
    shown = [Field("a pixel", 1, 1, 0), *fields]
    shown = [field for k, field in enumerate(shown) if not k or (field.size, field.stride) != (shown[k - 1].size, shown[k - 1].stride)]
    for row, field in enumerate(shown):
        for k in (2, 1, 0):  # three neighbouring cells, so that the step between them is seen
            steps.add_patch(patches.Rectangle((field.begin + k * field.stride, row - 0.26 + 0.16 * k), field.size, 0.42, fc=(CHANGED, KEPT, "white")[k],
                                              ec="black", lw=0.8))  # fmt: skip
        steps.text(shown[-1].begin + shown[-1].size + 12, row + 0.1, f"sees {field.size} px, next cell {field.stride} px on", va="center", fontsize=9)
    rim = (last.size - window) // 2
    outside = f"\n{rim} px on each side lie outside it; there the classifier alone saw padding" if rim > 0 else ""
    for edge in (0, window):
        steps.axvline(edge, color=ORANGE, lw=1.6, zorder=0)
    steps.set(yticks=range(len(shown)), yticklabels=[field.name for field in shown], ylim=(len(shown) - 0.3, -0.6),
              xlim=(last.begin - 2, last.begin + last.size + 46), xticks=range(0, window + 1, 8), xlabel="pixels; the window lies between the orange lines" + outside)  # fmt: skip
    steps.set_title("three neighbouring cells of each layer, and the pixels they see", fontsize=10)
    for side in ("top", "right"):
        steps.spines[side].set_visible(False)
    told = "; ".join(f"{field.name} {field.size} pixels" for field in shown)
    return described(figure, f"Left, the window of cell {cell[0]}, {cell[1]} on a photo, those of its neighbours {last.stride} pixels on, and all it sees. "
                             f"Right, what a cell of each layer sees: {told}.")


def _shown(model):
    """The layers worth drawing, with the shape of their answers."""
    return [layer for layer in layers_of(model) if type(layer).__name__ not in SILENT]


def _known(model, layers):
    """Whether the sizes can be read: a model written as a class of one's own has none before it is called."""
    try:
        return len(model.input_shape) == 4 and all(None not in layer.output.shape[1:] and len(layer.output.shape) in (2, 4) for layer in layers)
    except (AttributeError, TypeError, ValueError):
        return False


def _columns(before, after):
    """A place for every layer, so that layers of equal weights stand below one another."""
    weighted = [k for k, layer in enumerate(before) if layer.weights]
    columns, k = [], -1
    for layer in after:
        if layer.weights and weighted:
            k = max(weighted.pop(0), k + 1)
        else:
            k += 1
        columns.append(k)
    return list(range(len(before))), columns


def _block(ax, x, y, shape, color, text):
    """A map as a stack of squares, a vector as a bar; sides by the square root, for 176 and 8 on one page."""
    if len(shape) == 3:
        side = 0.062 * np.sqrt(shape[0])
        for k in range(min(4, 1 + int(np.log2(max(shape[2], 1)) // 2)), -1, -1):
            ax.add_patch(patches.Rectangle((x - side / 2 + 0.05 * k, y - side / 2 + 0.05 * k), side, side, fc=color, ec="black", lw=0.8))
        label = f"{shape[0]} × {shape[1]} × {shape[2]}"
    else:
        height = 0.016 * np.sqrt(shape[0]) + 0.12
        ax.add_patch(patches.Rectangle((x - 0.05, y - height / 2), 0.1, height, fc=color, ec="black", lw=0.8))
        label = f"{shape[0]}"
    ax.text(x, y - 0.66, label, ha="center", va="top", fontsize=8, weight="bold", color="black")
    ax.text(x, y - 0.81, text, ha="center", va="top", fontsize=7.5, color="#333333", linespacing=1.25)


def plot_conversion(classifier, fcnn_model):
    """The classifier above, its fully convolutional twin below: the same weights, in another shape.

    Parameters
    ----------
    classifier, fcnn_model : keras.Model
        Drawn as they are: names, sizes and weights are read from them.
    """
    rows = [(classifier, _shown(classifier), "the classifier, for one window"), (fcnn_model, _shown(fcnn_model), "the FCNN, for a whole photo")]
    if not all(_known(model, layers) for model, layers, _ in rows):
        print("no drawing: the sizes of the layers cannot be read from this model")
        return None
    columns = _columns(rows[0][1], rows[1][1])
    wide = max(max(places) for places in columns) + 2
    figure, ax = plt.subplots(figsize=(1.17 * wide, 5.8), layout="constrained")
    ax.set_axis_off()
    before = [layer for layer in rows[0][1] if layer.weights]
    for (model, layers, title), places, y in zip(rows, columns, (2.75, 0.0)):
        _block(ax, 0, y, model.input_shape[1:], "white", "the image")
        ax.text(-0.45, y + 0.85, title, fontsize=10.5, weight="bold", va="bottom", color="black")
        weighted = 0
        for layer, place in zip(layers, places):
            shape, kernel = tuple(layer.output.shape[1:]), layer.weights[0].shape if layer.weights else None
            changed = type(layer).__name__ == "Flatten"
            text = f"{layer.name}\n{type(layer).__name__}"
            if kernel is not None:
                twin = before[weighted].weights[0].shape if weighted < len(before) else kernel
                changed = type(layer).__name__ == "Dense" or tuple(twin) != tuple(kernel)
                text += "\n" + " × ".join(map(str, kernel))
                weighted += 1
            _block(ax, place + 1, y, shape, CHANGED if changed else KEPT, text)
        ax.annotate("", (max(places) + 1.5, y), (-0.42, y), arrowprops={"arrowstyle": "->", "color": "#888888", "lw": 0.8}, zorder=0)
    ax.set(xlim=(-0.55, wide - 0.45), ylim=(-1.3, 4.1), aspect="equal")
    total = sum(int(np.prod(weight.shape)) for layer in before for weight in layer.weights)
    ax.set_title(f"Orange: what changes. {total:,} weights above and below; below each layer the shape of its kernel", fontsize=10, loc="left")
    told = [f"{name}: " + ", ".join(" × ".join(map(str, layer.output.shape[1:])) for layer in layers) for _, layers, name in rows]
    return described(figure, f"Two rows of blocks, one a layer. {'; '.join(told)}. Both have {total:,} weights; where a long vector stands above, a map stands below.")
