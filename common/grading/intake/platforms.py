"""Whose a file is, by the name that a learning platform gave to it or to its folder.

Sources: Moodle's mod/assign (``fullname_uniqueid_assignsubmission_file``, since 4.1 without the last ``_``; of a group then ``group_groupid_…``, of those
without one ``Default group_…``), Canvas' ContentZipper
(``sortablename[_LATE]_user_attachment_name``, anonymous ``anon_id_attachment_name``, a text or an address ``sortablename_user_text.html``), Gradescope's export (``submission_metadata.yml``),
GitHub Classroom (``assignment-login``), ILIAS' ilExSubmission (``lastname_firstname_login_id``, ASCII), Blackboard's Assignment File
Download (``assignment_login_attempt_time_name``), Brightspace's Download (a folder ``number-number - name - date time`` for each time
somebody has handed in), Microsoft Teams' library of students' work (``Submitted files/name/assignment/Version 2``, ``Working files/name/assignment``).
"""

import datetime
import os
import re
from dataclasses import dataclass, replace

from common.grading.intake.files import ARCHIVES, NOTEBOOKS, kind_of, stem_of

PLATFORMS = ("moodle", "canvas", "gradescope", "github", "ilias", "blackboard", "brightspace")
# what comes first is the platform's: a student's own file may be called as if it were somebody else's
_MOODLE = re.compile(r"(?P<name>.+?)(?:_(?P<ident>\d+))?_assignsubmission_(?:file|onlinetext|comments)(?:_(?P<file>.*))?")
_CANVAS = re.compile(r"(?P<name>.+?)(?P<late>_late)?_(?P<ident>\d+)_(?P<order>\d+)_(?P<file>.+)", re.I)
_CANVAS_ANONYMOUS = re.compile(r"anon_(?:(?P<late>late)_)?(?P<ident>[0-9A-Za-z]{5})_(?P<order>\d+)_(?P<file>.+)", re.I)
_CANVAS_TEXT = re.compile(r"(?P<name>.+?)(?P<late>_late)?_(?P<ident>\d+)_(?P<file>(?:text|link)\.html)", re.I)
_ILIAS = re.compile(r"(?P<last>[^_].*)_(?P<first>[^_]+)_(?P<login>[^_]+)_(?P<ident>\d+)")
_ILIAS_TEAM = re.compile(r"(?:Team|Group|Gruppe) \d+")
_ILIAS_LATE = re.compile(r"(?:Late Submission|Verspaetete Abgabe|Verspätete Abgabe) - (?P<file>.+)", re.I)
_BLACKBOARD = re.compile(r"(?P<work>.+?)_(?P<ident>[^_]+)_attempt_(?P<when>\d{4}(?:-\d{2}){5})(?:_(?P<file>.+)|(?P<about>\.txt))")
_BRIGHTSPACE = re.compile(r"(?P<ident>\d+)-\d+ - (?P<name>.+) - (?P<date>(?=[\w., ]*\b\d{4}[., ])[\w., ]+) (?P<hour>\d{1,2}):?(?P<minute>\d\d)(?: (?P<half>[AP]M))?")
_TEAMS = "Submitted files", "Working files"
_VERSION = re.compile(r"Version (\d+)")
# what one student's folder may hold beside one another: the kit's own folders, the times that Teams counts
_OF_ONE = re.compile(rf"RegionDetector|TrackDetector|common|build|docs|tests|benchmarks|docker|data|{_VERSION.pattern}")
_MOST_TEXT = 8 << 20


@dataclass(frozen=True)
class Owner:
    """Whose a file is.

    Attributes
    ----------
    platform : str
        One of `PLATFORMS`, or "" for plain files and folders.
    ident : str
        What the platform knows the student by; equal names are told apart by it.
    name : str
        As people read it.
    login, email : str
        Where the platform says so.
    late : bool
        The platform's own mark.
    time : float or None
        When it was handed in, seconds of the epoch, where the platform says so.
    order : int
        Grows with each file that was handed in, where the platform numbers them.
    file : str
        The name that the student gave.
    place : str
        The name that the platform gave, of the file or its folder.
    team : str
        Several students who handed in together have the same.
    """

    platform: str
    ident: str
    name: str
    login: str = ""
    email: str = ""
    late: bool = False
    time: float | None = None
    order: int = 0
    file: str = ""
    place: str = ""
    team: str = ""


