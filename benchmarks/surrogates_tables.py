"""Holds the tables of the surrogate benchmark, from rows of text as its runs file holds them.

Ratios are of unexplained variance, 1 - R², ours over a peer's, on one problem at equal calls;
a problem counts once, as the geometric mean over its seeds. Intervals: 95 % bootstraps over
problems. It does not play. Never imported by the package.
"""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import common
import numpy as np

Row = dict[str, str]
Floats = np.ndarray
#: (problem, masks per unit, method) -> seed -> value.
Cells = dict[tuple[str, int, str], dict[str, float]]

GROUPS = {
    "text and image": ("SentimentAnalysis", "ImageClassifier"),
    "long reviews": ("LongReview",),
    "stories": ("StoryWords", "StorySentences"),
}
SCORES = {"r2_all": "R² over all masks", "r2": "R² but for the full and the empty mask"}
ERRORS = {"shapley_err": "Shapley values", "fbii_err": "pairs, FBII", "sii_err": "pairs, SII"}
#: A peer below this is far below the constant; ours is worse than it below the second.
FAR, WORSE = -0.1, -0.02
#: Unexplained variance is not taken to be less than this, so that ratios stay finite.
LEAST = 1e-6


def cells(rows: Sequence[Row], column: str) -> Cells:
    """A column by problem, budget and method."""
    found: Cells = defaultdict(dict)
    for r in rows:
        value = float(r[column])
        if math.isfinite(value):
            found[r["game"], int(r["per_unit"]), r["method"]][r["seed"]] = value
    return found


