"""Holds what the benchmark scripts share: rows, tables, CPU timers, intervals, the machine.

Import it before numpy: it holds the numerical libraries to one thread, so that CPU seconds of
two programs can be compared. It does not know what is measured.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse  # noqa: E402
import importlib.metadata  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import platform  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

Row = dict[str, Any]


def arguments(what: str) -> argparse.ArgumentParser:
    """A parser with the two options of every benchmark."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--quick", action="store_true", help="under two minutes on two cores")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here")
    return parser


def version(package: str) -> str | None:
    """Version of an installed package, or None; imports nothing."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def machine(*packages: str) -> str:
    """CPU model, cores and versions, in one line; no name of the machine."""
    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8").splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), model)
    made = [
        f"{p} {version(p)}" for p in ("numpy", "scipy", "scikit-learn", *packages) if version(p)
    ]
    return ", ".join(
        [
            f"{model}, {os.cpu_count()} cores, {platform.system()}",
            f"Python {platform.python_version()}",
            *made,
        ]
    )


def row(task: str, method: str, metric: str, value: float, **rest: Any) -> Row:
    """One row of a table: the shared columns, `low` and `high` equal to the value unless given."""
    full: Row = {
        "task": task, "method": method, "metric": metric, "value": value,
        "low": rest.pop("low", value), "high": rest.pop("high", value),
        "seeds": rest.pop("seeds", 1), "calls": rest.pop("calls", 0),
        "cpu_seconds": rest.pop("cpu_seconds", 0.0),
    }  # fmt: skip
    if rest:
        raise TypeError(f"columns {sorted(rest)} came, which no table has")
    return full


def write(path: Path | None, rows: Sequence[Row], machine: str) -> None:
    """Write the rows as JSON, one per line; numbers to six figures, nan as null."""
    if path is None:
        return
    lines = []
    for r in rows:
        short = {k: _short(v) for k, v in {**r, "machine": machine}.items()}
        lines.append(json.dumps(short, ensure_ascii=False))
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def _short(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None


def show(head: Sequence[str], body: Sequence[Sequence[Any]]) -> None:
    """Print a table as Markdown, columns aligned."""
    cells = [[str(c) for c in line] for line in (head, *body)]
    width = [max(len(line[j]) for line in cells) for j in range(len(head))]
    for i, line in enumerate(cells):
        padded = [
            c.ljust(w) if j == 0 else c.rjust(w)
            for j, (c, w) in enumerate(zip(line, width, strict=True))
        ]
        print("| " + " | ".join(padded) + " |")
        if i == 0:
            print(
                "|"
                + "|".join("-" * (w + 1) + ("-" if j == 0 else ":") for j, w in enumerate(width))
                + "|"
            )


def number(value: float) -> str:
    """Three figures, for people."""
    if not math.isfinite(value):
        return "-"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 100:
        return f"{value:.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 0.1 or size == 0:
        return f"{value:.3f}"
    return f"{value:.2g}"


def cpu(work: Callable[[], Any]) -> float:
    """CPU seconds of this process for one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def race(
    rivals: dict[str, Callable[[], Any]], *, least: float = 0.2, most: int = 200, rounds: int = 5
) -> dict[str, list[float]]:
    """CPU seconds per call of each rival, in turn, so that a busy moment falls on all of them.

    Args:
        rivals: name -> what is timed; each runs once before, untimed.
        least: seconds that one measurement should last; calls are repeated to reach it.
        most: the most repeats in one measurement.
        rounds: measurements of each.
    """
    repeats = {}
    for name, work in rivals.items():
        work()
        once = max(cpu(work), 1e-7)
        repeats[name] = int(min(most, max(1, least / once)))
    spent: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, work in rivals.items():
            start = time.process_time()
            for _ in range(repeats[name]):
                work()
            spent[name].append((time.process_time() - start) / repeats[name])
    return spent


def interval(
    values: Sequence[float], statistic: Callable[..., Any], resamples: int = 2000
) -> tuple[float, float, float]:
    """A statistic of the values with its 95 % percentile bootstrap interval: value, low, high."""
    known = np.asarray([v for v in values if math.isfinite(v)])
    if len(known) == 0:
        return (math.nan,) * 3
    rng = np.random.default_rng(0)
    drawn = statistic(known[rng.integers(0, len(known), (resamples, len(known)))], axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(statistic(known)), float(low), float(high)
