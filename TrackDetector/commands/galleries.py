"""`python -m TrackDetector gallery ...`: build a gallery, add people, take them out, list, merge and check it."""

import argparse
import json
import os
import sys
from contextlib import nullcontext

import numpy as np

from common.commands.journal import for_any_reader
from common.commands.stops import until_stopped
from common.console import a_path, an_output, counted, on_one_line, prepare_outputs, print_any_name, say, words_beside
from common.files import remove_halves, whole_file
from TrackDetector import detectors
from TrackDetector.commands import opening
from TrackDetector.galleries.building import begun, forget, look_at, people_in, photos_of
from TrackDetector.galleries.doubts import apart, is_no_name
from TrackDetector.galleries.editing import Saved, merge, remove, threshold_of, without
from TrackDetector.galleries.names import is_blank, whom


def parser():
    """The arguments of the command."""
    p = argparse.ArgumentParser(prog="python -m TrackDetector gallery", description="Build and keep a gallery: one file that says who is who.")
    commands = p.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, what):
        made = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
        made.add_argument("gallery", type=a_path, metavar="GALLERY", help="the file, .npz")
        return made

    for name, what in (("build", "make a gallery of a folder of people; an old file is replaced when the new one is whole"),
                       ("add", "add people or photos to a gallery; it is made if there is none. Photos that are in it and unchanged are not looked at again")):
        made = command(name, what)
        made.add_argument("photos", nargs="+", type=a_path, metavar="FOLDER", help="a folder with one folder a person, named after them, full of photos")
        made.add_argument("--person", metavar="NAME", help="all photos and folders named are of this person")
        detectors.add_options(made)
    removing = command("remove", "take people out of a gallery; nothing of them stays in the file")
    removing.add_argument("people", nargs="+", metavar="PERSON")
    listing = command("list", "list the people of a gallery: photos, and how far they lie apart")
    listing.add_argument("--json", type=an_output, metavar="OUT", help="write the list to a file, - for standard output")
    merging = command("merge", "make one gallery of several")
    merging.add_argument("parts", nargs="+", type=a_path, metavar="PART", help="galleries that go into it")
    checking = command("check", "look for two names that look like one person, photos under two names or of somebody else, several faces, blurred faces, "
                                "people with few photos; exit code 1 if there is any")
    checking.add_argument("--json", type=an_output, metavar="OUT", help="write what was found to a file, - for standard output")
    return p


def main(arguments=None):
    """Run the command; returns 0, 1 if something could not be read or `check` has found something, 2 if nothing could be done."""
    options = parser().parse_args(arguments)
    print_any_name()

    def work(stops):
        try:
            with nullcontext() if options.command in ("list", "check") else opening.alone(options.gallery):
                return _COMMANDS[options.command](options, stops)
        except BrokenPipeError:  # nobody reads along: no error
            raise
        except (OSError, ValueError) as error:
            say(f"error: {error}", sys.stderr)
            return 2

    with words_beside(getattr(options, "json", None)):
        return until_stopped(work)


def _wanted(options):
    """The photos that are named, and what cannot be used; the outputs are known to be writable then."""
    if options.person is not None and is_no_name(options.person):
        raise ValueError(f"--person {options.person}: that is what strangers are called; give the person another name")
    if options.person is not None and is_blank(options.person):
        raise ValueError(f"--person {options.person!r}: expected the name of a person")
    wanted, notes = [], []
    for path in options.photos:
        if options.person is not None:
            if not os.path.exists(path):
                raise FileNotFoundError(f"{path}: no such photo or folder")
            continue
        if not path.is_dir():
            raise ValueError(f"{path}: expected a folder with one folder a person; for photos of one person say --person NAME")
        more, said = people_in(path)
        wanted, notes = wanted + more, notes + said
    wanted = photos_of(options.photos, options.person) if options.person is not None else wanted
    prepare_outputs({"GALLERY": options.gallery}, None, [one.file for one in wanted])
    if not wanted:
        for line in notes:
            say(f"skipped: {line}", sys.stderr)
        raise ValueError(f"{options.photos[0]}: expected one folder a person, named after them, with photos in it; found no photo")
    return wanted, notes


