"""Holds the table of our surrogates against shapiq's: fit, calls, Shapley values, pairs, seconds.

    PYTHONPATH=src python benchmarks/surrogates.py [--data ../shared/data] [--quick] [--json FILE]
        [--runs FILE.csv] [--methods A,B] [--explainers lasso,ridge] [--kinds K,L] [--limit 3]
        [--budgets 8,32,64] [--seeds 3] [--processes 2] [--cache FOLDER] [--plots FOLDER]
    PYTHONPATH=src python benchmarks/surrogates.py --scaling [--quick] [--runs FILE.csv] ...

Problems are exact games of 12 to 16 units, and larger ones made of real models: the embedded
classifier on reviews, and the log-probability of a story's continuation. Every method plays each
at the same budgets of distinct masks, with the same seeds. Rows that stand in the `--runs` file
are not run again, so a long run can be stopped and taken up; without new runs the tables are
printed from the file. `--scaling` measures CPU seconds and peak memory of the fit instead, on
planted chains. Needs shapiq 1.8 with lightgbm and xgboost for the peers (Python 3.12); skips what
is absent, by name. Never imported by the package.
"""

from __future__ import annotations

import argparse
import csv
import math
import multiprocessing
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common
import numpy as np
import surrogates_players as players
import surrogates_problems as problems
import surrogates_scaling as scaling
import surrogates_tables as tables

from whence._kernels.walsh import walsh

Floats = np.ndarray

ROOT = Path(__file__).parents[1]
CACHE = Path(tempfile.gettempdir()) / "whence-surrogates"
BUDGETS = (8, 32, 64)
#: Masks per unit that ours are played at as well, to see how soon they reach a peer.
LADDER = (4, 8, 12, 16, 24, 32, 48, 64)
#: No large problem is played at more calls than this, nor with more than one seed.
MOST = 4500
OURS = ("whence", "whence all calls")

COLUMNS = (
    "game", "kind", "n", "seed", "budget", "per_unit", "method", "r2_all", "r2", "shapley_err",
    "shapley_of_f_err", "fbii_err", "sii_err", "cpu", "calls", "told",
)  # fmt: skip


@dataclass(frozen=True)
class Places:
    """Folders: the exact games, the data sets, and the values of real models."""

    games: Path
    data: Path
    cache: Path


@dataclass(frozen=True)
class Task:
    """One problem, one seed, one budget, and the methods that play it.

    Attributes:
        top: masks per unit of the largest budget that peers play; a budget that only ours play
            serves to see how soon they reach a peer there.
    """

    key: problems.Key
    seed: int
    per_unit: int
    methods: tuple[str, ...]
    places: Places
    top: int = 0


# Playing -------------------------------------------------------------------------------------


def play(task: Task) -> list[dict[str, Any]]:
    """One record per method; none where the budget is half of all masks or more."""
    places = task.places
    problem = problems.build(task.key, places.games, places.data, places.cache)
    budget = task.per_unit * problem.n
    most = MOST if problem.truth is None else 2**problem.n
    if budget >= 2**problem.n / 2 or max(budget, task.top * problem.n) > most:
        return []
    records = []
    for name in task.methods:
        if problem.truth is None and name in players.PEERS and name not in players.LEAN:
            continue
        records.append({
            "game": task.key.name, "kind": task.key.kind, "n": problem.n, "seed": task.seed,
            "budget": budget, "per_unit": task.per_unit, "method": name,
            **run(problem, name, budget, task.seed),
        })  # fmt: skip
    if isinstance(problem.value, problems.Remembered):
        problem.value.save()
    return records


def run(problem: problems.Problem, name: str, budget: int, seed: int) -> dict[str, Any]:
    """Scores, CPU seconds beside those of the values, distinct calls, and how it was fitted."""
    ledger = problems.Ledger(problem.value)
    start = time.process_time()
    try:
        with players.quiet():
            found = players.player(name)(problem.n, ledger, budget, seed)
    except Exception as error:
        # A peer that breaks on a game is a finding, not the end of a long run.
        told = " ".join(f"failed: {type(error).__name__}: {error}".split())
        return {"told": told[:200], "calls": len(ledger.seen)}
    spent = time.process_time() - start - ledger.spent
    scores = score(problem, found)
    return {**scores, "cpu": spent, "calls": len(ledger.seen), "told": found.told}


