"""Checks of `preprocess_imgs`, on the built-in ORL faces."""

from functools import lru_cache

import numpy as np

from common.exercises.answer_form import one_of, require, short
from common.exercises.verdict import Wrong

SIDE = 224
PEOPLE = (0, 4, 8, 15, 20, 33)  # numbers in the ORL data
GROUND = (60, 75, 50)
BESIDE = "e.png, beside the one that is meant"
PORTRAIT, FRAME = (220, 230), (190, 200)  # small, as faces are searched for in every one of them


@lru_cache(maxsize=1)
def _faces():
    from common.orl import orl_faces

    return orl_faces()[0]


def photo(person, number, size=(330, 380), center=None, angle=0.0, zoom=2.2, tint=(1.0, 0.85, 0.7)):
    """A photo of a person of the built-in data on plain ground: turned, moved, tinted."""
    import cv2

    face = _faces()[10 * person + number].astype(np.float32)
    height, width = size
    row, col = center or (height / 2, width / 2)
    turn = cv2.getRotationMatrix2D((face.shape[1] / 2, face.shape[0] / 2), angle, zoom)
    turn[:, 2] += [col - face.shape[1] / 2, row - face.shape[0] / 2]
    mask = np.pad(np.ones((face.shape[0] - 8, face.shape[1] - 8), np.float32), 4)
    mask = cv2.warpAffine(cv2.GaussianBlur(mask, (0, 0), 2), turn, (width, height))[..., None]
    shown = cv2.warpAffine(face, turn, (width, height))[..., None] * np.array(tint, np.float32)
    return np.clip(shown * mask + np.array(GROUND, np.float32) * (1 - mask), 0, 255).astype(np.uint8)


