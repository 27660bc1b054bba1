"""The check of crops accepts several right answers and names what is wrong with the wrong ones."""


import cv2
import numpy as np
import pytest
from coursework import judged, rejected

from TrackDetector import faces
from TrackDetector.alignment import align
from TrackDetector.checks import faces as checks_faces
from TrackDetector.exercises import TASK, cut_faces


def each(one, pack=np.array):
    def f(imgs):
        items = list(imgs.values()) if isinstance(imgs, dict) else list(imgs)
        return pack([one(image) for image in items])
    return f


def aligned(image, size=224):
    return align(image, faces.find_face(image, thorough=False).landmarks, size)


def boxed(image, grow=0.2):
    top, left, bottom, right = faces.find_face(image, thorough=False).box
    more = grow * (bottom - top)
    part = image[max(int(top - more), 0) : int(bottom + more), max(int(left - more), 0) : int(right + more)]
    return cv2.resize(part, (224, 224))


def by_eyes(image):
    face = faces.find_face(image, thorough=False)
    points = face.landmarks[np.argsort(face.landmarks[:4, 1])]
    left, right = points[:2].mean(axis=0), points[2:].mean(axis=0)
    (row, col), away = (left + right) / 2, right - left
    turn = cv2.getRotationMatrix2D((float(col), float(row)), float(np.degrees(np.arctan2(away[0], away[1]))), float(85 / np.hypot(*away)))
    turn[:, 2] += [112 - col, 85 - row]
    return cv2.warpAffine(image, turn, (224, 224))


def only_found(imgs):
    return np.array([aligned(i) for i in imgs.values() if faces.find_face(i, thorough=False).found])


def into_one_array(imgs):
    crop, crops = np.zeros((224, 224, 3), np.uint8), []
    for image in imgs.values():
        crop[:] = aligned(image)
        crops.append(crop)
    return crops


def wrong_box(image):
    top, left, bottom, right = (int(v) for v in faces.find_face(image, thorough=False).box)
    return cv2.resize(image[left:right, top:bottom] if image[left:right, top:bottom].size else image, (224, 224))


def with_found(found):
    def f(imgs):
        items = list(imgs.values()) if isinstance(imgs, dict) else imgs
        return each(aligned)(items), found([faces.find_face(i, thorough=False).found for i in items])
    return f


def draws_on_them(imgs):
    items = list(imgs.values()) if isinstance(imgs, dict) else imgs
    answer = each(aligned)(items)
    for image in items:
        cv2.rectangle(image, (5, 5), (60, 60), (255, 0, 0), 3)
    return answer


def puts_them_back(imgs):
    for name in imgs:
        imgs[name] = aligned(imgs[name])
    return imgs


def lightness(change, to=cv2.COLOR_RGB2LAB, back=cv2.COLOR_LAB2RGB, channel=0):
    """What a step before the network does to how light a crop is, and not to its colours."""
    def f(crop):
        parts = cv2.cvtColor(crop, to)
        parts[..., channel] = change(parts[..., channel].copy())
        return cv2.cvtColor(parts, back)
    return f


def channel_by_channel(change):
    return lambda crop: np.dstack([change(np.ascontiguousarray(crop[..., k])) for k in range(3)])


def contrast(crop, **how):
    from PIL import Image, ImageOps

    return np.asarray(ImageOps.autocontrast(Image.fromarray(crop), **how))


def gamma(power):
    return lambda crop: (255 * (crop / 255) ** power).astype(np.uint8)


def clahe(plane):
    return cv2.createCLAHE(2.0, (8, 8)).apply(plane)


