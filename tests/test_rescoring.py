"""The second look, with a network that sees perfectly: what it says must come back into the photo's own coordinates."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from RegionDetector.pyramid import rescoring, scales
from RegionDetector.pyramid import samples as pyramid_samples
from RegionDetector.pyramid.model import STRIDE, as_target

SURE, FAINT = 5.0, -9.0


def perfect(crops):
    """A "network" that measures the one bright ellipse in each crop; cells on it answer with it, all others with nothing."""
    answers = np.zeros((len(crops), crops.shape[1] // STRIDE, crops.shape[2] // STRIDE, 6), np.float32)
    answers[..., 0], answers[..., 3:5] = FAINT, -3  # tiny: they speak of no ellipse that is asked about
    for answer, crop in zip(answers, crops):
        points = np.argwhere(crop[..., 0] > 127) + 0.5
        if len(points) < 50:
            continue
        middle, spread = points.mean(axis=0), 4 * np.cov(points.T)  # of a solid ellipse the moments are a quarter of its matrix
        rows, cols = np.nonzero(crop[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE, 0] > 127)
        answer[rows, cols, 0] = SURE
        answer[rows, cols, 1:] = as_target(np.repeat(pyramid_samples.boxed(middle[None], spread[None]), len(rows), axis=0), rows, cols)
    return answers


@settings(max_examples=40, deadline=None)
@given(st.floats(-0.6, 0.6), st.floats(14, 70), st.floats(0.65, 1), st.floats(-0.12, 0.12), st.floats(-0.12, 0.12), st.floats(0.85, 1.15))
def test_a_second_look_mends_place_size_and_tilt(angle, radius, ratio, down, right, larger):
    photo = np.zeros((260, 320, 3), np.uint8)
    face = np.array([[radius, radius * ratio, np.pi / 2 + angle, 150.3, 120.7]])
    # in sixteenths of a pixel, from middles of pixels
    cv2.ellipse(photo, (round(16 * 149.8), round(16 * 120.2)), (round(16 * radius), round(16 * radius * ratio)), np.degrees(face[0, 2]), 0, 360, (255,) * 3, -1, shift=4)
    truth = pyramid_samples.boxed(*pyramid_samples.spread_of(face))
    guess = truth * [1, 1, larger, larger, 0] + np.array([down, right, 0, 0, 0]) * radius
    found, logits = rescoring.look_again(perfect, photo, guess, np.array([1.0]), share=1)
    np.testing.assert_allclose(found[0, :4], truth[0, :4], atol=0.03 * radius + 0.3)
    assert abs(found[0, 4] - truth[0, 4]) < 0.06
    assert logits[0] == pytest.approx(SURE)
    half, logits = rescoring.look_again(perfect, photo, guess, np.array([1.0]), share=0.5)
    np.testing.assert_allclose(half, (found + guess) / 2)
    assert logits[0] == pytest.approx((SURE + 1) / 2)


def test_what_is_not_there_sinks_below_what_is():
    photo = np.zeros((200, 200, 3), np.uint8)
    cv2.circle(photo, (60, 60), 20, (255,) * 3, -1)
    guesses = np.array([[150.0, 150, 25, 20, 0], [60.0, 60, 20, 20, 0]])
    found, logits = rescoring.look_again(perfect, photo, guesses, np.array([3.0, 2.0]))
    np.testing.assert_allclose(found[0, :2], [60, 60], atol=1.5)
    np.testing.assert_array_equal(found[1], guesses[0])
    assert logits.tolist() == pytest.approx([(2 + SURE) / 2, (3 + rescoring.NOTHING) / 2])
    nothing = rescoring.look_again(perfect, photo, np.zeros((0, 5)), np.zeros(0))
    assert nothing[0].shape == (0, 5) and nothing[1].shape == (0,)


def test_of_very_many_answers_the_surest_are_looked_at():
    photo, calls = np.zeros((300, 300, 3), np.uint8), []

    def run(crops):
        calls.append(len(crops))
        return np.full((len(crops), 12, 12, 6), -3, np.float32)

    many = np.tile([150.0, 150, 20, 15, 0], (500, 1))
    _, logits = rescoring.look_again(run, photo, many, np.linspace(9, 0, 500))
    assert sum(calls) <= rescoring.MOST * 6 + rescoring.BATCH and len(logits) == 500
    assert (np.diff(logits) <= 0).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(65, 300), st.integers(65, 300), st.floats(0.5, 3), st.floats(-0.5, 0.5))
def test_cut_out_of_any_level_a_point_lies_where_the_map_says(height, width, scale, angle):
    """A bright spot in the photo is found in the crop where the coordinates say, whichever copy it was cut from."""
    photo, spot = np.zeros((height, width, 3), np.uint8), np.array([height * 0.4, width * 0.6])
    side = max(3, int(6 / scale))
    row, col = (spot - side / 2).astype(int)
    photo[row : row + side, col : col + side] = 255
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([1, -1])
    shift = np.array([40.0, 55.0]) - turn @ spot
    crop = scales.warped(scales.halves(photo), turn, shift, 96)[..., 0].astype(float)
    seen = (np.stack(np.indices(crop.shape), axis=-1) + 0.5).reshape(-1, 2).T @ crop.ravel() / crop.sum()
    np.testing.assert_allclose(seen, turn @ (np.array([row, col]) + side / 2) + shift, atol=0.5 + 0.5 * scale)
