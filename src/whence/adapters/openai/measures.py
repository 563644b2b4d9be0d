"""Holds Measure: what a written answer is worth beside a reference, or to a judge.

It does not know who wrote the answer.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from whence.errors import InputError, ModelError

#: A reference and an answer -> how alike they are.
Similarity = Callable[[str, str], float]
#: What was asked (a text, or Messages) and the answer -> how good it is.
Judge = Callable[[Any, str], float]


def exact_match(reference: str, answer: str) -> float:
    """1 if both are the same but for white space at the ends, else 0."""
    return float(reference.strip() == answer.strip())


def word_overlap(reference: str, answer: str) -> float:
    """F1 of the words that two texts share, each as often as it stands: 0 to 1.

    Words are runs of letters and digits, whatever their case; order does not matter. Two texts
    without words are alike.

    Source:
        The token F1 of SQuAD, Rajpurkar et al. (2016), without its removal of articles.
    """
    one, other = _words(reference), _words(answer)
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 1.0


def _words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.casefold()))


#: The similarities that go by a name.
NAMED: dict[str, Similarity] = {"exact match": exact_match, "word overlap": word_overlap}


@dataclass(frozen=True)
class Measure:
    """What a written answer is worth.

    Attributes:
        unit: what the numbers are, for people.
        identity: equal only for measures that give the same numbers; None when not known.
        similarity: compares with a reference; None for a judge.
        judge: needs no reference; None for a similarity.
    """

    unit: str
    identity: str | None
    similarity: Similarity | None = None
    judge: Judge | None = None

    def of(self, item: Any, reference: str | None, answer: str) -> float:
        """The answer's worth.

        Raises:
            ModelError: the caller's function did not return one finite number.
        """
        if self.judge is not None:
            return _number(self.judge(item, answer), "judge")
        assert self.similarity is not None
        assert reference is not None
        return _number(self.similarity(reference, answer), "similarity")


def measure(similarity: Similarity | str | None, judge: Judge | None, judged_by: str) -> Measure:
    """The measure that a caller asked for; the word overlap if they named none.

    Raises:
        InputError: both, a name that does not exist, or something that cannot be called.
    """
    if judge is not None and similarity is not None:
        raise InputError("similarity= and judge= came; an answer's worth is one of both.")
    if isinstance(similarity, str) and similarity not in NAMED:
        raise InputError(
            f"similarity={similarity!r} came; it must be {' or '.join(map(repr, NAMED))}, or a "
            "function of a reference and an answer."
        )
    if similarity is None and judge is None:
        similarity = "word overlap"
    if isinstance(similarity, str):
        return Measure(similarity, similarity, NAMED[similarity])
    unit = "similarity" if judge is None else "judgement"
    _callable(judge if similarity is None else similarity, unit)
    return Measure(judged_by or unit, judged_by or None, similarity, judge)


def _callable(given: Any, what: str) -> None:
    if not callable(given):
        raise InputError(f"a {what} of type {type(given).__name__} came; a function is needed.")


def _number(value: Any, who: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ModelError(f"{who}= returned {value!r:.80}; one finite number is needed.")
    return number
