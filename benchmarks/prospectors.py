"""Holds the tables of prospector heads: where in a bag is what marks its class, by labels of bags.

    PYTHONPATH=src python benchmarks/prospectors.py [--quick] [--json FILE] [--data FOLDER]
        [--tasks NAME,NAME] [--seeds 3] [--no-speed]

Average precision of maps over the bags of class 1 that were not trained on, ties at their
expectation. Every head and baseline learns from labels of bags alone; what is chosen is chosen by
left-out bags, or is a default that was fixed before. The best baseline of a task is picked by the
truth, over all of them and their smoothed forms: an oracle in their favour. The token-supervised
scorer was told the truth of every training token: a mark, no rival. Intervals (95 %) are over test
bags; one bag in several seeds, or one image's tiles, count as one. A data set that is not here is
left out by name. Never imported by the package.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import common
import numpy as np
from prospectors_tasks import TASKS, Task

from whence.evaluation.localisation import localisation, mean_interval
from whence.prospectors import Bag, Grid, Prospector, Sequence
from whence.prospectors.baselines import ClassActivation, CoarseClassifier, TokenSupervised
from whence.prospectors.baselines import values_of as values
from whence.prospectors.counting import token_map, width
from whence.prospectors.kernels import FoldChange, Paper, Ridge, Welch
from whence.prospectors.selection import select
from whence.prospectors.smoothing import smoothed

Array = np.ndarray

#: Hops over which the maps of baselines are averaged, beside the maps as they are.
HOPS = (1, 2)
#: Tokens that a scorer of tokens is fitted to, at most.
MOST = 100_000
MARK = "token-supervised (told)"


@dataclass(frozen=True)
class Setting:
    """What is fixed for a kind of tokens, by no label of a token.

    Attributes:
        k, r: of every head of the task.
        ridge: C of its ridge kernel.
        head: what is set for "head", the one that a user of such tokens is told to take.
        grid: k and r that are chosen from, where they are chosen.
    """

    k: int
    r: int
    ridge: float
    head: dict[str, Any]
    grid: tuple[tuple[int, ...], tuple[int, ...]]


STACK = {"kernel": Ridge(0.003), "linear": "auto"}
#: Sentences; words, which are not smoothed; patches whose mark is rare, or fills a good part of a
#: bag and is never in class 0; atoms, whose k is the number of their types; noisy nodes.
SENTENCES = Setting(50, 1, 0.003, {**STACK, "smoothing": "cv"}, ((20, 50), (0, 1, 2)))
WORDS = Setting(100, 1, 0.003, STACK, ((50,), (0, 1)))
RARE = Setting(60, 1, 0.003, {"kernel": Ridge(0.003)}, ((20, 60), (0, 1)))
COMMON = Setting(20, 0, 0.003, {"kernel": FoldChange()}, ((10, 20, 50), (0, 1)))
ATOMS = Setting(14, 2, 0.1, {"kernel": Welch()}, ((14,), (0, 1, 2, 3)))
NODES = Setting(12, 1, 0.1, {"kernel": Welch()}, ((6, 12, 24), (0, 1, 2)))
SETTINGS = {
    "clinc presence": SENTENCES,
    "clinc adjacency": SENTENCES,
    "csabstruct": SENTENCES,
    "tweets": WORDS,
    "nuclei": COMMON,
    "bccd": RARE,
    "benzene, 50": ATOMS,
    "benzene, 600": ATOMS,
    "logic8, 600": ATOMS,
    "planted motif": NODES,
}


@dataclass
class Found:
    """Of one method on one task, over seeds: average precision, ties and group of every bag."""

    precision: list[float] = field(default_factory=list)
    ties: list[float] = field(default_factory=list)
    groups: list[Any] = field(default_factory=list)
    seconds: float = 0.0
    seeds: int = 0
    said: list[str] = field(default_factory=list)

    def add(self, task: Task, maps: Iterable[Array], seconds: float, said: str = "") -> None:
        """The maps of one seed."""
        judged = localisation(maps, task.test_truth)
        self.precision += judged.precision.tolist()
        self.ties += judged.ties.tolist()
        self.groups += [task.test_groups[i] for i in judged.bags]
        self.seconds += seconds
        self.seeds += 1
        self.said += [said] if said else []

    def rows(self, task: str, method: str) -> list[common.Row]:
        """Average precision with its interval, and the share of tied tokens."""
        known = {group: i for i, group in enumerate(dict.fromkeys(self.groups))}
        member = np.array([known[group] for group in self.groups])
        shared: dict[str, Any] = {"seeds": self.seeds, "cpu_seconds": self.seconds}
        mean, low, high = mean_interval(np.array(self.precision), member)
        return [
            common.row(task, method, "AP", mean, low=low, high=high, **shared),
            common.row(task, method, "ties", float(np.mean(self.ties)), **shared),
        ]


Results = dict[str, Found]


# --- what is compared -----------------------------------------------------------------------------


def baselines(task: Task, seed: int, found: Results) -> None:
    """Random, constant, coarse scorers, and the mark; the scorers also smoothed."""
    rng = np.random.default_rng(seed)
    found["random"].add(task, [rng.random(len(bag)) for bag in task.test], 0.0)
    found["constant"].add(task, [np.zeros(len(bag)) for bag in task.test], 0.0)
    made: dict[str, Callable[[], Any]] = {
        "coarse token LR": lambda: CoarseClassifier(most=MOST).fit(task.train, task.y),
        "class activation": lambda: ClassActivation().fit(task.train, task.y),
        "class activation, C=.01": lambda: ClassActivation(0.01).fit(task.train, task.y),
        MARK: lambda: TokenSupervised(most=MOST).fit(task.train, task.train_truth),
    }
    for name, fit in made.items():
        start = time.process_time()
        scorer = fit()
        maps = [values(scorer.attribute(bag)) for bag in task.test]
        add(task, name, maps, time.process_time() - start, found)


def add(
    task: Task, name: str, maps: list[Array], seconds: float, found: Results, said: str = ""
) -> None:
    """Maps as they are and averaged over hops."""
    found[name].add(task, maps, seconds, said)
    for hops in HOPS:
        smooth = [smoothed(m, b.layout, hops) for m, b in zip(maps, task.test, strict=True)]
        found[f"{name}, {hops}-hop mean"].add(task, smooth, seconds)


def heads(task: Task, setting: Setting, seed: int, found: Results) -> None:
    """The published kernel, ours, and the default."""
    fixed: dict[str, Any] = {"k": setting.k, "r": setting.r, "seed": seed}
    made = {
        "paper": Prospector(**fixed, kernel=Paper(), softness=0),
        "paper, tau 1, alpha .05": Prospector(**fixed, kernel=Paper(1.0, 0.05), softness=0),
        "welch": Prospector(**fixed, kernel=Welch()),
        "ridge": Prospector(**fixed, kernel=Ridge(setting.ridge)),
        "fold-change": Prospector(**fixed, kernel=FoldChange()),
        "head": Prospector(**fixed, **setting.head),
    }
    for name, head in made.items():
        start = time.process_time()
        head.fit(task.train, task.y, task.groups)
        maps = [head.attribute(bag) for bag in task.test]
        seconds = time.process_time() - start
        said = "" if head.performance_ is None else f"{head.performance_.value:.3f}"
        add(task, name, [m.values for m in maps], seconds, found, said)
        if name == "head" and head.smoothing:
            hops = f"{head.hops_} hops"
            found["head, smoothed by cv"].add(task, [m.smoothed for m in maps], seconds, hops)


def choices(task: Task, setting: Setting, seed: int, found: Results) -> None:
    """K and r by labels of bags alone, and beside it the best by the truth of the test tokens."""
    kernel, (ks, rs) = setting.head["kernel"], setting.grid
    every = {}
    for k in ks:
        for r in rs:
            start = time.process_time()
            head = Prospector(k, r, kernel=kernel, seed=seed, cv=0).fit(task.train, task.y)
            maps = [head.attribute(bag).values for bag in task.test]
            every[head.quantizer_.k, r] = maps, time.process_time() - start
    start = time.process_time()
    head = Prospector(kernel=kernel, seed=seed)
    picked = select(head, task.train, task.y, k=ks, r=rs, groups=task.groups, stability=4).chosen
    seconds = time.process_time() - start
    said = f"k={picked.k} r={picked.r}"
    found["head without linear, k and r chosen"].add(
        task, every[picked.k, picked.r][0], seconds, said
    )
    score = {at: localisation(m, task.test_truth).precision.mean() for at, (m, _) in every.items()}
    best = max(score, key=lambda at: float(score[at]))
    said = f"k={best[0]} r={best[1]}"
    found["head without linear, k and r by truth (oracle)"].add(task, *every[best], said)


def motif_radii(task: Task, seed: int, found: Results) -> None:
    """That pairs matter: the same head without and with neighbours."""
    for r in (0, 2):
        start = time.process_time()
        head = Prospector(NODES.k, r, kernel=Welch(), seed=seed).fit(task.train, task.y)
        maps = [head.attribute(bag).values for bag in task.test]
        found[f"welch, r={r}"].add(task, maps, time.process_time() - start)


def measure(name: str, data: Path, seeds: int, quick: bool) -> Results:
    found: Results = defaultdict(Found)
    setting = SETTINGS[name]
    for seed in range(seeds):
        task = TASKS[name][0](data, seed)
        baselines(task, seed, found)
        heads(task, setting, seed, found)
        if name == "planted motif":
            motif_radii(task, seed, found)
        if not quick and seed == 0:
            choices(task, setting, seed, found)
    return found


# --- what was promised ----------------------------------------------------------------------------

COARSE = ("random", "constant", "coarse token LR", "class activation")
OURS = ("welch", "ridge", "fold-change", "head")


def of_kind(rows: Iterable[common.Row], kinds: tuple[str, ...]) -> list[common.Row]:
    """Rows of average precision whose method begins so; those with another k and r left out."""
    return [
        r
        for r in rows
        if r["metric"] == "AP" and r["method"].startswith(kinds) and "k and r" not in r["method"]
    ]


def best(rows: Iterable[common.Row], kinds: tuple[str, ...]) -> common.Row:
    return max(of_kind(rows, kinds), key=lambda r: float(r["value"]))


def ap(rows: Iterable[common.Row], method: str) -> float:
    return next((r["value"] for r in rows if r["metric"] == "AP" and r["method"] == method), np.nan)


def promises(by_task: dict[str, list[common.Row]]) -> None:
    """Every target beside what was measured."""
    body: list[list[str]] = []

    def line(target: str, value: float, needed: float, least: bool = True) -> None:
        kept = value >= needed if least else value <= needed
        if np.isfinite(value):
            body.append([target, common.number(value), common.number(needed), _said(kept)])

    def tasks(*starts: str) -> Iterator[tuple[str, list[common.Row]]]:
        return ((t, rows) for t, rows in by_task.items() if t.startswith(starts))

    for t, rows in tasks("planted"):
        line(f"{t}, r=1, at least", ap(rows, "welch"), 0.99)
        line(f"{t}, r=0, at most", ap(rows, "welch, r=0"), 0.65, least=False)
    for t, rows in tasks("benzene, 50"):
        line(f"{t}, welch, at least", ap(rows, "welch"), 0.86)
    for t, rows in tasks("bccd"):
        line(f"{t}, ridge, at least", ap(rows, "ridge"), 0.17)
        line(f"{t}, ridge smoothed, at least", ap(rows, "ridge, 1-hop mean"), 0.20)
    for t, rows in tasks("clinc", "csabstruct", "tweets", "nuclei"):
        rival, own = best(rows, COARSE), ap(rows, "head, smoothed by cv")
        own = own if np.isfinite(own) else ap(rows, "head")
        line(f"{t}, head, at least {rival['method']}", own, rival["value"])
    for t, rows in by_task.items():
        ours = max(ap(rows, "welch"), ap(rows, "ridge"))
        line(f"{t}, welch or ridge, at least paper", ours, ap(rows, "paper"))
    for t, rows in by_task.items():
        if t != "planted motif":
            line(
                f"{t}, best of ours, mark", best(rows, OURS)["value"], best(rows, (MARK,))["value"]
            )
    common.show(["promise", "measured", "needed", "kept"], body)


def _said(kept: bool) -> str:
    return "yes" if kept else "no"


# --- speed ----------------------------------------------------------------------------------------


def speed(quick: bool) -> list[common.Row]:
    """Maps of large grids, and a fit on more tokens than fit in memory twice."""
    rng = np.random.default_rng(0)
    rows = []
    for side, hops, limit in ((48, 4, 0.010), (512, 1, 1.0), (512, 4, 1.0)):
        codes = np.eye(20)[rng.integers(0, 20, side * side)]
        flat = rng.normal(size=width(20, 1))
        layout = Grid(side, side)
        spent = common.race({"map": lambda: token_map(codes, layout, hops, flat)})["map"]  # noqa: B023
        task = f"map of {side} x {side} tokens, k=20, r={hops}, under {limit:g} s"
        value, low, high = common.interval(spent, np.median)
        rows.append(
            common.row(task, "whence", "cpu_s", value, low=low, high=high, seeds=len(spent))
        )
    return [*rows, *_million(100_000 if quick else 1_000_000)]


def _million(tokens: int) -> list[common.Row]:
    """In a process of its own, whose peak memory is then its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokens.npy"
        rng = np.random.default_rng(0)
        table = np.lib.format.open_memmap(path, "w+", np.float32, (tokens, 384))
        centres = rng.normal(size=(30, 384)).astype(np.float32)
        for start in range(0, tokens, 10_000):
            part = slice(start, min(start + 10_000, tokens))
            size = part.stop - start
            table[part] = centres[rng.integers(0, 30, size)]
            table[part] += rng.normal(size=(size, 384)).astype(np.float32)
        table.flush()
        del table
        command = [sys.executable, __file__, "--fit", str(path)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    task = f"fit on {tokens:,} tokens of 384 dimensions, 500 tokens a bag, k=20, r=1"
    names = ("cpu_s", "wall_s", "peak_GB")
    return [
        common.row(task, "whence", metric, float(value))
        for metric, value in zip(names, said, strict=True)
    ]


@dataclass(frozen=True)
class Slices:
    """Bags of 500 tokens of a memory map, read anew each time."""

    path: Path

    def __iter__(self) -> Iterator[Bag]:
        table = np.load(self.path, mmap_mode="r")
        return (Bag(table[i : i + 500], Sequence()) for i in range(0, len(table), 500))


def fit_slices(path: Path) -> None:
    """Fit, and print CPU seconds, seconds and peak memory in GB (Linux only)."""
    bags = Slices(path)
    y = np.arange(sum(1 for _ in bags)) % 2
    started, start = time.perf_counter(), time.process_time()
    Prospector(20, 1, kernel=Welch()).fit(bags, y)
    # Not getrusage: its peak is that of the process that started this one, where that is larger.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.split("VmHWM:")[1].split()[0]) / 2**20
    print(time.process_time() - start, time.perf_counter() - started, peak)


# --- tables ---------------------------------------------------------------------------------------


def show(task: str, rows: list[common.Row], found: Results) -> None:
    print(f"\n{task}\n")
    body = []
    for r in rows:
        if r["metric"] != "AP":
            continue
        ties = next(
            t["value"] for t in rows if t["metric"] == "ties" and t["method"] == r["method"]
        )
        body.append([
            r["method"], f"{r['value']:.3f}", f"{r['low']:.3f} to {r['high']:.3f}", f"{ties:.0%}",
            r["seeds"], common.number(r["cpu_seconds"] / r["seeds"]),
            " ".join(found[r["method"]].said),
        ])  # fmt: skip
    common.show(["maps", "AP", "95 %", "tied", "seeds", "CPU s", "bag AUC, or choice"], body)


def main() -> None:
    parser = common.arguments((__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), metavar="FOLDER")
    parser.add_argument("--tasks", help="some of: " + "; ".join(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--no-speed", action="store_true")
    parser.add_argument("--fit", type=Path, help="for its own use")
    given = parser.parse_args()
    if given.fit:
        fit_slices(given.fit)
        return
    rows, by_task = [], {}
    asked = given.tasks.split(";") if given.tasks else QUICK if given.quick else list(TASKS)
    for name in asked:
        folder = TASKS[name][1]
        if folder and not (given.data / folder).exists():
            print(f"{folder} is not here: {name} is left out")
            continue
        found = measure(name, given.data, 1 if given.quick else given.seeds, given.quick)
        by_task[name] = [r for method, f in found.items() for r in f.rows(name, method)]
        rows += by_task[name]
        show(name, by_task[name], found)
        common.write(given.json, rows, common.machine())  # a long run may be stopped
    print()
    promises(by_task)
    if not given.no_speed:
        print("\nSpeed\n")
        fast = speed(given.quick)
        rows += fast
        common.show(
            ["what", "measure", "value"],
            [[r["task"], r["metric"], common.number(r["value"])] for r in fast],
        )
    common.write(given.json, rows, common.machine())


#: What `--quick` measures, with one seed.
QUICK = ["csabstruct", "benzene, 50", "planted motif"]


if __name__ == "__main__":
    main()
