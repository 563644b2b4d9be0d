"""Holds the reading of the two data sets and the rule that splits them.

Knows nothing of models, tokenizers or torch: the benchmark and the tests import it too.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Part = Literal["heldout", "validation", "train"]


@dataclass(frozen=True)
class Example:
    """One labelled text.

    Attributes:
        text: the text as the file has it, outer white space removed.
        label: 0 negative, 1 positive.
        source: "rt", "imdb", "yelp" or "amazon".
    """

    text: str
    label: int
    source: str


def normalise(text: str) -> str:
    """Lower-cased letters and digits, everything else one space: what counts as the same text."""
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()


def part_of(text: str) -> Part:
    """The side a text falls on: a tenth held out, a tenth for validation, the rest for training.

    The rule reads nothing but the normalised text (first eight hex digits of its sha256,
    modulo 10: 0 held out, 1 validation), so exact duplicates, and lines that differ in case or
    punctuation only, are always on one side, whatever order or file they come in.
    """
    digest = hashlib.sha256(normalise(text).encode("utf-8")).hexdigest()
    bucket = int(digest[:8], 16) % 10
    return "heldout" if bucket == 0 else "validation" if bucket == 1 else "train"


def read_rt(data: Path) -> list[Example]:
    """The 10,662 snippets of rt_polarity, negatives first."""
    found: list[Example] = []
    for name, label in (("rt-polarity.neg", 0), ("rt-polarity.pos", 1)):
        raw = (data / "rt_polarity" / name).read_text(encoding="utf-8")
        found += [Example(line.strip(), label, "rt") for line in raw.split("\n") if line.strip()]
    return found


def read_uci(data: Path) -> list[Example]:
    """The 3,000 labelled sentences. Only a line feed ends one: two hold other line breaks."""
    found: list[Example] = []
    for source in ("imdb", "yelp", "amazon"):
        name = "amazon_cells" if source == "amazon" else source
        path = data / "uci_sentences" / f"{name}_labelled.txt"
        for line in path.read_bytes().decode("utf-8").split("\n"):
            if line.strip():
                text, label = line.rsplit("\t", 1)
                found.append(Example(" ".join(text.split()), int(label), source))
    return found


def select(examples: list[Example], part: Part) -> list[Example]:
    """The examples of one part, once each: the first of exact duplicates is kept."""
    kept: dict[tuple[str, int], Example] = {}
    for example in examples:
        if part_of(example.text) == part:
            kept.setdefault((normalise(example.text), example.label), example)
    return list(kept.values())


def wilson(right: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """95 % Wilson score interval of a proportion.

    Source:
        Wilson (1927), Journal of the American Statistical Association 22, 209-212.
    """
    share = right / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * (share * (1 - share) / total + z * z / (4 * total * total)) ** 0.5
    half /= 1 + z * z / total
    return middle - half, middle + half


def read_contrast(path: Path) -> list[dict[str, str]]:
    """Rows of the negation contrast set: pair, kind, known_hard, label, text."""
    lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    header = lines[0].split("\t")
    return [dict(zip(header, line.split("\t"), strict=True)) for line in lines[1:]]
