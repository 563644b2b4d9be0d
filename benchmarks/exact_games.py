"""Holds the table of every explainer against games whose every coalition is known.

    python benchmarks/exact_games.py [--games ../shared/data/games] [--quick] [--json FILE]
        [--explainers default,lasso,...] [--kinds ImageClassifier,...] [--limit GAMES]
        [--candidates] [--runs FILE.csv]

A stratified sample of real games of 8 to 16 units is played at budgets of 4, 8, 32 and 64 masks
per unit, and the fitted function is compared with the truth over all coalitions. The budget of
our explainers includes the masks they hold out (a fifth); peers spend all of it on fitting. Our
Shapley values are those a user reads, held to the two ends; "of f" is without. Runs whose budget
covers every mask are reported apart, as "2^n". Never imported by the package.
"""

from __future__ import annotations

import argparse
import csv
import functools
import math
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import common
import numpy as np

from whence import indices, recipes
from whence._kernels.walsh import walsh
from whence.errors import BudgetError
from whence.explain import explain
from whence.explainer import best_of
from whence.explanation import Explanation
from whence.game import Game
from whence.masks import pack
from whence.recipes import RECIPES
from whence.setfunction import SetFunction, set_function
from whence.solvers.paths import Alone
from whence.solvers.paths import Path as SolverPath

Floats = np.ndarray

ROOT = Path(__file__).parents[1]
GAMES = ROOT.parent / "shared" / "data" / "games"
PER_UNIT = (4, 8, 32, 64)

#: Group -> the kinds of game in it, as the index of the games names them.
GROUPS = {
    "text": ("SentimentAnalysis",),
    "image": ("ImageClassifier",),
    "local": ("LocalExplanation",),
    "valuation": ("DataValuation", "DatasetValuation"),
    "ensemble": ("EnsembleSelection", "RandomForestEnsembleSelection"),
    "other": ("ClusterExplanation", "FeatureSelection", "GlobalExplanation",
              "UncertaintyExplanation", "UnsupervisedData"),
}  # fmt: skip

METRICS = (
    "r2",
    "r2_inner",
    "shapley_nmse",
    "shapley_of_f_nmse",
    "fbii_pairs_nmse",
    "sii_pairs_nmse",
    "cpu_s",
)

#: What is kept per group of games; of all games together, medians and means of everything.
SHORT = {
    "r2_inner": ("median", "mean"),
    "shapley_nmse": ("median", "mean"),
    "fbii_pairs_nmse": ("median",),
}
STATISTICS = {"median": np.median, "mean": np.mean}


FOOT = """
R² all: over all 2^n masks. R²: over all but the full and the empty mask; floored at -1 before
seeds and games are averaged. Shapley, FBII, SII: squared error of the Shapley values and of the
pairs (order 2), as a share of the truth's sum of squares: 1 is no better than saying zero. Shapley:
`Explanation.attributions("shapley")`, held to the two ends; of f: without that."""


@dataclass(frozen=True)
class Task:
    """One game, one seed, one budget: played by every explainer."""

    folder: Path
    path: str
    kind: str
    seed: int
    per_unit: int
    explainers: tuple[str, ...]
    peers: tuple[str, ...]
    candidates: bool


# The games ----------------------------------------------------------------------------------


def choose(folder: Path, kinds: Sequence[str], per_kind: int, seed: int) -> list[tuple[str, str]]:
    """`(path, kind)` of the games played: per kind in random order, all sizes in turn."""
    with (folder / "index.csv").open(encoding="utf-8") as file:
        listed = [r for r in csv.DictReader(file) if r["exhaustive"] == "True"]
    rng = np.random.default_rng(seed)
    chosen = []
    for kind in sorted({r["kind"] for r in listed}):
        here = [
            r for r in listed if r["kind"] == kind and float(r["v_max"]) - float(r["v_min"]) > 1e-9
        ]
        by_size = defaultdict(list)
        for i in rng.permutation(len(here)):
            by_size[int(here[i]["n"])].append(here[i])
        turns = [by_size[n] for n in sorted(by_size, reverse=True)]
        mixed = [q[i] for i in range(len(here)) for q in turns if i < len(q)]
        if not kinds or kind in kinds:
            chosen += [(r["path"], kind) for r in mixed[:per_kind]]
    return chosen