LIGHT = {"CLAHE": lightness(clahe), "CLAHE of Y": lightness(clahe, cv2.COLOR_RGB2YCrCb, cv2.COLOR_YCrCb2RGB), "CLAHE of every channel": channel_by_channel(clahe), "gamma 0.5": gamma(0.5),
         "gamma 0.7": gamma(0.7), "gamma 1.5": gamma(1.5), "autocontrast": contrast, "autocontrast, less 2 %": lambda crop: contrast(crop, cutoff=2), "equalised": lightness(cv2.equalizeHist),
         "equalised channels": channel_by_channel(cv2.equalizeHist), "minmax": lambda crop: cv2.normalize(crop, None, 0, 255, cv2.NORM_MINMAX), "lighter": lambda crop: np.clip(crop * 1.3 + 10, 0, 255),
         "grey world": lambda crop: np.clip(crop * (crop.mean() / crop.mean((0, 1))), 0, 255)}


def swapped(one, other):
    return [other if k == one else one if k == other else k for k in range(3)]


def objects(arrays):
    answer = np.empty(len(arrays), object)
    answer[:] = arrays
    return answer


def by_name_backwards(imgs):
    """Dictionaries of both, in an order of their own."""
    seen = {name: faces.find_face(imgs[name], thorough=False) for name in sorted(imgs)[::-1]}
    return {name: aligned(imgs[name]) for name in seen}, {name: face.found for name, face in seen.items()}


CROP_RIGHT = {"dictionaries of crops and of found": by_name_backwards, "a list of both": lambda imgs: list(with_found(list)(imgs)),
              "found as a column, an array of objects": lambda imgs: (objects(list(each(aligned)(imgs))), with_found(np.array)(imgs)[1][:, None]), "floats up to 255": each(lambda i: aligned(i).astype(np.float32)), "a list of found": with_found(list), "lists only": lambda imgs: np.stack([aligned(imgs[k]) for k in range(len(imgs))]),
              "reference": lambda imgs: faces.preprocess_imgs(imgs, thorough=False), "crops alone": each(aligned), "by the eyes": each(by_eyes),
              "from 0 to 1, a list": each(lambda i: aligned(i) / 255.0, list),
              "dictionaries only": lambda imgs: {n: aligned(i) for n, i in imgs.items()}}
CROP_WRONG = {
    "found everywhere": (with_found(lambda found: np.ones(len(found), bool)), "found says that a face was found in photo b.png"),
    "found the other way round": (with_found(lambda found: ~np.array(found)), "found says that no face was found"),
    "found of those that were found": (with_found(lambda found: [f for f in found if f]), "found has 4 entries"),
    "draws on the photos": (draws_on_them, "changes `imgs` in place"),
    "puts the crops in their place": (puts_them_back, "changes `imgs` in place"),
    "no return": (lambda imgs: None, "is there a `return`"),
    "whole photo": (each(lambda i: cv2.resize(i, (224, 224))), "do not just shrink"),
    "not upright": (each(boxed), "turn the face upright"),
    "BGR": (each(lambda i: aligned(i)[:, :, ::-1]), "blue and red are swapped"),
    "light for dark": (each(lambda i: 255 - aligned(i)), "light and dark are exchanged"),
    "light for dark, from 0 to 1": (each(lambda i: 1 - aligned(i) / 255.0), "light and dark are exchanged"),
    "150 pixels": (each(lambda i: aligned(i, 150)), "expected crops of shape"),
    "photos without a face left out": (only_found, "keeps its place"),
    "turned on its side": (each(lambda i: aligned(i).transpose(1, 0, 2)), "rows and columns are swapped"),
    "columns for rows": (each(wrong_box), "photo"),
    "backwards": (lambda imgs: each(aligned)(imgs)[::-1], "in the place of photo f.png lies the face of photo e.png"),
    "always the first": (lambda imgs: np.array([aligned(list(imgs.values())[0])] * len(imgs)), "one and the same"),
    "one array for all": (into_one_array, "one and the same"),
    "two exchanged": (lambda imgs: each(aligned)(imgs)[[0, 1, 3, 2, 4]], "in the place of photo c.png lies the face of photo d.png"),
    "too narrow": (each(lambda i: cv2.resize(aligned(i)[60:150, 70:154], (224, 224))), "photo"),
}


