"""What is said about one photo or film: who is in it and when; the copies and subtitles that are made of it."""

import warnings
from pathlib import Path

from tqdm.auto import tqdm

from common.commands.run import drawing
from common.console import on_one_line, printable
from common.files import whole_file, with_ending
from common.photos import read_photo
from common.pictures.drawing import blur, draw, write_jpeg
from TrackDetector.commands.strangers import described
from TrackDetector.films.copies import by_frame, write_film
from TrackDetector.films.people import clock, people, spans
from TrackDetector.films.reading import Film
from TrackDetector.films.subtitles import srt, vtt
from TrackDetector.neighbors.predictions import UNKNOWN
from TrackDetector.photos import VIDEO_SUFFIXES

NAMED, BLURRED = ".named", ".blurred"  # what the names of copies end with, before their ending
BOX = ("min_row", "min_col", "max_row", "max_col")
HOLD = 5  # looks for which a face stays blurred before it is found and after it is lost
PATIENCE = 10  # looks over which a face that is not found is taken to be between where it was and where it is again: as long as its track goes on


def is_film(file):
    """Whether a file is a film, by the ending of its name."""
    return file.suffix.lower() in VIDEO_SUFFIXES


def name_faces(file, classifier, every=1, folder=None, name=None, blurred=None, subtitles=None, check=lambda: None, detector=None, group=False):
    """Name every face in one photo or film.

    Parameters
    ----------
    file : pathlib.Path
    classifier : Classifier
        With a gallery.
    every : int
        Take every `every`-th frame of a film.
    folder : pathlib.Path, optional
        Where to write a copy with boxes and names.
    name : str, optional
        What to call the copy, which gets an ending; by default as the file.
    blurred : {None, "unknown", "all"}
        Instead of boxes and names, make the faces of strangers (and those whose name has a doubt), or all faces, unrecognisable in the copy.
    subtitles : pathlib.Path, optional
        Where to write subtitles with the names, for films.
    check : callable
        Called for every frame of a film.
    detector : callable, optional
        As in `faces.find_faces`; by default the classifier's.
    group : bool
        Give unknown faces the descriptor that `strangers.grouped` needs.

    Returns
    -------
    dict
        `height`, `width`, `box_order`, `frames` (how many were looked at) and `faces`, one for each person: name, distance,
        boxes and their frames, nearest photos, and a `doubt` where something speaks against the name; in films their `seconds`, when the person is seen and how `sure` that is.
        All are plain lists and numbers. `drawn` and `subtitles` say what was written, `not_drawn` why a copy was not.

    Raises
    ------
    OSError
        If the file cannot be read, or the disk is full.
    """
    report, copy, change = (_film if is_film(file) else _photo)(file, classifier, every, blurred, check, detector, described if group else _as_it_is)
    name = file.name if name is None else name
    with drawing(file, report):
        if folder is not None:
            target = with_ending(Path(folder, name), (BLURRED if blurred else NAMED) + (".mp4" if is_film(file) else ".jpg"))
            copy(target, change)
            report["drawn"] = str(target)
        if subtitles is not None and is_film(file):
            report["subtitles"] = write_subtitles(report, _subtitles_of(file, Path(subtitles, name)))
    return report


def _face(answer, frames, boxes):
    return {"name": answer.label, "looks_most_like": answer.name, "distance": round(float(answer.distance), 4), "frames": frames,
            "boxes": [[round(float(v), 1) for v in box] for box in boxes],
            "nearest": [{"photo": p, "name": n, "distance": round(float(d), 4)} for p, n, d in answer.neighbors],
            **({"doubt": answer.doubt} if answer.doubt else {})}


def marked(name, doubt):
    """A name for a picture or a subtitle, which have no room for a doubt: with a question mark where there is one."""
    return f"{name}?" if doubt and name != UNKNOWN else name


def _caption(answer):
    return f"{marked(answer.label, answer.doubt)} {answer.distance:.2f}"


def _as_it_is(face, descriptors):
    return face


def _hidden(answer, blurred):
    """Is a face to be made unrecognisable? Who may be somebody else may be a stranger."""
    return blurred == "all" or answer.label == UNKNOWN or bool(answer.doubt)


def _photo(file, classifier, every, blurred, check, detector, finish):
    from TrackDetector.films.tracks import follow

    photo = read_photo(file)
    tracks = follow([photo], classifier, detector, progress=False, photo=True)
    report = {"height": photo.shape[0], "width": photo.shape[1], "box_order": " ".join(BOX), "frames": 1,
              "faces": [finish(_face(t.answer, t.frames, t.boxes), t.descriptors) for t in tracks]}

    def change():
        if blurred:
            return blur(photo, [t.boxes[0] for t in tracks if _hidden(t.answer, blurred)])
        return draw(photo, [(number, t.boxes[0], _caption(t.answer)) for number, t in enumerate(tracks)])

    return report, lambda target, change: write_jpeg(target, change()), change