@functools.lru_cache(maxsize=4)
def load(path: Path) -> tuple[int, Floats]:
    """Number of units, and the value of every mask in the order of `masks.every`."""
    with np.load(path) as stored:
        masks, values = stored["coalitions"].astype(bool), stored["values"].astype(float)
    n = masks.shape[1]
    ordered = np.full(2**n, np.nan)
    ordered[code(masks)] = values
    if np.isnan(ordered).any():
        raise ValueError(f"{path.name} lacks some of its 2^{n} masks")
    return n, ordered


def code(masks: np.ndarray) -> np.ndarray:
    """Row number of each mask in `masks.every`."""
    packed = pack(masks).astype(np.int64)
    return packed @ (256 ** np.arange(packed.shape[1]))


@dataclass(frozen=True)
class Truth:
    """The exact answers of one game."""

    values: Floats
    spectrum: Floats
    shapley: Floats
    fbii: Floats
    sii: Floats


@functools.lru_cache(maxsize=4)
def truth(path: Path) -> Truth:
    """Values and spectrum `(2^n,)`, Shapley values `(n,)` and pair interactions `(n, n)`."""
    n, values = load(path)
    game = Game(lambda masks: values[code(masks)], n)
    f = explain(game, "exact", budget=2**n, repeats=0).f
    return Truth(values, spectrum(f), indices.shapley(f), pairs(f, "fbii"), pairs(f, "sii"))


def spectrum(f: SetFunction) -> Floats:
    """Fourier coefficients of all sets, `(2^n,)`, row as in `masks.every`."""
    f = f.to("fourier")
    bits = np.add.reduceat(np.append(2**f.indices, 0), np.minimum(f.indptr[:-1], f.indptr[-1]))
    dense = np.zeros(2**f.n)
    dense[np.where(f.sizes > 0, bits, 0)] = f.values
    return dense


def pairs(f: SetFunction, index: str) -> Floats:
    """An index of order 2 of every pair, as a symmetric `(n, n)` table."""
    found = indices.interactions(f, index, 2).of_order(2).f
    table = np.zeros((f.n, f.n))
    first, second = found.indices.reshape(-1, 2).T
    table[first, second] = table[second, first] = found.values
    return table


def score(found: Explanation | SetFunction, exact: Truth) -> dict[str, float]:
    """How far a finding is from the truth: over all masks, over all but the two ends, by index.

    A single outlier among the ends (a retrained model without training data, say) can hold most
    of a game's variance, and no smooth function reaches it; hence both.
    """
    f = found.f if isinstance(found, Explanation) else found
    of_f = told = indices.shapley(f)
    if isinstance(found, Explanation):
        told = found.attributions("shapley").values
    wrong = walsh(spectrum(f) - exact.spectrum) ** 2
    return {
        "r2": 1.0 - wrong.mean() / exact.values.var(),
        "r2_inner": 1.0 - wrong[1:-1].mean() / exact.values[1:-1].var(),
        "shapley_nmse": share(told, exact.shapley),
        "shapley_of_f_nmse": share(of_f, exact.shapley),
        "fbii_pairs_nmse": share(pairs(f, "fbii"), exact.fbii),
        "sii_pairs_nmse": share(pairs(f, "sii"), exact.sii),
    }


def share(found: Floats, exact: Floats) -> float:
    """Squared error over the sum of squares of the truth."""
    size = (exact**2).sum()
    return float(((found - exact) ** 2).sum() / size) if size > 1e-24 else math.nan


# The players --------------------------------------------------------------------------------