def no_face(seed, size=(330, 380)):
    """A photo of nothing: soft stains."""
    import cv2

    noise = np.random.default_rng(seed).normal(0, 1, (8, 9, 3)).astype(np.float32)
    return np.clip(110 + 40 * cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def parted(answer, names):
    """Crops, and what is said of where a face was found, (N,) or None, both in the order of the photos: of crops alone, or of the two in a pair; each may be a dictionary."""
    def in_order(part):
        if isinstance(part, dict):
            return [part[name] for name in names] if set(part) == set(names) else list(part.values())
        return list(part) if isinstance(part, np.ndarray) and part.dtype == object else part

    if isinstance(answer, (tuple, list)) and len(answer) == 2:
        crops, found = map(in_order, answer)
        if np.ndim(found) == 1 or np.shape(found)[1:] == (1,):
            return crops, np.ravel(found)
        if isinstance(answer, tuple) and len(names) != 2:
            require(np.ndim(crops) != 1 or np.ndim(found) != 4, "found comes first and the crops second: return crops, found")
            require(False, f"beside the crops came something of shape {np.shape(found)}: found is one True or False for each photo")
    return in_order(answer), None


def _crops(answer, names, lenient=True):
    value, count = parted(answer, names)[0], len(names)
    require(value is not None, "returned None; is there a `return`?")
    many = len(value) if hasattr(value, "__len__") else short(value)
    alone = many in (0, 1) or np.shape(value) == (SIDE, SIDE, 3)
    require(many == count, f"{count} photos, but {'one crop alone' if alone and many else f'{many} crops'}: " + (
            "is every crop put into the list, and does `return` stand after the loop?" if alone else
            "a photo that shows several faces gives one crop, of the face that is large and near the middle" if isinstance(many, int) and many > count else
            "a photo without a face keeps its place, too, or photos and labels get out of step"))
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        shapes = sorted({np.shape(v) for v in value}, key=str)
        require(False, f"the crops have different shapes, {', '.join(map(str, shapes[:3]))}: expected ({SIDE}, {SIDE}, 3) for each, also where no face was found")
    require(array.shape == (count, SIDE, SIDE, 3), f"expected crops of shape ({count}, {SIDE}, {SIDE}, 3), got {array.shape}")
    require(np.isfinite(array).all() and array.min() >= -0.01, "the crops hold numbers below 0: expected RGB from 0 to 255")
    small, lit = array.max(axis=(1, 2, 3)) <= 1.001, array.any(axis=(1, 2, 3))  # each picture by itself: those that scikit-image has rotated go from 0 to 1, the others from 0 to 255
    require(lenient or small[lit].all() or not small[lit].any(), f"the crop of photo {int(np.argmax(small & lit)) + 1} of {count} goes from 0 to 1, those of others to {array.max():g}: bring all to "
            "0 to 255 (rotate, warp and resize of scikit-image give 0 to 1, unless preserve_range=True)")
    return np.clip(array * np.where(small, 255, 1)[:, None, None, None], 0, 255).astype(np.uint8)


def _eyes(crop):
    """Middle of the two eyes in a crop: (left of the picture, right of the picture), or None if there is no face."""
    from TrackDetector.alignment import find_landmarks
    from TrackDetector.detectors import hog_detector

    boxes, scores = hog_detector(0, -0.6)(np.ascontiguousarray(crop))
    if not len(boxes):
        return None
    points = find_landmarks(np.ascontiguousarray(crop), boxes[int(np.argmax(scores))])
    eyes = np.array([points[:2].mean(axis=0), points[2:4].mean(axis=0)])
    return eyes[np.argsort(eyes[:, 1])]


def _normal(image, eyes):
    """The face between and below its eyes, in grey, upright, of one size and one contrast."""
    import cv2

    (top, left), (bottom, right) = eyes
    turn = cv2.getRotationMatrix2D((float(left + right) / 2, float(top + bottom) / 2), float(np.degrees(np.arctan2(bottom - top, right - left))), float(20 / np.hypot(bottom - top, right - left)))
    turn[:, 2] += [24 - (left + right) / 2, 16 - (top + bottom) / 2]
    grey = cv2.warpAffine(image[..., 0], turn, (48, 48)).astype(float)[2:44, 6:42]
    return (grey - grey.mean()) / max(grey.std(), 1e-6)


def _likeness(crop, eyes, image, in_photo):
    """How much the crop's face looks like the photo's and like its mirror image, each from -1 (light for dark) to 1; None where no face is seen."""
    if eyes is None or in_photo is None:
        return None
    mine, photos = _normal(np.ascontiguousarray(crop), eyes), _normal(image, in_photo)
    return float((mine * photos).mean()), float((mine[:, ::-1] * photos).mean())


def _inverted(crop, likeness, image, in_photo):
    """Whether the negative of a crop looks like the photo, and the crop itself does not."""
    if likeness and max(likeness) > 0.4:
        return False
    negative = 255 - crop
    negatives = _likeness(negative, _eyes(negative), image, in_photo)
    return negatives is not None and max(negatives) > 0.6


def _alike(crop, eyes, photos, in_photos):
    """How much the face in a crop looks like that of each photo, or like its mirror image."""
    return {name: max(_likeness(crop, eyes, photos[name], there)) for name, there in in_photos.items() if there is not None}


def _whose(name, crop, eyes, photos, in_photos):
    """The photo that the face in a crop comes from: the one of this name, unless another looks clearly more like it.

    Contrast may have been stretched, light and colour evened out on the way; the pattern of a face stays.
    """
    alike = _alike(crop, eyes, photos, in_photos)
    best = max(alike, key=alike.get, default=name)
    return best if best != name and alike[best] > max(0.5, alike.get(name, -1.0) + 0.15) else name


def _require_own(name, crop, eyes, photos, in_photos):
    whose = name if eyes is None else _whose(name, crop, eyes, photos, in_photos)
    require((name, whose) != ("e.png", BESIDE), f"photo {name} shows two faces, and in the crop is the small one of the corner: the face that is meant is large and near the middle")
    require(whose == name, f"in the place of photo {name} lies the face of photo {whose}: one crop for every photo, in their order")


def _channels(crop, eyes, image, in_photo):
    """How well each channel of a crop goes with each of the photo, from -1 to 1, whatever became of the brightness: by the order of the pixels."""
    import cv2

    here, there = (complex(*(at[1] - at[0])[::-1]) for at in (eyes, in_photo))
    turn = np.array([[(here / there).real, -(here / there).imag, 0], [(here / there).imag, (here / there).real, 0]])
    turn[:, 2] = eyes.mean(axis=0)[::-1] - turn[:, :2] @ in_photo.mean(axis=0)[::-1]
    shown = cv2.warpAffine(np.ones(image.shape[:2], np.uint8), turn, (SIDE, SIDE))[::2, ::2] > 0
    ranks = [[np.searchsorted(np.sort(x), x) for x in part[::2, ::2][shown].T] for part in (crop, cv2.warpAffine(image, turn, (SIDE, SIDE)))]
    with np.errstate(invalid="ignore", divide="ignore"):  # a channel without anything in it goes with none
        return np.nan_to_num(np.corrcoef(*ranks)[:3, 3:])


SWAPS = {"blue and red": (0, 2), "green and blue": (1, 2), "red and green": (0, 1)}
SURE = 0.015  # what the crops of one way to cut differ by is less


def _require_not_run_over(faces, in_crops, photos, in_photos):
    """No crop in which there is a face is light where the photo is dark."""
    over = next((n for n, there in in_crops.items() if there is not None and max(_alike(faces[n], there, photos, in_photos).values(), default=1) < 0.4), None)
    require(over is None, f"photo {over}: there is a face in the crop, but what is light and dark in it is not what is in the photo: have numbers run over? In uint8, 200 + 100 is 44 "
                          "and 10 - 20 is 246: calculate with floats, and cut off by np.clip(x, 0, 255)")


def _swaps(crops, eyes, photos, in_photos):
    """How much better the crops go with their photos, all in all, with two channels swapped: below 0, they are not."""
    gains = dict.fromkeys(SWAPS, 0.0)
    for name, crop in crops.items():
        if eyes[name] is not None and in_photos[name] is not None:
            own = _whose(name, crop, eyes[name], photos, in_photos)
            fit = _channels(crop, eyes[name], photos[own], in_photos[own])
            for swap, (one, other) in SWAPS.items():
                gains[swap] += fit[one, other] + fit[other, one] - fit[one, one] - fit[other, other]
    return gains


def _swapped(lit, gains):
    """Which two channels of a crop are swapped, by the light of its face (red the most, blue the least) and by what fits its photo; None if none are."""
    likely = max(gains, key=gains.get)
    if gains[likely] > SURE:
        return likely
    for swap, (more, less) in SWAPS.items():
        # each channel may have been stretched for itself, and then they are alike: only where nothing else tells, a little is enough
        if lit[less] > 1.33 * lit[more] or gains[swap] > -SURE and lit[less] > lit[more] + 5:
            return swap
    return None


@lru_cache(maxsize=2)
def _asked(crowded):
    """The photos that every function is asked about, and where the eyes lie in those with a face; if `crowded`, one shows a second face, small and in the corner."""
    tint = {name: (1.0, green, 0.45) for name, green in (("f.png", 0.95), ("c.png", 0.8), ("d.png", 0.65), ("e.png", 0.5))}
    photos = {
        "f.png": photo(PEOPLE[0], 0, (400, 480), (150, 130), zoom=1.5, tint=tint["f.png"]), "b.png": no_face(1),  # sorted, they come in another order
        "c.png": photo(PEOPLE[1], 0, center=(170, 250), angle=17, tint=tint["c.png"]),
        "d.png": photo(PEOPLE[2], 1, (420, 300), (260, 150), angle=-16, zoom=2.0, tint=tint["d.png"]),
        "e.png": photo(PEOPLE[3], 0, (300, 420), (150, 280), zoom=1.8, tint=tint["e.png"]),
    }
    in_photos = {name: _eyes(image) for name, image in photos.items() if name != "b.png"}
    if crowded:
        corner = photo(25, 0, (300, 420), (235, 55), zoom=0.9, tint=tint["e.png"])[:, :115]
        photos["e.png"][:, :115], in_photos[BESIDE] = corner, _eyes(corner)
    return photos, in_photos


def check_preprocess_imgs(f, kit):
    """Upright, centred faces of one size, in RGB, one for every photo, in their order."""
    drawn, in_photos = _asked(not kit.lenient)  # the published course left it open who is meant
    photos, tilts = {name: image.copy() for name, image in drawn.items()}, {"c.png": 17, "d.png": -16}
    if kit.lenient:
        crops = one_of(lambda form=form: _crops(f(form(photos)), list(photos)) for form in (dict, lambda photos: list(photos.values())))
    else:
        answer = either_form(f, photos)
        crops = _crops(answer, list(photos), lenient=False)
        _check_found(answer, list(photos))
    faces = {name: crop for name, crop in zip(photos, crops) if name != "b.png"}
    photos[BESIDE] = photos["e.png"]
    few = np.unique(crops[:, ::7, ::7])
    require(len(few) > 4, f"the crops hold hardly other numbers than {', '.join(map(str, few))}: was something cut to whole numbers, or to True and False, on the way?")
    require(any(not np.array_equal(crop, crops[0]) for crop in crops[1:]), "all crops are one and the same: each photo wants an array of its own, "
                                                                           "and a list that holds one array five times shows what was written into it last")
    in_crops = {name: _eyes(crop) for name, crop in faces.items()}
    gains, mirrored = _swaps(faces, in_crops, photos, in_photos), 0.0
    for name, crop in faces.items():
        colours = crop.reshape(-1, 3).astype(float)
        lit = colours[colours.max(axis=1) > 90]
        eyes = in_crops[name]
        likeness = None if kit.lenient else _likeness(crop, eyes, photos[name], in_photos[name])
        require(kit.lenient or not _inverted(crop, likeness, photos[name], in_photos[name]),
                f"photo {name}: light and dark are exchanged in the crop, as in 255 - crop: leave the pixels as they are")
        black = [np.mean(np.max(image, axis=-1) < 3) for image in (crop, photos[name])]
        require(kit.lenient or black[0] < 0.5 or black[1] > 0.2, f"photo {name}: {black[0]:.0%} of the crop is black, so it reaches far beyond the picture that it was cut from. "
                "Landmarks are places in the photo that find_face was asked about: they do not fit a piece of it")
        require(kit.lenient or np.percentile(colours, 95) > 0.7 * np.percentile(photos[name], 95), f"photo {name}: the crop is much darker than the photo; expected RGB from 0 to 255")
        swap = _swapped(lit.mean(axis=0), gains) if len(lit) else None
        if swap:  # numbers that ran over leave channels that fit to none
            _require_not_run_over(faces, in_crops, photos, in_photos)
        require(swap is None, f"photo {name}: {swap} are swapped in the crop")
        require(len(lit) and (gains["blue and red"] < -SURE or lit[:, 0].mean() > lit[:, 2].mean() + 5), f"photo {name}: the crop has lost its colours or is black; expected RGB from 0 to 255")
        if eyes is None:
            _require_not_run_over(faces, in_crops, photos, in_photos)
            for other, seen in in_crops.items():
                _require_own(other, faces[other], seen, photos, in_photos)
            turned = _eyes(np.ascontiguousarray(crop.transpose(1, 0, 2))) is not None
            require(_eyes(np.ascontiguousarray(crop[::-1])) is None, f"photo {name}: the crop is upside down")
            require(False, f"photo {name}: there is no face to be seen in the crop: " + ("it lies on its side: rows and columns are swapped, or it was turned by 90 degrees" if turned else
                    "is it cut out where the face is? A box [min_row, min_col, max_row, max_col] means image[min_row:max_row, min_col:max_col]; landmarks are (row, column), and cv2 wants (x, y)"))
        (top, left), (bottom, right) = eyes / SIDE
        wide = np.hypot(right - left, bottom - top)
        require(wide > 0.2, f"photo {name}: the eyes are {wide:.0%} of the crop's width apart, expected about a third: cut out the face, do not just "
                            "shrink the whole photo")
        require(wide < 0.6, f"photo {name}: the eyes are {wide:.0%} of the crop's width apart, expected about a third: part of the face is cut off")
        middle = (left + right) / 2
        require(0.36 < middle < 0.64, f"photo {name}: the middle between the eyes lies at {middle:.0%} of the width, expected about half")
        height = (top + bottom) / 2
        require(0.15 < height < 0.6, f"photo {name}: the eyes lie at {height:.0%} of the height, expected above the middle")
        if likeness:
            mirrored += likeness[1] - likeness[0]
        _require_own(name, crop, eyes, photos, in_photos)
        tilt = np.degrees(np.arctan2(bottom - top, right - left))
        require(abs(tilt) < 9, f"photo {name}: the eyes are tilted by {abs(tilt):.0f} degrees"
                + (f", the head in the photo by {abs(tilts[name])}: turn the face upright by its landmarks (alignment.align)" if name in tilts else ""))
    require(mirrored <= 0.1, "the faces are mirrored in the crops: what is left in the photo is left in its crop, too")
    if not kit.lenient:
        _check_again(f, photos, crops)


def _check_again(f, photos, crops):
    """Asked about other photos under the names of the first ones."""
    exchanged = {"f.png": photos["c.png"], "c.png": photos["f.png"], "d.png": photos["d.png"]}
    answer = either_form(f, exchanged)
    own = parted(answer, list(exchanged))[0]
    many = len(own) if hasattr(own, "__len__") else 0
    require(many <= len(exchanged), f"asked about {len(exchanged)} photos after {len(crops)} others, it gives {many} crops: begin with a new list in every call, and keep nothing between calls")
    again = _crops(answer, list(exchanged)).astype(float)
    require(np.abs(again[0] - crops[2]).mean() < 6, "asked about other photos under the names of earlier ones, it gives the earlier crops: keep nothing between calls")


def either_form(preprocess_imgs, photos):
    """Call `preprocess_imgs` for a dictionary of photos; one that is written for lists, as the published course's is, gets a list.

    Parameters
    ----------
    preprocess_imgs : callable
    photos : dict of str to ndarray
    """
    try:
        return preprocess_imgs(dict(photos))
    except Exception as error:
        if getattr(error, "plain", False) or isinstance(error, Wrong):  # the sandbox is no more, or the photos have been changed
            raise
        try:
            return preprocess_imgs(list(photos.values()))
        except Exception as other:
            # what was written for lists meets names where it expects photos; its own fault shows with a list
            names = "str" in str(error) or getattr(error, "kind", type(error).__name__) == "KeyError"
            raise (other if names else error) from None


def _check_found(answer, names):
    """If it says where a face was found, then rightly."""
    found = parted(answer, names)[1]
    if found is None:
        return
    require(len(found) == len(names), f"found has {len(found)} entries for {len(names)} photos: True or False for each")
    text = next((each for each in found if isinstance(each, str)), None)
    require(text is None, f"found holds text, such as {text!r}: True or False for each photo, face.found")
    said = np.asarray(found, bool)
    moved = ". It is said of another photo instead: crops and found come in the order of imgs" if said.sum() == len(names) - 1 else ""
    for name, found in zip(names, said):
        require(found == (name != "b.png"), f"found says that {'a' if found else 'no'} face was found in photo {name}, which shows {'one' if name != 'b.png' else 'none'}{moved}")


def crops_and_found(answer, names):
    """What `preprocess_imgs` answers, as the notebook goes on with it: crops alone are right, too.

    Parameters
    ----------
    answer : (array_like, array_like), or array_like or dict of crops
    names : sequence of str
        Of the photos.

    Returns
    -------
    crops : ndarray of uint8, shape (N, 224, 224, 3)
    found : ndarray of bool, shape (N,)
        All True where the answer does not say.
    """
    crops, found = parted(answer, names)
    found = np.ones(len(names), bool) if found is None else np.asarray(found, bool)
    if isinstance(crops, np.ndarray) and crops.dtype == np.uint8 and crops.shape == (len(names), SIDE, SIDE, 3):
        return crops, found  # as they are: hundreds of them as floats would take gigabytes
    return _crops(answer, names), found