def _learn(options, stops, known):
    """Look at the photos, and save a gallery of them and of `known`, a `Saved` or None."""
    from common.device import prepare

    wanted, notes = _wanted(options)
    prepare(alone=True)
    from TrackDetector.classifier import Classifier

    settings = detectors.asked_for(options.detector, options.weights, None if known is None else known.settings.get("detector", "hog"))
    classifier = Classifier(**{"detector": detectors.DEFAULT, **settings}) if known is None else Classifier.load(options.gallery, mapped=False, **settings)
    old, aside = (None, None) if known is None else (known.gallery, known.aside)
    parts = [part for part in (old, aside) if part is not None]
    seen, skipped, replaced = look_at(wanted, classifier, parts, opening.journal_of(options.gallery), stops.held)
    for line in (*notes, *skipped):
        say(f"skipped: {line}", sys.stderr)
    if not seen:
        if old is None:
            raise ValueError("found no photo that can be read")
        opening.say_lost(wanted, old.people)
        say(f"{options.gallery}: nothing new, {_size(old)}")
        return 1 if skipped else 0
    with stops.held():  # all is seen: who stops it now finds the gallery whole
        opening.enrol(classifier, seen, *(without(part, "photos", replaced) for part in (old, aside)))
        if old is not None:
            classifier.threshold = threshold_of(classifier.threshold, len(old.people), len(classifier.classes_))
        opening.say_lost(wanted, classifier.classes_)
        opening.save(classifier, options.gallery)
        say(f"{options.gallery}: {_size(classifier.gallery_)}; {counted(len(seen), 'photo')} looked at")
    return 1 if skipped else 0


def _size(gallery):
    return f"{counted(len(gallery.people), 'person', 'people')}, {counted(len(gallery), 'photo')}"


def _build(options, stops):
    return _learn(options, stops, None)


def _add(options, stops):
    return _learn(options, stops, Saved.read(options.gallery) if options.gallery.is_file() else None)


def _remove(options, stops):
    journal = opening.journal_of(options.gallery)
    looked_at = begun(journal)
    saved = Saved.read(options.gallery) if options.gallery.is_file() or not looked_at else None
    there = [] if saved is None else saved.people
    people = whom(options.people, [*there, *looked_at])
    with stops.held():
        halves = [half for file in (options.gallery, journal) for half in remove_halves(file)]
        kept = forget(journal, people)  # first: where nobody would be left in the gallery, nothing of them is left beside it
        if saved is not None and (here := [name for name in people if name in there]):
            saved = remove(saved, here)
            saved.write(options.gallery)
    place, left = (journal, counted(kept, "photo")) if saved is None else (options.gallery, _size(saved.gallery))
    say(f"{place}: without {', '.join(people)}; {left} left")
    for half in halves:  # a number tells nothing of a process on another machine, or of one that had it before
        say(f"note: {half}: seems to be written just now, and may hold what was removed; delete it if no run is at work", sys.stderr)
    return 0


def _list(options, stops):
    saved = Saved.read(options.gallery)
    prepare_outputs({"--json": options.json}, None, [options.gallery])
    people = []
    for code, name in enumerate(saved.gallery.people.tolist()):
        rows = saved.gallery.rows_of(code)
        spread = float(apart(saved.gallery.descriptors[rows]).mean())
        people.append({"name": name, "photos": len(rows), "apart": round(spread, 4) if np.isfinite(spread) else None})
    names = [on_one_line(person["name"]) for person in people]
    wide = max(map(len, names))
    for name, person in zip(names, people):
        far = "" if person["apart"] is None else f"  {person['apart']:.2f} apart"
        say(f"{name:{wide}}  {person['photos']:6,} photo{'s' if person['photos'] > 1 else ' '}{far}")
    settings = ", ".join(f"{name} {json.dumps(value)}" for name, value in saved.settings.items() if name != "alike")
    say(f"{_size(saved.gallery)}; {settings}")
    _write(options.json, {"settings": saved.settings, "people": people})
    return 0


def _write(path, answer):
    if path is not None:
        with whole_file(path) as file:
            file.write(json.dumps(for_any_reader(answer), indent=1) + "\n")


def _merge(options, stops):
    made, doubts = merge([(str(path), Saved.read(path)) for path in options.parts]).compared()
    with stops.held():
        made.write(options.gallery)
    say(f"{options.gallery}: {_size(made.gallery)}")
    for doubt in doubts:
        say(f"note: {doubt.text}", sys.stderr)
    return 0


def _check(options, stops):
    saved = Saved.read(options.gallery)
    prepare_outputs({"--json": options.json}, None, [options.gallery])
    doubts = saved.doubts()
    for doubt in doubts:
        say(f"{doubt.kind}: {doubt.text}")
    say(f"{options.gallery}: {_size(saved.gallery)}; {len(doubts) or 'nothing'} to look at")
    found = [{"kind": doubt.kind, "people": list(doubt.people), "photos": list(doubt.photos), "text": doubt.text} for doubt in doubts]
    _write(options.json, found)
    return 1 if doubts else 0


_COMMANDS = {"build": _build, "add": _add, "remove": _remove, "list": _list, "merge": _merge, "check": _check}
