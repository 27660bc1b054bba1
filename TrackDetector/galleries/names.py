"""What people are called: each name in one spelling, and whom a name means."""

from difflib import get_close_matches

from common.commands.journal import printable
from common.console import on_one_line
from common.identification import as_name


def spelled(name):
    """A name in one spelling, as text that every reader takes: a Mac may write an accent as a sign of its own, and what nobody sees tells no two people apart.

    Examples
    --------
    >>> spelled("Jose" + chr(0x301)) == "Jos" + chr(0xE9), spelled(chr(0x202A) + "Ann" + chr(0xA0) + "Lee ")
    (True, 'Ann Lee')
    """
    return as_name(printable(name))


def is_blank(name):
    """Whether nothing of a name can be seen.

    Examples
    --------
    >>> [is_blank(name) for name in ("", " " + chr(10), chr(0x200B), "-")]
    [True, True, True, False]
    """
    return not any(letter.isprintable() and not letter.isspace() for letter in printable(name))


def whom(wanted, people):
    """The people whom names mean.

    Parameters
    ----------
    wanted : sequence of str
        Names; also as `gallery list` shows them, or with their accents written another way.
    people : sequence of str
        Who there is.

    Returns
    -------
    list of str
        Of `people`, each once.

    Raises
    ------
    ValueError
        If a name is nobody's, with those that are most like it.
    """
    meant = []
    for name in map(spelled, wanted):
        found = [each for each in people if spelled(each) == name] or [each for each in people if spelled(on_one_line(each)) == name]
        if not found:
            names = {each.casefold(): each for each in people}
            close = [names[each] for each in get_close_matches(name.casefold(), names, 3, 0.5)]
            raise ValueError(f"nobody in the gallery is called {name!r}" + (f"; perhaps {', '.join(close)}" if close else ""))
        meant += found
    return list(dict.fromkeys(meant))
