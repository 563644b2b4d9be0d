"""Holds the cutting of a text into units by plain rules, for where no better rule is given.

It does not know what is done with the units. The rules of the inputs' lens know abbreviations and
scripts without spaces; give them as `segment` where they are at hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from whence.errors import InputError
from whence.units import Units

#: A text -> its units, with their spans.
Segment = Callable[[str], Units]


@dataclass(frozen=True)
class Rule:
    """A segment with a name, which an encoder's state can keep; a bare function has none.

    Attributes:
        name: equal only for rules that cut alike.
        segment: a text -> its units.
    """

    name: str
    segment: Segment

    def __call__(self, text: str) -> Units:
        """The units of a text."""
        return self.segment(text)


#: Kind of unit -> what one looks like, from its first character that is no whitespace.
PATTERNS = {
    "letter": r"\S",
    "word": r"\S+",
    "line": r"\S[^\n]*",
    "sentence": r"\S(?:[^.!?\n]|[.!?](?![\s\"')\]])|\n(?!\s*\n))*(?:[.!?][\"')\]]*)?",
    "paragraph": r"\S(?:[^\n]|\n(?!\s*\n))*",
}


def segment(text: str, kind: str) -> Units:
    """The units of a text: letters, words, lines, sentences or paragraphs, without whitespace.

    A sentence ends at `.`, `!` or `?` before whitespace, or at a blank line.

    Raises:
        InputError: a kind that does not exist, or a text with nothing in it.
    """
    if kind not in PATTERNS:
        raise InputError(f"units={kind!r} came; it is one of {', '.join(PATTERNS)}.")
    spans: list[tuple[int, int]] = []
    for found in re.finditer(PATTERNS[kind], text):
        spans.append((found.start(), found.start() + len(found.group().rstrip())))
    labels = tuple(text[start:end] for start, end in spans)
    return Units(labels, tuple(spans), text, kind)


def cut(text: object, kind: str, given: Segment | None, name: str = "") -> Units:
    """The units of a text by the given rule, or by ours.

    Raises:
        InputError: no text, or one that has no units.
    """
    called = f" ({name})" if name else ""
    if not isinstance(text, str):
        raise InputError(f"a {type(text).__name__}{called} came as a text; a str is needed.")
    units = given(text) if given is not None and text.strip() else segment(text, kind)
    if not len(units):
        raise InputError(f"a text{called} with no {kind} in it came; leave it out.")
    return units


def rule_of(given: Segment | None) -> str:
    """What a state says of the rule: its name; "given" of a bare function; "" of ours."""
    if given is None:
        return ""
    return given.name if isinstance(given, Rule) else "given"


def key(word: str) -> str:
    """A word as it is counted: small letters, without punctuation at its edges."""
    small = word.lower()
    return re.sub(r"^\W+|\W+$", "", small) or small
