"""The built-in people, in the folders of the course: ORL faces and clips simulated from them.

The clips are not filmed. A still moves, comes closer, darkens, blurs and is half covered over 20
frames in front of a photo; some frames show no face. Wherever they are shown they are called simulated.
"""

import csv
import shutil
from pathlib import Path

import numpy as np

from common.files import only_one, rename

VERSION = "1"
FRAMES = 20
HEIGHT, WIDTH = 200, 260
STRANGERS = 10
TRAINING_PHOTOS = 3
FACELESS = (6, 13, 14)  # frames of a clip in which nobody is seen


def orl_people(seed=0):
    """The 40 ORL people, some of them kept out as strangers.

    Parameters
    ----------
    seed : int
        Chooses who is a stranger.

    Returns
    -------
    people, strangers : dict of str to list of ndarray
        Name (`s01` ... `s40`) to ten RGB photos (112, 92, 3); 30 people and 10 strangers.
    """
    from common.orl import orl_faces

    images, person = orl_faces()
    photos = {}
    for image, number in zip(images, person):
        photos.setdefault(f"s{number + 1:02d}", []).append(np.repeat(image[:, :, None], 3, axis=2))
    out = set(np.random.default_rng(seed).permutation(sorted(photos))[:STRANGERS].tolist())
    return {n: p for n, p in photos.items() if n not in out}, {n: p for n, p in photos.items() if n in out}


def backgrounds():
    """Photos without people that scikit-learn brings along: a list of grey arrays (H, W)."""
    from sklearn.datasets import load_sample_image

    return [load_sample_image(name).mean(axis=2) for name in ("china.jpg", "flower.jpg")]


def _background(rng, photos):
    import cv2

    photo = photos[rng.integers(len(photos))]
    top = rng.integers(photo.shape[0] - HEIGHT)
    left = rng.integers(photo.shape[1] - WIDTH)
    return cv2.GaussianBlur(photo[top : top + HEIGHT, left : left + WIDTH].astype(np.float32), (0, 0), 3)


