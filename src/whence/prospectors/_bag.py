"""Holds Bag: the tokens of one datum on their layout.

It does not know how bags are made of other things, nor what is learned from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError
from whence.prospectors.layouts import Grid, Layout, Sequence
from whence.units import Units


@dataclass(frozen=True, eq=False)
class Bag:
    """One datum: N tokens and where they lie.

    Attributes:
        tokens: `(N, d)` embeddings, or `(N,)` names (str or int) of tokens without an encoder.
            A memory map is read when it is needed, never all at once with others.
        layout: which tokens are neighbours.
        units: labels of the tokens and their place in the text or image, for pictures; None
            names them by their position.
        name: of the datum, for people: a file's name.

    Raises:
        InputError: no tokens, tokens that are neither embeddings nor names, or a layout or units
            of another size. (That embeddings are finite is seen when bags are used: `as_bags`.)
    """

    tokens: NDArray[Any]
    layout: Layout = field(default_factory=Sequence)
    units: Units | None = None
    name: str = ""

    def __post_init__(self) -> None:
        _check_tokens(self.tokens, self.name)
        _check_size(self, "layout has places for", self.layout.size)
        _check_size(self, "units are", None if self.units is None else len(self.units))

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def kind(self) -> str:
        """What the tokens are: "embeddings of 64 dimensions", "names (str)" or "names (int)"."""
        if self.tokens.ndim == 2:
            return f"embeddings of {self.tokens.shape[1]} dimensions"
        return "names (str)" if isinstance(self.tokens[0], str) else "names (int)"


def units_of(bag: Bag) -> Units:
    """The bag's units; where it has none, its names or positions, placed on its grid."""
    if bag.units is not None:
        return bag.units
    labels = tuple(map(str, bag.tokens if bag.tokens.ndim == 1 else range(len(bag))))
    if not isinstance(bag.layout, Grid):
        return Units(labels, kind="token")
    return Units(labels, kind="patch", grid=bag.layout.places().astype(np.int32))


def _check_size(bag: Bag, what: str, size: int | None) -> None:
    if size not in (None, len(bag.tokens)):
        raise InputError(
            f"{len(bag.tokens)} tokens came{_of(bag.name)}, but the {what} {size}; "
            "give one token per place."
        )


def _check_tokens(tokens: Any, name: str) -> None:
    """Embeddings or names, and at least one."""
    if not isinstance(tokens, np.ndarray):
        raise InputError(
            f"tokens came{_of(name)} as {type(tokens).__name__}; a Bag holds a numpy array: "
            "np.asarray(tokens)."
        )
    if tokens.ndim in (1, 2) and len(tokens) == 0:
        raise InputError(f"no tokens came{_of(name)}; leave out empty bags, and their labels.")
    embeddings = tokens.ndim == 2 and tokens.shape[1] > 0 and tokens.dtype.kind in "fiub"
    names = tokens.ndim == 1 and (tokens.dtype.kind in "Uiu" or _all_names(tokens))
    if not embeddings and not names:
        raise InputError(
            f"tokens of shape {tokens.shape} and dtype {tokens.dtype} came{_of(name)}; they must "
            "be numbers (N, d), or names (N,) that are all str or all int."
        )


def _all_names(tokens: NDArray[Any]) -> bool:
    """Objects that are all str, or all whole numbers."""
    kinds = {type(token) for token in tokens} if tokens.dtype == np.object_ else {float}
    return all(issubclass(kind, str) for kind in kinds) or all(
        issubclass(kind, (int, np.integer)) and kind is not bool for kind in kinds
    )


def _of(name: str) -> str:
    return f" for {name}" if name else ""
