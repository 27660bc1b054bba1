"""A gallery out of folders of photos, photo by photo: the memory holds descriptors, not pixels, and what was looked at is not looked at again."""

import base64
import binascii
import json
import sys
from contextlib import nullcontext
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path, PurePosixPath

import numpy as np

from common.commands.inputs import find_inputs
from common.commands.journal import Journal, printable, settings_mark, stamp
from common.commands.run import notes_said, say_kept
from common.commands.stops import Stop
from common.console import counted, say
from common.files import whole_file
from common.photos import PHOTO_SUFFIXES, PhotoError, read_photo
from TrackDetector.galleries.doubts import is_no_name
from TrackDetector.galleries.looking import Seen
from TrackDetector.galleries.names import is_blank, spelled
from TrackDetector.gallery import DIGEST

UNFINISHED = ".building.jsonl"  # behind the name of a gallery while it is built


@dataclass(frozen=True)
class Wanted:
    """A photo for the gallery: its file, its name there, and whom it shows."""

    file: Path
    photo: str
    person: str


def people_in(folder):
    """The photos of a folder of people: in it one folder a person, named after them, with photos, and perhaps more folders of photos.

    Parameters
    ----------
    folder : path

    Returns
    -------
    wanted : list of Wanted
    notes : list of str
        Folders without a photo, and photos that lie in no person's folder.
    """
    wanted, notes, folder, places = [], [], Path(folder), {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if is_no_name(place.name):
            notes.append(f"{place}: {place.name!r} is what strangers are called; if it is a person, give the folder another name")
        elif is_blank(place.name):
            notes.append(f"{place}: nothing of this name can be seen; give the folder the name of a person")
        else:
            places.setdefault(spelled(place.name), []).append(place)  # a name in two spellings is one person
    for person, own in places.items():
        found = photos_of(own, person)
        wanted += found
        if not found:
            notes += [f"{place}: no photo in it" for place in own]
    beside = [path for path in folder.iterdir() if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file() and not path.name.startswith(".")]
    if beside:
        notes.append(f"{folder}: {counted(len(beside), 'photo')} in no person's folder, such as {min(beside).name}: nobody knows whose")
    return wanted, notes


def photos_of(paths, person):
    """The photos of one person: files, and folders of them; list of `Wanted`."""
    found = find_inputs([Path(path) for path in paths], PHOTO_SUFFIXES)
    return [Wanted(file, f"{spelled(person)}/{Path(printable(name)).as_posix()}", spelled(person)) for file, name in found.files]


def _by_name(wanted):
    """Photos by their names; those of two folders that have one name get a number, or one of them would be lost without a word."""
    here = {}
    for one in wanted:
        name, number = PurePosixPath(one.photo), 1
        while one.photo in here and one.file.resolve() != here[one.photo].file.resolve():
            number += 1
            one = replace(one, photo=str(name.with_name(f"{name.stem} ({number}){name.suffix}")))
        here.setdefault(one.photo, one)
    return here


def look_at(wanted, classifier, known=(), journal=None, hold=nullcontext):
    """Look at the photos of a gallery one by one.

    Parameters
    ----------
    wanted : sequence of Wanted
    classifier : Classifier
        Looks at them; nobody need be known to it.
    known : sequence of Gallery
        Their photos that are unchanged are not looked at again.
    journal : path, optional
        Where to keep what was seen until the gallery is whole: a second run goes on from there.
    hold : callable
        ``with hold():`` what is inside is finished before a stop.

    Returns
    -------
    seen : list of Seen
        Of the photos that could be read and were not known, in their order.
    skipped : list of str
        What could not be read, and why.
    replaced : list of str
        Photos of `known` that are others now.

    Raises
    ------
    JournalError
        If what was seen cannot be kept.
    Stop
        How far the work came is said before.
    """
    from tqdm.auto import tqdm

    skipped, unchanged, seen, marks = [], 0, {}, {}
    before = {photo: digest.tobytes() for gallery in known for photo, digest in zip(gallery.photos.tolist(), gallery.digests)}
    kept = None if journal is None else Journal(journal, "photo", _mark(classifier), str(journal).removesuffix(UNFINISHED))
    try:
        here = _by_name(wanted)
        for answer in kept.answers() if kept else ():
            one = here.get(answer["photo"])
            if one is not None and answer.get("stamp") == stamp(one.file) and (again := _read(answer)) is not None and again.person == one.person:
                seen[one.photo] = again
        if seen:
            say(f"note: {len(seen):,} of {len(here):,} photos of the gallery were looked at before, in {journal}; going on with the others", sys.stderr)

        def photos():
            nonlocal unchanged
            for one in tqdm(here.values(), "gallery", disable=len(here) < 50):
                if one.photo in seen:
                    continue
                try:
                    if not one.file.is_file():  # who opens a pipe waits for ever
                        raise PhotoError(f"{one.file}: no such file")
                    marks[one.photo] = stamp(one.file)  # of what is read now: it may be another photo by the time that it is described
                    digest = _digest(one.file)
                    if before.get(one.photo) == digest:
                        unchanged += 1
                        continue
                    with notes_said():
                        photo = read_photo(one.file)
                    yield one.photo, one.person, photo, digest
                except OSError as error:
                    skipped.append(str(error) if isinstance(error, PhotoError) else f"{one.file}: {error.strerror or error}")

        for one in classifier.look(photos()):
            seen[one.photo] = one
            if kept is not None:
                with hold():
                    kept.add(one.photo, {"stamp": marks[one.photo], **_written(one)})
    except Stop:
        say_kept(unchanged + len(skipped) + len(seen), len(here), "photo of the gallery", kept, "photos of the gallery", "what was seen is")
        raise
    finally:
        if kept is not None:
            kept.close(passing=True)
    return [seen[photo] for photo in here if photo in seen], skipped, [photo for photo in seen if photo in before]


def begun(journal):
    """Of whom an interrupted building has kept photos: list of str, empty where there was none."""
    return list(dict.fromkeys(person for _, person in _lines(journal) if person is not None))


def forget(journal, people):
    """Take people out of what an interrupted building has kept, with what cannot be read: it may be of them. Returns how many lines are left."""
    lines = [line for line, person in _lines(journal) if person is not None and person not in people]
    if lines:
        with whole_file(journal) as file:
            file.writelines(lines)
    else:
        Path(journal).unlink(missing_ok=True)
    return len(lines)


def _lines(journal):
    """The lines of a journal, each with whom it is of, None where that cannot be read."""
    lines = Path(journal).read_text(encoding="utf-8", errors="replace").splitlines(keepends=True) if Path(journal).is_file() else []
    return [(line, _person_of(line)) for line in lines]


def _person_of(line):
    try:
        person = json.loads(line)["person"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return person if isinstance(person, str) else None


def _mark(classifier):
    return settings_mark({"model": classifier.nn_model.name, "layer": classifier.layer, "flip": classifier.flip, "detector": classifier.looks_by})


def _digest(file):
    digest = blake2b(digest_size=DIGEST)
    with open(file, "rb") as opened:
        while part := opened.read(2**20):
            digest.update(part)
    return digest.digest()


def _text(data):
    return base64.b64encode(data).decode("ascii")


def _written(seen):
    return {"person": seen.person, "faces": len(seen.descriptors), "descriptors": _text(np.asarray(seen.descriptors, "<f4").tobytes()),
            "sharpness": [round(float(value), 6) for value in seen.sharpness], "digest": _text(seen.digest)}


def _read(answer):
    """What was seen, from its line; None where the line holds something else: the photo is looked at again then."""
    try:
        descriptors = np.frombuffer(base64.b64decode(answer["descriptors"], validate=True), "<f4").astype(np.float32)
        descriptors = descriptors.reshape(answer["faces"], -1) if answer["faces"] else np.zeros((0, 1), np.float32)
        sharpness, digest = np.array([float(value) for value in answer["sharpness"]]), base64.b64decode(answer["digest"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None
    whole = np.isfinite(descriptors).all() and len(sharpness) == len(descriptors) and len(digest) == DIGEST and isinstance(answer["person"], str)
    return Seen(answer["photo"], answer["person"], descriptors, sharpness, digest) if whole else None