def peer(name: str, n: int, budget: int, seed: int, value: Callable[..., Any]) -> SetFunction:
    """What a shapiq approximator finds, as the polynomial that its values are coefficients of."""
    import shapiq

    makers = {
        "KernelSHAP": lambda: shapiq.KernelSHAP(n, random_state=seed),
        "PermutationSamplingSV": lambda: shapiq.PermutationSamplingSV(n, random_state=seed),
        "RegressionFBII": lambda: shapiq.approximator.RegressionFBII(n, 2, random_state=seed),
        "RegressionFSII": lambda: shapiq.approximator.RegressionFSII(n, 2, random_state=seed),
    }
    found = makers[name]().approximate(budget, value)
    terms = dict(found.dict_values) if hasattr(found, "dict_values") else {}
    if () not in terms:
        terms[()] = float(found.baseline_value)
    return set_function(n, terms, "mobius")


def play(task: Task) -> list[dict[str, Any]]:
    """Every explainer on one game at one budget: one record per explainer."""
    n, values = load(task.folder / task.path)
    budget = min(task.per_unit * n, 2**n)
    exact = truth(task.folder / task.path)
    asked = 0

    def value(masks: np.ndarray) -> Floats:
        nonlocal asked
        asked += len(masks)
        return values[code(np.atleast_2d(np.asarray(masks, dtype=bool)))]

    records = []
    for name, fit in players(task, Game(value, n), budget, value):
        start = time.process_time()
        asked = 0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = fit()
        except BudgetError:
            continue
        spent = time.process_time() - start
        label = "2^n" if task.per_unit * n >= 2**n else f"{task.per_unit}n"
        records.append({
            "game": task.path, "kind": task.kind, "n": n, "budget": label, "masks": budget,
            "seed": task.seed, "method": name, "asked": asked, "cpu_s": spent,
            "told": (found.f if isinstance(found, Explanation) else found).fitted_by,
            **score(found, exact),
        })  # fmt: skip
    return records


def brief(solver: Any) -> str:
    """A solver with its degree and those of its settings that are not the usual ones."""
    told = [(f.name, getattr(solver, f.name), f.default) for f in fields(solver)]
    kept = [(name, value) for name, value, usual in told if name == "degree" or value != usual]
    settings = ", ".join(f"{name}={value!r}" for name, value in kept)
    return f"{type(solver).__name__}({settings})"


def refit(whole: Explanation, path: SolverPath, groups: int) -> Explanation:
    """The explanation that one candidate alone would have given from the same masks."""
    return replace(whole, f=best_of([path], whole.fitted.distinct(), groups))


def players(
    task: Task, game: Game, budget: int, value: Callable[..., Any]
) -> Iterator[tuple[str, Callable[[], Explanation | SetFunction]]]:
    """Name and fit of every explainer of the task."""
    for name in task.explainers:
        yield name, lambda name=name: explain(game, name, budget=budget, rng=task.seed, repeats=0)
    if task.candidates:
        whole = explain(game, "default", budget=budget, rng=task.seed, repeats=0)
        chosen = recipes.default()
        for path in (*(Alone(s) for s in chosen.candidates), *chosen.paths):
            if path.needs(game.n) <= len(whole.fitted):
                fit = functools.partial(refit, whole, path, chosen.groups)
                yield f"candidate {brief(path.solver if isinstance(path, Alone) else path)}", fit
    for name in task.peers:
        yield f"shapiq {name}", lambda name=name: peer(name, game.n, budget, task.seed, value)


# The table ----------------------------------------------------------------------------------


def group_of(kind: str) -> str:
    """The group that a kind of game is reported under."""
    return next((g for g, kinds in GROUPS.items() if kind in kinds), "other")


