"""Holds the tables of coarse-to-fine runs beside flat ones of the same budget, on real long texts.

    python benchmarks/refine.py [--quick] [--json FILE]

Prompts of ten and of thirty HotpotQA documents (three questions' together) are read by a scripted
reader that wants the two supporting sentences of one question, most of all both; every other
sentence moves it a little, and so does the text's length, which no sum of pieces explains. Another
reader makes sense of a document only while three quarters of it are left. The flat
run has every title and sentence as a unit. Reviews of eight paragraphs are read by the embedded
sentiment model: there every paragraph says something. Fits are judged twice: on each run's own
held-out masks, and both on one set of masks that both can read, uniform over the refined run's
units (so at home with it).
Never imported by the package. Data: ../shared/data; what is not there is skipped by name.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import common
import numpy as np

from whence import explain
from whence.explanation import Explanation
from whence.lenses.inputs.nesting import mixed, opened_by
from whence.lenses.inputs.refine import Refined, refine
from whence.lenses.inputs.segment import Segmented, segment
from whence.lenses.inputs.text import text_game
from whence.masks import Masks
from whence.scoring import Score

DATA = Path(__file__).parents[2] / "shared" / "data"
JUDGES = 200


class Task(NamedTuple):
    """A text, its reader, and the sentences that were planted in it."""

    text: str
    score: Score
    coarse: str
    planted: tuple[str, ...]
    options: dict[str, Any]


class Reader:
    """A scripted reader of a prompt: each sentence's own small weight, and the evidence."""

    def __init__(self, sentences: Sequence[str], planted: tuple[str, ...], seed: int) -> None:
        self.planted = planted
        self.bodies: list[list[str]] = []
        weights = np.random.default_rng(seed).normal(0.0, 0.05, len(sentences))
        self.weights = dict(zip(sentences, weights.tolist(), strict=True))

    def __call__(self, texts: Sequence[str]) -> list[float]:
        """One number per text."""
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> float:
        here = [found in text for found in self.planted]
        small = sum(weight for piece, weight in self.weights.items() if piece in text)
        return small + sum(here) * 0.75 + 4.0 * all(here) + 0.3 * float(np.sin(len(text)))


class WholeReader(Reader):
    """A reader to whom a document means something only while three quarters of it are left."""

    def _one(self, text: str) -> float:
        shares = [np.mean([piece in text for piece in body]) for body in self.bodies]
        here = [share >= 0.75 for share in shares]
        small = sum(weight for piece, weight in self.weights.items() if piece in text)
        return small + sum(here) * 0.75 + 4.0 * all(here) + 0.3 * float(np.sin(len(text)))


def hotpot(count: int, questions: int, whole: bool = False) -> list[Task]:
    """Prompts of the documents of some questions, one of which has its evidence wanted."""
    path = DATA / "hotpot100" / "hotpot100.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    tasks: list[Task] = []
    for at, row in enumerate(rows):
        others = [rows[(at + 7 * j) % len(rows)] for j in range(questions)]
        titled = [pair for other in others for pair in documents(other)]
        lines = [f"Document [{i}](Title: {t}) {' '.join(d)}" for i, (t, d) in enumerate(titled, 1)]
        text = "\n".join(["Answer from these.\n", *lines, f"\nQuestion: {row['question']}"])
        wanted = evidence(row)
        if len(wanted) == 2 and all(text.count(piece) == 1 for piece in wanted):
            pieces = sorted({piece for _, body in titled for piece in body})
            reader = (WholeReader if whole else Reader)(pieces, wanted, len(tasks))
            reader.bodies = [
                body for _, body in documents(row) if any(piece in wanted for piece in body)
            ]
            if whole and (len(reader.bodies) < 2 or min(map(len, reader.bodies)) < 3):
                continue
            tasks.append(Task(text, reader, "document", wanted, {"scores": "values"}))
        if len(tasks) == count:
            break
    return tasks