def _moodle(part):
    found = _MOODLE.fullmatch(part)
    return found and Owner("moodle", found["ident"] or found["name"], found["name"].strip(), file=found["file"] or "", place=part)


def _canvas(part):
    found = _CANVAS_TEXT.fullmatch(part) or _CANVAS_ANONYMOUS.fullmatch(part) or _CANVAS.fullmatch(part)
    if not found:
        return None
    known = {"name": f"anon_{found['ident']}", "order": 0, **found.groupdict()}
    return Owner("canvas", found["ident"], known["name"], late=bool(found["late"]), order=int(known["order"]), file=found["file"], place=part)


def _ilias(part):
    found = _ILIAS.fullmatch(part)
    return found and Owner("ilias", found["ident"], f"{found['first']} {found['last']}", login=found["login"], place=part)


def _blackboard(part):
    found = _BLACKBOARD.fullmatch(part)
    if not found:
        return None
    try:
        time = datetime.datetime.strptime(found["when"], "%Y-%m-%d-%H-%M-%S").timestamp()
    except (ValueError, OverflowError):
        return None
    return Owner("blackboard", found["ident"], found["ident"], login=found["ident"], time=time, file=found["file"] or "", place=part)


def _brightspace(part):
    found = _BRIGHTSPACE.fullmatch(part)
    if not found:
        return None
    try:
        time = datetime.datetime.strptime("{date} {hour}:{minute} {half}".format(**found.groupdict()), "%b %d, %Y %I:%M %p").timestamp()
    except (ValueError, OverflowError):  # in the order or with the months of another language
        time = None
    # whether the first number is the student's or the submission's is told nowhere; two of one name are not put together for it
    return Owner("brightspace", f"{found['ident']} {found['name']}", found["name"], login=found["ident"], time=time, place=part)


_BY_NAME = {"moodle": _moodle, "canvas": _canvas, "ilias": _ilias, "blackboard": _blackboard, "brightspace": _brightspace}


def _tops(files, depth):
    return list(dict.fromkeys(f.parts[depth] for f in files if len(f.parts) > depth))


def _matches(files, depth):
    """The platform whose names most of the students' files or folders at this depth have; None if none has more than half."""
    names = _tops(files, depth)
    ilias = [n for f in files if len(f.parts) > depth + 1 for n in [f.parts[depth + 1] if _ILIAS_TEAM.fullmatch(f.parts[depth]) else f.parts[depth]]]
    votes = {platform: sum(read(n) is not None for n in names) / max(len(names), 1) for platform, read in _BY_NAME.items()}
    votes["ilias"] = sum(_ilias(n) is not None for n in dict.fromkeys(ilias)) / max(len(dict.fromkeys(ilias)), 1) if ilias else 0
    best = max(votes, key=votes.get)  # the first of equals: Moodle's names are the most particular
    return best if votes[best] > 0.5 else None


def _class_below(files, depth):
    """Whether several students are found at this depth, or below folders that hold one folder only: unpacking a zip of a folder makes a folder in a folder."""
    while True:
        below = [f for f in files if len(f.parts) > depth + 1]
        inside = {f.parts[depth] for f in below}
        if _matches(files, depth):
            return True
        if len(inside) != 1 or any(len(f.parts) == depth + 1 and kind_of(f.name) is NOTEBOOKS for f in files):
            return len(inside) > 1 and not all(map(_OF_ONE.fullmatch, inside))
        depth += 1