def members(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Group -> names of its problems; "all kinds" are the exact games."""
    kinds = {r["game"]: r["kind"] for r in rows}
    large = {k for name in ("long reviews", "stories") for k in GROUPS[name]}
    found = {"all kinds": [g for g, k in kinds.items() if k not in large]}
    for group, those in GROUPS.items():
        found[group] = [g for g, k in kinds.items() if k in those]
    return {group: games for group, games in found.items() if games}


def methods(rows: Sequence[Row]) -> tuple[list[str], list[str]]:
    """Ours, and the peers, in order of appearance."""
    names = list(dict.fromkeys(r["method"] for r in rows))
    own = [m for m in names if m.startswith("whence")]
    return own, [m for m in names if m not in own]


def mean(values: Iterable[float]) -> float:
    """Geometric mean; nan of none."""
    logs = [math.log(v) for v in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def ratio(at: Cells, game: str, budget: int, own: str, peers: Sequence[str]) -> float:
    """Unexplained variance of ours over that of the best of the peers, seed by seed."""
    mine = at.get((game, budget, own), {})
    theirs = [at.get((game, budget, p), {}) for p in peers]
    shared = [s for s in mine if any(s in t for t in theirs)]
    best = {s: max(t[s] for t in theirs if s in t) for s in shared}
    return mean(max(1 - mine[s], LEAST) / max(1 - best[s], LEAST) for s in shared)


def finite(values: Iterable[float]) -> list[float]:
    return [v for v in values if not math.isnan(v)]


def told(values: Sequence[float]) -> str:
    """Median with its interval."""
    middle, low, high = common.interval(values, np.median)
    return f"{middle:.2f} [{low:.2f}, {high:.2f}]"


# The tables ----------------------------------------------------------------------------------


def show(rows: Sequence[Row], budgets: Sequence[int]) -> list[common.Row]:
    """Print every table; the rows behind them."""
    found: list[common.Row] = []
    for table in (fits, ratios, worst, reach, errors, seconds):
        found += table(rows, budgets)
    failed(rows)
    seeds = len({r["seed"] for r in rows})
    return [{**r, "seeds": seeds} for r in found]


def fits(rows: Sequence[Row], budgets: Sequence[int]) -> list[common.Row]:
    """Median R² of every method that gives a function, by group."""
    found = []
    at, groups = cells(rows, "r2_all"), members(rows)
    own, peers = methods(rows)
    for group, games in groups.items():
        body = []
        for m in (*own, *peers):
            line = [m]
            for b in budgets:
                values = [np.mean(list(at[g, b, m].values())) for g in games if (g, b, m) in at]
                line.append(told(values) if values else "-")
                if values:
                    found.append(_row(f"fit, {group}, {b}n", m, "median r2_all", values))
            if set(line[1:]) != {"-"}:
                body.append(line)
        print(f"\nMedian R² over all masks: {group}, {len(games)} problems\n")
        common.show(["method", *(f"{b}n" for b in budgets)], body)
    return found


def ratios(rows: Sequence[Row], budgets: Sequence[int]) -> list[common.Row]:
    """Unexplained variance over the peers', by group and budget."""
    found = []
    own, peers = methods(rows)
    rivals = {p: [p] for p in ("ProxySPEX", "ProxySHAP") if p in peers}
    if len(rivals) == 2:
        rivals["the better of the two"] = list(rivals)
    for column, name in SCORES.items():
        at, body = cells(rows, column), []
        for m in own:
            for group, games in members(rows).items():
                for rival, those in rivals.items():
                    line = [m, group, rival]
                    for b in budgets:
                        values = finite(ratio(at, g, b, m, those) for g in games)
                        line.append(_above(values))
                        task = f"unexplained over {rival}, {group}, {b}n"
                        if values:
                            found.append(_row(task, m, f"median ratio {column}", values))
                    if set(line[3:]) != {"-"}:
                        body.append(line)
        print(f"\nUnexplained variance, ours over the peer's: {name}")
        print("(median over problems [95 %], share of problems above 1.1)\n")
        common.show(["ours", "problems", "over", *(f"{b}n" for b in budgets)], body)
    return found


def _above(values: Sequence[float]) -> str:
    if not values:
        return "-"
    return f"{told(values)}, {np.mean([v > 1.1 for v in values]):.0%} of {len(values)}"


def worst(rows: Sequence[Row], budgets: Sequence[int]) -> list[common.Row]:
    """Where ours are worse than the constant, and where both peers fall far below it."""
    found, body = [], []
    at = cells(rows, "r2_all")
    own, _ = methods(rows)
    runs = sorted({(g, s) for (g, _, _), seeds in at.items() for s in seeds})
    for m in own:
        for b in budgets:
            mine = {(g, s): at[g, b, m][s] for g, s in runs if s in at.get((g, b, m), {})}
            both = [
                at[g, b, m][s] for g, s in mine
                if all(at.get((g, b, p), {}).get(s, 0) < FAR for p in ("ProxySPEX", "ProxySHAP"))
            ]  # fmt: skip
            if not mine:
                continue
            (game, seed), least = min(mine.items(), key=lambda item: item[1])
            below = sum(v < WORSE for v in mine.values())
            lowest = f"{min(both):.3f}" if both else "-"
            where = f"{game}, seed {seed}"
            body.append(
                [m, f"{b}n", f"{below} of {len(mine)}", f"{least:.3f}", len(both), lowest, where]
            )
            found.append(common.row(f"worst, {b}n", m, "min r2_all", least))
    print(f"\nWorse than the constant: runs with R² over all masks below {WORSE}\n")
    head = ["ours", "budget", "runs", "worst R²", f"both peers < {FAR}", "ours there", "worst at"]
    common.show(head, body)
    return found


def reach(rows: Sequence[Row], budgets: Sequence[int]) -> list[common.Row]:
    """Calls that ours need for ProxySPEX's R² at the largest budget, as a share of its calls."""
    found, body = [], []
    at, top = cells(rows, "r2_all"), max(budgets)
    for m in methods(rows)[0]:
        for group, games in members(rows).items():
            shares = finite(_share(at, g, m, top) for g in games)
            if shares:
                over = f"{np.mean([not math.isfinite(s) for s in shares]):.0%}"
                middle, low, high = _median(shares)
                body.append([m, group, len(shares), f"{middle:.2f} [{low:.2f}, {high:.2f}]", over])
                row = common.row(
                    f"reach ProxySPEX at {top}n, {group}", m, "share of calls", middle,
                    low=low, high=high,
                )  # fmt: skip
                found.append(row)
    print(f"\nCalls to reach ProxySPEX's R² at {top}n, as a share of its calls (median [95 %])\n")
    common.show(["ours", "problems", "", "share of calls", "not reached"], body)
    return found


def _share(at: Cells, game: str, own: str, top: int) -> float:
    """Where the line of ours, mean over seeds, first crosses the peer's level; inf if never."""
    level = at.get((game, top, "ProxySPEX"))
    line = sorted((b, np.mean(list(v.values()))) for (g, b, m), v in at.items()
                  if (g, m) == (game, own) and b <= top)  # fmt: skip
    if not level or not line:
        return math.nan
    wanted = np.mean(list(level.values()))
    for i, (budget, score) in enumerate(line):
        if score >= wanted:
            if i == 0:
                return budget / top
            before, lower = line[i - 1]
            part = (wanted - lower) / max(score - lower, 1e-12)
            return math.exp(math.log(before) + part * math.log(budget / before)) / top
    return math.inf


def _median(values: Sequence[float]) -> tuple[float, float, float]:
    """The median and its interval, where some values are infinite."""
    known = np.sort(np.asarray(values))
    middle = (len(known) - 1) // 2
    drawn = np.random.default_rng(0).integers(0, len(known), (2000, len(known)))
    drawn.sort(axis=1)
    low, high = np.sort(drawn[:, middle])[[50, 1949]]
    return float(known[middle]), float(known[low]), float(known[high])


def errors(rows: Sequence[Row], budgets: Sequence[int]) -> list[common.Row]:
    """Median squared error of Shapley values and pairs, as a share of the truth's squares."""
    found = []
    own, peers = methods(rows)
    games = members(rows).get("all kinds", [])
    for column, name in ERRORS.items():
        at, body = cells(rows, column), []
        # Over the games that every method has, so that none is spared a hard one.
        for b in budgets:
            playing = [m for m in (*own, *peers) if any((g, b, m) in at for g in games)]
            shared = [g for g in games if all((g, b, m) in at for m in playing)]
            for m in playing:
                values = [float(np.mean(list(at[g, b, m].values()))) for g in shared]
                if values:
                    body.append((m, b, values))
        table: dict[str, dict[int, str]] = defaultdict(dict)
        for m, b, values in body:
            middle, low, high = common.interval(values, np.median)
            table[m][b] = (
                f"{common.number(middle)} [{common.number(low)}, {common.number(high)}]"
                f" ({len(values)})"
            )
            found.append(_row(f"{name}, all kinds, {b}n", m, f"median {column}", values))
        print(f"\nError of {name}: share of the truth's sum of squares, median [95 %] (games)\n")
        common.show(
            ["method", *(f"{b}n" for b in budgets)],
            [[m, *(line.get(b, "-") for b in budgets)] for m, line in table.items()],
        )
    return found


def seconds(rows: Sequence[Row], budgets: Sequence[int]) -> list[common.Row]:
    """Median CPU seconds of a run beside those of its values, by group."""
    at, found = cells(rows, "cpu"), []
    for group, games in members(rows).items():
        body = []
        for m in (name for names in methods(rows) for name in names):
            line = [m]
            for b in budgets:
                values = [np.mean(list(at[g, b, m].values())) for g in games if (g, b, m) in at]
                line.append(common.number(float(np.median(values))) if values else "-")
                if values:
                    found.append(_row(f"seconds, {group}, {b}n", m, "median cpu", values))
            if set(line[1:]) != {"-"}:
                body.append(line)
        print(f"\nCPU seconds (median; values not counted): {group}\n")
        common.show(["method", *(f"{b}n" for b in budgets)], body)
    return found


def failed(rows: Sequence[Row]) -> None:
    """Name the runs that raised."""
    broken = [r for r in rows if r["told"].startswith("failed")]
    for r in broken:
        print(f"failed: {r['method']} on {r['game']}, {r['per_unit']}n: {r['told'][8:120]}")


def _row(task: str, method: str, metric: str, values: Sequence[float]) -> common.Row:
    middle, low, high = _interval(tuple(float(v) for v in values), np.median)
    return common.row(task, method, metric, middle, low=low, high=high)


@functools.lru_cache(maxsize=4096)
def _interval(values: tuple[float, ...], statistic: Callable[..., Floats]) -> tuple[float, ...]:
    return common.interval(values, statistic)
