"""Holds the absent policies (Drop, Replace, Baseline), and the texts that masks make with them.

It does not know how the text was cut (segment) nor what a model makes of a rendered text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from whence.errors import InputError
from whence.lenses.inputs.segment import Segmented
from whence.masks import Masks


class Absent(Protocol):
    """What stands in the place of a unit that is absent."""

    def fill(self, cut: Segmented) -> Sequence[str]:
        """One replacement per unit of `cut.units`; "" drops the unit and its glue."""
        ...

    def describe(self) -> str:
        """A stable string: equal for two policies only if they fill alike."""
        ...


@dataclass(frozen=True)
class Drop:
    """An absent unit is left out, and one piece of whitespace beside it."""

    def fill(self, cut: Segmented) -> Sequence[str]:
        """Nothing, for every unit."""
        return ("",) * len(cut.units)

    def describe(self) -> str:
        """`drop`."""
        return "drop"


@dataclass(frozen=True)
class Replace:
    """A mask string stands in the place of each absent unit; the whitespace stays.

    Attributes:
        mask: the string, best one that the model already knows, such as "[MASK]" or "...".
    """

    mask: str

    def __post_init__(self) -> None:
        """Refuses a mask that shows nothing."""
        if not self.mask.strip():
            raise InputError(
                f"mask {self.mask!r} came, which holds no text; give a mask that shows, such as "
                "'mask:[UNK]', or leave units out with 'drop'."
            )

    def fill(self, cut: Segmented) -> Sequence[str]:
        """The mask, for every unit."""
        return (self.mask,) * len(cut.units)

    def describe(self) -> str:
        """`mask:` and the mask."""
        return f"mask:{self.mask}"


@dataclass(frozen=True)
class Baseline:
    """Another text's unit stands in the place of each absent one.

    Attributes:
        texts: a replacement per unit ("" leaves it out), or a whole text, which is cut by the same
            rule and must give as many units, those that are pinned included.
    """

    texts: str | Sequence[str]

    def fill(self, cut: Segmented) -> Sequence[str]:
        """The replacements, one per unit.

        Raises:
            InputError: there are more or fewer replacements than units.
        """
        if isinstance(self.texts, str):
            return _aligned(self.texts, cut)
        if len(self.texts) != len(cut.units):
            raise InputError(
                f"a baseline of {len(self.texts)} replacements came for {len(cut.units)} units; "
                "one replacement per unit is needed, or one text that cuts into as many."
            )
        return tuple(self.texts)

    def describe(self) -> str:
        """`baseline:` and the text, or `baseline-each:` and the replacements as JSON."""
        if isinstance(self.texts, str):
            return f"baseline:{self.texts}"
        return f"baseline-each:{json.dumps(list(self.texts))}"


def _aligned(text: str, cut: Segmented) -> Sequence[str]:
    """The units of a baseline text, one for each free unit of `cut`."""
    if cut.rule is None:
        raise InputError(
            f"a baseline text came for {len(cut.cut)} units named by parts=, which cut no other "
            "text; give one replacement per unit: Baseline(('first', 'second', ...))."
        )
    sent, spans = cut.rule(text)
    if len(spans) != len(cut.cut):
        raise InputError(
            f"the baseline cuts into {len(spans)} and the text into {len(cut.cut)} "
            f"{cut.units.kind}s; as many of both are needed. Change the baseline text, give one "
            "replacement per unit, or use 'drop'."
        )
    free = set(cut.units.spans or ())
    pairs = zip(spans, cut.cut, strict=True)
    return [sent[start:end] for (start, end), own in pairs if own in free]


def as_absent(policy: Absent | str) -> Absent:
    """A policy from how the command line writes it: "drop", "mask:[UNK]" or "baseline:a text".

    Raises:
        InputError: another word, or nothing after the colon.
    """
    if not isinstance(policy, str):
        return policy
    name, colon, rest = policy.partition(":")
    if policy == "drop":
        return Drop()
    if name == "mask" and colon:
        return Replace(rest)
    if name == "baseline" and rest.strip():
        return Baseline(rest)
    raise InputError(
        f"absent={policy!r} came; it must be 'drop', 'mask:' and what stands in an absent unit's "
        "place ('mask:[UNK]'), or 'baseline:' and a text that cuts into as many units."
    )


@dataclass(frozen=True)
class Renderer:
    """Masks -> texts.

    Between two kept neighbours stands one piece of glue, the first that stands between them in the
    text, or none if none does. Whitespace at the ends of the text stays.

    Attributes:
        before: whitespace the text begins with.
        pieces: what is shown when present, what when absent, and the glue after it; units and
            pinned text, in the order of the text.
        columns: the piece that each unit is.
        after: whitespace the text ends with.
    """

    before: str
    pieces: tuple[tuple[str, str, str], ...]
    columns: tuple[int, ...]
    after: str

    def __call__(self, masks: Masks) -> list[str]:
        """The text of each mask `(b, n)`, in order."""
        present = np.ones((len(masks), len(self.pieces)), dtype=np.bool_)
        present[:, list(self.columns)] = masks
        return [self._one(row) for row in present]

    def _one(self, present: Masks) -> str:
        out: list[str] = []
        between = ""
        for (shown, absent, glue), here in zip(self.pieces, present.tolist(), strict=True):
            piece = shown if here else absent
            if piece:
                if out:
                    out.append(between)
                out.append(piece)
                between = glue
            elif not between:
                between = glue
        return self.before + "".join(out) + self.after


def renderer(cut: Segmented, fill: Sequence[str]) -> Renderer:
    """The renderer of a cut text, `fill[i]` standing in for unit i when it is absent."""
    text, spans = cut.units.text or "", cut.units.spans or ()
    pieces: list[tuple[str, str, str]] = []
    columns: list[int] = []
    at = 0
    for (start, end), absent in zip(spans, fill, strict=True):
        _add_gap(pieces, text[at:start])
        columns.append(len(pieces))
        pieces.append((text[start:end], absent, ""))
        at = end
    _add_gap(pieces, text[at:])
    before, after = _edges(text)
    return Renderer(before, tuple(pieces), tuple(columns), after)


def _add_gap(pieces: list[tuple[str, str, str]], gap: str) -> None:
    """Glue for the piece before, and a piece of its own for what is not whitespace."""
    pinned = gap.strip()
    before, after = _edges(gap)
    if pieces:
        shown, absent, _ = pieces[-1]
        pieces[-1] = (shown, absent, before)
    if pinned:
        pieces.append((pinned, pinned, after))


def _edges(text: str) -> tuple[str, str]:
    """The whitespace a text begins and ends with; all of it in the first if nothing else is."""
    left = len(text) - len(text.lstrip())
    return text[:left], text[max(left, len(text.rstrip())) :]
