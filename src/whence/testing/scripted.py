"""Holds a scripted model: class scores of texts by a word list and rules of negation.

It has no weights, so lenses can be tested without any. It does not know what a mask is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

#: Words with their weight: above zero speaks for "positive".
WORDS: Mapping[str, float] = {
    "good": 1.5,
    "great": 2.5,
    "impress": 2.0,
    "charming": 1.5,
    "love": 2.0,
    "fine": 0.5,
    "bad": -1.5,
    "terrible": -2.5,
    "fails": -2.0,
    "boring": -1.5,
    "hate": -2.0,
    "dull": -1.0,
}
NEGATORS = ("not", "never", "no", "hardly")


@dataclass(frozen=True)
class SentimentRules:
    """Two class scores per text, `(b, 2)`: negative and positive. A negator turns what follows.

    A score is the sum of the weights of the words of that side; the weight of a word changes sign
    once for every negator among the `reach` words before it. So "never fails" speaks for a text,
    and "never" alone says nothing: a game on such a text has interactions that are known. Every
    text is scored by itself, whatever else is in the batch.

    Attributes:
        words: word, in lower case -> weight.
        negators: words that turn the weight of what follows.
        reach: how many words a negator looks ahead.

    Example:
        >>> SentimentRules()(["good", "not good", "never fails", ""])
        array([[0. , 1.5],
               [1.5, 0. ],
               [0. , 2. ],
               [0. , 0. ]])
    """

    words: Mapping[str, float] = field(default_factory=lambda: WORDS)
    negators: tuple[str, ...] = NEGATORS
    reach: int = 3

    #: Names of the two classes, in the order of the scores.
    labels = ("negative", "positive")

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Scores `(b, 2)` of b texts."""
        return np.array([self._score(text) for text in texts], dtype=np.float64).reshape(-1, 2)

    def _score(self, text: str) -> tuple[float, float]:
        words = re.findall(r"\w+", text.lower())
        weights = [self._turned(words, i) for i in range(len(words))]
        return (
            sum((-w for w in weights if w < 0), start=0.0),
            sum((w for w in weights if w > 0), start=0.0),
        )

    def _turned(self, words: Sequence[str], i: int) -> float:
        turns = sum(word in self.negators for word in words[max(0, i - self.reach) : i])
        return self.words.get(words[i], 0.0) * (-1.0) ** turns
