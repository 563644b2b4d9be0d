"""Holds Categories: tokens that have names already, such as letters or atoms, as concepts.

It does not know an encoder: there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from whence.dictionaries._tokens import Progress
from whence.errors import InputError

Floats = NDArray[np.float64]

#: Names that are turned into codes at once.
_STEP = 65_536


class Categories(BaseEstimator):
    """One concept per distinct name, in sorted order; names not seen in fit get no code (zeros).

    Names are text or whole numbers, not both: 10 comes after 9, and "10" before "9".

    Args:
        known: the names, where they are known beforehand, so that two fits have the same
            concepts; None learns them.

    Attributes:
        values_: `(k,)` the names, sorted, as int64 or str.
    """

    values_: NDArray[Any]

    def __init__(self, known: Sequence[str | int] | None = None) -> None:
        self.known = known

    @property
    def k(self) -> int:
        """Number of names."""
        self._fitted()
        return len(self.values_)

    @property
    def names(self) -> tuple[str, ...]:
        """The names as text."""
        self._fitted()
        return tuple(str(v) for v in self.values_)

    def fit(self, X: Any = None, y: Any = None, progress: Progress | None = None) -> Self:
        """See `Quantizer.fit`; tokens `(N,)` of str or int, or batches of them, read once.

        Where the names are known, X is not read.

        Raises:
            InputError: no tokens, tokens that are no names, or a known name that comes twice.
        """
        if self.known is not None:
            self.values_ = _distinct(_names(list(self.known)))
            if len(self.values_) < len(self.known) or not len(self.values_):
                raise InputError(
                    f"known has {len(self.known)} names and {len(self.values_)} distinct ones; "
                    "at least one is needed, and each once."
                )
            return self
        seen, found = 0, None
        for batch in names_in(X):
            new = _distinct(batch)
            found = new if found is None else _distinct(np.concatenate([_same(new, found), found]))
            seen += len(batch)
            if progress is not None:
                progress(seen, len(X) if isinstance(X, np.ndarray) else None)
        if found is None:
            raise InputError("No tokens came; at least one is needed.")
        self.values_ = found
        return self

    def transform(self, X: Any) -> Floats:
        """See `Quantizer.transform`; one-hot rows, and zeros for names not seen in fit."""
        ids = self.predict(X)
        codes = np.zeros((len(ids), self.k))
        known = np.flatnonzero(ids >= 0)
        codes[known, ids[known]] = 1.0
        return codes

    def predict(self, X: Any) -> NDArray[np.intp]:
        """The concept of every token, `(N,)`; -1 for names not seen in fit."""
        self._fitted()
        ids = [self._ids(_same(batch, self.values_)) for batch in names_in(X)]
        return np.concatenate(ids) if ids else np.empty(0, dtype=np.intp)

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What `dictionaries.saving` keeps: the names, in plain JSON."""
        self._fitted()
        known = None if self.known is None else _names(list(self.known)).tolist()
        params = {"known": known}
        return {}, {"class": "Categories", "values": self.values_.tolist(), "params": params}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        """The Categories that had this state."""
        known = meta["params"]["known"]
        made = cls(None if known is None else tuple(known))
        made.values_ = _distinct(_names(meta["values"]))
        return made

    def _fitted(self) -> None:
        if "values_" not in vars(self):
            raise InputError("These Categories are not fitted; call fit first.")

    def _ids(self, tokens: NDArray[Any]) -> NDArray[np.intp]:
        at = np.minimum(np.searchsorted(self.values_, tokens), len(self.values_) - 1)
        return np.where(self.values_[at] == tokens, at, -1).astype(np.intp)


def names_in(X: Any) -> Iterator[NDArray[Any]]:
    """Parts `(b,)` of the names, each int64 or str."""
    if isinstance(X, np.ndarray):
        for start in range(0, len(X) if X.ndim else 0, _STEP):
            yield _names(X[start : start + _STEP])
        if X.ndim != 1:
            _names(X)
        return
    if isinstance(X, str | bytes) or not isinstance(X, Iterable):
        raise InputError(
            f"{type(X).__name__} came; names (N,) or batches of them are needed: for letters, "
            "list(text)."
        )
    parts = iter(cast(Iterable[Any], X))
    first = next(parts, None)
    if first is None:
        return
    if isinstance(first, str) or np.ndim(first) == 0:
        yield _names([first, *parts])
        return
    for part in chain([first], parts):
        if len(part):
            yield _names(part)


def _names(X: Any) -> NDArray[Any]:
    """Names `(b,)` as int64 or str; what is neither is refused."""
    names = X if isinstance(X, np.ndarray) else np.array(X, dtype=object)
    if names.ndim != 1:
        raise InputError(
            f"An array of shape {names.shape} came; names (N,) are needed. Embeddings are for "
            "KMeans, NMF or SemiNMF."
        )
    if names.dtype.kind in "iu" or all(isinstance(v, int | np.integer) for v in names):
        return names.astype(np.int64)
    if names.dtype.kind == "U" or all(isinstance(v, str) for v in names):
        return names.astype(np.str_)
    odd = next(v for v in names if not isinstance(v, str))
    raise InputError(
        f"{odd!r} came as a name ({type(odd).__name__}); all text or all whole numbers are needed."
    )


def _same(names: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    """The names, if they are of the others' kind."""
    if names.dtype.kind != others.dtype.kind and len(names):
        kinds = {"i": "whole numbers", "U": "text"}
        raise InputError(
            f"{kinds[names.dtype.kind].capitalize()} came as names, and the others are "
            f"{kinds[others.dtype.kind]}; convert one of them."
        )
    return names


def _distinct(names: NDArray[Any]) -> NDArray[Any]:
    return np.unique(names)
