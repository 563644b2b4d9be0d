"""Holds how the cost of a fit grows: CPU seconds and peak memory on planted chains.

    python benchmarks/surrogates_scaling.py METHOD N MASKS SEED

Each measurement is a process of its own, so that its peak memory is its own. Called as above the
script measures once and prints one line of JSON; `measured` calls it so. Never imported by the
package.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import common
import numpy as np
import surrogates_players as players
import surrogates_problems as problems

from whence import masks as mask
from whence import recipes
from whence.samples import Samples
from whence.setfunction import SetFunction

Row = dict[str, Any]

SIZES = (14, 64, 256, 1000)
SAMPLES = (1000, 4000, 16000)
#: Seconds after which a measurement is given up and written down as such.
LIMIT = 3600
TABLES = {
    "cpu": "CPU seconds of the fit (and ProxySPEX's over it)",
    "r2": "R² on 5,000 fresh masks",
    "peak_mb": "Peak memory, MB",
}
COLUMNS = ("method", "n", "masks", "seed", "cpu", "r2", "before_mb", "peak_mb", "told")


def measured(
    sizes: Sequence[int],
    samples: Sequence[int],
    methods: Sequence[str],
    seeds: int,
    known: Sequence[Row],
) -> Iterator[Row]:
    """One row per method, size and seed; what is known is left out, and more masks than half."""
    done = {(r["method"], str(r["n"]), str(r["masks"]), str(r["seed"])) for r in known}
    for m in samples:
        for n in sizes:
            for method in methods:
                for seed in range(seeds):
                    case = (method, str(n), str(m), str(seed))
                    if case not in done and m <= 2**n / 2:
                        yield alone(case)


def alone(case: tuple[str, ...]) -> Row:
    """One measurement in a process of its own."""
    command = [sys.executable, __file__, *case]
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parent / "src"), os.environ.get("PYTHONPATH", "")])
    named = dict(zip(("method", "n", "masks", "seed"), case, strict=True))
    try:
        told = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT, check=False,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {**named, "told": f"failed: more than {LIMIT} s"}
    if told.returncode:
        return {**named, "told": f"failed: {told.stderr.strip().splitlines()[-1:]}"[:200]}
    return {**named, **json.loads(told.stdout.strip().splitlines()[-1])}


def peak() -> float:
    """Most memory this process has held so far, in MB."""
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (1e6 if sys.platform == "darwin" else 1e3)


def fit_ours(recipe: str, n: int, value: Any, budget: int, seed: int) -> tuple[Any, float, str]:
    """The fitted function, the CPU seconds of `fit` alone, and how it was fitted."""
    explainer = recipes.named(recipe)
    ends = mask.ends(n)
    seen = Samples(ends, value(ends))
    asked = explainer.ask(n, budget - 2, np.random.default_rng(seed), seen)
    samples = seen.join(Samples(asked, value(asked)))
    start = time.process_time()
    f: SetFunction = explainer.fit(samples)
    return f, time.process_time() - start, f.fitted_by


def fit_peer(method: str, n: int, value: Any, budget: int, seed: int) -> tuple[Any, float, str]:
    """The same of a peer, its `approximate` whole but for the values."""
    ledger = problems.Ledger(value)
    start = time.process_time()
    found = players.PEERS[method](n, ledger, budget, seed)
    return found.predict, time.process_time() - start - ledger.spent, found.told


def fit(method: str, n: int, value: Any, budget: int, seed: int) -> tuple[Any, float, str]:
    """One fit, by name."""
    if method in players.PEERS:
        return fit_peer(method, n, value, budget, seed)
    recipe = method.removeprefix("whence").strip() or "default"
    return fit_ours(recipe, n, value, budget, seed)


def once(method: str, n: int, budget: int, seed: int) -> Row:
    """Seconds, fit and memory of one fit; a small one before it pays for the imports."""
    value = problems.chains(n, seed)
    with players.quiet():
        fit(method, 10, problems.chains(10), 200, 0)
        before = peak()
        f, spent, told = fit(method, n, value, budget, seed)
        highest = peak()
        test = np.random.default_rng(54321).random((5000, n)) < 0.5
        answers = value(test)
        wrong = np.asarray(f(test)).reshape(-1) - answers
    r2 = 1 - (wrong**2).mean() / answers.var()
    return {"cpu": spent, "r2": r2, "before_mb": before, "peak_mb": highest, "told": told}


def show(rows: Sequence[Row]) -> list[common.Row]:
    """Print seconds, ratio, fit and memory by size; the rows behind them."""
    found: list[common.Row] = []
    at: dict[tuple[str, int, int], list[Row]] = {}
    for r in rows:
        if not str(r["told"]).startswith("failed"):
            at.setdefault((r["method"], int(r["n"]), int(r["masks"])), []).append(r)
    names = list(dict.fromkeys(r["method"] for r in rows))
    cases = sorted({(n, m) for _, n, m in at})
    for column, head in TABLES.items():
        body = []
        for n, m in cases:
            line = [f"{n}", f"{m:,}"]
            for name in names:
                value = _median(at, (name, n, m), column)
                rival = _median(at, ("ProxySPEX", n, m), column)
                more = column == "cpu" and name.startswith("whence") and rival == rival
                line.append(common.number(value) + (f" ({rival / value:.1f}x)" if more else ""))
                if value == value:
                    found.append(common.row(f"scaling, n={n}, {m} masks", name, column, value))
            body.append(line)
        print(f"\n{head}: planted chains\n")
        common.show(["n", "masks", *names], body)
    for r in rows:
        if str(r["told"]).startswith("failed"):
            print(f"failed: {r['method']}, n={r['n']}, {r['masks']} masks: {r['told'][8:]}")
    return found


def _median(at: dict[tuple[str, int, int], list[Row]], case: Any, column: str) -> float:
    return float(np.median([float(r[column]) for r in at[case]])) if case in at else float("nan")


if __name__ == "__main__":
    print(json.dumps(once(sys.argv[1], *(int(a) for a in sys.argv[2:5]))))
