"""Holds the ways a training text is changed: words dropped, two texts spliced, texts joined.

Knows nothing of labels or models; what a changed text is worth is the teacher's to say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

NEGATOR = re.compile(
    r"^(not|no|never|nor|none|nothing|nobody|neither|without|hardly|barely|scarcely|lacks?|"
    r"lacking|fails?|failed|cannot|far|free|t|.*n't|isn|doesn|didn|can|couldn|wasn|don|won|"
    r"wouldn|but|less|least|little|few|'|too|only|rarely|anything)\W*$",
    re.IGNORECASE,
)


def subset(text: str, rng: np.random.Generator, keep_negators: bool = False) -> str:
    """A random word subset of `text`, in order: the share kept is itself uniform on (0, 1).

    With `keep_negators`, words that can turn a sign are never dropped, so that the label of the
    whole text is still a fair label of the rest.
    """
    words = text.split()
    kept = rng.random(len(words)) < rng.random()
    return " ".join(
        word
        for word, stay in zip(words, kept, strict=True)
        if stay or (keep_negators and NEGATOR.match(word))
    )


def splice(first: str, second: str, rng: np.random.Generator) -> str:
    """The beginning of one text followed by the end of another."""
    a, b = first.split(), second.split()
    return " ".join(a[: int(rng.integers(1, len(a) + 1))] + b[int(rng.integers(0, len(b))) :])


def joined(texts: Sequence[str], count: int, rng: np.random.Generator) -> str:
    """`count` random texts in a row, so that the student meets long inputs too."""
    return " ".join(texts[int(i)] for i in rng.integers(len(texts), size=count))


def unlabelled(texts: Sequence[str], made: Sequence[str], rng: np.random.Generator) -> list[str]:
    """The changed texts a student is distilled on, once each, and the empty text."""
    found = [subset(text, rng) for text in texts]
    found += [splice(text, texts[int(rng.integers(len(texts)))], rng) for text in texts[::3]]
    found += [subset(text, rng) for text in made]
    found += [joined(texts, int(rng.integers(2, 13)), rng) for _ in range(len(texts) // 100)]
    # A made sentence beside a real one, so that negation is learned in company as well.
    for text in made[: len(made) // 2]:
        other = texts[int(rng.integers(len(texts)))]
        pair = [text, " ".join(other.split()[: int(rng.integers(1, 12))])]
        found.append(" ".join(pair if rng.integers(2) else pair[::-1]))
    return ["", *sorted(set(found) - set(texts) - set(made) - {""})]
