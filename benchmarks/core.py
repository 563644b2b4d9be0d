"""Holds the table of the core: evaluation, change of basis and every index, beside shapiq.

    python benchmarks/core.py [--quick] [--json FILE]

Random functions of 100 units and degree at most 5, with 10 to 10,000 terms. Where shapiq is
installed its `MoebiusConverter` does the same conversion from the same Möbius coefficients, the
results are compared, and then both are timed in turn, on one thread, in CPU seconds. What is not
timed: building the coefficients on either side. Never imported by the package.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import common
import numpy as np

from whence import indices
from whence.setfunction import SetFunction, set_function

N, DEGREE = 100, 5

#: Our index -> (order asked for, name in shapiq or None where it has no such conversion).
CONVERSIONS = {
    "shapley": (1, "SV"), "banzhaf": (1, "BV"), "influence": (1, None), "mobius": (2, None),
    "co_mobius": (2, None), "shapley_interaction": (2, "SII"), "banzhaf_interaction": (2, None),
    "k_sii": (2, "k-SII"), "shapley_taylor": (2, "STII"), "faith_shap": (2, "FSII"),
    "faith_banzhaf": (2, "FBII"),
}  # fmt: skip


def random_function(terms: int, seed: int = 0) -> SetFunction:
    """Sets of 0 to 5 of 100 units, all sizes equally often as far as they go; normal values."""
    rng = np.random.default_rng(seed)
    sets: set[tuple[int, ...]] = {()}
    while len(sets) < terms:
        size = int(rng.integers(1, DEGREE + 1))
        sets.add(tuple(sorted(rng.choice(N, size, replace=False).tolist())))
    return set_function(N, (sorted(sets), rng.normal(size=terms)), "mobius")


def ours(f: SetFunction, index: str) -> Callable[[], indices.Interactions]:
    """The conversion, as a call without arguments."""
    order, _ = CONVERSIONS[index]
    if order == 1:
        return lambda: indices.attributions(f, index)
    return lambda: indices.interactions(f, index, order)


def theirs(f: SetFunction, index: str) -> Callable[[], Any]:
    """The same conversion by shapiq, without its cache and its copies."""
    from shapiq.game_theory.moebius_converter import MoebiusConverter
    from shapiq.interaction_values import InteractionValues

    order, name = CONVERSIONS[index]
    mobius = InteractionValues(
        values=f.values.copy(), index="Moebius", max_order=DEGREE, min_order=0, n_players=N,
        interaction_lookup={s: i for i, s in enumerate(f.sets)}, estimated=False,
        baseline_value=float(f.values[0]),
    )  # fmt: skip
    return lambda: MoebiusConverter(mobius).compute(name, order)


def difference(mine: indices.Interactions, other: Any) -> float:
    """Largest difference over the sets that either holds, the baseline aside."""
    found, peer = mine.f.terms, dict(other.dict_values)
    return max(abs(found.get(s, 0.0) - peer.get(s, 0.0)) for s in {*found, *peer} if s)


def conversions(terms: Sequence[int], rounds: int, peer: bool) -> list[common.Row]:
    """Seconds of every index at every number of terms, and of the peer's where it has it."""
    rows = []
    for k in terms:
        f = random_function(k)
        for index, (_, name) in CONVERSIONS.items():
            rivals: dict[str, Callable[[], Any]] = {"whence": ours(f, index)}
            if peer and name:
                rivals["shapiq"] = theirs(f, index)
                gap = difference(rivals["whence"](), rivals["shapiq"]())
                rows.append(common.row(f"{index}, {k} terms", "whence - shapiq", "difference", gap))
            spent = common.race(rivals, rounds=rounds, least=0.1)
            rows += [timed(f"{index}, {k} terms", who, s) for who, s in spent.items()]
            if "shapiq" in spent:
                ratios = [b / a for a, b in zip(spent["whence"], spent["shapiq"], strict=True)]
                rows.append(
                    common.row(
                        f"{index}, {k} terms",
                        "shapiq / whence",
                        "ratio",
                        statistics.median(ratios),
                        low=min(ratios),
                        high=max(ratios),
                        seeds=rounds,
                    )
                )
    return rows


