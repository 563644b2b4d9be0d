"""Holds Kept: a prospector head with its encoder, as one file keeps them; and the maps it makes.

It does not know how a head is fitted, nor how maps are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from whence.cli.prospect_data import Data
from whence.cli.prospect_encoding import described, reopened
from whence.errors import InputError
from whence.prospectors import Bag, Map, Prospector, ProspectorRegressor
from whence.prospectors.encoders import Encoder
from whence.prospectors.saving import load
from whence.prospectors.tables import Entry
from whence.views import words
from whence.views.fit import Fit
from whence.views.prospect_fit import fit_of_head
from whence.views.prospect_map import Mapped
from whence.views.prospect_report import Found

#: What `about` says of a head that the command line fitted, and in which version.
FORMAT = "whence-prospect/1"
#: Names of a class that say what is not there, so that the other one is meant.
ABSENT = frozenset(
    {"0", "absent", "control", "false", "healthy", "n", "neg", "negative", "no", "none", "normal"}
    | {"not", "off", "other", "without"}
)


def marked(classes: Sequence[str], wanted: str | None) -> str | None:
    """The class of two that maps are of: as wanted, or the one that is there, or the later one.

    None for more classes, and for numbers.

    Raises:
        InputError: one that is none of them.
    """
    if wanted is not None:
        if wanted not in classes:
            raise InputError(
                f"--class {wanted} came; the data has {', '.join(map(words.inert, classes))}."
            )
        return wanted
    if len(classes) != 2:
        return None
    first, second = classes
    return first if second.lower() in ABSENT and first.lower() not in ABSENT else second


def layout_of(bags: Any) -> str:
    """What the tokens of the first bag lie on: "Sequence", "Grid" or "Graph"."""
    return type(bags[0].layout).__name__


@dataclass(frozen=True, eq=False)
class Kept:
    """A fitted head and what goes with it.

    Attributes:
        head: fitted.
        encoder: makes bags of texts or pictures; None where the data holds bags.
        about: plain JSON: `marked`, the class of two that maps are of, `kind` of the data, `noun`
            of one datum, `counts` of the classes, `hints` and `shares` of the concepts, `spreads`
            of the features, `chosen` and `null`, see `prospect_fit`.
    """

    head: Prospector | ProspectorRegressor
    encoder: Encoder | None
    about: dict[str, Any]

    def save(self, path: Path) -> Path:
        """Write all of it as one .npz, without pickle.

        Raises:
            InputError: it cannot be written.
        """
        arrays, encoder = described(self.encoder)
        return self.head.save(path, (arrays, {**self.about, "encoder": encoder}))

    @classmethod
    def load(cls, path: Path, encoder: str | None = None, device: str | None = None) -> Kept:
        """Read what `whence prospect fit` wrote.

        Args:
            path: the file.
            encoder: where its encoder's model is now, if it has moved.
            device: where that model runs.

        Raises:
            InputError: no such file, or another one.
        """
        head = load(path)
        arrays, about = head.extra
        if about.get("format") != FORMAT:
            raise InputError(
                f"{path} holds a head that whence prospect fit did not write, so how its bags were "
                "encoded is not known. Use it in Python: whence.prospectors.saving.load."
            )
        return cls(head, reopened(arrays, about["encoder"], encoder, device), about)

    @property
    def noun(self) -> str:
        """What one datum is called: "text", "picture", "bag"."""
        return str(self.about["noun"])

    @property
    def outputs(self) -> tuple[str, ...]:
        """The classes; none for numbers."""
        if isinstance(self.head, Prospector):
            return tuple(map(str, self.head.classes_.tolist()))
        return ()

    @property
    def names(self) -> tuple[str, ...]:
        """The concepts' names, with their most telling words where they have any."""
        hints = self.about["hints"]
        names = self.head.quantizer_.names
        return tuple(
            f"#{name.removeprefix('concept ')} {', '.join(hint)}" if hint else name
            for name, hint in zip(names, hints or [()] * len(names), strict=True)
        )

    @property
    def fit(self) -> Fit:
        """How far to trust the head."""
        null = self.about["null"] or {}
        return fit_of_head(
            self.head.performance_,
            null.get("p_value"),
            null.get("shuffles", 0),
            kind=self.noun,
        )

    def checked(self, output: str | None) -> str | None:
        """A class of the head; where none is named, the one of two that was fitted for.

        Raises:
            InputError: none of its classes.
        """
        if output is None:
            return self.about["marked"]
        if output in self.outputs:
            return output
        known = ", ".join(map(words.inert, self.outputs)) or "none: it gives a number"
        raise InputError(f"--class {output} came; the head's classes are {known}.")

    def encoded(self, data: Data) -> Sequence[Bag] | Any:
        """Bags of data, encoded as in training; one at a time where they are not in memory.

        Raises:
            InputError: data of another kind than the head learned from.
        """
        wanted = self.about["kind"]
        if data.kind != wanted:
            raise InputError(
                f"{data.source} holds {data.kind}s; this head learned from {wanted}s. Give it "
                f"{wanted}s."
            )
        if self.encoder is not None:
            return Encoded(self.encoder, data)
        learned, came = self.about.get("layout"), layout_of(data.things)
        if learned not in (None, came):
            raise InputError(
                f"{data.source} holds {came.lower()}s; this head learned from {learned.lower()}s. "
                "An .npz of graphs has edges and edge_offsets, one of grids has shape."
            )
        return data.things

    def mapped(self, data: Data, output: str | None) -> Iterator[Mapped]:
        """A map of each, for one class; None takes the likeliest."""
        bags = self.encoded(data)
        for i, name in enumerate(data.names):
            bag = bags[i]
            picture = data.things[i] if data.kind == "picture" else None
            label = "" if data.labels is None else str(data.labels[i])
            yield Mapped(
                self._named(self.head.attribute(bag, output)),
                bag.layout,
                name,
                self._predicted(bag),
                picture,
                label,
            )

    def found(self, entries: Sequence[Entry]) -> tuple[Found, ...]:
        """Weights under the names of `names`, and how much each moves the margins of bags."""
        names, k, spreads = self.names, self.head.quantizer_.k, self.about["spreads"]
        return tuple(
            Found(
                replace(e, name=" + ".join(names[c] for c in e.concepts)),
                e.weight * spreads[_place(e.concepts, k)],
            )
            for e in entries
        )

    def _named(self, found: Map) -> Map:
        output = found.output if self.outputs else str(self.about["label"])
        return replace(found, names=self.names, output=output)

    def _predicted(self, bag: Bag) -> str:
        value = self.head.predict([bag])[0]
        if self.outputs:
            return str(value)
        return words.number(float(value), words.decimals([float(value)]), sign=False)


def _place(concepts: tuple[int, ...], k: int) -> int:
    """Where a concept or a pair stands among the features; see `whence.prospectors.counting`."""
    if len(concepts) == 1:
        return concepts[0]
    a, b = concepts
    return k + a * k - a * (a - 1) // 2 + b - a


@dataclass(frozen=True, eq=False)
class Encoded:
    """Data that is encoded when it is asked for."""

    encoder: Encoder
    data: Data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, i: int) -> Bag:
        return self.encoder.encode(self.data.things[i], self.data.names[i])

    def __iter__(self) -> Iterator[Bag]:
        named = zip(self.data.things, self.data.names, strict=True)
        return (self.encoder.encode(thing, name) for thing, name in named)
