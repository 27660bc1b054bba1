"""Whom does it miss? Groups of photos: by light, by pose, or as a table says."""

import csv
import io
from collections import Counter
from itertools import zip_longest
from pathlib import Path

import numpy as np

from common.console import counted
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


def read_groups(path, photos=None, learnt=()):
    """Groups that a table names.

    Parameters
    ----------
    path : path-like
        CSV with a column `filename` and one column for each way to group, with any names: glasses, age, ward, camera.
    photos : collection of str, optional
        What the photos are called that are asked about. How many rows name one is printed.
    learnt : collection of str
        What those are called that are learnt from: rows may name them as well.

    Returns
    -------
    dict of str to (dict of str to str)
        Column to file name to group. A blank cell belongs to no group.

    Raises
    ------
    ValueError
        If there is no such column, none beside it, a row has more cells than there are columns, a file has two rows, or no row names one of `photos`.
    """
    columns, rows = _table(path)
    if "filename" not in columns or len(columns) < 2:
        raise ValueError(f"{path}: expected a column filename and at least one more, got {', '.join(columns)}")
    if len(set(columns)) < len(columns):
        raise ValueError(f"{path}: two columns have one name, of {', '.join(columns)}")
    names = [row["filename"] for row in rows]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{path}: {twice[0]} has two rows")
    if photos is not None:
        print(_matched(path, names, photos, learnt))
    return {column: {row["filename"]: row[column] for row in rows if row[column]} for column in columns if column != "filename"}


def _table(path):
    """The columns of a table, and its rows as dictionaries; commas, semicolons or tabs part the cells, as its first line does."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is no text in UTF-8; save it as CSV in UTF-8") from None
    lines = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=text.partition("\n")[0].count), skipinitialspace=True)
    columns, rows = None, []
    for cells in lines:
        while cells and not cells[-1].strip():  # spreadsheets fill up with empty ones
            cells.pop()
        if cells and columns is None:
            columns = [cell.strip() for cell in cells]
        elif len(cells) > len(columns or ()):
            raise ValueError(f"{path}: line {lines.line_num} has {len(cells)} cells, but there are {counted(len(columns), 'column')}: {', '.join(columns)}")
        elif cells:
            rows.append({column: cell.strip() for column, cell in zip_longest(columns, cells, fillvalue="")})
    if not rows:
        raise ValueError(f"{path}: expected a table with a column filename, at least one more, and a row for each photo, got "
                         f"{'an empty file' if columns is None else 'no row'}")
    return columns, rows


def _matched(path, names, photos, learnt):
    """How many rows name a photo, in words."""
    asked, known = sum(name in photos for name in names), sum(name in learnt for name in names)
    strange = [name for name in names if name not in photos and name not in learnt]
    said = f"{path}: {asked:,} of {counted(len(names), 'row')} name{'s' * (asked == 1)} a photo that is asked about" + (f", {known:,} one that is learnt" if known else "")
    if strange:
        said += f"; {len(strange):,} name none, such as {strange[0]!r}: expected names such as {next(iter(photos), 'person/photo.jpg')!r}"
    if not asked:
        raise ValueError(said)
    return said


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
