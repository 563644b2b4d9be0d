"""Holds NMF and SemiNMF: tokens as few non-negative parts, learned on a sample or in batches.

It does not know what the tokens are, nor who reads the codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from whence.dictionaries._factorising import Factors, accumulated, factorised, weighed
from whence.dictionaries._tokens import (
    Progress,
    chunks,
    gathered,
    require_distinct,
    sampled,
    whole_number,
)
from whence.errors import InputError

Floats = NDArray[np.float64]


class NMF(BaseEstimator):
    """Tokens `(N, d)` >= 0 as U V with U, V >= 0; codes are rows of U, scaled to sum to 1.

    U is solved exactly per token, so a token has the same codes alone and in any batch; new
    tokens may hold negative numbers. A token that no part helps to explain (all zeros, say) has
    codes of zeros.

    `fit` reads the tokens once and learns from a sample; `partial_fit` needs one batch in memory
    at a time, and its result depends on how the tokens are cut into batches.

    Args:
        k: number of concepts.
        seed: of the sample and the start.
        passes: the most rounds over the sample.
        sample: tokens that are kept in memory for learning, drawn from all that come.

    Attributes:
        factors_: the components, and the sums over tokens that `partial_fit` goes on from.

    Source:
        Lee and Seung (1999); fitted by HALS, Cichocki and Phan (2009), from k-means centroids;
        by batches as in Mairal, Bach, Ponce and Sapiro (2010).
    """

    factors_: Factors

    def __init__(
        self, k: int = 20, *, seed: int = 0, passes: int = 200, sample: int = 50_000
    ) -> None:
        self.k = k
        self.seed = seed
        self.passes = passes
        self.sample = sample

    @property
    def names(self) -> tuple[str, ...]:
        """What the concepts are called: "concept 0" and so on."""
        return tuple(f"concept {c}" for c in range(self.k))

    @property
    def components_(self) -> Floats:
        """V `(k, d)`, rows of length 1."""
        return _fitted(self).components

    def fit(self, X: Any, y: Any = None, progress: Progress | None = None) -> Self:
        """See `Quantizer.fit`; a generator of batches will do, for the tokens are read once.

        Args:
            y: not used.
            progress: called with (tokens read, tokens in all or None) after every chunk.

        Raises:
            InputError: also for negative numbers: those are for `SemiNMF`.
        """
        self.factors_ = _learned(self, X, progress, nonneg=True)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """One more batch `(b, d)`; the first one starts, or goes on from `fit`.

        Raises:
            InputError: as `fit`; a first batch with fewer than k distinct tokens.
        """
        self.factors_ = _continued(self, X, nonneg=True)
        return self

    def transform(self, X: Any) -> Floats:
        """See `Quantizer.transform`; a token that no part helps to explain has zeros."""
        return _shares(self.closeness(X))

    def closeness(self, X: Any) -> Floats:
        """The weights U `(N, k)`, not scaled: `closeness(X) @ components_` comes near to X."""
        components = _fitted(self).components
        parts = [weighed(part, components) for part in chunks(X, components.shape[1])]
        return np.concatenate(parts) if parts else np.empty((0, len(components)))

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What `dictionaries.saving` keeps: arrays, and plain numbers."""
        return _state(self)

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        """The NMF that had this state."""
        made = cls(**meta["params"])
        _check(made)
        made.factors_ = _restored(arrays, made.k)
        return made


