"""The list of a class that a platform hands out: Moodle's grading worksheet, Canvas' gradebook, GitHub Classroom's roster, or a table of one's own."""

import csv
import datetime
import io
import re
import unicodedata
from dataclasses import dataclass, field, replace
from pathlib import Path

from common.grading.refused import Refused

# The headings of Moodle's worksheet in the languages that were looked up; the platform reads them in its own language only
MOODLE = {"identifier": ("Identifier", "ID"), "name": ("Full name", "Vollständiger Name"), "email": ("Email address", "E-Mail-Adresse"), "team": ("Group", "Gruppe"),
          "grade": ("Grade", "Bewertung"), "most": ("Maximum Grade", "Maximum grade", "Bestwertung"),
          "comments": ("Feedback comments", "Feedback als Kommentar"),
          "handed_in": ("Last modified (submission)", "Zuletzt geändert (Abgabe)")}
_MONTHS = {name: number for names in ("January February March April May June July August September October November December",
                                      "Januar Februar März April Mai Juni Juli August September Oktober November Dezember")
           for number, name in enumerate(names.casefold().split(), 1)}  # fmt: skip
_STAMP = "submission_timestamp"  # in the table that GitHub Classroom's Download grades gives
_DATE = re.compile(r"(?:(?P<day>\d{1,2})\.? (?P<month>[^\W\d]+)|(?P<month2>[^\W\d]+) (?P<day2>\d{1,2}),) (?P<year>\d{4}),? (?P<hour>\d{1,2}):(?P<minute>\d\d)(?:\s?(?P<half>[AP])M)?")


class RosterError(Refused):
    """The table is none that is known."""


@dataclass
class Roster:
    """A class list.

    Attributes
    ----------
    kind : {"moodle", "canvas", "github", "table"}
    header : list of str
    rows : list of list of str
        As they stand in the file.
    people : dict of str to (int, str, str)
        By the platform's number or login: row, name, e-mail address.
    teams : dict of str to list of str
        Numbers of those who hand in together, by the letters of the group's name.
    """

    kind: str
    header: list
    rows: list
    people: dict = field(default_factory=dict)
    teams: dict = field(default_factory=dict)

    @property
    def logins(self):
        """Logins in small letters, for GitHub."""
        return {i.casefold() for i in self.people} if self.kind == "github" else set()

    def find(self, owner):
        """(row, name, e-mail) of the one to whom a file belongs; None if he or she is not in the list."""
        keys = (owner.ident, owner.login, owner.email)
        return next((self.people[k.casefold()] for k in keys if k and k.casefold() in self.people), None)

    def named(self, owner):
        """The owner with the name, the address and the time of handing in that stand in the list."""
        found = self.find(owner)
        if not found:
            return owner
        at = self.header.index(_STAMP) if _STAMP in self.header else self.column("handed_in")
        time = _when(self.rows[found[0]][at]) if owner.time is None and at is not None and len(self.rows[found[0]]) > at else owner.time
        return replace(owner, name=found[1] or owner.name, email=owner.email or found[2], time=time)

    def members(self, owner):
        """Those for whom a group has handed in, whose number is none of theirs; the owner alone, if this is no group."""
        return [replace(owner, ident=ident, team=owner.name) for ident in self.teams.get(_letters(owner.name), ())] or [owner]

    def column(self, what):
        """Place of a column of Moodle's worksheet; None if it has none."""
        return next((k for k, h in enumerate(self.header) if h in MOODLE[what]), None)


def _when(text):
    """Seconds of the epoch of a date as Moodle writes it in English or German, without a zone, or GitHub; None if it is none."""
    try:
        found = _DATE.search(text)
        if not found:
            return datetime.datetime.fromisoformat(text.strip()).timestamp()
        day, month, hour = int(found["day"] or found["day2"]), _MONTHS[(found["month"] or found["month2"]).casefold()], int(found["hour"])
        hour = hour % 12 + 12 * (found["half"] == "P") if found["half"] else hour
        return datetime.datetime(int(found["year"]), month, day, hour, int(found["minute"])).timestamp()
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def _letters(name):
    """A group's name without what Moodle leaves out or replaces where it names a folder."""
    return re.sub(r"[\W_]+", "", name).casefold()


