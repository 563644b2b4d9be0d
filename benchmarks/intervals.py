"""Holds the tables of interval coverage and of false discoveries, on games whose truth is known.

    python benchmarks/intervals.py [--quick] [--json FILE] [--units 16] [--masks 260]

For each planted game, fresh in every replicate, `intervals` is asked for 20 sets named in advance
(half of them in the game), and `discoveries` for the 20 strongest of a fit, tested on a held-out
fifth of the masks. Beside them stands what must not be done: to test a list on the masks that
chose it. Never imported by the package.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

import common
import numpy as np

from whence import masks
from whence.evaluation.inference import discoveries, intervals
from whence.evaluation.weights import read, strongest
from whence.samples import Samples
from whence.setfunction import SetFunction
from whence.solvers.lasso import Lasso
from whence.solvers.low_degree import LowDegree
from whence.solvers.ridge import Ridge
from whence.testing import planted

Fit = Callable[[Samples], SetFunction]
Found = dict[str, list[float]]

GAMES: dict[str, Callable[[int, int], planted.Planted]] = {
    "near-linear": planted.near_linear,
    "hierarchical": planted.hierarchical,
    "and-or": planted.and_or,
    "sparse": planted.sparse,
    "peak": planted.peak,
}
#: Game -> standard deviation of noise at every call.
NOISE = {"sparse": 0.0, "sparse, noisy": 0.5}
FITS: dict[str, Fit] = {
    "linear": LowDegree(1).fit,
    "ridge": Ridge(2).fit,
    "lasso": Lasso(2, penalties=8).fit,
}
TOP, LEVEL, FDR = 20, 0.95, 0.1


def sample(f: SetFunction, m: int, seed: int, noise: float) -> Samples:
    """The two ends and m uniform masks with their values."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([masks.ends(f.n), masks.uniform(f.n, m, rng, avoid=masks.ends(f.n))])
    return Samples(rows, f(rows) + noise * rng.normal(size=len(rows)))