def score(problem: problems.Problem, found: players.Found) -> dict[str, float]:
    """R² on the test masks and, where the truth is known, errors of Shapley values and pairs."""
    scores: dict[str, float] = {}
    predicted = None if found.predict is None else np.asarray(found.predict(problem.test))
    if predicted is not None:
        wrong = (predicted.reshape(-1) - problem.answers) ** 2
        scores["r2_all"] = 1 - wrong.mean() / problem.answers.var()
        inner = slice(1, -1) if problem.truth else slice(None)
        scores["r2"] = 1 - wrong[inner].mean() / problem.answers[inner].var()
    if problem.truth is None:
        return scores
    told: dict[str, Floats | None] = {"shapley_of_f": None, "fbii": None, "sii": None}
    if predicted is not None:
        told = dict(zip(told, problems.read(walsh(predicted) / len(predicted)), strict=True))
    told["shapley"] = told["shapley_of_f"] if found.shapley is None else found.shapley
    told["fbii"] = told["fbii"] if found.fbii is None else found.fbii
    told["sii"] = told["sii"] if found.sii is None else found.sii
    truth = problem.truth
    right = {"shapley": truth.shapley, "fbii": truth.fbii, "sii": truth.sii}
    for index, value in told.items():
        if value is not None:
            exact = right[index.removesuffix("_of_f")]
            size = (exact**2).sum()
            scores[f"{index}_err"] = ((value - exact) ** 2).sum() / size if size else math.nan
    return scores


def tasks(
    keys: Sequence[problems.Key],
    seeds: int,
    budgets: Sequence[int],
    ladder: Sequence[int],
    methods: Sequence[str],
    places: Places,
    done: set[tuple[str, ...]],
) -> list[Task]:
    """What is not done yet, a problem's tasks side by side."""
    made = []
    for key in keys:
        for seed in range(1 if key.kind in problems.LARGE else seeds):
            for b in sorted({*budgets, *ladder}):
                playing = methods if b in budgets else [m for m in methods if m in OURS]
                left = [m for m in playing if (key.name, str(seed), str(b), m) not in done]
                top = 0 if b in budgets else max(budgets)
                if left:
                    made.append(Task(key, seed, b, tuple(left), places, top))
    return made


def run_all(todo: Sequence[Task], processes: int) -> Iterator[dict[str, Any]]:
    """Records as they come; values of real models to score on are paid for before, once."""
    for task in {t.key: t for t in todo if t.key.kind in problems.LARGE}.values():
        problems.build(task.key, task.places.games, task.places.data, task.places.cache)
    if processes == 1:
        for task in todo:
            yield from play(task)
        return
    # Spawned: a model that the parent has loaded must not be forked.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=fresh) as pool:
        for records in pool.map(play, todo):
            yield from records


# Files ---------------------------------------------------------------------------------------


def recorded(path: Path | None) -> list[dict[str, str]]:
    """The rows of the runs file, or none."""
    if path is None or not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def keep(
    path: Path | None, columns: Sequence[str], records: Iterable[dict[str, Any]]
) -> Iterator[dict[str, str]]:
    """Records as text, each written to the runs file before the next is waited for."""
    if path is None:
        yield from ({c: text(r.get(c)) for c in columns} for r in records)
        return
    fresh = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(columns))
        if fresh:
            writer.writeheader()
        for r in records:
            row = {c: text(r.get(c)) for c in columns}
            writer.writerow(row)
            file.flush()
            yield row


def text(value: Any) -> str:
    """A cell: numbers to eight figures, None as nan."""
    if value is None:
        return "nan"
    return f"{value:.8g}" if isinstance(value, float) else str(value)


# The command ---------------------------------------------------------------------------------


