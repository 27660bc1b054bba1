"""Checks of `detect`: what is above a threshold."""

import numpy as np

from common.exercises.answer_form import aside, box_text, numbers, one_of, require
from RegionDetector.checks.detector import BOX_SHAPE, SHAPES, SPOTS, read_detections, spot_network, spot_photos


def _in_order(boxes, decision):
    """Rows (decision, box), the surest first; boxes of equal decision in an order of their own."""
    rows = np.column_stack([np.round(decision, 3), np.round(boxes, 1)])
    return rows[np.lexsort(rows.T[::-1] * [[-1], *[[1]] * 5][::-1])]


def check_detect(f, kit):
    """What `get_bboxes_and_decision_function` finds, from the threshold on; called as in the notebook, with box_shape, and without."""
    model, images = kit.model(spot_network()), spot_photos()
    if not kit.lenient:
        _check_size_of_detected(f, kit, model, images)
    one_of(lambda shapes=shapes: _check_detected(f, kit, model, images, shapes) for shapes in ((SHAPES, SHAPES[:, :2]) if kit.lenient else (SHAPES,)))


def _check_detected(f, kit, model, images, shapes):
    boxes, decision = read_detections(kit.other("get_bboxes_and_decision_function")(model, images, shapes))
    levels = np.unique(decision)
    require(len(levels) >= 3, "get_bboxes_and_decision_function finds fewer than three boxes: correct it first")
    for threshold in (float(levels[-2]), float(levels[-2] + 0.1 * (levels[-1] - levels[-2])), float(np.median(levels[levels < 0])) + 1e-3, float(levels[0]) - 1):
        want = decision >= threshold
        got, sure = read_detections(f(model, images, shapes, threshold))
        if len(got) != want.sum():
            text = f"at the threshold {threshold:.3g}, {want.sum()} of {len(boxes)} boxes have at least that decision; got {len(got)}"
            equal = len(got) == (decision > threshold).sum() and _only_equal_is_lost(f, model, images, shapes, decision)
            turned = len(got) in ((decision <= threshold).sum(), (decision < threshold).sum())
            require(False, text + (". A decision equal to the threshold is enough: >= instead of >" if equal else
                                   ". The boxes below the threshold were kept" if turned else ". The threshold is not used" if len(got) == len(boxes) and threshold > levels[0] and threshold > 0 else
                                   ". The sign is lost: a decision below 0 is less sure than any above" if len(got) == (np.abs(decision) >= threshold).sum() else
                                   ". Decisions are compared as whole numbers (int)" if len(got) == (decision.astype(int) >= int(threshold)).sum() else
                                   ". There is one box for each photo, and a photo may show several faces" if len(got) == len(set(boxes[want][:, 0])) == len(set(got[:, 0])) else
                                   _of_all(f, model, images, shapes, boxes, decision)))
        sides = got[:, 3:] - got[:, 1:3]
        require(kit.lenient or len(got) == 0 or np.abs(sides - BOX_SHAPE).max() > 0.01, "asked for the boxes without box_shape, it gives those of an earlier call, with it: keep nothing between calls")
        require(np.allclose(np.sort(sure), np.sort(decision[want]), atol=1e-4),
                f"the decisions returned are {np.sort(sure)[::-1][:3].round(3).tolist()}, those of the boxes kept are {np.sort(decision[want])[::-1][:3].round(3).tolist()}")
        left, right = _in_order(got, sure), _in_order(boxes[want], decision[want])
        bad = np.abs(left - right).max(axis=1) > 0.6
        require(not bad.any(), f"the box with the decision {left[int(np.argmax(bad))][0]:.3g} is {box_text(left[int(np.argmax(bad))][1:])}, but "
                               f"get_bboxes_and_decision_function says {box_text(right[int(np.argmax(bad))][1:])}: keep boxes and decisions in step")
    alone = f(model, images, shapes, float(levels[-2]), return_decision=False)
    require(not (isinstance(alone, tuple) and len(alone) == 2 and np.ndim(alone[1]) == 1), "with return_decision=False only the boxes are asked for")
    require(len(numbers(alone, "the boxes with return_decision=False", 5)) == (decision >= levels[-2]).sum(),
            "with return_decision=False there are other boxes than with return_decision=True")


@aside()
def _asked_again(f, model, images, shapes, threshold):
    """Boxes and decisions at another threshold, to find out what is amiss; none where it fails."""
    try:
        return read_detections(f(model, images, shapes, float(threshold)))
    except Exception:
        return np.zeros((0, 5)), np.zeros(0)


def _only_equal_is_lost(f, model, images, shapes, decision):
    """Does it keep every box where the threshold lies below all of them?"""
    return len(_asked_again(f, model, images, shapes, decision.min() - 1)[0]) == len(decision)


def _of_all(f, model, images, shapes, boxes, decision):
    """What it makes of boxes all of which are above the threshold, where that says more."""
    got, sure = _asked_again(f, model, images, shapes, decision.min() - 1)
    return (". Of boxes that are all above the threshold it keeps one alone" if len(got) == 1 < len(boxes) else
            f". All that it keeps lies on photo {got[0][0]:g}, whatever the threshold: look at every photo" if len(got) and np.ptp(got[:, 0]) == 0 < np.ptp(boxes[:, 0]) else
            f". Its decisions go from {sure.min():.3g} to {sure.max():.3g}, those of get_bboxes_and_decision_function from {decision.min():.3g} to {decision.max():.3g}: compare these, as they are, "
            "and hand on photos as they come" if len(got) and not np.isclose(sure.max(), decision.max(), atol=1e-4) else "")


def _check_size_of_detected(f, kit, model, images):
    """Is box_shape handed on?"""
    boxes, decision = read_detections(kit.other("get_bboxes_and_decision_function")(model, images, SHAPES.copy(), box_shape=BOX_SHAPE.copy()))
    require(len(boxes), "get_bboxes_and_decision_function finds no box: correct it first")
    least = float(np.sort(decision)[max(len(decision) - len(SPOTS), 0)])
    both, alone = (f(model, images, SHAPES.copy(), least, return_decision=wanted) for wanted in (True, False))
    require(not (isinstance(alone, tuple) and not isinstance(both, tuple)), "return_decision is the wrong way round: with it boxes and decisions are asked for, without it the boxes alone")
    got, sure = read_detections(f(model, images, SHAPES.copy(), least, box_shape=BOX_SHAPE.copy()))
    if len(got) and len(sure):
        want, have = ((b[np.argmax(d)][3:] - b[np.argmax(d)][1:3]) for b, d in ((boxes, decision), (got, sure)))
        require(np.abs(want - have).max() <= 1.5, f"asked for boxes of {BOX_SHAPE[0]:g} rows and {BOX_SHAPE[1]:g} columns (box_shape), the surest is {have[0]:g} x {have[1]:g}, that of "
                                                  f"get_bboxes_and_decision_function {want[0]:g} x {want[1]:g}: hand box_shape on to it")