def documents(row: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Title and sentences of each document of a question."""
    context = row["context"]
    bodies = [[s.strip() for s in sentences if s.strip()] for sentences in context["sentences"]]
    return list(zip(context["title"], bodies, strict=True))


def evidence(row: dict[str, Any]) -> tuple[str, ...]:
    """The supporting sentences of a question."""
    facts, bodies = row["supporting_facts"], dict(documents(row))
    wanted = {
        bodies[title][i]
        for title, i in zip(facts["title"], facts["sent_id"], strict=True)
        if title in bodies and i < len(bodies[title])
    }
    return tuple(sorted(wanted))


def reviews(count: int) -> list[Task]:
    """Texts of eight paragraphs of three review sentences, for the embedded model."""
    from whence.models.sentiment import LABELS, load

    path = DATA / "uci_sentences" / "yelp_labelled.txt"
    lines = [line.rsplit("\t", 1)[0].strip() for line in path.open(encoding="utf-8")]
    model = load(1)
    options = {"output": "positive", "labels": LABELS}
    tasks: list[Task] = []
    for seed in range(count):
        drawn = np.random.default_rng(seed).choice(len(lines), 24, replace=False)
        paragraphs = [" ".join(lines[i] for i in drawn[j : j + 3]) for j in range(0, 24, 3)]
        tasks.append(Task("\n\n".join(paragraphs), model, "paragraph", (), dict(options)))
    return tasks


def flat(task: Task) -> Segmented:
    """Every unit of the task opened."""
    whole = segment(task.text, task.coarse)
    insides = opened_by(whole, partial(segment, units="sentence"))
    able = [i for i, inner in enumerate(insides) if inner is not None]
    return mixed(whole, insides, able)


def as_flat(masks: Masks, found: Explanation, units: Segmented) -> Masks:
    """Masks of a refined run's units as masks of the flat run's."""
    spans = found.units.spans or ()
    owner = [
        next(i for i, (start, end) in enumerate(spans) if start <= a and b <= end)
        for a, b in units.units.spans or ()
    ]
    return masks[:, owner]


def top_are(found: Explanation, planted: tuple[str, ...]) -> float:
    """Share of the planted sentences among as many strongest units, by Shapley value."""
    best = found.attributions().top(len(planted)).sets
    named = {found.units[i] for (i,) in best}
    return sum(p in named for p in planted) / len(planted)


def documents_are(found: Explanation, task: Task) -> float:
    """Share of the planted sentences' documents among as many strongest ones, by Shapley value.

    A document's value is the sum of those of the units in it.
    """
    whole = segment(task.text, task.coarse)
    places = whole.units.spans or ()
    wanted = {
        i for i, (a, b) in enumerate(places) if any(p in task.text[a:b] for p in task.planted)
    }
    values = np.zeros(len(places))
    units = zip(found.units.spans or (), found.attributions().values, strict=True)
    for (start, end), value in units:
        values[next(i for i, (a, b) in enumerate(places) if a <= start and end <= b)] += value
    best = set(np.argsort(-np.abs(values))[: len(wanted)].tolist())
    return len(best & wanted) / len(wanted)


def pair_is(found: Explanation, planted: tuple[str, ...]) -> float:
    """Whether the strongest pair is the planted one."""
    pairs = found.interactions().of_order(2).top(1).sets
    return float(bool(pairs) and {found.units[i] for i in pairs[0]} == set(planted))


def r2(found: Explanation, masks: Masks, truth: np.ndarray) -> float:
    """Share of the variance of true values that a fit explains."""
    wrong = np.asarray(found.predict(masks)) - truth
    return float(1.0 - (wrong**2).sum() / ((truth - truth.mean()) ** 2).sum())


def measure(task: Task, budget: int, seed: int) -> dict[str, dict[str, float]]:
    """Both runs of one task: method -> metric -> value."""
    began = time.process_time()
    refined: Refined = refine(
        task.score, task.text, budget=budget, coarse=task.coarse, rng=seed, **task.options
    )
    middle = time.process_time()
    whole = flat(task)
    game = text_game(task.score, whole, **task.options)
    direct = explain(game, budget=budget, rng=seed)
    ended = time.process_time()
    best = refined.best
    masks = np.random.default_rng(10_000 + seed).random((JUDGES, best.n)) < 0.5
    common_masks = as_flat(masks, best, whole)
    truth = np.asarray(game(common_masks))
    out: dict[str, dict[str, float]] = {}
    for name, e, seen, cpu, calls in (
        ("refined", best, masks, middle - began, refined.calls),
        ("flat", direct, common_masks, ended - middle, direct.cost.calls),
    ):
        row = {"own R2": float(np.asarray(e.fidelity.r2)), "common R2": r2(e, seen, truth)}
        row |= {"units": float(e.n), "calls": float(calls), "cpu": cpu}
        if task.planted:
            row |= {"recovered": top_are(e, task.planted), "pair": pair_is(e, task.planted)}
            row["documents"] = documents_are(refined.coarse if name == "refined" else e, task)
        out[name] = row
    out["refined"]["opened"] = float(len(refined.opened))
    return out


def table(name: str, tasks: Sequence[Task], budgets: Sequence[int]) -> list[common.Row]:
    """Rows of one kind of task; prints them as they come."""
    rows: list[common.Row] = []
    for budget in budgets:
        found = [measure(task, budget, seed) for seed, task in enumerate(tasks)]
        for method in ("refined", "flat"):
            cpu = float(np.mean([f[method].pop("cpu") for f in found]))
            calls = round(float(np.mean([f[method].pop("calls") for f in found])))
            for metric in found[0][method]:
                value, low, high = common.interval([f[method][metric] for f in found], np.mean)
                rows.append(
                    common.row(f"{name}, budget {budget}", method, metric, value, low=low,
                               high=high, seeds=len(tasks), calls=calls, cpu_seconds=cpu)
                )  # fmt: skip
    return rows


def main() -> None:
    """Run and print the tables."""
    parser: argparse.ArgumentParser = common.arguments(__doc__ or "")
    given = parser.parse_args()
    rows: list[common.Row] = []
    for name, make, count, budgets in (
        ("ten documents", partial(hotpot, questions=1), 4 if given.quick else 10, (40, 80, 160)),
        (
            "thirty documents",
            partial(hotpot, questions=3),
            4 if given.quick else 10,
            (80, 160, 320),
        ),
        (
            "thirty documents, read whole",
            partial(hotpot, questions=3, whole=True),
            4 if given.quick else 10,
            (160, 320),
        ),
        ("reviews", reviews, 1 if given.quick else 3, (120, 240)),
    ):
        try:
            tasks = make(count)
        except (FileNotFoundError, ImportError) as error:
            print(f"{name}: skipped ({error})")
            continue
        rows += table(name, tasks, budgets[:1] if given.quick else budgets)
    body = [
        [r["task"], r["method"], r["metric"], common.number(r["value"]),
         f"[{common.number(r['low'])}, {common.number(r['high'])}]", r["calls"],
         common.number(r["cpu_seconds"])]
        for r in rows
    ]  # fmt: skip
    common.show(("task", "method", "metric", "value", "95 %", "calls", "CPU s"), body)
    common.write(given.json, rows, common.machine("lightgbm", "onnxruntime"))


if __name__ == "__main__":
    main()
