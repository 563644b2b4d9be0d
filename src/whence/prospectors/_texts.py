"""Holds TextEncoder: texts as bags of sentences or words, embedded by counts and an SVD alone.

It does not know labels, nor a language model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence as Rows
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from sklearn.base import BaseEstimator
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.validation import check_is_fitted

from whence.errors import InputError
from whence.prospectors._segments import Segment, cut, key, rule_of
from whence.prospectors.bags import Bag
from whence.prospectors.layouts import Sequence

Arrays = dict[str, NDArray[Any]]
Vectors = NDArray[np.float32]

#: Words to each side that a word is counted with.
NEAR = 4
#: Units below which a term need not be met more than once.
FEW = 300
#: A term is met in this many units at least, where there are more.
OFTEN = 3


class TextEncoder(BaseEstimator):
    """Texts as bags of units, each embedded by counts over the training texts; no model is needed.

    Sentences, lines and paragraphs: sublinear TF-IDF of one and two words, truncated SVD. Words:
    positive pointwise mutual information with the words at most four places away, truncated SVD,
    each direction over the root of its singular value; a word is small letters without
    punctuation. All vectors have length 1, but those of units without a known term, which are 0.

    Args:
        units: "sentence", "word", "line" or "paragraph".
        dims: dimensions, at most; fewer where there are fewer terms or units.
        min_df: units (for words: occurrences) that a term must be met in; None takes 3, or 1 where
            there are fewer than 300 units.
        window: of the layout: units to each side that are neighbours.
        segment: a text -> its Units, in place of the plain rules here; `units` then only says
            whether they are words.
        seed: of the SVD.

    Source:
        Words: Levy, Goldberg and Dagan (2015), with context distribution smoothing 0.75 and
        eigenvalue weighting 0.5.
    """

    def __init__(
        self,
        units: str = "sentence",
        *,
        dims: int = 100,
        min_df: int | None = None,
        window: int = 1,
        segment: Segment | None = None,
        seed: int = 0,
    ) -> None:
        self.units = units
        self.dims = dims
        self.min_df = min_df
        self.window = window
        self.segment = segment
        self.seed = seed

    @property
    def name(self) -> str:
        """As `open_encoder` takes it: "tfidf"."""
        return "tfidf"

    def fit(self, things: Iterable[str], y: Any = None) -> Self:
        """Learn from texts, which are gone through once.

        Raises:
            InputError: one str in place of several texts, a text without units, an unknown kind of
                unit, or no term that is met often enough.
        """
        if isinstance(things, str):
            raise InputError("one text came in place of several; put it in a list: [text].")
        if self.units not in ("sentence", "word", "line", "paragraph"):
            raise InputError(
                f"units={self.units!r} came; TextEncoder embeds sentence, word, line or paragraph. "
                "For letters as categories use NoEncoder('letter')."
            )
        labels = (cut(text, self.units, self.segment).labels for text in things)
        if self.units == "word":
            self._fit_words([[key(word) for word in text] for text in labels])
        else:
            self._fit_terms([unit for text in labels for unit in text])
        return self

    def encode(self, thing: str, name: str = "") -> Bag:
        """The bag of one text.

        Raises:
            InputError: no str, or a text without units.
        """
        check_is_fitted(self, "vectors_")
        units = cut(thing, self.units, self.segment, name)
        return Bag(self._embedded(units.labels), Sequence(self.window), units, name)

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """What was learned, as arrays and plain JSON; see `whence.prospectors.encoders`."""
        check_is_fitted(self, "vectors_")
        options = {name: value for name, value in self.get_params().items() if name != "segment"}
        told = {
            "encoder": self.name,
            "options": options,
            "rule": rule_of(self.segment),
            "terms": list(self.terms_),
        }
        return {"vectors": self.vectors_, "weights": self.weights_}, told

    def restore(self, arrays: Arrays, meta: dict[str, Any]) -> Self:
        """Take what `state` gave, in place of fitting."""
        self._know(meta["terms"], arrays["weights"], arrays["vectors"])
        return self

    def _know(self, terms: Rows[str], weights: NDArray[Any], vectors: NDArray[Any]) -> None:
        """Terms, of each its weight (idf) `(t,)`, and its vector `(t, d)`."""
        self.terms_ = tuple(terms)
        self.weights_ = np.asarray(weights, dtype=np.float64)
        self.vectors_ = np.asarray(vectors, dtype=np.float32)
        self._places = {term: i for i, term in enumerate(self.terms_)}
        self._counter = None
        if self.units != "word":
            self._counter = _counter(self._places)
            self._counter.idf_ = self.weights_

    def _often(self, units: int) -> int:
        if self.min_df is not None:
            return self.min_df
        return OFTEN if units >= FEW else 1

    def _fit_terms(self, units: Rows[str]) -> None:
        counter = _counter(None, self._often(len(units)))
        try:
            counted = counter.fit_transform(units)
        except ValueError as error:
            # No text, only stop words, or nothing left by min_df: scikit-learn says which.
            raise InputError(
                f"{len(units)} units hold no term often enough ({error}). Lower min_df, or give "
                "more texts."
            ) from error
        terms = counter.get_feature_names_out()
        self._know(terms, counter.idf_, _svd(counted, self.dims, self.seed)[1].T)

    def _fit_words(self, texts: Rows[Rows[str]]) -> None:
        counts = Counter(word for text in texts for word in text)
        least = self._often(sum(counts.values()))
        terms = sorted(word for word, count in counts.items() if count >= least)
        if len(terms) < 3:
            raise InputError(
                f"{len(terms)} words are met at least {least} times; 3 are needed. Lower min_df, "
                "or give more texts."
            )
        near = _mutual(_together(texts, {word: i for i, word in enumerate(terms)}))
        strengths, directions = _svd(near, self.dims, self.seed)
        vectors = _unit(directions.T * np.sqrt(strengths))
        self._know(terms, np.ones(len(terms)), vectors)

    def _embedded(self, labels: Rows[str]) -> Vectors:
        if self._counter is not None:
            return _unit(self._counter.transform(labels) @ self.vectors_)
        places = np.array([self._places.get(key(label), -1) for label in labels])
        found = self.vectors_[places]
        found[places < 0] = 0
        return found


def _counter(vocabulary: dict[str, int] | None, min_df: int = 1) -> Any:
    return TfidfVectorizer(
        vocabulary=vocabulary, ngram_range=(1, 2), min_df=min_df, sublinear_tf=True
    )


def _svd(table: Any, dims: int, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Singular values `(d,)` and right directions `(d, columns)`, d as asked or what there is."""
    most = max(1, min(dims, min(table.shape) - 1))
    found = TruncatedSVD(most, random_state=seed).fit(table)
    return np.asarray(found.singular_values_), np.asarray(found.components_)