def outer_folders(files, wanted=None, repositories=(), packed=False):
    """How many folders lie round the class, and the platform's name by what is in the innermost.

    Parameters
    ----------
    files : list of common.grading.intake.files.Found
    wanted : str, optional
        The platform, where the instructor has said it.
    repositories : collection of tuple of str
        Folders that are Git repositories.
    packed : bool
        Whether all of it was one archive.

    Returns
    -------
    depth : int
    platform : str
        "" for plain files and folders.
    """
    shared = tuple(os.path.commonprefix([f.parts for f in files if kind_of(f.name) is NOTEBOOKS]))
    # it lies beside all that was handed in; one that lies among it is a student's
    marked = [len(f.parts) - 1 for f in files if f.name == "submission_metadata.yml"
              and (wanted == "gradescope" or shared[: len(f.parts) - 1] == f.parts[:-1])]
    if wanted in (None, "gradescope") and marked:
        return min(marked), "gradescope"
    depth, around = 0, ""
    while True:
        found = _matches(files, depth)
        if found and wanted in (None, found):
            return depth, found
        below = {}
        for file in files:
            below.setdefault(file.parts[depth], []).append(file)
        tops, beside = list(below), {_matches(inside, depth + 1) for inside in below.values()} if len(below) > 1 else set()
        if len(beside) == 1 and (found := beside.pop()) and wanted in (None, found):
            return depth + 1, found  # several downloads of one platform: of its groups, or of one week and the next
        single = len(tops) == 1 and all(len(f.parts) > depth + 1 for f in files)
        archive = single and kind_of(tops[0]) is ARCHIVES
        # a zip of a folder of notebooks holds the folder itself: that is not one student with several notebooks
        flat = packed and sum(len(f.parts) == depth + 2 and kind_of(f.name) is NOTEBOOKS for f in files) > 1
        if not single or not (archive or flat or _class_below(files, depth + 1)):
            break
        depth, around, packed = depth + 1, tops[0], bool(archive)
    tops = _tops([f for f in files if len(f.parts) > depth + 1], depth)
    cloned = sum(len(place) == depth + 1 and place[depth] in tops for place in repositories) > len(tops) / 2
    github = wanted == "github" or (wanted is None and (cloned or re.search(r"-submissions(\.zip)?$", around)))
    return depth, wanted if wanted and wanted not in _BY_NAME else "github" if github else wanted or ""


def _slug(around, folders, logins):
    """What stands before the login in the names of a GitHub Classroom: the assignment's short name."""
    slug = re.sub(r"-submissions(\.zip)?$", "", around)
    if slug != around and all(n.startswith(slug + "-") for n in folders):
        return slug + "-"
    shared = os.path.commonprefix(folders) if len(folders) > 1 else ""
    slug = shared[: shared.rfind("-") + 1]
    known = [n for n in folders if any(n.casefold().endswith("-" + login) for login in logins)]
    return "" if known else slug


class Attribution:
    """Says whose each file of a class is.

    Parameters
    ----------
    files : common.grading.intake.files.Files
    platform : str, optional
        One of `PLATFORMS` or "folder", where the instructor has said it; by default told by the names.
    roster : common.grading.intake.roster.Roster, optional
    """

    def __init__(self, files, platform=None, roster=None):
        self.roster = roster
        self.depth, self.platform = (0, "") if platform == "folder" else outer_folders(files.found, platform, files.repositories, files.packed)
        self.working = next((_TEAMS[1] for tops in [_tops(files.found, self.depth)] if platform != "folder" and set(tops) == set(_TEAMS)), None)
        if self.working:
            self.depth, self.platform = self.depth + 1, ""
            files.left_out[self.working] = f"copies that students were working on; what they handed in lies in {_TEAMS[0]}"
        files = files.found
        self.around = files[0].parts[self.depth - 1] if files and self.depth else ""
        self.by_folder, self.logins, logins = {}, {}, list(roster.logins) if roster else []
        if self.platform == "gradescope":
            self.by_folder = _gradescope(files, self.depth)
        if self.platform == "github":
            folders = _tops([f for f in files if len(f.parts) > self.depth + 1], self.depth)
            slug = _slug(self.around, folders, logins)
            for folder in folders:
                login = next((known for known in sorted(logins, key=len, reverse=True) if folder.casefold().endswith("-" + known)), None)
                login = folder[-len(login):] if login else folder.removeprefix(slug)
                self.by_folder[folder] = [Owner("github", login, login, login=login, place=folder)]
        if self.platform == "blackboard":
            self.logins = _blackboard_logins(files, self.depth)

    def owners(self, file):
        """Those to whom a file belongs.

        Returns
        -------
        list of Owner
            Several for a group; empty for what is nobody's, as a table of the platform.
        """
        parts = file.parts[self.depth:]
        if not parts or self.working and file.parts[self.depth - 1] == self.working:
            return []
        top = parts[0]
        if self.platform in ("gradescope", "github") and top in self.by_folder:
            answer = [replace(o, file=o.file or file.name) for o in self.by_folder[top]]
        elif self.platform == "ilias" and _ILIAS_TEAM.fullmatch(top) and len(parts) > 2 and _ilias(parts[1]):
            answer = [replace(_ilias(parts[1]), team=top, file=file.name)]
        elif self.platform in _BY_NAME and (owner := _BY_NAME[self.platform](top)) is not None:
            if self.platform == "blackboard":
                login, name = self.logins.get(_before_attempt(owner.place), (owner.ident, owner.name))
                owner = replace(owner, ident=login, login=login, name=name)
            answer = [replace(owner, file=owner.file or file.name)]
        else:
            name = stem_of(top)
            version = next((int(found[1]) for found in map(_VERSION.fullmatch, parts[1:-1]) if found), 0)
            answer = [Owner("", name + "/" if len(parts) > 1 else name, name, order=version, file=file.name, place=top)]
        if self.platform == "ilias" and (late := _ILIAS_LATE.fullmatch(file.name)):
            answer = [replace(o, late=True, file=late["file"]) for o in answer]
        if self.roster and self.platform == "moodle":
            answer = [member for o in answer for member in self.roster.members(o)]
        return [self.roster.named(o) for o in answer] if self.roster else answer


