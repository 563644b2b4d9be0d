"""Holds the table of our own cost: CPU seconds per 1,000 calls of a value function that is free.

    python benchmarks/overhead.py [--quick] [--json FILE]

A run of `explain` on 20, 100 and 1,000 units, with and without a journal on disk, is split into
choosing masks (ask), handing them to the value function and keeping the answers (value), fitting
(fit), measuring the fit on held-out masks (fidelity) and the rest. An explainer that refuses the
budget is skipped, by name. Never imported by the package.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import common
import numpy as np

from whence import recipes
from whence.errors import BudgetError
from whence.evaluation.fidelity import measure
from whence.explain import explain, plan
from whence.explainer import Explainer
from whence.game import Game
from whence.masks import Masks
from whence.samples import Samples
from whence.setfunction import SetFunction

#: Units -> the budget played with; times are told per 1,000 calls.
BUDGETS = {20: 1000, 100: 1000, 1000: 2000}
EXPLAINERS = ("default", "lasso", "banzhaf", "kernel_shap", "permutation")
PARTS = ("ask", "value", "fit", "fidelity", "rest")


@dataclass
class Clock:
    """CPU seconds by part, added up over a run."""

    spent: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def time(self, part: str, start: float) -> None:
        """Add what passed since `start`."""
        self.spent[part] += time.process_time() - start


@dataclass(frozen=True)
class Timed:
    """An explainer that notes how long the one inside takes."""

    inside: Explainer
    clock: Clock

    def ask(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """See `Explainer.ask`."""
        start = time.process_time()
        asked = self.inside.ask(n, budget, rng, seen)
        self.clock.time("ask", start)
        return asked

    def fit(self, samples: Samples) -> SetFunction:
        """See `Explainer.fit`."""
        start = time.process_time()
        f = self.inside.fit(samples)
        self.clock.time("fit", start)
        return f


def free_game(n: int) -> Game:
    """A game of n units that a matrix product values: additive, with a few pairs."""
    rng = np.random.default_rng(n)
    weight = rng.normal(size=n)
    first, second = rng.integers(0, n, (2, 10))

    def value(masks: Masks) -> np.ndarray:
        return masks @ weight + (masks[:, first] & masks[:, second]).sum(axis=1)

    return Game(value, n, identity=f"overhead {n}")


def run(n: int, name: str, journal: Path | None, seed: int) -> dict[str, float]:
    """CPU seconds of one run by part, per 1,000 calls."""
    clock = Clock()
    game = free_game(n)
    book = None
    if journal is not None:
        from whence import Journal

        book = Journal(journal)
        game = book.remember(game)
    inside = game.value

    def value(masks: Masks) -> np.ndarray:
        start = time.process_time()
        answer = inside(masks)
        clock.time("value", start)
        return answer

    timed = Game(value, n, identity=game.identity, again=game.again)
    begin = time.process_time()
    e = explain(timed, Timed(recipes.named(name), clock), budget=BUDGETS[n], rng=seed, repeats=0)
    total = time.process_time() - begin
    if book is not None:
        book.close()
    start = time.process_time()
    measure(e.f, e.judged, np.random.default_rng(0), distribution="")
    clock.time("fidelity", start)
    clock.spent["rest"] = max(0.0, total - sum(clock.spent.values()))
    scale = 1000 / e.cost.calls
    return {part: clock.spent[part] * scale for part in PARTS} | {"total": total * scale}


def takes(n: int, name: str) -> bool:
    """Whether an explainer can work with the budget."""
    try:
        plan(free_game(n), name, budget=BUDGETS[n])
    except BudgetError:
        return False
    return True


def can_journal() -> bool:
    """Whether this whence has a journal."""
    try:
        from whence import Journal  # noqa: F401
    except ImportError:
        return False
    return True


def rows(units: Sequence[int], most: int) -> list[common.Row]:
    """Median over seeds of every part, for every explainer, with and without a journal.

    Args:
        units: numbers of units.
        most: seeds; one at 1,000 units, where a run takes long.
    """
    table = []
    with tempfile.TemporaryDirectory() as folder:
        for n in units:
            seeds = most if n < 1000 else 1
            for name in EXPLAINERS:
                if not takes(n, name):
                    print(f"skipped: {name} at {n} units, which refuses {BUDGETS[n]} masks")
                    continue
                for kept in (False, True) if can_journal() else (False,):
                    parts = [
                        run(n, name, Path(folder) / f"{n}{name}{s}" if kept else None, s)
                        for s in range(seeds + 1)
                    ][1:]
                    for part in (*PARTS, "total"):
                        seconds = [p[part] for p in parts]
                        table.append(
                            common.row(
                                f"overhead, {n} units",
                                name + (", journal" if kept else ""),
                                f"{part} cpu_s per 1,000 calls",
                                statistics.median(seconds),
                                low=min(seconds),
                                high=max(seconds),
                                seeds=seeds,
                                calls=BUDGETS[n],
                                cpu_seconds=sum(p["total"] for p in parts),
                            )
                        )
    return table


def show(table: Sequence[common.Row]) -> None:
    """Print one table per number of units, in CPU milliseconds."""
    at = {(r["task"], r["method"], r["metric"].split()[0]): r for r in table}
    for task in dict.fromkeys(r["task"] for r in table):
        methods = dict.fromkeys(r["method"] for r in table if r["task"] == task)
        calls = next(r["calls"] for r in table if r["task"] == task)
        runs = next(r["seeds"] for r in table if r["task"] == task)
        told = "one run" if runs == 1 else f"median of {runs} runs"
        print(f"\n{task}, budget {calls}: CPU milliseconds per 1,000 calls, {told}\n")
        common.show(["explainer", *PARTS, "total"], [
            [m, *(common.number(1e3 * at[task, m, part]["value"]) for part in (*PARTS, "total"))]
            for m in methods
        ])  # fmt: skip


def options() -> argparse.Namespace:
    return common.arguments(__doc__.splitlines()[0]).parse_args()


def main() -> None:
    """Measure, print, and write the rows if asked to."""
    given = options()
    if not can_journal():
        print("skipped: the journal, which this whence does not have")
    table = rows((20, 100) if given.quick else tuple(BUDGETS), 1 if given.quick else 3)
    machine = common.machine()
    print(f"{machine}; one thread")
    show(table)
    common.write(given.json, table, machine)


if __name__ == "__main__":
    main()
