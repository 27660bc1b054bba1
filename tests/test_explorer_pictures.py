"""The explorers: what the picture says is what the scores, the networks and the classifier say; the widget shows its twin's picture."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from common.boxes import iou_score
from common.console import counted
from common.pictures import explorers
from common.scores import best_match, precision_recall_curve
from RegionDetector.model import copy_weights, generate_fcnn_model, generate_model
from RegionDetector.pictures import explorers as region_explorers
from RegionDetector.pictures.drawings import plot_conversion, plot_receptive_field, receptive_fields

PHOTO = np.random.default_rng(0).integers(0, 256, (120, 150, 3), dtype=np.uint8)


def pixels(file):
    return np.asarray(Image.open(io.BytesIO(file)))


def whole(figure):
    """The figure saved as any other figure is, at once and not in two layers."""
    out = io.BytesIO()
    figure.savefig(out, dpi=figure.dpi)
    return np.asarray(Image.open(out).convert("RGB"))


def same_picture(explorer, twin):
    """The widget's picture is that of a figure that was drawn for this state alone."""
    return explorer.label == twin.get_label() and np.array_equal(pixels(explorer.image.value), whole(twin))


@pytest.fixture(scope="module")
def detections():
    """Boxes on six photos: faces found well and badly, found twice, invented, missed."""
    rng = np.random.default_rng(3)
    corner = rng.integers(0, 80, (14, 2))
    true = np.column_stack([np.sort(rng.integers(0, 6, 14)), corner, corner + [34, 28]]).astype(float)
    shaken = np.repeat(true[:11], 2, axis=0) + np.column_stack([np.zeros(22), np.tile(rng.integers(-12, 13, (22, 2)), 2)])
    corner = rng.integers(0, 80, (15, 2))
    invented = np.column_stack([rng.integers(0, 6, 15), corner, corner + [34, 28]])
    pred, decision = np.concatenate([shaken, invented]), rng.normal(2, 3, 37).round(1)  # rounded: some are equal
    curve = precision_recall_curve(pred, true, decision)
    return explorers.Detections([PHOTO] * 6, [PHOTO.shape] * 6, pred, true, decision, curve)


# --- overlap ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("found, hits", [([0, 0, 40, 40], (True, True, True)), ([20, 0, 60, 40], (True, False, False)), ([40, 40, 80, 80], (False,) * 3)])
def test_the_overlap_is_the_scores_own(found, hits):
    true = [0, 0, 40, 40]
    figure = explorers.draw_iou(true, found)
    said = " ".join(text.get_text() for ax in figure.axes for text in ax.texts)
    assert f"IoU {iou_score(true, found):.3f}" in said
    assert said.count("✓ hit") == sum(hits) and said.count("✗ no hit") == 3 - sum(hits)
    assert all((f"a hit at {least}" in figure.get_label()) == hit for least, hit in zip(explorers.OVERLAPS, hits))


def test_an_iou_of_exactly_the_threshold_is_no_hit():
    assert "no hit at 0.5" in explorers.draw_iou([0, 0, 10, 20], [0, 0, 10, 10]).get_label()


def test_boxes_that_leave_the_photo_are_drawn_all_the_same():
    true = [80, 110, 118, 148]
    front = explorers.explore_iou(true, PHOTO)
    for name, value in {"top": 119, "left": 149, "tall": 120, "wide": 150}.items():
        front.controls[name].value = value
        top, left, tall, wide = (control.value for control in front.controls.values())
        assert same_picture(front, explorers.draw_iou(true, [top, left, top + tall, left + wide], PHOTO))
    assert f"{iou_score([80, 110, 118, 148], [119, 149, 239, 299]):.3f}" in front.label


def test_no_slider_begins_outside_its_range():
    tiny = np.zeros((6, 5, 3), np.uint8)
    for true, photo in (([0, 0, 6, 5], tiny), ([-4, 130, 140, 170], PHOTO)):
        front = explorers.explore_iou(true, photo)
        top, left, tall, wide = (control.value for control in front.controls.values())
        assert same_picture(front, explorers.draw_iou(true, [top, left, top + tall, left + wide], photo))


# --- threshold --------------------------------------------------------------------------------------------------


