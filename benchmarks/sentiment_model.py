"""Holds the table of the embedded sentiment model: accuracy, negation, neighbours, speed.

    python benchmarks/sentiment_model.py [--data ../shared/data] [--quick] [--json FILE]

Held-out rows are skipped, by name, where the data are absent. Never imported by the package.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "training" / "sentiment"))

from splits import Example, read_contrast, read_rt, read_uci, select, wilson  # noqa: E402

from whence.models import sentiment  # noqa: E402

CONTRAST = ROOT / "benchmarks" / "data" / "negation_contrast.tsv"


def row(
    task: str, metric: str, value: float, low: float, high: float, calls: int
) -> dict[str, Any]:
    """One row of the table, with the columns that every benchmark shares."""
    return {
        "task": task, "method": sentiment.NAME, "metric": metric, "value": value, "low": low,
        "high": high, "seeds": 1, "calls": calls, "cpu_seconds": time.process_time(),
        "machine": f"{platform.machine()} {platform.system()}",
    }  # fmt: skip


def accuracy(
    task: str, model: Any, texts: Sequence[str], positive: Sequence[bool]
) -> dict[str, Any]:
    """Share of texts whose larger logit is the label's, with its 95 % Wilson interval."""
    logits = model(texts)
    right = int(((logits[:, 1] > logits[:, 0]) == np.array(positive)).sum())
    low, high = wilson(right, len(texts))
    return row(task, "accuracy", right / len(texts), low, high, len(texts))


def held_out(model: Any, data: Path) -> list[dict[str, Any]]:
    """Accuracy on the held-out tenths, or nothing where the data are absent."""
    if not data.is_dir():
        print(f"skipped: held-out accuracy ({data} is absent)")
        return []
    parts: dict[str, list[Example]] = {
        "rt_polarity held out": select(read_rt(data), "heldout"),
        "uci_sentences held out": select(read_uci(data), "heldout"),
    }
    return [
        accuracy(name, model, [one.text for one in part], [one.label == 1 for one in part])
        for name, part in parts.items()
    ]


def negation(model: Any) -> list[dict[str, Any]]:
    """Accuracy on the contrast set, on its texts not marked known-hard, and its failures."""
    rows = read_contrast(CONTRAST)
    easy = [one for one in rows if one["known_hard"] == "0"]
    found = [
        accuracy(name, model, [o["text"] for o in some], [o["label"] == "positive" for o in some])
        for name, some in (("negation, all", rows), ("negation, not known-hard", easy))
    ]
    logits = model([one["text"] for one in rows])
    gaps = logits[:, 1] - logits[:, 0]
    wrong = [
        (one, gap)
        for one, gap in zip(rows, gaps, strict=True)
        if (gap > 0) != (one["label"] == "positive")
    ]
    bad_pairs = len({one["pair"] for one, _ in wrong})
    pairs = len(rows) // 2
    low, high = wilson(pairs - bad_pairs, pairs)
    found.append(row("negation, whole pairs", "accuracy", 1 - bad_pairs / pairs, low, high, pairs))
    for one, gap in wrong:
        hard = " (known hard)" if one["known_hard"] == "1" else ""
        chance = 1 / (1 + np.exp(-gap))
        print(f"wrong: {one['label']}, p(positive) {chance:.2f}: {one['text']}{hard}")
    return found


def masked_texts(count: int, seed: int) -> list[str]:
    """Random word subsets of the contrast set, the empty text among them."""
    rng = np.random.default_rng(seed)
    texts = [one["text"].split() for one in read_contrast(CONTRAST)]
    found = [""]
    while len(found) < count:
        words = texts[int(rng.integers(len(texts)))] * int(rng.integers(1, 6))
        kept = rng.random(len(words)) < rng.random()
        found.append(" ".join(word for word, stay in zip(words, kept, strict=True) if stay))
    return found


def neighbours(model: Any, count: int) -> dict[str, Any]:
    """Largest change of a logit over batch sizes 1, 7, 64, 256 and random neighbours."""
    texts, rng = masked_texts(count, seed=0), np.random.default_rng(1)
    whole, worst = model(texts), 0.0
    for size in (1, 7, 64, 256):
        order = rng.permutation(count)
        for start in range(0, count, size):
            rows = order[start : start + size]
            worst = max(worst, float(np.abs(model([texts[i] for i in rows]) - whole[rows]).max()))
    return row("batch independence", "largest change of a logit", worst, worst, worst, 5 * count)


def speed(count: int) -> list[dict[str, Any]]:
    """Texts of the contrast set a second: by the wall clock, and by one thread's processor time."""
    texts = [one["text"] for one in read_contrast(CONTRAST)]
    texts = (texts * (count // len(texts) + 1))[:count]
    found = []
    for metric, threads, clock in (
        ("texts a second", 0, time.perf_counter),
        ("texts a core-second", 1, time.process_time),
    ):
        model, rates = sentiment.load(threads), []
        model(texts[:64])
        for _ in range(5):
            begun = clock()
            model(texts)
            rates.append(count / (clock() - begun))
        middle = float(np.median(rates))
        found.append(row("speed", metric, middle, min(rates), max(rates), 5 * count))
    return found


def main() -> None:
    """Prints the table, and writes it where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--quick", action="store_true", help="fewer texts where timing is measured")
    parser.add_argument("--json", type=Path, help="file for the rows")
    args = parser.parse_args()
    model = sentiment.load()
    rows = held_out(model, args.data) + negation(model)
    rows.append(neighbours(model, 256 if args.quick else 1024))
    rows += speed(512 if args.quick else 2048)
    for one in rows:
        print(f"{one['task']:26} {one['metric']:26} {one['value']:10.4g} "
              f"[{one['low']:.4g}, {one['high']:.4g}]")  # fmt: skip
    if args.json is not None:
        args.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