def _together(texts: Rows[Rows[str]], places: dict[str, int]) -> Any:
    """How often two words stand at most `NEAR` places apart in one text, `(t, t)`, symmetric."""
    ids = np.array([places.get(word, -1) for text in texts for word in text])
    of = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    pairs: list[NDArray[np.intp]] = []
    for step in range(1, NEAR + 1):
        left, right = ids[:-step], ids[step:]
        known = (of[:-step] == of[step:]) & (left >= 0) & (right >= 0)
        pairs.append(np.stack([left[known], right[known]]))
    rows, columns = np.concatenate(pairs, axis=1)
    shape = (len(places), len(places))
    once = coo_array((np.ones(len(rows)), (rows, columns)), shape=shape)
    return csr_array(once + once.T)


def _mutual(counts: Any) -> Any:
    """Positive pointwise mutual information, contexts smoothed by the power 0.75."""
    context = np.asarray(counts.sum(axis=0)).ravel() ** 0.75
    total = np.asarray(counts.sum(axis=1)).ravel()
    pairs = counts.tocoo()
    expected = total[pairs.row] * context[pairs.col] / max(context.sum(), 1.0)
    values = np.maximum(np.log(pairs.data / expected), 0.0)
    return csr_array((values, (pairs.row, pairs.col)), shape=counts.shape)


def _unit(rows: NDArray[Any]) -> Vectors:
    """Rows of length 1; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