def simulate_clip(still, seed, photos=None):
    """Make a clip out of one photo: it moves, comes closer, darkens, blurs and is half covered.

    Parameters
    ----------
    still : ndarray, shape (H, W, 3), uint8
        A head that fills most of the picture.
    seed : int or sequence of int
    photos : list of ndarray, optional
        Grey backgrounds; by default `backgrounds()`.

    Returns
    -------
    list of ndarray, shape (200, 260, 3), uint8
        20 frames. Those numbered in `FACELESS` show the background only.
    """
    import cv2

    rng = np.random.default_rng(seed)
    back = _background(rng, photos or backgrounds())
    height = 112.0
    still = cv2.resize(still, (round(still.shape[1] * height / still.shape[0]), int(height)), interpolation=cv2.INTER_AREA)
    mask = cv2.GaussianBlur(np.pad(np.ones((still.shape[0] - 12, still.shape[1] - 12), np.float32), 6), (0, 0), 3)
    zoom = np.linspace(1.15, 1.6, FRAMES)[:: rng.choice([-1, 1])]
    path = np.linspace(-1, 1, FRAMES) * rng.choice([-1, 1])
    light = 1 - 0.55 * np.sin(np.linspace(0, np.pi, FRAMES) + rng.uniform(-0.5, 0.5)) ** 2
    covered_side, covered_from = rng.integers(3), rng.integers(2, FRAMES - 5)
    frames = []
    for t in range(FRAMES):
        frame = np.repeat(back[:, :, None], 3, axis=2)
        if t not in FACELESS:
            face = still.astype(np.float32)
            if covered_from <= t < covered_from + 3:
                rows, cols = still.shape[:2]
                part = [np.s_[rows * 6 // 10 :], np.s_[:, : cols // 2], np.s_[:, cols // 2 :]][covered_side]
                face[part] = 60
            shift_x = WIDTH / 2 + path[t] * 40 - zoom[t] * still.shape[1] / 2
            shift_y = HEIGHT / 2 + 8 * np.sin(t / 3) - zoom[t] * height / 2
            matrix = np.array([[zoom[t], 0, shift_x], [0, zoom[t], shift_y]])
            weight = cv2.warpAffine(mask, matrix, (WIDTH, HEIGHT))[:, :, None]
            frame = frame * (1 - weight) + cv2.warpAffine(face, matrix, (WIDTH, HEIGHT)) * weight
        frame = cv2.GaussianBlur(frame * light[t], (0, 0), 1.6) if t % 5 == 4 else frame * light[t]
        frames.append(np.clip(frame + rng.normal(0, 2, frame.shape), 0, 255).astype(np.uint8))
    return frames


def _write(folder, labels_name, photos):
    import cv2

    (folder / "images").mkdir(parents=True)
    with open(folder / labels_name, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["filename", "class_id"])
        for number, (label, photo) in enumerate(photos):
            ok, data = cv2.imencode(".png", photo[:, :, ::-1])
            (folder / "images" / f"{number}.png").write_bytes(data.tobytes())
            table.writerow([f"{number}.png", label])


def _write_clips(folder, clips):
    import cv2

    folder.mkdir(parents=True)
    with open(folder / "y_test.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["filename", "class_id"])
        for number, (label, frames) in enumerate(clips):
            place = folder / "videos" / str(number)
            place.mkdir(parents=True)
            for t, frame in enumerate(frames):
                ok, data = cv2.imencode(".jpg", frame[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
                (place / f"{t}.jpg").write_bytes(data.tobytes())
            table.writerow([number, label])


def lay_out(people, strangers, folder, seed=0, training_photos=TRAINING_PHOTOS):
    """Write people in the folders of the course, with one simulated clip a person.

    Parameters
    ----------
    people, strangers : dict of str to list of ndarray
        Name to RGB photos. The first `training_photos` of a person are for training, the others for
        testing; the clip is made from a photo for testing.
    folder : path-like
        Where `image_classification` and `video_classification` shall lie. It appears when it is whole;
        what an older version of the kit laid out there is replaced.
    seed : int
    training_photos : int

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ValueError
        If a person has too few photos to be trained and tested on.
    """
    few = [name for name, photos in people.items() if len(photos) <= training_photos]
    if few:
        raise ValueError(f"{', '.join(few)}: expected more than {training_photos} photos, some to train and some to test")
    folder = Path(folder)
    stamp = f"{VERSION} {seed} {training_photos} {len(people)} {len(strangers)}"
    if _is_laid_out(folder, stamp):  # perhaps where nobody may write, not even a lock
        return folder
    with only_one(folder.with_name(f".{folder.name}.lock"), f"waiting for {folder.name}, which another run lays out"):
        if not _is_laid_out(folder, stamp):
            part = folder.with_name(folder.name + ".part")
            shutil.rmtree(part, ignore_errors=True)
            _write_all(people, strangers, part, seed, training_photos)
            text = f"{stamp}\nLaid out by the kit; the clips are simulated. It may be deleted.\n"
            (part / "built-in.txt").write_text(text, encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            rename(part, folder)
    return folder


def _is_laid_out(folder, stamp):
    note = folder / "built-in.txt"
    return note.is_file() and note.read_text(encoding="utf-8").split("\n")[0] == stamp


def _write_all(people, strangers, part, seed, training_photos):
    images, video = part / "image_classification", part / "video_classification"
    train = [(name, photo) for name, photos in people.items() for photo in photos[:training_photos]]
    _write(images / "train", "y_train.csv", train)
    _write(images / "test", "y_test.csv", [(n, photo) for n, photos in people.items() for photo in photos[training_photos:]])
    _write(images / "unknown", "y_unknown.csv", [(n, photo) for n, photos in strangers.items() for photo in photos])
    _write(video / "train", "y_train.csv", train)
    back = backgrounds()
    _write_clips(video / "test", (
        (name, simulate_clip(photos[training_photos + i % (len(photos) - training_photos)], [seed, i], back))
        for i, (name, photos) in enumerate(people.items())
    ))
