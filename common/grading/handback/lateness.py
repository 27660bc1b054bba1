"""Late days: a deadline and a rule in one small file.

An example, with all that may stand in it::

    deadline = 2026-12-01T23:59:00+01:00  # each day late has 24 hours; without a zone each ends at 23:59 by this machine's clock
    grace_minutes = 15        # not counted
    free_days = 2             # late days without loss, for each student
    percent_per_day = 10      # of the marks earned; or marks_per_day = 1
    most_days = 5             # with more days than these beyond the free ones: no marks
    [extra_days]              # more free days for single students, as marks.csv calls them
    "Anna Müller" = 3
    [handed_in]               # where the platform does not tell the time, or tells a wrong one
    "Ben Ode" = 2026-12-03T10:00:00+01:00
"""

import datetime
import math
import tomllib
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from common.grading.handback.overrides import students
from common.grading.refused import Refused


class RuleError(Refused):
    """The file is no rule; the message says which line and what was expected."""


@dataclass
class Rule:
    """When, and what lateness costs."""

    deadline: datetime.datetime
    grace_minutes: float = 0
    free_days: float = 0
    percent_per_day: float = 0
    marks_per_day: float = 0
    most_days: float = math.inf
    extra_days: dict = field(default_factory=dict)
    handed_in: dict = field(default_factory=dict)

    def days(self, time):
        """Days late, each begun one counted whole; 0 before the deadline.

        Parameters
        ----------
        time : float
            Seconds of the epoch.
        """
        time -= 60 * self.grace_minutes
        late = max(math.ceil((time - self.deadline.timestamp()) / 86_400), 0)
        if self.deadline.tzinfo is None and 0 < late < 1000:  # by this machine's clock, which may have been put forward or back since: then a day has 23 hours or 25
            ends = (n for n in (late - 1, late) if (self.deadline + datetime.timedelta(days=n)).timestamp() >= time)
            return next(ends, late + 1)
        return late


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def read_rule(path, submissions):
    """Read the file.

    Parameters
    ----------
    path : path-like
    submissions : list of common.grading.submissions.Submission

    Returns
    -------
    Rule

    Raises
    ------
    RuleError
    """
    path = Path(path)
    try:
        told = tomllib.loads(unicodedata.normalize("NFC", path.read_bytes().decode("utf-8-sig")))  # as `common.grading.names.shown`
    except OSError as error:
        raise RuleError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RuleError(f"{path} is no TOML: {error}; expected lines such as deadline = 2026-12-01T23:59:00+01:00") from None
    names = {f for f in Rule.__dataclass_fields__}
    if told.keys() - names:
        raise RuleError(f"{path}: {', '.join(sorted(told.keys() - names))} is not known; expected {', '.join(sorted(names))}")
    if not isinstance(told.get("deadline"), datetime.datetime):
        raise RuleError(f"{path} needs a date and time as deadline = 2026-12-01T23:59:00+01:00; got {told.get('deadline')!r}")
    for name in names - {"deadline", "extra_days", "handed_in"}:
        value = told.get(name, 0)
        if not _is_number(value):
            raise RuleError(f"{path}: {name} = {value!r}; expected a number, 0 or more")
    known = students(submissions)
    for name, fits in (("extra_days", _is_number), ("handed_in", lambda value: isinstance(value, datetime.datetime))):
        table = told.get(name, {})
        wrong = [s for s, value in table.items() if s.casefold() not in known or not fits(value)] if isinstance(table, dict) else [name]
        if wrong:
            raise RuleError(f"{path}: [{name}] {', '.join(map(repr, wrong))[:300]}: expected names of marks.csv with "
                            f"{'a number of days, 0 or more' if name == 'extra_days' else 'a date and time'}")
        told[name] = {known[s.casefold()]: value for s, value in table.items()}
    return Rule(**told)


def lateness(result, submission, rule):
    """Take the marks that lateness costs from a result, and say so in it.

    Parameters
    ----------
    result : dict
    submission : common.grading.submissions.Submission
    rule : Rule
    """
    told = rule.handed_in.get(submission.name)
    time = told.timestamp() if told is not None else submission.time
    if time is None:
        mark = ", and the platform marks it as late" if submission.owner.late else ""
        result["late"] = {"days": None, "lost": 0, "text": "no time of handing in is known" + mark}
        return
    days = rule.days(time)
    if not days:
        return
    free = rule.free_days + rule.extra_days.get(submission.name, 0)
    costly = max(days - free, 0)
    before = result["total"]
    lost = before if costly > rule.most_days else min(costly * (rule.marks_per_day + before * rule.percent_per_day / 100), before)
    result["total"] = round(before - lost, 2)
    result["late"] = {"days": days, "lost": round(lost, 2),
                      "text": f"{days} day{'s' if days > 1 else ''} late" + (f", {min(free, days):g} of them free" if free else "") + f": {lost:g} marks less"}
