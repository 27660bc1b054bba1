"""Pictures of what RegionDetector's references do, on the built-in scenes."""

from itertools import islice

import numpy as np

from common.pictures.words import described


def _scenes(count=4):
    from RegionDetector.demo.scenes import scenes

    made = list(islice(scenes("train"), count))
    boxes = np.concatenate([np.insert(scene.faces, 0, k, axis=1) for k, scene in enumerate(made)])
    return np.stack([scene.image for scene in made]), boxes, np.array([scene.shape for scene in made])


def _draw(ax, boxes, colour):
    from matplotlib.patches import Rectangle

    for top, left, bottom, right in boxes:
        ax.add_patch(Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, edgecolor=colour, linewidth=2))


def _figure(count, title, rows=1, size=2.2):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(size * count, size * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, count, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    figure.suptitle(title, fontsize=10)
    described(figure, title + ".")
    return figure, axes


def negative_boxes(gen_negative_bbox):
    """Photos with their faces and a few boxes that keep clear of them."""
    images, faces, shapes = _scenes()
    figure, axes = _figure(len(images), "Green: faces. Orange: what the reference draws")
    for k, ax in enumerate(axes[0]):
        mine = faces[faces[:, 0] == k, 1:]
        ax.imshow(images[k])
        drawn = [gen_negative_bbox(shapes[k], (32, 32), mine, rng) for rng in range(4)]
        _draw(ax, [box for box in drawn if box is not None], "tab:orange")
        _draw(ax, mine, "limegreen")
    return figure


def patches(get_positive_negative):
    """Positive patches above, negative ones below."""
    positive, negative = get_positive_negative(*_scenes(8), rng=0)
    figure, axes = _figure(8, "What the reference cuts: positive above, negative below", rows=2, size=1.1)
    for row, some in zip(axes, (positive, negative)):
        for ax, patch in zip(row, some):
            ax.imshow(patch)
    return figure


def boxes_on_spots(get_bboxes_and_decision_function):
    """The photos of the check, the map of the network that looks for bright spots, and the surest boxes."""
    from RegionDetector.checks.detector import SHAPES, SPOTS, spot_network, spot_photos

    network, images = spot_network(), spot_photos()
    maps = np.asarray(network.predict(images.astype("float32"), verbose=0))[..., 1]
    boxes, decision = get_bboxes_and_decision_function(network, images, SHAPES)
    figure, axes = _figure(4, "Two photos with bright spots, the heat map of a network that looks for them, and the surest boxes of the reference")
    sure = decision >= np.sort(decision)[-len(SPOTS)]
    for k in range(2):
        axes[0][2 * k].imshow(images[k])
        _draw(axes[0][2 * k], boxes[sure & (boxes[:, 0] == k), 1:], "tab:orange")
        axes[0][2 * k + 1].imshow(maps[k])
    return figure