class SemiNMF(BaseEstimator):
    """Tokens `(N, d)` of any sign as U V with U >= 0 only; codes, settings and methods as `NMF`.

    Source:
        Ding, Li and Jordan (2010); with coordinate descent on U and least squares for V in place
        of their multiplicative updates, and codes exact per token.
    """

    factors_: Factors

    def __init__(
        self, k: int = 20, *, seed: int = 0, passes: int = 200, sample: int = 50_000
    ) -> None:
        self.k = k
        self.seed = seed
        self.passes = passes
        self.sample = sample

    @property
    def names(self) -> tuple[str, ...]:
        """What the concepts are called: "concept 0" and so on."""
        return tuple(f"concept {c}" for c in range(self.k))

    @property
    def components_(self) -> Floats:
        """V `(k, d)`, rows of length 1."""
        return _fitted(self).components

    def fit(self, X: Any, y: Any = None, progress: Progress | None = None) -> Self:
        """See `NMF.fit`; numbers of any sign."""
        self.factors_ = _learned(self, X, progress, nonneg=False)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """See `NMF.partial_fit`; numbers of any sign."""
        self.factors_ = _continued(self, X, nonneg=False)
        return self

    def transform(self, X: Any) -> Floats:
        """See `Quantizer.transform`; a token that no part helps to explain has zeros."""
        return _shares(self.closeness(X))

    def closeness(self, X: Any) -> Floats:
        """The weights U `(N, k)`, not scaled: `closeness(X) @ components_` comes near to X."""
        components = _fitted(self).components
        parts = [weighed(part, components) for part in chunks(X, components.shape[1])]
        return np.concatenate(parts) if parts else np.empty((0, len(components)))

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What `dictionaries.saving` keeps: arrays, and plain numbers."""
        return _state(self)

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        """The SemiNMF that had this state."""
        made = cls(**meta["params"])
        _check(made)
        made.factors_ = _restored(arrays, made.k)
        return made


_Either = NMF | SemiNMF


def _learned(q: _Either, X: Any, progress: Progress | None, *, nonneg: bool) -> Factors:
    _check(q)
    rng = np.random.default_rng(q.seed)
    tokens, seen = sampled(X, q.sample, rng, progress, nonneg=nonneg)
    require_distinct(tokens, q.k, seen)
    made = factorised(tokens, q.k, q.passes, nonneg, rng)
    share = seen / len(tokens)
    return Factors(made.components, made.gram * share, made.cross * share)


def _continued(q: _Either, X: Any, *, nonneg: bool) -> Factors:
    _check(q)
    last: Factors | None = vars(q).get("factors_")
    tokens = gathered(X, None if last is None else last.components.shape[1], nonneg=nonneg)
    if last is not None:
        return accumulated(last, tokens, nonneg)
    require_distinct(tokens, q.k, len(tokens))
    return factorised(tokens, q.k, q.passes, nonneg, np.random.default_rng(q.seed))


def _check(q: _Either) -> None:
    whole_number("k", q.k, 1)
    whole_number("passes", q.passes, 1)
    whole_number("seed", q.seed, 0)
    whole_number("sample", q.sample, q.k)


def _fitted(q: _Either) -> Factors:
    factors: Factors | None = vars(q).get("factors_")
    if factors is None:
        raise InputError(f"This {type(q).__name__} is not fitted; call fit or partial_fit first.")
    return factors


def _shares(weights: Floats) -> Floats:
    whole = weights.sum(axis=1, keepdims=True)
    return weights / np.where(whole > 0, whole, 1.0)


def _state(q: _Either) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    f = _fitted(q)
    params = {name: int(getattr(q, name)) for name in ("k", "seed", "passes", "sample")}
    arrays = {"components": f.components, "gram": f.gram, "cross": f.cross}
    return arrays, {"class": type(q).__name__, "params": params}


def _restored(arrays: Mapping[str, NDArray[Any]], k: int) -> Factors:
    names = ("components", "gram", "cross")
    parts = [np.asarray(arrays[name], dtype=np.float64) for name in names]
    shape = parts[0].shape
    if len(shape) != 2 or [p.shape for p in parts] != [(k, shape[1]), (k, k), (k, shape[1])]:
        raise InputError(f"k={k} came with components {shape}.")
    if not all(np.isfinite(p).all() for p in parts):
        raise InputError("Components that are nan or inf came.")
    return Factors(*parts)