@pytest.mark.parametrize("name", CROP_RIGHT)
def test_preprocess_imgs_right(name):
    assert str(judged(TASK, "preprocess_imgs", CROP_RIGHT[name])) == "preprocess_imgs: right"


@pytest.mark.parametrize("name", CROP_WRONG)
def test_preprocess_imgs_wrong(name):
    rejected(TASK, "preprocess_imgs", *CROP_WRONG[name])


@pytest.fixture(scope="module")
def cut():
    """The same crops for every step that comes after the cutting, by the name of the way to cut."""
    kept = {}

    def way(one):
        return lambda image: kept.setdefault((one.__name__, image.tobytes()), one(image))
    return {one.__name__: way(one) for one in (aligned, by_eyes)}


@pytest.mark.parametrize("how", ["aligned", "by_eyes"])
@pytest.mark.parametrize("light", LIGHT)
def test_contrast_and_light_may_be_evened_out(light, how, cut):
    assert str(judged(TASK, "preprocess_imgs", each(lambda i: LIGHT[light](cut[how](i))))) == "preprocess_imgs: right"
    assert judged(TASK, "preprocess_imgs", each(lambda i: LIGHT[light](cut[how](i))), lenient=True).status == "right"


@pytest.mark.parametrize("light", LIGHT)
def test_what_is_wrong_stays_wrong_in_another_light(light, cut):
    one = cut["aligned"]
    for (a, b), told in {(0, 2): "blue and red are swapped", (0, 1): "red and green are swapped"}.items():
        rejected(TASK, "preprocess_imgs", each(lambda i: LIGHT[light](one(i))[..., swapped(a, b)]), told)
    for order, told in (((0, 1, 3, 2, 4), "photo c.png lies the face of photo d.png"), ((4, 1, 2, 3, 0), "photo f.png lies the face of photo e.png")):
        rejected(TASK, "preprocess_imgs", lambda imgs: each(lambda i: LIGHT[light](one(i)))(imgs)[list(order)], told)


@pytest.mark.parametrize("lenient", [True, False])
@pytest.mark.parametrize("wrong", ["green and blue", "grey", "one photo alone", "no light at all"])
def test_colours_that_are_lost_or_swapped(wrong, lenient, cut):
    def one(image):
        crop = cut["aligned"](image)
        if wrong == "one photo alone":
            return crop[..., ::-1] if image.shape == (420, 300, 3) else crop
        return {"green and blue": crop[..., [0, 2, 1]], "grey": crop.mean(axis=-1, keepdims=True).repeat(3, axis=-1), "no light at all": crop * 0}[wrong]

    told = {"green and blue": "green and blue are swapped", "grey": "lost its colours", "one photo alone": "photo d.png: blue and red are swapped", "no light at all": "crop"}[wrong]
    rejected(TASK, "preprocess_imgs", each(one), told, lenient)


@pytest.mark.parametrize("written", ["reference", "for lists, crops alone", "dictionaries of crops", "numbers of 64 bits"])
def test_the_notebook_goes_on_with_every_right_answer(written):
    def for_lists(imgs):
        return [aligned(imgs[k]) for k in range(len(imgs))]

    photos = {f"{k}.png": checks_faces.photo(4 * k, 0) for k in range(2)}
    preprocess = {"reference": lambda imgs: faces.preprocess_imgs(imgs, thorough=False), "for lists, crops alone": for_lists,
                  "dictionaries of crops": CROP_RIGHT["dictionaries only"], "numbers of 64 bits": each(lambda i: aligned(i).astype(np.int64))}[written]
    crops, found = cut_faces(preprocess, photos)
    assert crops.dtype == np.uint8 and found.tolist() == [True, True]
    np.testing.assert_array_equal(crops, [aligned(image) for image in photos.values()])
