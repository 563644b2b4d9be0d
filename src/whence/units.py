"""Holds Units: labels, and where each unit sits in its text, image, row, table or model.

It does not know how units are cut (the lenses do that) nor what they are worth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError


@dataclass(frozen=True)
class Units:
    """The things a mask switches on and off.

    Attributes:
        labels: what a reader sees, one per unit. Labels may repeat: a unit is its position.
        spans: `(start, end)` character offsets of each unit in `text`, or None.
        text: the text the spans point into, or None.
        kind: what one unit is called: "word", "sentence", "column", "unit" ...
        grid: the unit of each pixel of an image or sample of a series, in its shape, -1 where
            something is always present; or None. It only says where to draw the units: two Units
            that differ in nothing else are equal.
    """

    labels: tuple[str, ...]
    spans: tuple[tuple[int, int], ...] | None = None
    text: str | None = None
    kind: str = "unit"
    grid: NDArray[np.int32] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.spans is not None and len(self.spans) != len(self.labels):
            raise InputError(
                f"{len(self.labels)} labels and {len(self.spans)} spans came; "
                "each unit needs one of both, or leave spans out."
            )
        if self.grid is not None and not -1 <= self.grid.min() <= self.grid.max() < len(self):
            raise InputError(
                f"{len(self.labels)} labels and a grid from {self.grid.min()} to "
                f"{self.grid.max()} came; it must name units from 0 on, or -1 for none."
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[str]:
        return iter(self.labels)

    def __getitem__(self, i: int) -> str:
        return self.labels[i]

    def names(self) -> tuple[str, ...]:
        """Labels made different: the second "not" is "not [2]"; a label that is alone stays."""
        total = Counter(self.labels)
        seen: Counter[str] = Counter()
        names = []
        for label in self.labels:
            seen[label] += 1
            names.append(label if total[label] == 1 else f"{label} [{seen[label]}]")
        return tuple(names)


def plural(kind: str) -> str:
    """More than one of a kind of unit: words, patches, categories."""
    if kind.endswith("y") and kind[-2:-1] not in "aeiou":
        return kind[:-1] + "ies"
    if kind.endswith(("ch", "sh", "x")):
        return kind + "es"
    return kind if kind.endswith("s") else kind + "s"


def as_units(units: Units | Sequence[str] | int) -> Units:
    """Units from labels, or from a count (labels "0", "1", ...).

    Raises:
        InputError: fewer than two units, or a bare string (which would be cut into letters).
    """
    if isinstance(units, str):
        raise InputError(
            f"units came as one string {units[:40]!r}; give a sequence of labels, or make a text "
            "game with whence.text_game."
        )
    if isinstance(units, int):
        units = tuple(str(i) for i in range(units))
    if not isinstance(units, Units):
        units = Units(tuple(str(label) for label in units))
    if len(units) < 2:
        raise InputError(
            f"{len(units)} unit came; at least 2 are needed to say which of them matter. "
            "Cut the input finer (for text: units='word' or 'token')."
        )
    return units
