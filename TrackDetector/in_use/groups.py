"""Whom does it miss? Groups of photos: by light, by pose, or as a table says."""

from pathlib import Path

import numpy as np

from common.photos import PhotoError, read_photo
from TrackDetector.galleries.names import spelled
from TrackDetector.photos import photos_in

TURNED = 0.12  # of the distance of the eyes: so far beside their middle lies the nose of a head that is turned


def by_light(images, faces):
    """Photos in thirds by how bright the face is.

    Parameters
    ----------
    images : dict of str to ndarray
        RGB photos.
    faces : dict of str to Face
        With a box.

    Returns
    -------
    dict of str to str
        "dark", "middle" or "bright", in this order.
    """
    light = {}
    for name, face in faces.items():
        top, left = np.clip(np.floor(face.box[:2]), 0, np.array(images[name].shape[:2]) - 1).astype(int)
        bottom, right = np.ceil(face.box[2:]).astype(int)
        light[name] = float(images[name][top : max(bottom, top + 1), left : max(right, left + 1)].mean())
    low, high = np.quantile(list(light.values()), [1 / 3, 2 / 3]) if light else (0, 0)
    rising = sorted(light.items(), key=lambda each: each[1])
    return {name: "dark" if value <= low else "middle" if value <= high else "bright" for name, value in rising}


def by_pose(faces):
    """Photos by where the head looks, as the landmarks say: the nose of a turned head lies beside the middle of the eyes.

    Parameters
    ----------
    faces : dict of str to Face
        With the landmarks of `alignment.TEMPLATE`: two corners of each eye, and the base of the nose last.

    Returns
    -------
    dict of str to str
        "to the left", "straight" or "to the right", as the picture shows it; "not found" where the landmarks are a guess.
    """
    groups = {}
    for name, face in faces.items():
        if not face.found:
            groups[name] = "not found"
            continue
        eyes = np.array([face.landmarks[0:2].mean(axis=0), face.landmarks[2:4].mean(axis=0)])
        eyes = eyes[np.argsort(eyes[:, 1])]
        along = eyes[1] - eyes[0]
        aside = float((face.landmarks[4] - eyes.mean(axis=0)) @ along / max(along @ along, 1e-9))
        groups[name] = "straight" if abs(aside) <= TURNED else "to the left" if aside < 0 else "to the right"
    return dict(sorted(groups.items(), key=lambda each: ("to the left", "straight", "to the right", "not found").index(each[1])))


def read_groups(path):
    """Groups that a table names.

    Parameters
    ----------
    path : path-like
        CSV with a column `filename` and one column for each way to group, with any names: glasses, age, ward, camera.

    Returns
    -------
    dict of str to (dict of str to str)
        Column to file name to group. A blank cell belongs to no group.

    Raises
    ------
    ValueError
        If there is no such column, none beside it, or a file has two rows.
    """
    import pandas as pd

    table = pd.read_csv(path, dtype=str, sep=None, engine="python", encoding="utf-8-sig", skipinitialspace=True).fillna("")
    table.columns = [str(column).strip() for column in table.columns]
    if "filename" not in table.columns or len(table.columns) < 2:
        raise ValueError(f"{path}: expected a column filename and at least one more, got {', '.join(table.columns)}")
    twice = table["filename"][table["filename"].duplicated()]
    if len(twice):
        raise ValueError(f"{path}: {twice.iloc[0]} has two rows")
    return {column: {name: group.strip() for name, group in zip(table["filename"], table[column]) if group.strip()}
            for column in table.columns if column != "filename"}


def halves(folder, seed=0):
    """Photos of one's own people, half of each person's to learn from and half to ask about.

    Parameters
    ----------
    folder : path-like
        One folder a person, named after them.
    seed : int

    Returns
    -------
    known, labels, asked, truth : dict
        ``<person>/<file>`` to RGB photo and to name, twice. Who has one photo is only learnt.

    Raises
    ------
    ValueError
        If nobody has two photos that can be read.
    """
    rng, known, asked = np.random.default_rng(seed), {}, {}
    for person in sorted(each for each in Path(folder).iterdir() if each.is_dir() and not each.name.startswith(".")):
        photos = []
        for file in photos_in(person):
            try:
                photos.append((f"{person.name}/{file.name}", read_photo(file)))
            except PhotoError as error:
                print(f"skipped: {error}")
        order = rng.permutation(len(photos))
        for place, number in enumerate(order):
            (known if place < (len(photos) + 1) // 2 else asked)[photos[number][0]] = photos[number][1]
    if not asked:
        raise ValueError(f"{folder}: expected one folder a person, named after them, with two photos or more in some of them")
    return (known, {name: spelled(name.split("/")[0]) for name in known}, asked, {name: spelled(name.split("/")[0]) for name in asked})