def _text(data):
    """The text of a table: UTF-8, or the code page of Windows or UTF-16 where a spreadsheet has saved it, with the line ends of any system."""
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    if "\0" in text:
        raise csv.Error("it is no text: save it as CSV")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_table(path):
    """A table as a platform writes it, or a spreadsheet that saved it again: UTF-8, UTF-16 or Windows' letters, and commas, semicolons or tabs.

    Returns
    -------
    header : list of str
    rows : list of list of str

    Raises
    ------
    RosterError
        If it cannot be read, is no table, or there is nothing in it.
    """
    path = Path(path)
    try:
        text = unicodedata.normalize("NFC", _text(path.read_bytes()))  # as `common.grading.names.shown`
        first = text.lstrip().split("\n", 1)[0]
        rows = [r for r in csv.reader(io.StringIO(text), delimiter=max(",;\t", key=first.count)) if any(c.strip() for c in r)]
    except OSError as error:
        raise RosterError(f"{path}: cannot be read ({error.strerror or error})") from None
    except csv.Error as error:
        raise RosterError(f"{path.name} is no table ({error}); expected the table that the platform hands out") from None
    if not rows:
        raise RosterError(f"{path.name} is empty; expected the table that the platform hands out")
    return [h.strip() for h in rows[0]], rows[1:]


def read_roster(path):
    """A class list, of whatever platform.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Roster

    Raises
    ------
    RosterError
        If it is none that is known; the message says which columns were expected.
    """
    header, rows = read_table(path)
    low = [h.casefold() for h in header]
    if header[0] in MOODLE["identifier"] and set(header) & {*MOODLE["name"], *MOODLE["grade"]}:  # a list of one's own may begin with ID as well
        roster = Roster("moodle", header, rows)
        *places, team = (roster.column(what) for what in ("name", "email", "team"))  # a worksheet of blind marking has no names
        for number, row in enumerate(rows):
            found = re.fullmatch(r"\D*(\d+)", row[0].strip())
            if found:
                roster.people[found[1]] = (number, *(row[at].strip() if at is not None and len(row) > at else "" for at in places))
                if team is not None and len(row) > team and row[team].strip():
                    roster.teams.setdefault(_letters(row[team]), []).append(found[1])
        return roster
    if low[:2] == ["student", "id"] or low[:3] == ["lastname", "firstname", "id"]:
        roster, at = Roster("canvas", header, rows), 1 if low[0] == "student" else 2
        for number, row in enumerate(rows):
            if len(row) > at and row[at].strip():
                name = row[0].strip() if at == 1 else f"{row[1].strip()} {row[0].strip()}"
                last, comma, first = name.partition(", ")
                roster.people[row[at].strip().casefold()] = (number, f"{first} {last}" if comma else name, "")
        return roster
    if "github_username" in low:
        keys, kind = ("github_username",), "github"
    else:
        keys, kind = tuple(k for k in ("id", "login", "username", "email", "user name") if k in low), "table"
    name = next((low.index(k) for k in ("name", "full name", "student", "roster_identifier", "identifier") if k in low), None)
    if not keys or name is None:
        raise RosterError(f"{Path(path).name}: columns {', '.join(header)[:200]} are those of no class list; expected Moodle's grading worksheet "
                          "in English or German, Canvas' gradebook, GitHub Classroom's roster, or a table with name and one of id, login, email")
    email = low.index("email") if "email" in low else None
    roster = Roster(kind, header, rows)
    for number, row in enumerate(rows):
        row = [*row, *[""] * (len(header) - len(row))]
        for key in keys:
            if row[low.index(key)].strip():
                roster.people[row[low.index(key)].strip().casefold()] = (number, row[name].strip(), row[email].strip() if email is not None else "")
    return roster
