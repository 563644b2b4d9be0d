"""Holds NearestPrototype and ConceptMaps: a trained CNN explained by k-means on its own features.

Nothing is trained anew and no gradient is taken: what an image is like, as a whole or place by
place, is read off distances. It does not know the CNN, only maps that came out of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from whence.dictionaries.kmeans import KMeans
from whence.errors import InputError
from whence.prospectors import _blocks
from whence.prospectors._faithfulness import Faithfulness, Share, faithfulness
from whence.prospectors._grids import grid_units
from whence.prospectors.bags import Bag
from whence.prospectors.layouts import Grid

__all__ = ["ConceptMaps", "Faithfulness", "NearestPrototype", "Share", "faithfulness"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


class NearestPrototype(ClassifierMixin, BaseEstimator):
    """Classes by the nearest of a few prototypes each: k-means within every class.

    Args:
        per_class: prototypes of every class; one is the mean of its rows.
        seed: of k-means.

    Attributes:
        classes_: the labels, sorted.
        prototypes_: `(m, d)`, class by class.
        owners_: `(m,)` position in `classes_` of the class that each belongs to.
        exemplars_: `(m,)` the training row of that class that is nearest to it, to be shown for it.
        scale_: mean squared distance of the training rows to the nearest prototype of their class.

    Source:
        Gautam, Boubekki, Höhne and Kampffmeyer (2024), "Prototypical self-explainable models
        without re-training" (KMEx, arXiv 2312.07822): k-means per class on frozen features, and
        the class of the nearest prototype.
    """

    def __init__(self, per_class: int = 1, *, seed: int = 0) -> None:
        self.per_class = per_class
        self.seed = seed

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from rows `(b, d)`, such as pooled features, and their labels `(b,)`.

        Raises:
            InputError: one class only, rows and labels of different lengths, nan or inf, or a
                class with fewer distinct rows than prototypes.
        """
        if self.per_class < 1:
            raise InputError(f"per_class={self.per_class!r} came; at least 1 is needed.")
        rows = _rows(X)
        labels = np.asarray(y)
        if labels.shape != (len(rows),):
            raise InputError(
                f"{len(rows)} rows and labels of shape {labels.shape} came; one each is needed."
            )
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(f"only the class {self.classes_[0]} came; two or more are needed.")
        made = [self._centers(rows[codes == c], label) for c, label in enumerate(self.classes_)]
        self.prototypes_ = np.concatenate(made)
        self.owners_ = np.repeat(np.arange(len(made)), [len(one) for one in made])
        own = self.owners_ == codes[:, None]
        apart = np.where(own, self._apart(rows), np.inf)
        self.exemplars_ = apart.argmin(axis=0)
        self.scale_ = float(apart.min(axis=1).mean())
        return self

    def _centers(self, rows: Floats, label: Any) -> Floats:
        if self.per_class == 1:
            return rows.mean(axis=0, keepdims=True)
        try:
            centers = KMeans(self.per_class, seed=self.seed).fit(rows).centers_
        except InputError as error:
            raise InputError(
                f"class {label} with {len(rows)} rows cannot have per_class={self.per_class} "
                f"prototypes: {error}"
            ) from error
        return np.asarray(centers, dtype=np.float64)

    def _apart(self, rows: Floats) -> Floats:
        """Squared distances `(b, m)`."""
        squares = (rows**2).sum(axis=1)[:, None] + (self.prototypes_**2).sum(axis=1)
        return np.maximum(squares - 2 * rows @ self.prototypes_.T, 0.0)

    def nearest(self, X: Any) -> Ints:
        """The nearest prototype of every row, `(b,)`: a position in `prototypes_`."""
        return self._apart(self._read(X)).argmin(axis=1)

    def distances(self, X: Any) -> Floats:
        """Squared distances `(b, classes)` to the nearest prototype of each class."""
        apart = self._apart(self._read(X))
        own = [apart[:, self.owners_ == c].min(axis=1) for c in range(len(self.classes_))]
        return np.stack(own, axis=1)

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of the nearest prototype, `(b,)`."""
        return self.classes_[self.owners_[self.nearest(X)]]

    def predict_proba(self, X: Any) -> Floats:
        """Softmax over classes of `-distances / scale_`, `(b, classes)`.

        It orders classes as the distances do. It is not calibrated.
        """
        logits = -self.distances(X) / (self.scale_ or 1.0)
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def evidence(self, locations: Any, output: Any = None, against: Any = None) -> Floats:
        """What each location of one image says for a class and against the others, `(N,)`.

        The image is read as the mean z of its locations. With p and q the prototypes of two
        classes that are nearest to z, location f says `(2 f·(p - q) - |p|² + |q|²) / N`. That sums
        exactly to `|z - q|² - |z - p|²`, by which the first class is nearer than the second; over
        several others the mean is taken. No gradient is needed, and none would say more: the
        difference is linear in the locations.

        Args:
            locations: `(N, d)` features of the image's locations.
            output: the class; None for the nearest one.
            against: the other; None for all of the rest alike.

        Raises:
            InputError: a class that was not learned, twice the same, or other features.
        """
        rows = self._read(locations)
        pooled = rows.mean(axis=0, keepdims=True)
        first = self._position(output, int(self.distances(pooled).argmin()))
        others = np.delete(np.arange(len(self.classes_)), first)
        if against is not None:
            others = np.array([self._position(against, 0)])
        if first in others:
            raise InputError(
                f"{self.classes_[first]} against itself came; give another class as against=."
            )
        own = self.owners_ == np.arange(len(self.classes_))[:, None]
        nearest = self.prototypes_[np.where(own, self._apart(pooled), np.inf).argmin(axis=1)]
        near, far = nearest[first], nearest[others]
        squares = (far**2).sum(axis=1).mean() - near @ near
        return (2 * rows @ (near - far.mean(axis=0)) + squares) / len(rows)

    def _position(self, label: Any, default: int) -> int:
        """Where a class stands in `classes_`."""
        if label is None:
            return default
        found = np.flatnonzero(self.classes_ == label)
        if not len(found):
            raise InputError(
                f"{label!r} came as a class; learned are {', '.join(map(str, self.classes_))}."
            )
        return int(found[0])

    def _read(self, X: Any) -> Floats:
        check_is_fitted(self)
        rows = _rows(X)
        if rows.shape[1] != self.prototypes_.shape[1]:
            raise InputError(
                f"rows of {rows.shape[1]} features came; learned from {self.prototypes_.shape[1]}."
            )
        return rows


def _rows(X: Any) -> Floats:
    rows = np.asarray(X, dtype=np.float64)
    if rows.ndim != 2 or 0 in rows.shape:
        raise InputError(f"features of shape {rows.shape} came; rows (b, d) are needed.")
    bad = ~np.isfinite(rows).all(axis=1)
    if bad.any():
        raise InputError(f"row {int(bad.argmax())} of the features holds nan or inf.")
    return rows


class ConceptMaps(ClassifierMixin, BaseEstimator):
    """Which concept each place of an image shows, and what it says for a class; no gradients.

    The locations of one or more blocks of a CNN are clustered by k-means: concepts. Several blocks
    are laid on the grid of the finest, each over its own total deviation so that all weigh alike,
    and joined. An image is then the mean over its locations, and its class that of the nearest
    prototype (`NearestPrototype`), so that every location's part in the decision is known exactly.

    Args:
        k: number of concepts.
        layers: names of the blocks that are read, such as the last ("B4") or the last three
            ("B234"); () reads all that come.
        reads: what stands for a location in the decision: "concepts", the centroid of its concept,
            so that the concept map alone decides; or "features", what the CNN computed there, so
            that with the last block alone this is KMEx and the concepts only describe.
        per_class: prototypes of every class.
        seed: of both k-means.

    Attributes:
        classes_: the labels, sorted.
        scales_: of each layer, what its features are divided by.
        quantizer_: the `KMeans` of the locations.
        head_: the `NearestPrototype`.

    Source:
        Boubekki and Clemmensen (2026), "Post-hoc self-explanation of CNNs" (arXiv 2603.28466), of
        which we know the abstract and the introduction: k-means on features of B4 or B234, concept
        maps, and gradient-free attribution. Ours to answer for are: the scale of a block, its
        repetition onto the finer grid, and the attribution, which follows from pooling alone.
    """

    def __init__(
        self,
        k: int = 20,
        layers: Rows[str] = (),
        *,
        reads: str = "features",
        per_class: int = 1,
        seed: int = 0,
    ) -> None:
        self.k = k
        self.layers = layers
        self.reads = reads
        self.per_class = per_class
        self.seed = seed

    def fit(self, maps: Any, y: Any) -> Self:
        """Learn from maps and one label per image.

        Args:
            maps: layer -> `(b, c, h, w)`, as `whence.adapters.features.feature_maps` gives them;
                or batches of such mappings that can be gone through three times.
            y: `(b,)` labels: the truth, or what the CNN answered, if its answers are explained.

        Raises:
            InputError: see `NearestPrototype.fit`; a layer that is not there, maps of another
                shape, nan or inf, or more concepts than distinct locations.
        """
        if self.reads not in ("concepts", "features"):
            raise InputError(f"reads={self.reads!r} came; it is 'concepts' or 'features'.")
        self.scales_ = _blocks.scales(maps, tuple(self.layers))
        self.quantizer_ = KMeans(self.k, seed=self.seed).fit(_Locations(maps, self.scales_))
        self.head_ = NearestPrototype(self.per_class, seed=self.seed).fit(self._pooled(maps), y)
        self.classes_ = self.head_.classes_
        return self

    def concepts(self, maps: Any) -> Ints:
        """The concept of every location, `(b, h, w)`, from 0."""
        return np.concatenate([self._codes(one) for one in self._aligned(maps)])

    def evidence(self, maps: Any, output: Any = None, against: Any = None) -> Floats:
        """What each location says for a class and against the others, `(b, h, w)`.

        See `NearestPrototype.evidence`: every image's map sums to the difference of its squared
        distances. With reads="concepts" it is the same wherever the concept is the same.

        Args:
            maps: as in `fit`.
            output: the class; None for each image's own prediction.
            against: another one; None for all of the rest alike.
        """
        made = [
            self.head_.evidence(image.reshape(-1, image.shape[-1]), output, against).reshape(
                image.shape[:2]
            )
            for places in self._aligned(maps)
            for image in self._read(places)
        ]
        return np.stack(made)

    def predict(self, maps: Any) -> NDArray[Any]:
        """The class of the nearest prototype, `(b,)`."""
        check_is_fitted(self)
        return self.head_.predict(self._pooled(maps))

    def predict_proba(self, maps: Any) -> Floats:
        """See `NearestPrototype.predict_proba`."""
        check_is_fitted(self)
        return self.head_.predict_proba(self._pooled(maps))

    def shares(self, maps: Any) -> Floats:
        """The share of its locations that each concept takes of every image, `(b, k)`."""
        ids = self.concepts(maps)
        flat = ids.reshape(len(ids), -1)
        return np.stack([np.bincount(row, minlength=self.k) for row in flat]) / flat.shape[1]

    def bags(
        self, maps: Any, names: Rows[str] = (), size: tuple[int, int] | None = None
    ) -> list[Bag]:
        """The concept maps as bags of categories on a grid, for a `Prospector` to be fitted on.

        Args:
            maps: as in `fit`.
            names: of the images; () leaves them without.
            size: `(height, width)` of the images, on which the units are drawn; None draws them on
                the maps' own grid.

        Returns:
            A list of `Bag`, one per image.

        Raises:
            InputError: names that are not one per image, or a size below the maps' own.
        """
        ids = self.concepts(maps)
        named = list(names) or [""] * len(ids)
        if len(named) != len(ids):
            raise InputError(f"{len(ids)} images and {len(named)} names came; one each is needed.")
        height, width = ids.shape[1:]
        tall, wide = size or (height, width)
        if tall < height or wide < width:
            raise InputError(
                f"size={size} came for maps of {height} x {width}; give the size of the images."
            )
        down, along = np.arange(tall) * height // tall, np.arange(wide) * width // wide
        units, layout = grid_units(down, along), Grid(height, width)
        return [Bag(one.ravel(), layout, units, n) for one, n in zip(ids, named, strict=True)]

    def _aligned(self, maps: Any) -> Iterator[_blocks.Locations]:
        check_is_fitted(self)
        for batch in _blocks.batches(maps, tuple(self.scales_)):
            yield _blocks.aligned(batch, self.scales_)

    def _codes(self, places: _blocks.Locations) -> Ints:
        flat = places.reshape(-1, places.shape[-1])
        return self.quantizer_.predict(flat).reshape(places.shape[:-1])

    def _read(self, places: _blocks.Locations) -> NDArray[Any]:
        """What stands for every location in the decision, `(b, h, w, d)`."""
        if self.reads == "features":
            return places
        return np.asarray(self.quantizer_.centers_)[self._codes(places)]

    def _pooled(self, maps: Any) -> Floats:
        """The mean over each image's locations, `(b, d)`."""
        parts = [
            self._read(_blocks.aligned(batch, self.scales_)).mean(axis=(1, 2), dtype=np.float64)
            for batch in _blocks.batches(maps, tuple(self.scales_))
        ]
        return np.concatenate(parts)


@dataclass(frozen=True)
class _Locations:
    """The locations of maps `(n, d)`, batch by batch, as often as is needed."""

    maps: Any
    scales: dict[str, float]

    def __iter__(self) -> Iterator[_blocks.Locations]:
        for batch in _blocks.batches(self.maps, tuple(self.scales)):
            places = _blocks.aligned(batch, self.scales)
            yield places.reshape(-1, places.shape[-1])