def test_the_counts_agree_with_the_scores_at_every_threshold(detections):
    d = detections
    for threshold in (*np.unique(d.decision), d.decision.max() + 1, d.decision.min() - 1):
        kept = d.decision >= threshold
        matched, missed, invented = best_match(d.pred[kept], d.true, d.decision[kept])
        assert [len(each) for each in d.at(threshold)] == [len(matched), len(invented), len(missed)]
        shown = explorers.draw_threshold(d, threshold, 2)
        in_words = [counted(len(each), what) for each, what in ((matched, "hit"), (invented, "false alarm"), (missed, "missed face"))]
        assert "{}, {} and {} on ".format(*in_words) in shown.get_label()
        recall = len(matched) / len(d.true)
        precision = len(matched) / kept.sum() if kept.any() else 1
        assert f"recall {recall:.3f}, precision {precision:.3f}" in shown.axes[1].get_title(loc="left")


def test_the_boxes_on_a_photo_are_those_of_that_photo(detections):
    d = detections
    every = [d.at(1.0, photo) for photo in range(6)]
    for kind, (parts, whole) in enumerate(zip(zip(*every), d.at(1.0))):
        assert np.array_equal(np.sort(np.concatenate(parts)), np.sort(whole)), kind
    hits, invented, missed = every[0]
    from matplotlib.patches import Ellipse, Rectangle

    drawn = explorers.draw_threshold(d, 1.0, 0).axes[0].patches
    assert sum(isinstance(patch, Ellipse) for patch in drawn) == len(missed)
    styles = [patch.get_linestyle() for patch in drawn if isinstance(patch, Rectangle)]
    assert (styles.count("-"), styles.count("--")) == (len(hits), len(invented))


def test_on_a_crowded_photo_the_surest_boxes_are_labelled(detections):
    d = detections
    together = d.pred * [0, 1, 1, 1, 1]
    crowded = explorers.Detections([PHOTO], [PHOTO.shape], together, d.true * [0, 1, 1, 1, 1], np.arange(37) / 10, (d.precision, d.recall, d.thresholds))
    for threshold, labelled in ((0.0, np.arange(29, 37)), (3.3, [33, 34, 35, 36]), (9.0, [])):
        ax = explorers.draw_threshold(crowded, threshold, 0).axes[0]
        assert sorted(text.get_text() for text in ax.texts) == [f"{each / 10:.1f}" for each in labelled]
        assert len(ax.patches) == sum(len(part) for part in crowded.at(threshold, 0))


def test_the_photos_with_most_mistakes_come_first(detections):
    order = detections.worst_first(1.0)
    mistakes = [sum(len(part) for part in detections.at(1.0, photo)[1:]) for photo in order]
    assert mistakes == sorted(mistakes, reverse=True) and sorted(order) == list(range(6))


def test_a_slider_redraws_and_the_picture_is_the_twins(detections):
    front, order = explorers.explore_threshold(detections, 1.0), detections.worst_first(1.0)
    before = front.image.value
    front.controls["threshold"].value = 4.0
    assert front.image.value != before and "threshold 4.00" in front.label and front.label in front.words.value
    assert same_picture(front, explorers.draw_threshold(detections, 4.0, order[0]))
    front.controls["rank"].value = 6
    assert f"Photo {order[5]} shows" in front.label and same_picture(front, explorers.draw_threshold(detections, 4.0, order[5]))


def test_a_state_leaves_nothing_behind_when_the_next_one_comes(detections):
    """Photos of other shapes, with more boxes and with fewer, there and back."""
    d, shapes = detections, [(130, 130), (130, 300), (400, 130), (140, 160), (130, 210), (250, 130)]
    photos = [np.random.default_rng(7).integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]
    various = explorers.Detections(photos, shapes, d.pred, d.true, d.decision, (d.precision, d.recall, d.thresholds))
    front, order = explorers.explore_threshold(various, 1.0), various.worst_first(1.0)
    begin = front.image.value
    for threshold, rank in ((-5.0, 1), (-5.0, 3), (1.0, 5), (1.0, 2), (9.0, 4)):
        front.controls["threshold"].value, front.controls["rank"].value = threshold, rank
        assert same_picture(front, explorers.draw_threshold(various, front.controls["threshold"].value, order[rank - 1]))
    front.controls["threshold"].value, front.controls["rank"].value = 1.0, 1
    assert np.array_equal(pixels(front.image.value), pixels(begin))


