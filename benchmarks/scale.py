"""Holds the table of scaling out: what threads and Ray workers cost and give beside one process.

    python benchmarks/scale.py [--quick] [--json FILE]

The same batches of masked texts are scored in this process, by threads, and by one and two Ray
workers on this machine, in turn, so that a busy moment falls on all of them. Four models: one
that is free, so that only the way there and back is left; one that only waits, so that the cores
of this machine do not bound what workers gain; the embedded classifier; and stories260K's
log-probability of a continuation, if it is at hand. Values must be the same bits.

Elapsed times depend on what else the machine does; CPU seconds, of this process and of the
workers, hardly do. Never imported by the package.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import common
import numpy as np

from whence import Journal, text_game
from whence.adapters.options import Options
from whence.errors import WhenceError
from whence.executors import Threads, in_order
from whence.scoring import Facts, InProcess, facts_of

STORIES = Path(__file__).parents[2] / "shared" / "data" / "stories260K" / "hf"
TEXT = (
    "One day a little girl named Lily found a needle in her room and she knew it was hard to play "
    "with it because it was sharp so she wanted to share it with her mom"
)


FREE = Facts(name="free", identity="free", labels=("no", "yes"), batch=64)


@dataclass(frozen=True)
class Free:
    """A model that costs nothing: two zeros per text."""

    facts: Facts = FREE

    def __call__(self, items: Sequence[str]) -> Any:
        """`(b, 2)` zeros."""
        return np.zeros((len(items), 2))


@dataclass(frozen=True)
class Waits:
    """A model that waits 20 ms for each batch and needs no core, as one behind a server."""

    facts: Facts = FREE

    def __call__(self, items: Sequence[str]) -> Any:
        """`(b, 2)` zeros."""
        time.sleep(0.02)
        return np.zeros((len(items), 2))


def embedded() -> Any:
    """The embedded classifier, on one thread."""
    from whence.models.sentiment import load

    return load(threads=1)


def stories() -> Any:
    """The log-probability of a continuation under a language model of 260,000 weights."""
    import torch

    from whence.adapters.opening import open_model

    torch.set_num_threads(1)
    return open_model(str(STORIES), Options(target=" and smiled"))


#: Task -> how its model is made, items per round, items of a quick round.
MODELS: dict[str, tuple[Callable[[], Any], int, int]] = {
    "free model": (Free, 20_000, 10_000),
    "model that waits 20 ms": (Waits, 6_400, 3_200),
    "embedded model": (embedded, 512, 256),
    "stories260K": (stories, 512, 256),
}


def texts(count: int) -> list[str]:
    """The sentence with uniformly drawn words left out."""
    words = TEXT.split()
    rows = np.random.default_rng(0).random((count, len(words))) < 0.5
    return [" ".join(w for w, here in zip(words, row, strict=True) if here) for row in rows]


def cpu_of(processes: Sequence[int]) -> float:
    """CPU seconds that this process and others have spent; nan where nobody says."""
    total = time.process_time()
    for process in processes:
        stat = Path(f"/proc/{process}/stat")
        if not stat.exists():
            return float("nan")
        fields = stat.read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


@dataclass
class Rival:
    """One way to score: its elapsed and CPU seconds, round by round."""

    name: str
    score: Callable[[Sequence[str]], Any]
    workers: Callable[[], Sequence[int]]
    elapsed: list[float]
    cpu: list[float]

    def run(self, items: Sequence[str]) -> Any:
        """Score once, and keep what it took."""
        processes = self.workers()
        cpu, start = cpu_of(processes), time.perf_counter()
        values = self.score(items)
        self.elapsed.append(time.perf_counter() - start)
        self.cpu.append(cpu_of(processes) - cpu)
        return values


def rivals(model: Any, made: Callable[[], Any], batch: int, crews: list[Any]) -> list[Rival]:
    """In process, threads, and one and two Ray workers if Ray is installed."""
    local = InProcess(model, batch)
    ways: list[tuple[str, Any, Callable[[], Sequence[int]]]] = [
        ("in process", lambda items: in_order(local.stream(items)), lambda: ()),
        ("threads:2", Threads(model, 2, batch), lambda: ()),
    ]
    if common.version("ray") is not None:
        from whence.adapters.ray import replicas

        for count in (1, 2):
            crew = replicas(made, count, batch=batch)
            crews.append(crew)
            while len(crew.workers) < count:
                crew(["", ""])
            ways.append((f"ray:{count}", crew, partial(_processes, crew)))
    return [Rival(name, score, workers, [], []) for name, score, workers in ways]


def _processes(crew: Any) -> list[int]:
    return [process for _, process in crew.workers]


def measured(task: str, made: Callable[[], Any], items: list[str], batch: int, rounds: int) -> Any:
    """Rows of one model and batch size; every rival runs once before, unmeasured."""
    model = made()
    crews: list[Any] = []
    try:
        ways = rivals(model, made, batch, crews)
        expected = ways[0].score(items)
        for way in ways:
            assert np.array_equal(way.score(items), expected), f"{task}: {way.name} differs"
        for _ in range(rounds):
            for way in ways:
                way.run(items)
    finally:
        for crew in crews:
            crew.close()
    count = facts_of(model).count_tokens
    tokens = None if count is None else float(np.mean(count(items)))
    lines = [table(task, way, ways[0], len(items), batch, tokens) for way in ways]
    return [line for several in lines for line in several]


def table(
    task: str, way: Rival, first: Rival, items: int, batch: int, tokens: float | None
) -> list[common.Row]:
    """Rows of one way to score."""
    number = -(-items // batch)
    shared = {"seeds": len(way.elapsed), "calls": items, "cpu_seconds": sum(way.cpu)}
    name = f"{task}, batches of {batch}"

    def line(metric: str, values: Sequence[float]) -> common.Row:
        low, high = np.quantile(values, [0.25, 0.75])
        middle = statistics.median(values)
        return common.row(name, way.name, metric, middle, low=low, high=high, **shared)

    pairs = list(zip(way.elapsed, first.elapsed, strict=True))
    spent = zip(way.cpu, first.cpu, strict=True)
    lines = [
        line("items_per_s", [items / s for s in way.elapsed]),
        line("speed_ratio", [alone / s for s, alone in pairs]),
        line("cpu_us_per_item", [1e6 * s / items for s in way.cpu]),
        line("us_per_batch_over", [1e6 * (s - alone) / number for s, alone in pairs]),
        line("cpu_us_per_batch_over", [1e6 * (s - alone) / number for s, alone in spent]),
    ]
    if tokens is not None:
        lines.append(line("tokens_per_cpu_s", [tokens * items / s for s in way.cpu]))
    return lines


def show(rows: Sequence[common.Row]) -> None:
    """Print one line per way to score."""
    by = {(r["task"], r["method"], r["metric"]): r for r in rows}
    head = {
        "items_per_s": "items/s",
        "speed_ratio": "speed",
        "us_per_batch_over": "us/batch over",
        "cpu_us_per_batch_over": "CPU us/batch over",
        "cpu_us_per_item": "CPU us/item",
        "tokens_per_cpu_s": "tokens/CPU s",
    }
    body = []
    for task, method in dict.fromkeys((r["task"], r["method"]) for r in rows):
        cells = [by.get((task, method, metric)) for metric in head]
        told = ["-" if cell is None else common.number(cell["value"]) for cell in cells]
        body.append([task, method, *told])
    common.show(["model", "by", *head.values()], body)


def main() -> None:
    """Measure, print, and write the rows if asked to."""
    arguments = common.arguments(__doc__.splitlines()[0]).parse_args()
    rounds = 2 if arguments.quick else 7
    rows: list[common.Row] = []
    if common.version("ray") is None:
        print("ray is not installed: skipped")
    else:
        rows += start()
    for task, (made, many, few) in MODELS.items():
        items = texts(few if arguments.quick else many)
        try:
            for batch in (1, 64) if made is Free else (64,):
                some = items[: len(items) // 10] if batch == 1 else items
                rows += measured(task, made, some, batch, rounds)
        except (ImportError, WhenceError) as error:
            print(f"{task} skipped: {error}")
    rows += own_part(10_000 if arguments.quick else 40_000)
    print(common.machine("ray", "onnxruntime", "torch"))
    show(rows)
    common.write(arguments.json, rows, common.machine("ray", "onnxruntime", "torch"))


def own_part(calls: int) -> list[common.Row]:
    """What a mask costs the process that asks: its text, and its value in a journal on disk."""
    game = text_game(Free(), TEXT, output="yes")
    masks = np.unique(np.random.default_rng(0).random((calls, game.n)) < 0.5, axis=0)
    plain = common.cpu(lambda: game(masks))
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "journal.db") as journal:
        kept = common.cpu(lambda: journal.remember(game)(masks))
    ways = {"texts only": plain, "and a journal": kept}
    return [
        common.row("free model, asked by masks", name, "cpu_us_per_item", 1e6 * spent / len(masks),
                   calls=len(masks), cpu_seconds=spent)
        for name, spent in ways.items()
    ]  # fmt: skip


def start() -> list[common.Row]:
    """Start a cluster on this machine that outlasts the comparisons; seconds it took."""
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    began = time.perf_counter()
    ray.init("local", num_cpus=3, include_dashboard=False, log_to_driver=False,
             logging_level="ERROR", object_store_memory=256 * 2**20)  # fmt: skip
    return [common.row("a cluster on this machine", "ray", "start_s", time.perf_counter() - began)]


if __name__ == "__main__":
    main()
