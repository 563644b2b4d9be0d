"""Holds the table of start-up cost: processor seconds and modules of an import and of --help.

    python benchmarks/startup.py [--quick] [--json FILE]

Every number comes from fresh processes, run in turn so that a busy moment falls on all of them.
Run each case once before trusting the numbers: the first run writes bytecode. Never imported by
the package.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

COUNT = "import sys; print(len(sys.modules))"
HELP = "import sys; sys.argv[1:] = ['--help']; from whence.cli import main; main()"

#: Case -> the statement that a fresh interpreter runs.
CASES = {
    "python": "pass",
    "import numpy": "import numpy",
    "import whence": "import whence",
    "whence --help": HELP,
}


def cpu_seconds(statement: str) -> float:
    """User and system time of one fresh process, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", statement]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def modules(statement: str) -> int:
    """How many modules the statement leaves in memory, the interpreter's own included."""
    code = f"import atexit\natexit.register(lambda: exec({COUNT!r}))\n{statement}"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(run.stdout.split()[-1])


def machine() -> str:
    """What the numbers were measured on."""
    version = f"Python {platform.python_version()}"
    return f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores, {version}"


def rows(repeats: int) -> list[dict[str, Any]]:
    """Median processor seconds of every case, with its quartiles, and its number of modules."""
    for statement in CASES.values():
        cpu_seconds(statement)
    spent = {case: 0.0 for case in CASES}
    measured: dict[str, list[float]] = {case: [] for case in CASES}
    for _ in range(repeats):
        for case, statement in CASES.items():
            measured[case].append(cpu_seconds(statement))
            spent[case] += measured[case][-1]
    table = []
    for case, seconds in measured.items():
        low, middle, high = statistics.quantiles(seconds, n=4)
        count = modules(CASES[case])
        shared = {
            "task": "startup",
            "method": case,
            "seeds": repeats,
            "calls": 0,
            "cpu_seconds": spent[case],
            "machine": machine(),
        }
        table.append({**shared, "metric": "cpu_s", "value": middle, "low": low, "high": high})
        table.append({**shared, "metric": "modules", "value": count, "low": count, "high": count})
    return table


def show(table: list[dict[str, Any]], repeats: int) -> None:
    """Print the table."""
    print(f"{table[0]['machine']}; {repeats} fresh processes each, median (quartiles)")
    print(f"{'':16}{'CPU s':>8}{'':18}{'modules':>8}")
    for cpu, count in zip(table[::2], table[1::2], strict=True):
        spread = f"({cpu['low']:.3f} to {cpu['high']:.3f})"
        print(f"{cpu['method']:16}{cpu['value']:8.3f}  {spread:16}{count['value']:8d}")


def main() -> None:
    """Measure, print, and write the rows if asked to."""
    parser = argparse.ArgumentParser(description="CPU seconds of importing whence and of --help")
    parser.add_argument("--quick", action="store_true", help="5 repeats in place of 25")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here")
    arguments = parser.parse_args()
    repeats = 5 if arguments.quick else 25
    start = time.perf_counter()
    table = rows(repeats)
    show(table, repeats)
    print(f"measured in {time.perf_counter() - start:.0f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