def test_where_no_kernel_is_alive_the_picture_and_its_words_stand_in(detections):
    front = explorers.explore_threshold(detections, 1.0)
    data, metadata = front._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert np.array_equal(pixels(base64.b64decode(data["image/png"])), pixels(front.image.value))
    assert data["text/plain"] == metadata["image/png"]["alt"] == front.label


def test_figures_can_be_read_on_a_dark_page(detections):
    for figure in (explorers.draw_iou([0, 0, 9, 9], [1, 1, 9, 9]), explorers.draw_threshold(detections, 1.0, 0)):
        assert (whole(figure)[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()
        assert figure.get_facecolor() == (1, 1, 1, 1)


# --- the window and the pyramid ---------------------------------------------------------------------------------


def weights(model, seed=0):
    rng = np.random.default_rng(seed)  # no biases: what is 0 in the photo stays 0, as padding is
    model.set_weights([rng.normal(0, 0.05, w.shape) * (w.ndim > 1) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def twins():
    """A classifier, the FCNN for photos and the one for a single window, with the same weights."""
    classifier = weights(generate_model())
    fcnn, one = generate_fcnn_model((96, 128, 3)), generate_fcnn_model((32, 32, 3))
    for model in (fcnn, one):
        copy_weights(classifier, model)
    return classifier, fcnn, one


def test_the_window_alone_is_the_classifiers_answer(twins):
    classifier, fcnn, one = twins
    windows = region_explorers.Windows(PHOTO[:96, :128], fcnn, one, (80, 100))
    assert windows.stride == 4 and tuple(windows.cells) == (13, 18) and windows.rim == 3
    for cell in ((0, 0), (12, 17), (5, 9)):
        top, left = 4 * cell[0], 4 * cell[1]
        patch = PHOTO[top : top + 32, left : left + 32]
        assert np.array_equal(windows.patch(cell), patch)
        chance = np.exp(windows.alone(cell) - windows.alone(cell).max())
        assert np.allclose(chance / chance.sum(), classifier.predict(patch[None].astype("float32"), verbose=0)[0], atol=1e-5)


def test_on_a_photo_of_one_window_the_cell_says_exactly_the_same(twins):
    _, _, one = twins
    windows = region_explorers.Windows(PHOTO[:32, :32], one, one)
    assert np.allclose(windows.here((0, 0)), windows.alone((0, 0)), atol=1e-5)
    assert region_explorers.draw_window(windows, 0, 0).get_label()


def test_the_cell_is_that_of_the_window(twins):
    """Where nothing but the window is bright, its rim included, cell and classifier see nearly the same; one cell on they do not."""
    _, fcnn, one = twins
    photo = np.full((96, 128, 3), 127, np.uint8)  # nearly 0 for the network, as padding is
    photo[36:60, 48:72] = PHOTO[:24, :24]
    windows = region_explorers.Windows(photo, fcnn, one)
    gaps = {cell: np.abs(windows.here(cell) - windows.alone((8, 11))).max() for cell in ((8, 11), (9, 11), (8, 12), (11, 8))}
    assert gaps[8, 11] < 0.1 * min(gap for cell, gap in gaps.items() if cell != (8, 11))
    said = region_explorers.draw_window(windows, 8, 11).get_label()
    assert "from pixel (32, 44)" in said and f"Cell (8, 11) of the heat map says {np.subtract(*windows.here((8, 11))[::-1]):.2f}" in said


def test_the_window_is_moved_by_sliders(twins):
    _, fcnn, one = twins
    front = region_explorers.explore_window(PHOTO[:96, :128], fcnn, one, (80, 100))
    before = front.image.value
    row = front.controls["row"]
    row.value = (row.value + 1) % (row.max + 1)
    windows = region_explorers.Windows(PHOTO[:96, :128], fcnn, one, (80, 100))
    assert front.image.value != before and same_picture(front, region_explorers.draw_window(windows, row.value, front.controls["col"].value))
    assert (front.controls["row"].max, front.controls["col"].max) == (12, 17)


@pytest.fixture(scope="module")
def bright_spots():
    """A network that answers to a bright square of the size of its window, in dark surroundings."""
    import keras
    from keras import layers

    spot = keras.Sequential([keras.Input((176, 176, 3)), layers.AveragePooling2D(4, name="pool"), layers.Conv2D(2, 8, name="answer")])
    kernel = np.full((8, 8, 3, 2), -1.0)
    kernel[1:7, 1:7] = 1.0
    kernel[..., 0] *= -1
    spot.set_weights([kernel / 5000, np.array([1.0, -1.0])])
    return spot


def test_a_face_answers_at_the_level_where_it_fills_the_window(bright_spots):
    photo = np.zeros((200, 260, 3), np.uint8)
    photo[20:50, 20:50] = 255  # 30 pixels
    photo[70:170, 120:220] = 255  # 100 pixels
    pyramid = region_explorers.Pyramid(photo, bright_spots, threshold=2.0, min_face=32)
    sizes = np.array([32 / level.factor for level in pyramid.levels])
    assert sizes[0] == 32 and np.allclose(sizes[1:] / sizes[:-1], 2 ** (1 / 3))
    from common.boxes import iou

    overlap = iou([[20, 20, 50, 50], [70, 120, 170, 220]], pyramid.faces)
    small, large = overlap.argmax(axis=1)
    assert overlap.max(axis=1).min() > 0.5
    assert sizes[np.nanargmax(pyramid.answers[:, small])] < 45 and 80 < sizes[np.nanargmax(pyramid.answers[:, large])] < 160
    assert np.isnan(pyramid.answers[-1, small])
    first = region_explorers.draw_scale(pyramid, 0)
    assert f"box {small + 1} with" in first.get_label() and f"box {large + 1} with" not in first.get_label()
    best = [pyramid.answers[:, face] for face in range(len(pyramid.faces))]
    assert all(np.nanmax(values) >= 2.0 for values in best)


def test_the_level_is_chosen_by_a_slider(bright_spots, capsys):
    photo = np.zeros((120, 120, 3), np.uint8)
    photo[20:60, 20:60] = 255
    front, pyramid = region_explorers.explore_scales(photo, bright_spots, 2.0), region_explorers.Pyramid(photo, bright_spots, 2.0)
    assert front.controls["level"].max == 6
    for level in range(1, 7):
        front.controls["level"].value = level
        assert f"Level {level} of 6" in front.label and same_picture(front, region_explorers.draw_scale(pyramid, level - 1))
    assert region_explorers.explore_scales(np.zeros((20, 20, 3), np.uint8), bright_spots) is None and "smaller than a face" in capsys.readouterr().out
    empty = region_explorers.explore_scales(np.zeros((64, 64, 3), np.uint8), bright_spots, 2.0)
    assert "no box" in empty.label


# --- drawings from the models -----------------------------------------------------------------------------------


def test_the_receptive_field_is_what_the_network_sees():
    """Change one row of pixels after the other: those that move a cell are those that the drawing says."""
    fcnn = weights(generate_fcnn_model((80, 80, 3)))
    field = receptive_fields(fcnn)[-1]
    assert (field.size, field.stride, field.begin) == (38, 4, -3)
    rng = np.random.default_rng(1)
    photos = np.repeat(rng.uniform(0, 255, (1, 80, 80, 3)), 81, axis=0)
    for row in range(80):
        photos[row, row] = rng.uniform(0, 255, (80, 3))
    answers = fcnn.predict(photos, verbose=0)[:, 5, 6]
    seen = np.flatnonzero(np.abs(answers[:80] - answers[80]).max(axis=1) > 1e-5)
    assert (seen.min(), seen.max()) == (5 * 4 + field.begin, 5 * 4 + field.begin + field.size - 1)


def test_the_conversion_is_drawn_from_the_models(twins):
    classifier, fcnn, _ = twins
    said = [text.get_text() for text in plot_conversion(classifier, fcnn).axes[0].texts]
    assert "4096" in said and any("4096 × 128" in text for text in said) and any("8 × 8 × 64 × 128" in text for text in said)
    assert "17 × 25 × 128" in said  # the FCNN's own map on 96 x 128 pixels
    assert plot_receptive_field(fcnn, PHOTO) is not None


def test_a_model_without_sizes_is_not_drawn(twins, capsys):
    import keras

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.last = keras.layers.Dense(2)

        def call(self, x):
            return self.last(x)

    assert plot_conversion(Own(), twins[1]) is None and plot_receptive_field(Own(), PHOTO) is None
    assert capsys.readouterr().out.count("no drawing") == 2