def timed(task: str, method: str, seconds: Sequence[float]) -> common.Row:
    """Median CPU seconds per call, with the least and the most."""
    return common.row(
        task,
        method,
        "cpu_s",
        statistics.median(seconds),
        low=min(seconds),
        high=max(seconds),
        seeds=len(seconds),
        cpu_seconds=sum(seconds),
    )


def basis_changes(terms: Sequence[int], rounds: int) -> list[common.Row]:
    """Seconds from Möbius to Fourier and back; the way back holds all subsets of the terms."""
    rows = []
    for k in terms:
        mobius = random_function(k)
        fourier = mobius.to("fourier")
        work = {
            "to fourier": lambda f=mobius: f.to("fourier"),
            "to mobius": lambda f=fourier: f.to("mobius"),
        }
        spent = common.race(work, rounds=rounds, least=0.1)
        rows += [timed(f"{name}, {k} terms", "whence", s) for name, s in spent.items()]
    return rows


def evaluations(cases: Sequence[tuple[int, int]], rounds: int) -> list[common.Row]:
    """Seconds and peak scratch memory of evaluation at (masks, terms), in both bases."""
    rows = []
    for b, k in cases:
        masks = np.random.default_rng(1).random((b, N)) < 0.5
        for basis in ("fourier", "mobius"):
            f = random_function(k)
            f = set_function(N, (f.sets, f.values), basis)
            task = f"evaluate {basis}, {b:,} masks x {k} terms"
            spent = common.race({"whence": functools.partial(f, masks)}, rounds=rounds, least=0.1)
            rows.append(timed(task, "whence", spent["whence"]))
            if b < 1_000_000:
                continue
            tracemalloc.start()
            f(masks)
            peak = tracemalloc.get_traced_memory()[1] / 2**20
            tracemalloc.stop()
            rows.append(common.row(task, "whence", "peak_MiB", peak))
    return rows


def show(rows: Sequence[common.Row], terms: Sequence[int]) -> None:
    """Print the three tables."""
    at = {(r["task"], r["method"], r["metric"]): r["value"] for r in rows}
    body = []
    for index in CONVERSIONS:
        line = [index]
        for k in terms:
            task = f"{index}, {k} terms"
            mine = common.number(1e3 * at[task, "whence", "cpu_s"])
            ratio = at.get((task, "shapiq / whence", "ratio"))
            line.append(mine if ratio is None else f"{mine} ({common.number(ratio)}x)")
        body.append(line)
    print("\nCPU milliseconds per conversion (and shapiq's time over ours)\n")
    common.show(["index", *(f"{k:,} terms" for k in terms)], body)
    gaps = [r["value"] for r in rows if r["metric"] == "difference"]
    if gaps:
        print(f"\nLargest difference between the two, over all conversions: {max(gaps):.1e}")
    print("\nCPU milliseconds per change of basis\n")
    common.show(["change", *(f"{k:,} terms" for k in terms)], [
        [name, *(common.number(1e3 * at[f"{name}, {k} terms", "whence", "cpu_s"]) for k in terms)]
        for name in ("to fourier", "to mobius")
    ])  # fmt: skip
    print("\nEvaluation\n")
    body = [
        [r["task"].removeprefix("evaluate "), common.number(1e3 * r["value"]),
         common.number(at.get((r["task"], "whence", "peak_MiB"), float("nan")))]
        for r in rows if r["task"].startswith("evaluate") and r["metric"] == "cpu_s"
    ]  # fmt: skip
    common.show(["function and masks", "CPU ms", "peak MiB beside the masks"], body)


def options() -> argparse.Namespace:
    return common.arguments(__doc__.splitlines()[0]).parse_args()


def main() -> None:
    """Measure, print, and write the rows if asked to."""
    given = options()
    terms = (10, 100, 2000) if given.quick else (10, 100, 1000, 2000, 10_000)
    rounds = 3 if given.quick else 7
    peer = common.version("shapiq") is not None
    if not peer:
        print("skipped: shapiq is not installed")
    cases = [(10_000, 100), (10_000, 2000), (1_000_000, 2000)]
    if not given.quick:
        cases.insert(2, (10_000, 10_000))
    rows = conversions(terms, rounds, peer)
    rows += basis_changes(terms, rounds)
    rows += evaluations(cases, rounds if given.quick else 5)
    machine = common.machine("shapiq")
    print(f"{machine}; one thread")
    show(rows, terms)
    common.write(given.json, rows, machine)


if __name__ == "__main__":
    main()
