"""Holds Grouping: which columns are one unit, which are always present, and what a unit is called.

It does not know what stands in for an absent column (background), nor the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError
from whence.lenses.inputs.frames import listed, missing
from whence.masks import Masks
from whence.units import Units

#: A group's values are spelt out up to so many characters.
WIDE = 40


@dataclass(frozen=True)
class Grouping:
    """The units of a row.

    Attributes:
        units: labelled with their values, such as "age = 39".
        names: each unit's name: its column's, or its group's.
        unit_of: `(columns,)` the unit of each column; -1 for one that is always present.
    """

    units: Units
    names: tuple[str, ...]
    unit_of: NDArray[np.intp]

    def present(self, masks: Masks) -> Masks:
        """Masks `(b, units)` -> which columns are present, `(b, columns)`."""
        pinned = np.ones((len(masks), 1), dtype=np.bool_)
        return np.concatenate([masks, pinned], axis=1)[:, self.unit_of]


def grouped(
    columns: Sequence[str],
    cells: Mapping[str, Any],
    units: Mapping[str, Sequence[str]] | None = None,
    pin: Sequence[str] = (),
) -> Grouping:
    """The units of a row: each column, or each group of columns.

    Args:
        columns: all columns, in order.
        cells: name -> value of the row.
        units: group -> its columns; columns in no group are units of their own.
        pin: columns that are always present.

    Raises:
        InputError: groups or pins that name no column or one twice, or fewer than two units.
    """
    groups = _checked_groups(columns, _mapping(units), _names_in(pin, "pin"))
    _check_pin(columns, pin)
    taken = {name for members in groups.values() for name in members}
    parts = [
        (_group_of(name, groups) if name in taken else name)
        for name in columns
        if name not in pin
    ]  # fmt: skip
    names = tuple(dict.fromkeys(parts))
    _check_enough(names, pin)
    at = {name: i for i, name in enumerate(names)}
    unit_of = [
        -1 if name in pin else at[_group_of(name, groups) if name in taken else name]
        for name in columns
    ]
    labels = tuple(label(name, {c: cells[c] for c in groups.get(name, (name,))}) for name in names)
    return Grouping(Units(labels, kind="column"), names, np.array(unit_of, dtype=np.intp))


def _mapping(units: object) -> Mapping[str, Sequence[str]]:
    if units is None:
        return {}
    if not isinstance(units, Mapping):
        raise InputError(
            f"units came as {type(units).__name__}; groups by name are needed: "
            '{"place": ["latitude", "longitude"]}. Columns in no group are units of their own.'
        )
    return units


def _names_in(given: Any, what: str) -> tuple[str, ...]:
    if isinstance(given, str):
        raise InputError(f"{what}={given!r} came; a list of columns is needed. Put it in brackets.")
    return tuple(given)


def _group_of(column: str, groups: Mapping[str, Sequence[str]]) -> str:
    return next(name for name, members in groups.items() if column in members)


def _checked_groups(
    columns: Sequence[str], units: Mapping[str, Sequence[str]], pin: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    groups = {str(name): _names_in(members, f"units: {name}") for name, members in units.items()}
    seen: dict[str, str] = {}
    for name, members in groups.items():
        unknown = [column for column in members if column not in columns]
        if unknown or not members:
            raise InputError(
                f"units: the group {name!r} names {listed(unknown) or 'no column at all'}; the "
                f"columns are {listed(columns)}."
            )
        for column in members:
            other = "pin=" if column in pin else seen.get(column)
            if other is not None:
                raise InputError(
                    f"units: {column!r} is in {name!r} and in {other!r}; a column is in one group "
                    "at most, and pinned ones in none."
                )
            seen[column] = name
        if name in columns and name not in members:
            raise InputError(
                f"units: the group {name!r} has the name of a column that is not in it; give it "
                "another name."
            )
    return groups


def _check_pin(columns: Sequence[str], pin: Sequence[str]) -> None:
    unknown = [column for column in pin if column not in columns]
    if unknown:
        raise InputError(f"pin names {listed(unknown)}; the columns are {listed(columns)}.")


def _check_enough(names: Sequence[str], pin: Sequence[str]) -> None:
    if len(names) >= 2:
        return
    pinned = f" beside {len(pin)} pinned" if len(pin) else ""
    raise InputError(
        f"the row has {len(names)} unit{'' if len(names) == 1 else 's'}{pinned} "
        f"({listed(names)}); at least 2 are needed to say which of them matter. Make smaller "
        f"groups{', or pin less' if pinned else ''}."
    )


def label(name: str, cells: Mapping[str, Any]) -> str:
    """What a reader sees of a unit: "age = 39", "workclass = Private", "place (lat = 1, ...)".

    A group of 0/1 columns of which one is 1 shows that column, without what the names share.
    """
    if list(cells) == [name]:
        return f"{name} = {said(cells[name])}"
    hot = [column for column, value in cells.items() if value == 1]
    cold = sum(value == 0 for value in cells.values() if not missing(value))
    if len(cells) > 1 and len(hot) == 1 and cold == len(cells) - 1:
        return f"{name} = {hot[0][_shared(list(cells)) :] or hot[0]}"
    at = _stem(list(cells))
    spelt = ", ".join(f"{column[at:]} = {said(value)}" for column, value in cells.items())
    return f"{name} ({spelt if len(spelt) <= WIDE else spelt[: WIDE - 1] + '…'})"


def _shared(names: Sequence[str]) -> int:
    """How many letters all names begin with."""
    alike = [len(set(letters)) == 1 for letters in zip(*names, strict=False)]
    return (*alike, False).index(False)


def _stem(names: Sequence[str]) -> int:
    """How many letters all names begin with, up to the last of them that is no letter or digit."""
    shared = names[0][: min(_shared(names), min(map(len, names)) - 1)]
    return max((i + 1 for i, letter in enumerate(shared) if not letter.isalnum()), default=0)


def said(value: Any) -> str:
    """A cell for people: whole numbers whole, others to four figures, "missing"."""
    if missing(value):
        return "missing"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        return f"{value:.4g}" if 1e-4 <= abs(value) < 1e4 else _wide(value)
    return " ".join(str(value).split())


def _wide(value: float) -> str:
    return f"{value:.1f}" if 1e4 <= abs(value) < 1e15 else f"{value:.3g}"