def aggregate(records: Sequence[dict[str, Any]]) -> list[common.Row]:
    """Rows per (group or all, budget, explainer): medians and means over games, with intervals.

    A game counts once, as the mean over its seeds; "all" are all groups, and "2^n" has no others,
    so few games are that small. R² is floored at -1
    before means, so that one broken fit does not hide the rest. Intervals: bootstraps over games.
    """
    cells: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for r in records:
        for group in ("all",) if r["budget"] == "2^n" else ("all", group_of(r["kind"])):
            cells[group, r["budget"], r["method"]].append(r)
    rows = []
    for (group, budget, method), cell in cells.items():
        shared = {
            "seeds": len({r["seed"] for r in cell}),
            "calls": round(float(np.mean([r["masks"] for r in cell]))),
            "cpu_seconds": float(sum(r["cpu_s"] for r in cell)),
        }
        task = f"exact games, {group}, {budget}"
        kept = dict.fromkeys(METRICS, tuple(STATISTICS)) if group == "all" else SHORT
        for metric, names in kept.items():
            floor = -1.0 if metric.startswith("r2") else -math.inf
            by_game = defaultdict(list)
            for r in cell:
                by_game[r["game"]].append(max(r[metric], floor))
            means = [float(np.mean(v)) for v in by_game.values()]
            for name in names:
                middle, low, high = common.interval(means, STATISTICS[name])
                rows.append(
                    common.row(
                        task, method, f"{name} {metric}", middle, low=low, high=high, **shared
                    )
                )
        if group != "all":
            continue
        rows.append(common.row(task, method, "games", len({r["game"] for r in cell}), **shared))
        broken = float(np.mean([r["r2_inner"] < 0 for r in cell]))
        rows.append(common.row(task, method, "share r2_inner < 0", broken, **shared))
    return rows


def show(rows: Sequence[common.Row]) -> None:
    """Print one table over all games per budget, then medians per group: R², Shapley, pairs."""
    at = {(r["task"], r["method"], r["metric"]): r for r in rows}
    methods = sorted(dict.fromkeys(r["method"] for r in rows), key=_place)
    tasks = [tuple(t.split(", ")[1:]) for t in dict.fromkeys(r["task"] for r in rows)]
    budgets = sorted({b for _, b in tasks}, key=lambda b: (b == "2^n", b == "2^n" or int(b[:-1])))
    head = [
        "explainer",
        "games",
        "R² all",
        "R² [95 %]",
        "R² mean",
        "R² < 0",
        "Shapley",
        "of f",
        "FBII",
        "SII",
        "CPU s",
    ]
    for budget in budgets:
        print(f"\nBudget {budget} masks, all games (medians over games)\n")
        body = []
        for method in methods:
            get = functools.partial(_get, at, f"exact games, all, {budget}", method)
            if get("games") is None:
                continue
            middle = get("median r2_inner")
            body.append([
                method, get("games")["value"], f"{get('median r2')['value']:.3f}",
                f"{middle['value']:.3f} [{middle['low']:.3f}, {middle['high']:.3f}]",
                f"{get('mean r2_inner')['value']:.3f}", f"{get('share r2_inner < 0')['value']:.0%}",
                *(common.number(get(f"median {m}")["value"])
                  for m in METRICS[2:]),
            ])  # fmt: skip
        common.show(head, body)
    groups = [g for g in GROUPS if any(t[0] == g for t in tasks)]
    shown = {"r2_inner": "Median R²", "shapley_nmse": "Shapley", "fbii_pairs_nmse": "FBII"}
    for metric, told in ((f"median {m}", told) for m, told in shown.items()):
        for budget in (b for b in budgets if b != "2^n"):
            print(f"\n{told} per group, budget {budget}\n")
            body = []
            for method in methods:
                line = [_get(at, f"exact games, {g}, {budget}", method, metric) for g in groups]
                if any(line):
                    body.append(
                        [method, *("-" if r is None else common.number(r["value"]) for r in line)]
                    )
            common.show(["explainer", *groups], body)


def _place(method: str) -> tuple[int, int]:
    """Recipes in their order, then candidates, then peers."""
    names = list(RECIPES)
    return (0, names.index(method)) if method in names else (1 + method.startswith("shapiq"), 0)


