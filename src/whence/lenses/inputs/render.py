"""Holds the absent policies (Drop, Replace, Baseline, Hide), and what masks make of a text.

It does not know how the text was cut (segment), how pieces are joined (joining), nor what a model
makes of a rendered text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from whence.errors import InputError
from whence.lenses.inputs.joining import hider, renderer
from whence.lenses.inputs.making import digest
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


@dataclass(frozen=True)
class Hide:
    """An absent unit keeps its place, and the model may not attend to it.

    For models that can be told so, which read "hidden" items (see `whence.scoring.Facts`);
    `rendering` makes those.
    """

    def fill(self, cut: Segmented) -> Sequence[str]:
        """Nothing takes an absent unit's place, so there is no text without it.

        Raises:
            InputError: always.
        """
        raise InputError(
            f"absent='hide' came for {cut.units.kind}s that are sent as text, of which nothing can "
            "be hidden; use absent='drop' or 'mask:...'."
        )

    def describe(self) -> str:
        """`hide`."""
        return "hide"


#: Policies that are one word.
_PLAIN: dict[str, Absent] = {"drop": Drop(), "hide": Hide()}


def _aligned(text: str, cut: Segmented) -> Sequence[str]:
    """The units of a baseline text, one for each free unit of `cut`."""
    if cut.rule is None:
        raise InputError(
            f"a baseline text came for {len(cut.cut)} units named by parts=, which cut no other "
            "text; give one replacement per unit: Baseline(('first', 'second', ...))."
        )
    sent, spans, *_ = cut.rule(text)
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
    """A policy as the command line writes it: "drop", "mask:[UNK]", "baseline:a text" or "hide".

    Raises:
        InputError: another word, or nothing after the colon.
    """
    if not isinstance(policy, str):
        return policy
    name, colon, rest = policy.partition(":")
    if policy in _PLAIN:
        return _PLAIN[policy]
    if name == "mask" and colon:
        return Replace(rest)
    if name == "baseline" and rest.strip():
        return Baseline(rest)
    raise InputError(
        f"absent={policy!r} came; it must be 'drop', 'mask:' and what stands in an absent unit's "
        "place ('mask:[UNK]'), 'baseline:' and a text that cuts into as many units, or 'hide'."
    )


@dataclass(frozen=True)
class Rendering:
    """Masks -> what the model reads for them, under an absent policy.

    Attributes:
        cut: the text that was cut.
        absent: the policy.
        fill: what stands in each absent unit's place; () when they are hidden.
        render: masks `(b, n)` -> b items.
        kind: of the items: "text", or "hidden".
    """

    cut: Segmented
    absent: Absent
    fill: tuple[str, ...]
    render: Callable[[Masks], Sequence[Any]]
    kind: str

    def identity(self, model: str) -> str:
        """Equal for two games of a model only if the same masks give the same raw scores."""
        cut, layout = self.cut, self.cut.layout.describe()
        return json.dumps(
            {
                "model": model,
                # Raised when the rules of rendering change: old answers are not taken for new.
                "render": 1,
                "text": digest(cut.units.text or ""),
                "spans": cut.units.spans,
                "absent": self.absent.describe(),
                "fill": digest(json.dumps(list(self.fill))),
                "pinned": cut.pinned,
            }
            | ({"layout": layout} if layout else {}),
            sort_keys=True,
        )


def rendering(cut: Segmented, absent: Absent | str) -> Rendering:
    """What masks make of a cut text under an absent policy.

    Raises:
        InputError: a policy that does not exist, or does not fit the text.
    """
    policy = as_absent(absent)
    if isinstance(policy, Hide):
        return Rendering(cut, policy, (), hider(cut), "hidden")
    fill = tuple(policy.fill(cut))
    return Rendering(cut, policy, fill, renderer(cut, fill), "text")
