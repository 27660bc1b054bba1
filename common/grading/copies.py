"""Near-copies in a class, as a hint: fingerprints of token sequences.

After Schleimer, Wilkerson and Aiken 2003, "Winnowing: local algorithms for document fingerprinting", SIGMOD: hashes of all runs of `K`
tokens, the smallest of each `WINDOW` neighbours kept. Whatever two submissions share in `K + WINDOW - 1` tokens is found; less than `K`
tokens never. Variables may be renamed, comments and layout changed: names are one token, only attributes keep theirs.
"""

import builtins
import io
import itertools
import keyword
import re
import tokenize
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass

from common.exercises.reference import source_of
from common.grading.intake.mending import NotebookError
from common.grading.notebook_source import read_cells, without_magics
from common.grading.tasks import cells_of

K, WINDOW = 18, 8
LEAST_SHARED, LEAST_SHARE = 12, 0.4
COMMON_SHARE, COMMON_LEAST = 0.3, 5   # what more of the class has is common knowledge
MOST_PAIRS = 40
_LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}
_KEPT = set(keyword.kwlist) | set(dir(builtins))


@dataclass(frozen=True)
class Pair:
    """Two students whose notebooks share much.

    Attributes
    ----------
    students : (str, str)
    share : float
        Of the fingerprints of the one who has fewer, from 0 to 1.
    shared : int
        Fingerprints that both have.
    where : tuple of str
        Functions in which most of them lie.
    """

    students: tuple
    share: float
    shared: int
    where: tuple


def tokens(text):
    """Tokens of Python text with the function that each stands in; what follows a fault of the syntax is left out.

    Returns
    -------
    list of (str, str)
    """
    answer, function, before, fresh = [], "", "", True
    try:
        for token in tokenize.generate_tokens(io.StringIO(without_magics(text)).readline):
            if token.type in _LAYOUT:
                fresh = fresh or token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
                continue
            word, begins, fresh = token.string, fresh, False
            if token.start[1] == 0 and begins:
                found = re.match(r"(?:async\s+)?(?:def|class)\s+(\w+)", token.line)
                function = found[1] if found else ""
            if token.type == tokenize.NAME and before != "." and word not in _KEPT:
                word = "name"
            elif token.type == tokenize.NUMBER:
                word = "0"
            elif token.type == tokenize.STRING:
                if begins:  # a docstring
                    continue
                word = "text"
            answer.append((word, function))
            before = token.string
    except (tokenize.TokenError, SyntaxError, ValueError):
        pass
    return answer


def _blocks(texts):
    """The hashes of the code, by top-level function: the order of functions in a notebook says nothing about copying.

    Yields
    ------
    function : str
        "" for what stands outside of functions.
    hashes : list of int
    """
    for text in texts:
        for function, block in itertools.groupby(tokens(text), key=lambda pair: pair[1]):
            words = [word for word, _ in block]
            yield function, [zlib.crc32("\x1f".join(words[k : k + K]).encode("utf-8", "replace")) for k in range(len(words) - K + 1)]


def winnow(hashes, ignored=frozenset()):
    """Places of the hashes that are kept: the smallest of each window, the rightmost of equals.

    Parameters
    ----------
    hashes : sequence of int
    ignored : collection of int
        Never kept.

    Returns
    -------
    list of int
    """
    kept = []
    for start in range(max(len(hashes) - WINDOW + 1, min(len(hashes), 1))):
        window = [(hashes[k], -k) for k in range(start, min(start + WINDOW, len(hashes))) if hashes[k] not in ignored]
        if window and (not kept or kept[-1] != -min(window)[1]):
            kept.append(-min(window)[1])
    return kept


def kits_own(task):
    """Hashes of all that the kit gave out or would have printed: cells, stubs, references."""
    texts = [*cells_of(task.name), *(source_of(item) or "" for item in task.exercises)]
    return frozenset(h for _, hashes in _blocks(texts) for h in hashes)


def near_copies(task, submissions):
    """Pairs that share more than is usual.

    Parameters
    ----------
    task : common.exercises.exercise.Task
    submissions : list of common.grading.submissions.Submission

    Returns
    -------
    list of Pair
        The closest first. A hint: who has worked together, or learned from the same page, is in it as well.
    """
    own, prints = kits_own(task), {}
    for item in submissions:
        try:
            cells = read_cells(item.notebook)
        except NotebookError:
            continue
        prints[item.name] = {hashes[k]: function for function, hashes in _blocks(dict.fromkeys(cells)) for k in winnow(hashes, own)}
    holders = defaultdict(list)
    for name, found in prints.items():
        for fingerprint in found:
            holders[fingerprint].append(name)
    most = max(COMMON_LEAST, COMMON_SHARE * len(prints))
    common = {fingerprint for fingerprint, names in holders.items() if len(names) > most}
    shared = Counter(pair for names in holders.values() if 1 < len(names) <= most for k, a in enumerate(names) for pair in ((a, b) for b in names[k + 1 :]))
    size, teams = {name: len(found.keys() - common) for name, found in prints.items()}, {s.name: s.owner.team for s in submissions}
    answer = []
    for (a, b), number in shared.items():
        share = number / min(size[a], size[b])
        if number >= LEAST_SHARED and share >= LEAST_SHARE and not (teams[a] and teams[a] == teams[b]):
            places = Counter(function for fingerprint, function in prints[a].items() if function and fingerprint in prints[b] and fingerprint not in common)
            answer.append(Pair((a, b), share, number, tuple(name for name, _ in places.most_common(4))))
    return sorted(answer, key=lambda p: (-p.share, -p.shared, p.students))[:MOST_PAIRS]