def _get(at: dict[Any, common.Row], task: str, method: str, metric: str) -> common.Row | None:
    return at.get((task, method, metric))


def run(tasks: Sequence[Task], processes: int) -> Iterator[dict[str, Any]]:
    """The records of all tasks; a game's tasks stay together, for its exact answers."""
    with ProcessPoolExecutor(processes, initializer=_warm, initargs=(tasks[0],)) as pool:
        for records in pool.map(play, tasks, chunksize=max(1, len(PER_UNIT))):
            yield from records


def _warm(task: Task) -> None:
    """Play once untimed, so that no fit pays for the imports."""
    play(replace(task, per_unit=8))


def options() -> argparse.Namespace:
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("--games", type=Path, default=GAMES, help="folder with index.csv")
    parser.add_argument("--explainers", help="names, by comma; all recipes if left out")
    parser.add_argument("--kinds", help="kinds of game, by comma")
    parser.add_argument("--limit", type=int, help="games per kind (3; 1 if quick)")
    parser.add_argument("--seeds", type=int, help="seeds (3; 1 if quick)")
    parser.add_argument("--budgets", help="masks per unit, by comma (4,8,32,64)")
    parser.add_argument(
        "--candidates",
        action="store_true",
        help="each solver and path that the default chooses from, on the default's masks",
    )
    parser.add_argument("--no-peers", action="store_true", help="leave shapiq out")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--draw", type=int, default=0, help="seed of the choice of games")
    parser.add_argument("--runs", type=Path, metavar="FILE", help="write every run here, as CSV")
    return parser.parse_args()


def report(records: Sequence[dict[str, Any]], title: str, machine: str, path: Path | None) -> None:
    """Print the tables and write the rows."""
    rows = aggregate(records)
    print(f"{title}; {machine}")
    show(rows)
    print(FOOT)
    common.write(path, rows, machine)


def main() -> None:
    """Play, aggregate, print, and write the rows if asked to."""
    given = options()
    if not (given.games / "index.csv").exists():
        print("skipped: the exact games are not here; name their folder with --games")
        return
    every_name = [r for r in RECIPES if r != "exact"]
    names = given.explainers.split(",") if given.explainers else every_name
    per_unit = [int(b) for b in given.budgets.split(",")] if given.budgets else PER_UNIT
    peers = ("KernelSHAP", "PermutationSamplingSV", "RegressionFBII", "RegressionFSII")
    if given.no_peers or common.version("shapiq") is None:
        print("skipped: shapiq" + ("" if given.no_peers else " is not installed"))
        peers = ()
    limit = given.limit or (1 if given.quick else 3)
    chosen = choose(given.games, given.kinds.split(",") if given.kinds else (), limit, given.draw)
    seeds = given.seeds or (1 if given.quick else 3)
    tasks = [
        Task(given.games, path, kind, seed, b, tuple(names), peers, given.candidates)
        for path, kind in chosen for seed in range(seeds) for b in per_unit
    ]  # fmt: skip
    start = time.perf_counter()
    records = list(run(_once_covered(tasks), given.processes))
    if given.runs:
        with given.runs.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(records[0]))
            writer.writeheader()
            writer.writerows(records)
    title = (
        f"{len(chosen)} games, {seeds} seeds, {given.processes} processes of one thread, "
        f"{time.perf_counter() - start:.0f} s"
    )
    report(records, title, common.machine("shapiq"), given.json)


def _once_covered(tasks: Sequence[Task]) -> list[Task]:
    """The tasks without repeats among budgets that all cover every mask."""
    kept, covered = [], set()
    for t in tasks:
        n = load(t.folder / t.path)[0]
        if t.per_unit * n >= 2**n:
            if (t.path, t.seed) in covered:
                continue
            covered.add((t.path, t.seed))
        kept.append(t)
    return kept


if __name__ == "__main__":
    main()
