"""Subtitles that say who is seen: SubRip (.srt), which players take, and WebVTT (.vtt), which browsers take."""

from html import escape

SHORTEST = 0.2  # seconds; what is shown for less nobody reads


def cues(seen):
    """From when to when which people are seen together.

    Parameters
    ----------
    seen : list of (str, list of [float, float])
        Names and when they are seen, in seconds.

    Returns
    -------
    list of (float, float, list of str)
        In order, without overlap.

    Examples
    --------
    >>> cues([("ann", [[0, 4]]), ("bob", [[2, 3]])])
    [(0, 2, ['ann']), (2, 3, ['ann', 'bob']), (3, 4, ['ann'])]
    """
    moments = sorted({moment for _, times in seen for span in times for moment in span})
    answer = []
    for start, end in zip(moments, moments[1:]):
        names = list(dict.fromkeys(name for name, times in seen if any(span[0] <= start and end <= span[1] for span in times)))
        if answer and names and answer[-1][2] == names and answer[-1][1] == start:
            answer[-1] = answer[-1][0], end, names
        elif names and answer and end - start < SHORTEST and answer[-1][1] == start:
            answer[-1] = answer[-1][0], end, answer[-1][2]
        elif names:
            answer.append((start, end, names))
    return answer


def _time(seconds, mark):
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d}{mark}{whole % 1000:03d}"


def _name(name):
    return " ".join(name.replace("-->", "→").split())


def srt(seen):
    """The text of a SubRip file; `seen` as in `cues`."""
    return "\n".join(f"{number}\n{_time(start, ',')} --> {_time(end, ',')}\n{', '.join(map(_name, names))}\n"
                     for number, (start, end, names) in enumerate(cues(seen), 1))


def vtt(seen):
    """The text of a WebVTT file; `seen` as in `cues`."""
    return "WEBVTT\n" + "".join(f"\n{_time(start, '.')} --> {_time(end, '.')}\n{', '.join(escape(_name(name), quote=False) for name in names)}\n"
                                for start, end, names in cues(seen))
