"""Holds as_bags and BagStream: many bags, made of what people have, checked, in memory or not.

The Bag itself and the converters are in the files beside it, and are found here too. It does not
know what is learned from bags.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Rows
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError
from whence.prospectors._bag import Bag, units_of
from whence.prospectors.converters import (
    from_any,
    from_array,
    from_geometric,
    from_networkx,
    from_string,
)

__all__ = [
    "Bag",
    "BagStream",
    "as_bags",
    "checked",
    "first_not_finite",
    "from_array",
    "from_geometric",
    "from_networkx",
    "from_string",
    "units_of",
]

# Numbers that are looked at at once when a memory map is searched for nan.
CHUNK = 1 << 20


@dataclass(frozen=True, eq=False)
class BagStream:
    """Bags that are made and checked one at a time, each time they are gone through.

    Attributes:
        source: can be gone through more than once; yields what `as_bags` takes.
    """

    source: Iterable[Any]
    _last: list[Iterator[Any]] = field(default_factory=list[Iterator[Any]], repr=False)

    def __iter__(self) -> Iterator[Bag]:
        like = None
        anew = iter(self.source)
        if any(anew is one for one in self._last):
            _refuse_once(self.source)
        self._last[:] = [anew]
        for position, item in enumerate(anew):
            bag = checked(item, position, like)
            like = like or bag.kind
            yield bag
        if like is None:
            raise InputError("no bags came; at least one is needed.")


def as_bags(bags: Any) -> Rows[Bag] | BagStream:
    """Bags from what people have; what is a Bag stays, and no tokens are copied.

    An `(N, d)` or `(N,)` array is a sequence; an `(h, w, d)` array is a grid; a str is a sequence
    of its letters; a list of str or int is a sequence of names; a networkx graph (tokens in the
    node attribute "token") and a PyTorch Geometric `Data` (recognised by their attributes,
    without importing either) become graphs.

    Args:
        bags: a list, tuple or other sequence, checked at once; or any object that can be gone
            through more than once (its `__iter__` may read files one at a time), which gives a
            `BagStream` that checks each bag as it passes, on every pass.

    Raises:
        InputError: a bag with no tokens, nan or inf, tokens of different dimensions, names beside
            embeddings, a layout of another size; the message names the bag by position and name.
            Also no bags, one bag in place of several, and an iterator, which can be gone through
            only once.
    """
    if isinstance(bags, BagStream):
        return bags
    if isinstance(bags, (Bag, str, bytes, dict)) or not isinstance(bags, Iterable):
        raise InputError(
            f"one {type(bags).__name__} came in place of several bags; put it in a list: [bag], or "
            "give an object whose __iter__ yields bags."
        )
    if isinstance(bags, Iterator):
        _refuse_once(bags)
    stream = BagStream(bags)
    return tuple(stream) if isinstance(bags, (Rows, np.ndarray)) else stream


def _refuse_once(bags: Any) -> NoReturn:
    raise InputError(
        f"a {type(bags).__name__} came, which can be gone through only once; give a list, or "
        "an object whose __iter__ begins anew each time."
    )


def checked(item: Any, position: int, like: str | None = None) -> Bag:
    """One bag from what came, fit to be used.

    Args:
        item: one of the things that `as_bags` takes.
        position: among the bags, for messages.
        like: `Bag.kind` of the bags before it; None for the first.

    Raises:
        InputError: see `as_bags`.
    """
    where = f"bag {position}" + (f" ({item.name})" if isinstance(item, Bag) and item.name else "")
    try:
        bag = item if isinstance(item, Bag) else from_any(item)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    if like is not None and bag.kind != like:
        raise InputError(
            f"{where} has {bag.kind}, but the first bag {like}; all must come from one encoder."
        )
    bad = first_not_finite(bag.tokens)
    if bad is not None:
        raise InputError(
            f"{where}: token {bad} of {len(bag)} has nan or inf in its embedding; leave it out, "
            "or look for what broke the encoder (half precision overflows)."
        )
    return bag


def first_not_finite(tokens: NDArray[Any]) -> int | None:
    """The first row of `(N, d)` with nan or inf, or None; read in chunks."""
    if tokens.ndim != 2 or tokens.dtype.kind != "f":
        return None
    rows = max(1, CHUNK // max(1, tokens.shape[1]))
    for start in range(0, len(tokens), rows):
        finite = np.isfinite(tokens[start : start + rows])
        if not finite.all():
            return start + int(np.flatnonzero(~finite.all(1))[0])
    return None
