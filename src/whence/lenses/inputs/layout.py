"""Holds Layout: how the pieces of a cut text are put together again when some are absent.

It does not know how a text is cut (rules, structure), nor what an absent unit becomes (render).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

#: `(start, end)` character offsets.
Span = tuple[int, int]


class Wrapper(NamedTuple):
    """Text around some units, such as the tags of a document or the braces of an object.

    Attributes:
        start: where its opening begins, an offset into the text.
        first: where its opening ends and its inside begins.
        last: where its inside ends and its closing begins.
        end: where its closing ends.
        stays: whether it is there also when nothing is left inside; else it goes with the last
            of its units.
    """

    start: int
    first: int
    last: int
    end: int
    stays: bool = False


@dataclass(frozen=True)
class Layout:
    """How pieces are joined.

    Attributes:
        joined: everything between two pieces is glue (a comma, a line of dashes); otherwise only
            whitespace is, and the rest is pinned text.
        lines: a piece takes the indentation before it along; the rest of the whitespace is glue.
        widest: of the glue between two pieces that are left, that with most line breaks stays, so
            that a question below documents keeps its distance; otherwise the first does.
        wrappers: text around units, by where it begins; wrappers nest or lie apart.
    """

    joined: bool = False
    lines: bool = False
    widest: bool = False
    wrappers: tuple[Wrapper, ...] = ()

    def describe(self) -> list[object]:
        """Equal for two layouts only if they join alike; empty for that of plain text."""
        if self == PLAIN:
            return []
        return [self.joined, self.lines, self.widest, [list(wrapper) for wrapper in self.wrappers]]


#: That of plain text.
PLAIN = Layout()


class Cut(NamedTuple):
    """What a rule makes of a text.

    Attributes:
        text: the text that is sent.
        spans: `(start, end)` of each unit in it, in order, apart, no whitespace at their edges.
        layout: how units are put together.
        labels: a name for each unit; () where its text is its name.
    """

    text: str
    spans: list[Span]
    layout: Layout = PLAIN
    labels: tuple[str, ...] = ()


def stripped(text: str, start: int, end: int) -> Span:
    """The span without the whitespace at its edges; empty when that is all it holds."""
    inner = text[start:end]
    left = len(inner) - len(inner.lstrip())
    return start + left, max(start + left, start + len(inner.rstrip()))


def edges(text: str) -> tuple[str, str]:
    """The whitespace a text begins and ends with; all of it in the first if nothing else is."""
    left = len(text) - len(text.lstrip())
    return text[:left], text[max(left, len(text.rstrip())) :]


def indented(space: str, begins: bool) -> tuple[str, str]:
    """Whitespace before a piece, as the glue and the piece's own indentation.

    Args:
        space: nothing but whitespace.
        begins: whether a line begins with it, so that without a line break all is indentation.
    """
    last = f"{space}.".splitlines()[-1][:-1]
    own = last if begins or len(last) < len(space) else ""
    return space[: len(space) - len(own)], own