def _gradescope(files, depth):
    """Owners of each folder of a Gradescope export."""
    import yaml

    answer = {}
    about = next((f for f in files if len(f.parts) == depth + 1 and f.name == "submission_metadata.yml"), None)
    try:
        told = yaml.load(about.path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if about else {}  # noqa: S506 (both are the safe one)
    except (yaml.YAMLError, RecursionError, ValueError):
        told = {}
    for folder, record in (told.items() if isinstance(told, dict) else ()):
        record = record if isinstance(record, dict) else {}
        made = record.get(":created_at")
        made = made.timestamp() if isinstance(made, datetime.datetime) and made.year > 1970 else None
        people = record.get(":submitters")
        people = [p for p in people if isinstance(p, dict)] if isinstance(people, list) else []
        owners = []
        for person in people:
            told_of = (person.get(f":{key}") for key in ("name", "email", "sid"))
            name, email, sid = (str(text)[:1000] if isinstance(text, (str, int)) else "" for text in told_of)
            owners.append(Owner("gradescope", email or sid or name or str(folder), name or email or str(folder), login=sid, email=email,
                                time=made, place=str(folder),
                                team=str(folder) if len(people) > 1 else ""))
        answer[str(folder)] = owners or [Owner("gradescope", str(folder), str(folder), place=str(folder))]
    return answer


def _before_attempt(part):
    """Assignment and login, as they stand in a name of Blackboard's."""
    return part[: _BLACKBOARD.fullmatch(part).end("ident")]


def _blackboard_logins(files, depth):
    """Login and name by what stands before ``_attempt_``, where the last ``_`` does not tell the login from the assignment or the name is known.

    Blackboard writes a text beside the files: ``Name: Anna Maria Müller (a_mueller)``. Without it, logins that end alike are what follows the
    assignment, which all have in common.
    """
    owners = [(file, owner) for file in files if len(file.parts) == depth + 1 and (owner := _blackboard(file.parts[depth])) is not None]
    answer, ends = {}, {}
    for file, owner in owners:
        before = _before_attempt(owner.place)
        ends.setdefault(owner.ident, set()).add(before)
        if not owner.file and file.name.endswith(".txt") and file.path.stat().st_size < _MOST_TEXT:
            first = file.path.read_text(encoding="utf-8-sig", errors="replace").split("\n", 1)[0]
            found = re.fullmatch(r"\s*\w+:\s*(.+?)\s*\(([^()]+)\)\s*", first)
            if found and before.endswith(f"_{found[2]}"):
                answer[before] = found[2], found[1]
    shared = os.path.commonprefix(list(set().union(*ends.values())))
    shared = shared[: shared.rfind("_") + 1]
    for before in (b for alike in ends.values() if len(alike) > 1 and shared for b in alike):
        answer.setdefault(before, (before.removeprefix(shared),) * 2)
    return answer
