"""Holds KMeans: k-means on a sample of the tokens, or batch by batch; codes hard or soft.

It does not know what the tokens are, nor who reads the codes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from whence.dictionaries._lloyd import assigned, learned, lengths, squares, sums
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

#: A centroid with less than this share of the centroids' mean number of tokens is moved.
_DEAD = 0.01


class KMeans(BaseEstimator):
    """Concepts as centroids; a token's code is its nearest one, or a soft share of each.

    Soft codes are `C_vc ∝ exp(-(d²_vc - min_c d²_vc) / (softness · g))`, with g the median over
    training tokens of (second best - best) d², frozen at fit so that codes do not depend on the
    batch. Where that median is 0, g is the mean.

    `fit` reads the tokens once, keeps a sample, and runs Lloyd's iterations on it: the best of
    some restarts from k-means++ seeds, each on at most 10,000 tokens, refined on the whole
    sample. `partial_fit` needs one batch in memory at a time, and its result depends on how the
    tokens are cut into batches.

    Args:
        k: number of concepts.
        softness: temperature T of soft codes in units of g; 0 gives one-hot codes.
        seed: of the sample, of seeding, and of what replaces dead centroids.
        restarts: how often the seeding is tried.
        passes: the most iterations over the whole sample.
        sample: tokens that are kept in memory for learning, drawn from all that come.

    Attributes:
        centers_: `(k, d)`.
        counts_: `(k,)` tokens that each centroid stands for so far.
        gap_: g.
        batches_: batches that `partial_fit` has seen.

    Source:
        Lloyd (1982); Arthur and Vassilvitskii (2007); for batches Sculley (2010).
    """

    centers_: Floats
    counts_: Floats
    gap_: float
    batches_: int

    def __init__(
        self,
        k: int = 20,
        *,
        softness: float = 0.0,
        seed: int = 0,
        restarts: int = 10,
        passes: int = 20,
        sample: int = 100_000,
    ) -> None:
        self.k = k
        self.softness = softness
        self.seed = seed
        self.restarts = restarts
        self.passes = passes
        self.sample = sample

    @property
    def names(self) -> tuple[str, ...]:
        """What the concepts are called: "concept 0" and so on."""
        return tuple(f"concept {c}" for c in range(self.k))

    def fit(self, X: Any, y: Any = None, progress: Progress | None = None) -> Self:
        """See `Quantizer.fit`; a generator of batches will do, for the tokens are read once.

        Args:
            y: not used.
            progress: called with (tokens read, tokens in all or None) after every chunk.
        """
        self._checked()
        rng = np.random.default_rng(self.seed)
        tokens, seen = sampled(X, self.sample, rng, progress)
        require_distinct(tokens, self.k, seen)
        self.centers_ = learned(tokens, self.k, self.restarts, self.passes, rng)
        ids, self.gap_ = self._read(tokens)
        self.counts_ = np.bincount(ids, minlength=self.k).astype(np.float64)
        self.counts_ *= seen / len(tokens)
        self.batches_ = 0
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """One more batch `(b, d)`; the first one seeds the centroids, or goes on from `fit`.

        Every centroid is the mean of the tokens it was given, over all batches. One that has less
        than a hundredth of a mean share is dead: it moves to a token of the batch, drawn with
        probability by its distance² to its centroid. g is the mean over batches of theirs.

        Raises:
            InputError: nan or inf, another dimension, or a first batch with fewer than k
                distinct tokens.
        """
        self._checked()
        first = "centers_" not in vars(self)
        tokens = gathered(X, None if first else self.centers_.shape[1])
        if first:
            return self._start(tokens)
        rng = np.random.default_rng([self.seed, self.batches_ + 1])
        ids, gap = self._read(tokens)
        total, count = sums(tokens, ids, self.k)
        before = float(self.counts_.sum())
        self.counts_ = self.counts_ + count
        pull = (total - count[:, None] * self.centers_) / np.maximum(self.counts_, 1)[:, None]
        self.centers_ = self.centers_ + pull
        self.gap_ = (before * self.gap_ + len(tokens) * gap) / (before + len(tokens))
        self.batches_ += 1
        self._revive(tokens, rng)
        return self

    def transform(self, X: Any) -> Floats:
        """See `Quantizer.transform`; memory beside the codes is bounded."""
        self._fitted()
        return _stacked([self._codes(d) for d in self._measured(X)], self.k)

    def predict(self, X: Any) -> NDArray[np.intp]:
        """The nearest concept of every token, `(N,)`; the first of several as near."""
        self._fitted()
        ids = [d.argmin(axis=1) for d in self._measured(X)]
        return np.concatenate(ids) if ids else np.empty(0, dtype=np.intp)

    def closeness(self, X: Any) -> Floats:
        """How near every token is to every centroid, `-d²`, `(N, k)`."""
        self._fitted()
        shift = self._shift()
        parts = [
            -(squares(part, self.centers_, shift) + lengths(part, shift)[:, None])
            for part in chunks(X, self.centers_.shape[1])
        ]
        return np.minimum(_stacked(parts, self.k), 0.0)

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What `dictionaries.saving` keeps: arrays, and plain numbers."""
        self._fitted()
        params = {"k": int(self.k), "softness": float(self.softness), "seed": int(self.seed)}
        params |= {name: int(getattr(self, name)) for name in ("restarts", "passes", "sample")}
        meta = {"class": "KMeans", "params": params}
        meta |= {"gap": self.gap_, "batches": self.batches_}
        return {"centers": self.centers_, "counts": self.counts_}, meta

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        """The KMeans that had this state."""
        made = cls(**meta["params"])
        made._checked()
        made.centers_ = np.asarray(arrays["centers"], dtype=np.float64)
        made.counts_ = np.asarray(arrays["counts"], dtype=np.float64)
        made.gap_ = float(meta["gap"])
        made.batches_ = int(meta["batches"])
        shapes = (made.centers_.ndim, made.centers_.shape[:1], made.counts_.shape)
        if shapes != (2, (made.k,), (made.k,)):
            raise InputError(f"k={made.k} came with centroids {made.centers_.shape}.")
        sound = np.isfinite(made.centers_).all() and np.isfinite(made.counts_).all()
        if not (sound and 0 < made.gap_ < math.inf):
            raise InputError("Centroids that are nan or inf came.")
        return made

    def _checked(self) -> None:
        for name in ("k", "restarts", "passes"):
            whole_number(name, getattr(self, name), 1)
        whole_number("seed", self.seed, 0)
        whole_number("sample", self.sample, int(self.k))
        if not (math.isfinite(self.softness) and self.softness >= 0):
            raise InputError(
                f"softness={self.softness} came; a number from 0 (one concept per token) is needed."
            )

    def _fitted(self) -> None:
        if "centers_" not in vars(self):
            raise InputError("This KMeans is not fitted; call fit or partial_fit first.")

    def _shift(self) -> Floats:
        return self.centers_.mean(axis=0)

    def _measured(self, X: Any) -> Iterator[Floats]:
        """Squared distances to the centroids, each token's up to one number of its own."""
        shift = self._shift()
        for part in chunks(X, self.centers_.shape[1]):
            yield squares(part, self.centers_, shift)

    def _codes(self, d: Floats) -> Floats:
        if self.softness == 0:
            codes = np.zeros(d.shape)
            codes[np.arange(len(d)), d.argmin(axis=1)] = 1.0
            return codes
        d -= d.min(axis=1, keepdims=True)
        with np.errstate(over="ignore"):  # a tiny softness: exp(-inf) is the 0 that is meant
            d /= -float(self.softness) * self.gap_
        np.exp(d, out=d)
        d /= d.sum(axis=1, keepdims=True)
        return d

    def _read(self, tokens: NDArray[Any]) -> tuple[NDArray[np.intp], float]:
        """The nearest concept of tokens in memory, and their g."""
        if self.k == 1:
            return np.zeros(len(tokens), dtype=np.intp), 1.0
        ids, gaps = [], []
        for d in self._measured(tokens):
            ids.append(d.argmin(axis=1))
            two = np.partition(d, 1, axis=1)
            gaps.append(two[:, 1] - two[:, 0])
        apart = np.concatenate(gaps)
        gap = float(np.median(apart)) or float(apart.mean()) or 1.0
        return np.concatenate(ids), gap

    def _start(self, tokens: Floats) -> Self:
        rng = np.random.default_rng(self.seed)
        require_distinct(tokens, self.k, len(tokens))
        self.centers_ = learned(tokens, self.k, self.restarts, self.passes, rng)
        ids, self.gap_ = self._read(tokens)
        self.counts_ = np.bincount(ids, minlength=self.k).astype(np.float64)
        self.batches_ = 1
        return self

    def _revive(self, tokens: Floats, rng: np.random.Generator) -> None:
        """Move dead centroids to far tokens, with the count of the smallest living one."""
        dead = np.flatnonzero(self.counts_ < _DEAD * self.counts_.mean())
        shift = self._shift()
        for c in dead:
            _, nearest = assigned(tokens, self.centers_, shift)
            far = np.maximum(nearest + lengths(tokens, shift), 0.0)
            if far.sum() <= 0:
                return
            self.centers_[c] = tokens[rng.choice(len(tokens), p=far / far.sum())]
            living = self.counts_[self.counts_ >= _DEAD * self.counts_.mean()]
            self.counts_[c] = min(living.min(), len(tokens) / self.k)


def _stacked(parts: list[Floats], k: int) -> Floats:
    return np.concatenate(parts) if parts else np.empty((0, k))