def options() -> argparse.Namespace:
    parser = common.arguments(__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", type=Path, default=ROOT.parent / "shared" / "data", help="the data sets")
    add("--runs", type=Path, metavar="FILE", help="every run, as CSV; what it holds is not rerun")
    add("--methods", help="by comma: whence, whence all calls, ProxySPEX, ... (all)")
    add("--explainers", help="our recipes to play beside the default, by comma")
    add("--kinds", help=f"kinds or names, by comma; {', '.join(problems.LARGE)} are large")
    add("--limit", type=int, help="exact games per kind (3; 1 if quick), twice of text and image")
    add("--draw", type=int, default=0, help="seed of the choice of exact games")
    add("--budgets", help="masks per unit, by comma (8,32,64; 8,16 if quick)")
    add("--ladder", help="masks per unit that ours play besides (4,8,12,...,64; none if quick)")
    add("--seeds", type=int, help="(3; 1 if quick)")
    add("--processes", type=int, default=2)
    add("--cache", type=Path, default=CACHE, help="values of real models")
    add("--plots", type=Path, metavar="FOLDER", help="write pictures here (needs matplotlib)")
    add("--scaling", action="store_true", help="CPU seconds and memory of the fit instead")
    add("--sizes", help="for --scaling: units, by comma (14,64,256,1000; 14,64 if quick)")
    add("--samples", help="for --scaling: masks, by comma (1000,4000,16000; 1000 if quick)")
    return parser.parse_args()


def numbers(given: str | None, usual: Sequence[int]) -> list[int]:
    """Whole numbers by comma."""
    return [int(b) for b in given.split(",")] if given else list(usual)


def chosen_methods(given: argparse.Namespace) -> list[str]:
    """Names of the methods played."""
    here = players.peers_here()
    if given.quick:
        here = [p for p in here if p in players.LEAN]
    extra = [f"whence {name}" for name in problems.split(given.explainers)]
    if given.methods:
        return [*problems.split(given.methods), *extra]
    return [*OURS, *extra, *here]


def compare(given: argparse.Namespace) -> tuple[list[dict[str, str]], Sequence[int]]:
    """Play what the runs file lacks; all rows, and the budgets."""
    limit = given.limit or (1 if given.quick else 3)
    places = Places(given.data / "games", given.data, given.cache)
    keys: list[problems.Key] = []
    if (places.games / "index.csv").exists():
        keys = problems.exact_keys(places.games, limit, given.draw)
    else:
        print("skipped: the exact games are not here; name the data folder with --data")
    wanted = problems.split(given.kinds)
    if wanted or not given.quick:
        keys += problems.large_keys(given.data)
    keys = [k for k in keys if not wanted or k.kind in wanted or k.name in wanted]
    budgets = numbers(given.budgets, (8, 16) if given.quick else BUDGETS)
    ladder = numbers(given.ladder, () if given.quick else LADDER)
    rows = recorded(given.runs)
    done = {(r["game"], r["seed"], r["per_unit"], r["method"]) for r in rows}
    seeds = given.seeds or (1 if given.quick else 3)
    todo = tasks(keys, seeds, budgets, ladder, chosen_methods(given), places, done)
    rows += keep(given.runs, COLUMNS, run_all(todo, given.processes))
    names = {k.name for k in keys}
    return [r for r in rows if r["game"] in names and int(r["seed"]) < seeds], budgets


def main() -> None:
    """Play or measure, print the tables, and write rows and pictures if asked to."""
    given = options()
    machine = common.machine("shapiq", "lightgbm", "xgboost")
    print(machine)
    if given.scaling:
        sizes = numbers(given.sizes, (14, 64) if given.quick else scaling.SIZES)
        samples = numbers(given.samples, (1000,) if given.quick else scaling.SAMPLES)
        names = problems.split(given.methods) or ["whence"]
        names += [] if given.methods else [p for p in players.peers_here() if p in players.LEAN]
        old = recorded(given.runs)
        new = scaling.measured(sizes, samples, names, given.seeds or 1, old)
        rows = [*old, *keep(given.runs, scaling.COLUMNS, new)]
        found = scaling.show(rows)
    else:
        rows, budgets = compare(given)
        found = tables.show(rows, budgets)
    common.write(given.json, found, machine)
    if given.plots:
        import surrogates_plots

        surrogates_plots.draw(given.plots, rows)


if __name__ == "__main__":
    main()
