"""Holds Anchor: a stretch of the input that a value is read at, found again in what a mask leaves.

It does not know what is read there (tagging, answering, filling) nor who made the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from whence.errors import InputError
from whence.scoring import HiddenText

#: `(start, end)` character offsets.
Span = tuple[int, int]


@dataclass(frozen=True)
class Anchor:
    """A stretch of a text, by its letters, so that it is found wherever masking moves it.

    Attributes:
        words: the stretch, letter for letter.
        nth: which of its occurrences is meant, from 0.
        of: how many times it occurs; a text with more or fewer is refused, never guessed at.
    """

    words: str
    nth: int = 0
    of: int = 1

    def __post_init__(self) -> None:
        """Refuses a stretch that shows nothing."""
        if not self.words.strip():
            raise InputError(
                f"{self.words!r} came as the stretch to read; it shows nothing. Give words of the "
                "text."
            )

    def place(self, item: str | HiddenText) -> Span:
        """Where it stands in a text.

        Raises:
            InputError: it does not occur as often as it should, or is hidden.
        """
        text, hidden = plain(item)
        found = occurrences(text, self.words)
        if len(found) != self.of:
            raise InputError(
                f"{self.words!r} occurs {len(found)} times in {_shown(text)}; needed are exactly "
                f"{self.of}, to know which is meant. Keep it always present: pin={self.words!r}"
                "; if the whole text has it more than once, say which in Python: "
                f"Anchor({self.words!r}, nth=0, of={max(len(found), 2)}), and pin them all."
            )
        start, end = found[self.nth]
        if any(a < end and start < b for a, b in hidden):
            raise InputError(
                f"{self.words!r} is hidden from the model, and its value is read there. Keep it "
                f"always present: pin={self.words!r}."
            )
        return start, end


def anchored(text: str, span: Span) -> Anchor:
    """The anchor of a stretch `(start, end)` of the whole text.

    Raises:
        InputError: offsets outside the text.
    """
    start, end = span
    if not 0 <= start < end <= len(text):
        raise InputError(f"{span} came for a text of {len(text)} characters; it lies outside.")
    words = text[start:end]
    starts = [a for a, _ in occurrences(text, words)]
    if start not in starts:
        raise InputError(
            f"{words!r} at {span} overlaps another of its kind; take a longer stretch."
        )
    return Anchor(words, starts.index(start), len(starts))


def as_anchor(words: str | Anchor) -> Anchor:
    """An anchor as it is; of plain words, one that occurs exactly once."""
    return words if isinstance(words, Anchor) else Anchor(words)


def occurrences(text: str, words: str) -> list[Span]:
    """Every occurrence of `words`, none overlapping the one before."""
    found: list[Span] = []
    at = text.find(words)
    while at >= 0:
        found.append((at, at + len(words)))
        at = text.find(words, at + len(words))
    return found


def plain(item: str | HiddenText) -> tuple[str, Sequence[Span]]:
    """The text of an item, and what of it is hidden."""
    return (item.text, item.hidden) if isinstance(item, HiddenText) else (item, ())


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "\u2026")
