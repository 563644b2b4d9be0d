"""Holds the rules that cut a text into words, lines, paragraphs and sentences.

Each gives spans in order, without whitespace at their edges, that together cover every character
that is not whitespace. This file does not know which of them a user asked for, nor what is pinned.
"""

from __future__ import annotations

import re

from whence.lenses.inputs.layout import Span, stripped

# --- words -----------------------------------------------------------------------------------

# Characters that begin a cluster: Chinese, Japanese; Thai and Lao; Khmer; Burmese.
_BASE = (
    "\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3105-\u312f\u31a0-\u31bf\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fd-\u30ff\u31f0-\u31ff\uff66-\uff6f\uff71-\uff9d"
    "\U0001b000-\U0001b16f"
    "\u0e01-\u0e2e\u0e81-\u0eae\u0edc-\u0edf"
    "\u1780-\u17b3"
    "\u1000-\u102a\u103f\u1050-\u1055\u105a-\u105d\u1061\u1065\u1066\u106e-\u1070\u1075-\u1081"
    "\u108e\ua9e0-\ua9e4\ua9e7-\ua9ef\ua9fa-\ua9fe\uaa60-\uaa76\uaa7a\uaa7e\uaa7f"
)
# Thai and Lao vowels written before their consonant.
_LEAD = "\u0e40-\u0e44\u0ec0-\u0ec4"
# Letters that belong to the character before them: vowels, the long mark of kana.
_FOLLOW = "\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3\u30fc\uff70\uff9e\uff9f"
# Khmer and Burmese signs that put the next consonant under this one.
_STACK = "\u17d2\u1039"
# Brackets and quotation marks that open; what they open keeps them.
_OPEN = (
    r"(\[{\u2018\u201c\u00ab\u3008\u300a\u300c\u300e\u3010\u3014\u3016\u3018\u301a"
    r"\uff08\uff3b\uff5b"
)

# Patterns are strings: `re` keeps what it compiled, and an import does not pay for it.
# Every quantifier is either bounded or last in its branch, so a search is linear in the text.
_WORD = (
    rf"[{_OPEN}]{{0,3}}(?:[{_LEAD}][{_BASE}]?|[{_BASE}])"
    rf"(?:[{_STACK}][{_BASE}]|[{_FOLLOW}]|[^\w\s{_OPEN}])*"
    rf"|(?:[^\s{_BASE}{_LEAD}{_OPEN}]+|[{_OPEN}](?![{_OPEN}]{{0,2}}[{_BASE}{_LEAD}]))+"
)


def words(text: str) -> list[Span]:
    """Runs of non-space; characters, with what belongs to them, of scripts without spaces."""
    return [found.span() for found in re.finditer(_WORD, text)]


# --- lines, paragraphs, sentences -------------------------------------------------------------


def lines(text: str) -> list[Span]:
    """Lines that are not blank."""
    spans: list[Span] = []
    start = 0
    for line in text.splitlines(keepends=True):
        span = stripped(text, start, start + len(line))
        start += len(line)
        if span[0] < span[1]:
            spans.append(span)
    return spans


def paragraphs(text: str) -> list[Span]:
    """Runs of lines with no blank line among them."""
    spans: list[Span] = []
    for start, end in lines(text):
        if spans and len(f".{text[spans[-1][1] : start]}.".splitlines()) < 3:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


_WIDE = "\u3002\uff01\uff1f\uff61\u0964\u0965\u17d4\u104a\u104b"  # end a sentence without a space
_STOP = (
    rf"[.!?\u2026\u061f\u06d4\u0589\u1362{_WIDE}]+"
    r"[\"')\]}\u2019\u201d\u00bb\u300b\u300d\u300f\u3011\uff09]*"
)
_TITLES = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "rev",
        "gen",
        "col",
        "sgt",
        "st",
        "mt",
        "sen",
        "rep",
        "gov",
        "hon",
        "vs",
        "viz",
        "cf",
    ]
)
_SHORT = frozenset(
    [
        "etc",
        "inc",
        "ltd",
        "co",
        "corp",
        "jr",
        "sr",
        "al",
        "fig",
        "eq",
        "sec",
        "vol",
        "pp",
        "approx",
        "dept",
        "est",
        "ca",
    ]
)


def sentences(text: str) -> list[Span]:
    """Sentences, none of which crosses a blank line: a rule of thumb, not a model."""
    spans: list[Span] = []
    for start, end in paragraphs(text):
        spans += _sentences_between(text, start, end)
    return spans


def _sentences_between(text: str, start: int, end: int) -> list[Span]:
    """Sentences of one paragraph; a piece without a letter or digit joins the one before it."""
    spans: list[Span] = []
    at = start
    for stop in re.compile(_STOP).finditer(text, start, end):
        if stop.end() == end or _ends(text, at, stop):
            _push(text, spans, stripped(text, at, stop.end()))
            at = stop.end()
    _push(text, spans, stripped(text, at, end))
    return spans


def _push(text: str, spans: list[Span], span: Span) -> None:
    if span[0] == span[1]:
        return
    if spans and not re.search(r"\w", text[span[0] : span[1]]):
        span = (spans.pop()[0], span[1])
    spans.append(span)


def _ends(text: str, start: int, stop: re.Match[str]) -> bool:
    """Whether a stop inside a paragraph ends the sentence that began at `start`."""
    if any(char in _WIDE for char in stop.group()):
        return True
    after = text[stop.end() : stop.end() + 50]
    if not after[:1].isspace():
        return False
    following = after.lstrip()[:1]
    if stop.group() != ".":
        return not (stop.group()[0] in ".\u2026" and following.islower())
    return not _abbreviates(text[max(start, stop.start() - 50) : stop.start()], following)


def _abbreviates(before: str, following: str) -> bool:
    """Whether the full stop after `before` belongs to an abbreviation, initial or list number."""
    words = before.split()
    word = words[-1].lstrip("([\"'") if words and not before[-1:].isspace() else ""
    if re.fullmatch(r"(?:[^\W\d_]\.)+[^\W\d_]|[A-HJ-Z]", word):
        return True
    if len(words) == 1 and word.isdigit():
        return True
    if word.lower() in _SHORT:
        return following.islower() or following.isdigit()
    return word.lower() in _TITLES
