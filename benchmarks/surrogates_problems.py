"""Holds what the surrogate benchmark plays: exact games, long reviews, stories, planted chains.

It does not know who plays. A problem of a real model keeps every value it has paid for under the
cache folder, so that a second run with the same seeds calls no model. Never imported by the
package.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import common
import numpy as np
from exact_games import code, load

from whence import masks as mask
from whence._kernels.walsh import walsh
from whence.lenses.inputs.text import text_game
from whence.masks import Masks, pack

Floats = np.ndarray
Value = Callable[[Masks], Floats]

#: Kinds of problem made from real models; all others are exact games.
LARGE = ("LongReview", "StoryWords", "StorySentences")
REVIEW_WORDS = (64, 128, 256, 352)
#: Units of stories -> their lengths in tokens.
STORIES = {"words": (110, 200, 330), "sentences": (330, 460)}
#: Fresh uniform masks that a large problem is scored on.
TEST = 2000
#: Tokens of a story's continuation whose log-probability is the value.
TARGET = 12


@dataclass(frozen=True)
class Key:
    """Names a problem; a worker builds it from this.

    Attributes:
        name: path of an exact game, or "reviews/64", "stories/words/110".
        kind: as the index of the exact games has it, or one of `LARGE`.
    """

    name: str
    kind: str


@dataclass(frozen=True)
class Truth:
    """The exact answers of a game whose every coalition is known.

    Attributes:
        values: `(2^n,)`, row as in `masks.every`.
        spectrum: Fourier coefficients `(2^n,)`, row as in `masks.every`.
        shapley: `(n,)`.
        fbii: Faith-Banzhaf interactions of order 2, of all pairs: `(pairs,)`.
        sii: Shapley interactions of all pairs: `(pairs,)`.
    """

    values: Floats
    spectrum: Floats
    shapley: Floats
    fbii: Floats
    sii: Floats


@dataclass(frozen=True)
class Problem:
    """What is played.

    Attributes:
        n: number of units.
        value: masks `(b, n)` -> values `(b,)`.
        test: masks `(t, n)` that surrogates are scored on; all of them for an exact game.
        answers: their values `(t,)`.
        truth: exact answers, or None where they are not known.
    """

    n: int
    value: Value
    test: Masks
    answers: Floats
    truth: Truth | None = None


@dataclass
class Ledger:
    """A value function that counts distinct masks, and the CPU seconds that values took."""

    value: Value
    seen: set[bytes] = field(default_factory=set)
    spent: float = 0.0

    def __call__(self, masks: Any) -> Floats:
        """Values `(b,)` of rows that are 0 or 1."""
        start = time.process_time()
        rows = np.atleast_2d(np.asarray(masks)).astype(bool)
        self.seen.update(row.tobytes() for row in pack(rows))
        values = self.value(rows)
        self.spent += time.process_time() - start
        return values


@dataclass
class Remembered:
    """A value function that asks the model once per mask and keeps the answers in a file."""

    value: Value
    file: Path
    known: dict[bytes, float] = field(default_factory=dict)
    saved: int = 0

    def __call__(self, masks: Masks) -> Floats:
        """Values `(b,)` of masks `(b, n)`."""
        keys = [row.tobytes() for row in pack(masks)]
        new = {k: i for i, k in enumerate(keys) if k not in self.known}
        if new:
            answers = self.value(masks[list(new.values())])
            self.known.update(zip(new, answers.tolist(), strict=True))
        if len(self.known) - self.saved > 500:
            self.save()
        return np.array([self.known[k] for k in keys])

    def read(self) -> None:
        """Take in what the file holds."""
        if self.file.exists():
            with np.load(self.file) as stored:
                rows = [row.tobytes() for row in stored["masks"]]
                self.known = dict(zip(rows, stored["values"].tolist(), strict=True)) | self.known

    def save(self) -> None:
        """Write all answers, beside what another process may have written meanwhile."""
        self.read()
        rows = np.array([np.frombuffer(k, np.uint8) for k in self.known])
        self.file.parent.mkdir(parents=True, exist_ok=True)
        part = self.file.with_suffix(f".{os.getpid()}.npz")
        np.savez_compressed(part, masks=rows, values=np.array(list(self.known.values())))
        os.replace(part, self.file)
        self.saved = len(self.known)


# Exact games ---------------------------------------------------------------------------------


def exact_keys(folder: Path, limit: int, draw: int) -> list[Key]:
    """Exact games of 12 units and more: `limit` per kind, twice as many of text and images."""
    with (folder / "index.csv").open(encoding="utf-8") as file:
        listed = [r for r in csv.DictReader(file) if r["exhaustive"] == "True"]
    listed = [r for r in listed if int(r["n"]) >= 12 and float(r["v_max"]) - float(r["v_min"])]
    rng = np.random.default_rng(draw)
    chosen = []
    for kind in sorted({r["kind"] for r in listed}):
        here = [r for r in listed if r["kind"] == kind]
        by_size = defaultdict(list)
        for i in rng.permutation(len(here)):
            by_size[int(here[i]["n"])].append(here[i])
        turns = [by_size[n] for n in sorted(by_size, reverse=True)]
        mixed = [q[i] for i in range(len(here)) for q in turns if i < len(q)]
        most = limit * (2 if kind in ("SentimentAnalysis", "ImageClassifier") else 1)
        chosen += [Key(r["path"], kind) for r in mixed[:most]]
    return chosen


@functools.lru_cache(maxsize=2)
def bits(n: int) -> tuple[Floats, Floats]:
    """Every mask `(2^n, n)` as floats, and its size `(2^n,)`; row as in `masks.every`."""
    table = mask.every(n).astype(np.float64)
    return table, table.sum(axis=1)


def read(spectrum: Floats) -> tuple[Floats, Floats, Floats]:
    """Shapley values `(n,)`, and FBII and SII of order 2 of all pairs, of Fourier coefficients.

    Source:
        Closed forms in F over Fourier sets T: Shapley -2 * sum over odd T with i of F(T) / |T|;
        FBII of the top order 4 * F(pair); SII 4 * sum over even T with the pair of
        F(T) / (|T| - 1).
    """
    n = len(spectrum).bit_length() - 1
    table, size = bits(n)
    odd = size % 2 == 1
    single = np.where(odd, -2 * spectrum / np.maximum(size, 1), 0.0)
    double = np.where(odd | (size < 2), 0.0, 4 * spectrum / np.maximum(size - 1, 1))
    first, second = np.triu_indices(n, 1)
    sii = (table.T * double) @ table
    return single @ table, 4 * spectrum[2**first + 2**second], sii[first, second]


def exact(path: Path) -> Problem:
    """A stored game with every coalition."""
    n, values = load(path)
    spectrum = walsh(values) / 2**n
    truth = Truth(values, spectrum, *read(spectrum))
    return Problem(n, lambda masks: values[code(masks)], mask.every(n), values, truth)


# Real models ---------------------------------------------------------------------------------


def large_keys(data: Path) -> list[Key]:
    """The problems whose model, data and packages are here; the rest is skipped, by name."""
    keys = []
    absent = [p for p in ("onnxruntime", "tokenizers") if common.version(p) is None]
    if absent or not (data / "spex_sentiment" / "sentiment.csv").exists():
        print(f"skipped: long reviews ({', '.join(absent) or 'the reviews'} absent)")
    else:
        keys += [Key(f"reviews/{n}", "LongReview") for n in REVIEW_WORDS]
    if common.version("tokenizers") is None or not (data / "stories260K" / "hf").exists():
        print("skipped: stories (tokenizers or the stories260K model absent)")
    else:
        for unit, lengths in STORIES.items():
            keys += [Key(f"stories/{unit}/{t}", f"Story{unit.title()}") for t in lengths]
    return keys


def review(data: Path, words: int) -> tuple[str, Any, dict[str, Any]]:
    """The longest review cut to a number of words that the embedded model can read whole."""
    from whence.models import sentiment

    model = sentiment.load(threads=1)
    with (data / "spex_sentiment" / "sentiment.csv").open(encoding="utf-8") as file:
        reviews = [r["review"].strip('"') for r in csv.DictReader(file)]
    for text in sorted(reviews, key=lambda r: -len(r.split())):
        cut = " ".join(text.split()[:words])
        if len(model.tokenizer.encode(cut).ids) <= model.max_tokens:
            return cut, model, {"output": "positive", "labels": model.labels}
    raise ValueError(f"no review of {words} words fits into {model.max_tokens} tokens")


def story(data: Path, tokens: int) -> tuple[str, Any, dict[str, Any]]:
    """A story the model tells, and the log-probability of how it goes on after what is left."""
    import surrogates_stories as stories

    model = stories.load(data / "stories260K" / "hf")
    start = model.encode("Once upon a time")
    told = start + model.continued(start, tokens - len(start), np.random.default_rng(tokens))
    text = model.tokenizer.decode(told).strip()
    target = model.continued(model.encode(text), TARGET, None)
    return text, functools.partial(model.score, target=target), {"scores": "values"}


def real(name: str, data: Path, cache: Path) -> Problem:
    """A problem of a real model, its values remembered under `cache`."""
    family, *unit, size = name.split("/")
    made = review if family == "reviews" else story
    text, score, settings = made(data, int(size))
    units = unit[0].removesuffix("s") if unit else "word"
    game = text_game(score, text, units=units, **settings)
    told = hashlib.sha256(f"{name}\n{text}".encode()).hexdigest()[:12]
    value = Remembered(game, cache / f"{name.replace('/', '-')}-{told}.npz")
    value.read()
    n = game.n
    test = mask.every(n) if n <= 11 else mask.uniform(n, TEST, np.random.default_rng(54321))
    answers = value(test)
    value.save()
    return Problem(n, value, test, answers)


@functools.lru_cache(maxsize=2)
def build(key: Key, games: Path, data: Path, cache: Path) -> Problem:
    """The problem of a key."""
    if key.kind in LARGE:
        return real(key.name, data, cache)
    return exact(games / key.name)


# Planted -------------------------------------------------------------------------------------


def chains(n: int, seed: int = 0, count: int = 12, degree: int = 5) -> Value:
    """Nested AND-interactions: `count` chains of sets of 1 to `degree` units, 60 terms in all."""
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(n)[:degree] for _ in range(count)]
    weights = rng.normal(size=(count, degree))

    def value(masks: Masks) -> Floats:
        rows = np.asarray(masks, dtype=bool)
        ands = (np.logical_and.accumulate(rows[:, order], axis=1) for order in orders)
        return np.sum([a @ w for a, w in zip(ands, weights, strict=True)], axis=0)

    return value


def split(names: str | None) -> Sequence[str]:
    """Names by comma."""
    return [name.strip() for name in names.split(",")] if names else []