def _film(file, classifier, every, blurred, check, detector, finish):
    from TrackDetector.films.tracks import follow

    film, looked, seconds = Film(file), [], []

    def looks():
        total = -(-film.expected // every) if film.expected else None
        with tqdm(total=total, desc=on_one_line(printable(file.name)), unit=" frames", leave=False, mininterval=0.5) as bar:
            for number, second, image in film.frames(every, check):
                looked.append(number)
                seconds.append(second)
                yield image
                bar.update()

    tracks = follow(looks(), classifier, detector, progress=False)
    report, seen, notes = film_report(tracks, classifier, (film.height, film.width), looked, seconds, film.end)
    report["every"] = every
    report["faces"] = [finish(face, [descriptor for track in person.tracks for descriptor in track.descriptors]) for face, person in zip(report["faces"], seen)]
    for note in [*film.notes, *notes]:
        warnings.warn(note, stacklevel=2)
    meant = [(number, person) for number, person in enumerate(seen) if not blurred or _hidden(person.answer, blurred)]
    where = by_frame([((number, person), [looked[n] for n in track.frames], track.boxes) for number, person in meant for track in person.tracks],
                     *((PATIENCE * every, HOLD * every, HOLD * every) if blurred else (every, 0, every - 1)), film.read)

    def change(number, frame):
        if blurred:
            return blur(frame, [box for _, box in where.get(number, ())])
        return draw(frame, [(index, box, _caption(person.answer)) for (index, person), box in where.get(number, ())])

    return report, lambda target, change: write_film(film, target, change, check), change


def film_report(tracks, classifier, shape, looked, seconds, end):
    """What is said about a film.

    Parameters
    ----------
    tracks : list of Track
        Whose frames are numbers of looks.
    classifier : Classifier
    shape : (int, int)
        Height and width of the frames.
    looked, seconds : list
        Of each look, the number of the frame and its second.
    end : float
        The second at which it is over.

    Returns
    -------
    report : dict
    seen : list of people.Person
    notes : list of str
    """
    seen, notes = people(tracks, classifier)
    ends = [*seconds[1:], end]
    faces = [{**_face(person.answer, [looked[n] for n in person.frames], person.boxes), "seconds": [round(seconds[n], 3) for n in person.frames],
              "sure": round(person.sure, 3), "seen": spans([seconds[n] for n in person.frames], [ends[n] for n in person.frames])} for person in seen]
    return {"height": shape[0], "width": shape[1], "box_order": " ".join(BOX), "frames": len(looked), "seconds": round(ends[-1], 3),
            "faces": faces}, seen, notes


def _subtitles_of(file, target):
    """Called as the film, so that players find them; by its whole name where another film differs in its ending alone."""
    alike = [each for each in file.parent.iterdir() if each.stem == file.stem and is_film(each)]
    return target if len(alike) > 1 else target.with_suffix("")


def write_subtitles(report, base):
    """Write both kinds of subtitles; returns their names.

    Parameters
    ----------
    report : dict
        See `film_report`.
    base : pathlib.Path
        Their name without its ending.
    """
    seen = [(marked(face["name"], face.get("doubt")), face["seen"]) for face in report["faces"] if face["name"] != UNKNOWN]
    written = []
    for ending, text in ((".srt", srt(seen)), (".vtt", vtt(seen))):
        path = with_ending(base, ending)
        with whole_file(path, "wb") as file:
            file.write(text.encode())
        written.append(str(path))
    return written


def lines(answer):
    """What is printed about a photo, one line; about a film a table by person."""
    faces = answer["faces"]
    if "seconds" not in answer:
        named = ", ".join(f"{face['name']} (distance {face['distance']:.2f}{_doubt(face)})" for face in faces)
        return [f"{answer['file']}: {named or 'no face found'}"]
    head = f"{answer['file']}: {clock(answer['seconds'])}, {len(faces)} {'person' if len(faces) == 1 else 'people'}"
    if not faces:
        return [f"{head}: no face found"]
    names = [on_one_line(face["name"]) for face in faces]
    width = max(8, *map(len, names))
    rows = [f"  {'who':{width}}  {'from':>9}  {'to':>9}  {'frames':>6}  {'distance':>8}  {'sure':>5}"]
    for name, face in zip(names, faces):
        for number, (start, end) in enumerate(face["seen"]):
            rest = f"  {len(face['frames']):6d}  {face['distance']:8.2f}  {face['sure']:5.0%}{_doubt(face)}" if number == 0 else ""
            rows.append(f"  {name if number == 0 else '':{width}}  {clock(start):>9}  {clock(end):>9}{rest}")
    return [head, *rows]


def _doubt(face):
    """What speaks against a name that is given; of strangers nothing is said."""
    return f"; {face['doubt']}" if face.get("doubt") and face["name"] != UNKNOWN else ""


COLUMNS = ("file", "height", "width", "faces", "name", "looks_most_like", "distance", "doubt", "from", "to", "sure", *BOX, "error")


def rows(answer):
    """Lines of the table: one for each face of a photo, one for each time that a person is seen in a film; or one that says that there is none."""
    faces = answer.get("faces", ())
    known = {**{column: answer[column] for column in ("file", "height", "width", "error") if column in answer}, "faces": len(faces)}
    lines = []
    for face in faces:
        about = {**known, **{column: face[column] for column in ("name", "looks_most_like", "distance", "doubt", "sure") if column in face}}
        if "seen" in face:
            lines += [{**about, "from": start, "to": end} for start, end in face["seen"]]
        else:
            lines += [{**about, **dict(zip(BOX, box))} for box in face["boxes"]]
    return lines or [known]