def named(f: SetFunction, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Sets of the game and random ones of one to three units, chosen without any value."""
    own = [s for s in f.to("fourier").sets if s]
    chosen = {own[i] for i in rng.permutation(len(own))[: TOP // 2]}
    while len(chosen) < TOP:
        size = int(rng.integers(1, 4))
        chosen.add(tuple(sorted(rng.choice(f.n, size, replace=False).tolist())))
    return sorted(chosen)


def truth(f: SetFunction, sets: Sequence[tuple[int, ...]]) -> np.ndarray:
    """The game's own Fourier coefficients."""
    return read(f, sets, "fourier", 2)[:, 0]


def covered(f: SetFunction, fit: Fit, samples: Samples, seed: int, noise: float) -> Found:
    """Coverage of sets named in advance, and of the strongest of a fit to the same masks."""
    lists = {
        "named": named(f, np.random.default_rng(seed)),
        "same masks": strongest(fit(samples), "fourier", 2, TOP),
    }
    found: Found = defaultdict(list)
    for name, sets in lists.items():
        if not sets:
            continue
        told = intervals(fit, samples, sets, level=LEVEL, noise=noise)
        true = truth(f, sets)
        found[f"{name}: coverage"].append(float(((told.low <= true) & (true <= told.high)).mean()))
        found[f"{name}: error"].append(float(told.errors.mean()))
        if name == "same masks":
            p = np.abs(told.values) / np.maximum(told.errors, 1e-12)
            found["same masks: fdp"].append(false_share(step_up(p), true))
    return found


def step_up(z: np.ndarray) -> np.ndarray:
    """Benjamini-Hochberg on normal p-values, written again for the wrong use of it."""
    from scipy.stats import norm

    p = 2 * norm.sf(z)
    passed = np.flatnonzero(np.sort(p) <= FDR * np.arange(1, len(p) + 1) / len(p))
    return p <= (np.sort(p)[passed[-1]] if len(passed) else -1.0)


def false_share(confirmed: np.ndarray, true: np.ndarray) -> float:
    """Share of the confirmed that are not in the game."""
    return float((confirmed & (np.abs(true) < 1e-9)).sum() / max(confirmed.sum(), 1))


def split(f: SetFunction, fit: Fit, samples: Samples, held: int, noise: float) -> Found:
    """False discoveries, power and coverage of the selected, on held-out masks."""
    fitted, judged = samples.take(slice(0, len(samples) - held)), samples.take(slice(-held, None))
    g = fit(fitted)
    found: Found = defaultdict(list)
    for name, strict in (("held-out", False), ("held-out, any dependence", True)):
        told = discoveries(g, judged, fitted, fdr=FDR, any_dependence=strict, noise=noise)
        true = truth(f, told.sets)
        real = np.abs(true) >= 1e-9
        outside = told.confirmed & ((true < told.low) | (true > told.high))
        found[f"{name}: fdp"].append(false_share(told.confirmed, true))
        found[f"{name}: fcp"].append(float(outside.sum() / max(told.confirmed.sum(), 1)))
        found[f"{name}: confirmed"].append(float(told.confirmed.sum()))
        if real.any():
            found[f"{name}: power"].append(float(told.confirmed[real].mean()))
    return found


def rows(n: int, m: int, seeds: int) -> list[common.Row]:
    """The table: every game, fit and quantity, with the bootstrap interval over replicates."""
    table: list[common.Row] = []
    for game, made in {**GAMES, "sparse, noisy": planted.sparse}.items():
        noise = NOISE.get(game, 0.0)
        for name, fit in FITS.items():
            start, found = time.process_time(), defaultdict(list)
            for seed in range(seeds):
                f = made(n, seed).truth
                samples = sample(f, m, 10_000 + seed, noise)
                for part in (
                    covered(f, fit, samples, seed, noise),
                    split(f, fit, samples, m // 5, noise),
                ):
                    for metric, values in part.items():
                        found[metric] += values
            spent = time.process_time() - start
            for metric, values in found.items():
                value, low, high = common.interval(values, np.mean)
                table.append(common.row(
                    f"{game}, {n} units", name, metric, value, low=low, high=high,
                    seeds=len(values), calls=m + 2, cpu_seconds=spent,
                ))  # fmt: skip
    return table


COVERAGE = ("named: coverage", "named: error", "same masks: coverage")
FALSE = (
    "held-out: fdp", "held-out: power", "held-out: confirmed", "held-out: fcp",
    "held-out, any dependence: fdp", "held-out, any dependence: power", "same masks: fdp",
)  # fmt: skip


def show(table: Sequence[common.Row]) -> None:
    """Print coverage, then false discoveries."""
    at = {(r["task"], r["method"], r["metric"]): r for r in table}
    lines = list(dict.fromkeys((r["task"], r["method"]) for r in table))
    for told, metrics in (
        (f"Intervals at {LEVEL:.0%}: share that hold the truth (wanted: {LEVEL})", COVERAGE),
        (f"Discoveries at a rate of {FDR} (fdp and fcp: wanted at most {FDR})", FALSE),
    ):
        print(f"\n{told}\n")
        common.show(["game", "fit", *metrics], [
            [task, method, *(cell(at.get((task, method, x))) for x in metrics)]
            for task, method in lines
        ])  # fmt: skip


def cell(r: common.Row | None) -> str:
    """A mean with half the width of its interval."""
    if r is None:
        return "-"
    return f"{common.number(r['value'])} ± {common.number((r['high'] - r['low']) / 2)}"


def options() -> argparse.Namespace:
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=16)
    parser.add_argument("--masks", type=int, default=260)
    return parser.parse_args()


def main() -> None:
    """Measure, print, and write the rows if asked to."""
    given = options()
    if given.quick:
        FITS.pop("lasso")
    table = rows(given.units, given.masks, 20 if given.quick else 100)
    machine = common.machine()
    print(f"{machine}; one thread")
    show(table)
    common.write(given.json, table, machine)


if __name__ == "__main__":
    main()
