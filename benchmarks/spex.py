"""Holds the table of SPEX: planted sparse functions, ours beside spectralexplain's.

    python benchmarks/spex.py [--quick] [--json FILE]

Both ask a coded design of fixed b with t = 5 and 3 groups, of games whose few Fourier terms are
known, with and without noise on every value. CPU seconds are of asking and decoding, on one
thread, less the time the game takes. The peer's `sampling_strategy` and `support_recovery` are
called at one b, since its own reading of a budget builds the design of b = 12. The first run of
each method, which compiles the peer's code, is told apart; a run ends at 300 CPU seconds (30 with
--quick). Then the codes alone, beside galois; and ours at 1,000 units, in a process of its own,
with its peak memory. Never imported by the package.
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import common
import numpy as np

from whence import masks
from whence._kernels.bch import code, correct, syndromes
from whence.samples import Samples
from whence.setfunction import SetFunction, set_function
from whence.spex import Spex
from whence.testing import planted

T, GROUPS = 5, 3
METHODS = ("whence soft", "whence hard", "spectralexplain soft", "spectralexplain hard")


@dataclass
class Counted:
    """A planted function that adds noise, and counts its calls and its own CPU seconds."""

    truth: SetFunction
    sd: float
    rng: np.random.Generator
    calls: int = 0
    spent: float = 0.0

    def __call__(self, rows: Any) -> np.ndarray:
        """Values of 0/1 or boolean rows `(b, n)`."""
        start = time.process_time()
        table = np.asarray(rows).astype(bool)
        values = self.truth(table) + self.sd * self.rng.normal(size=len(table))
        self.calls += len(table)
        self.spent += time.process_time() - start
        return values


def ours(game: Counted, n: int, b: int, decoding: str, seed: int) -> SetFunction:
    """Spex on the game; the two ends are valued as `explain` would."""
    spex = Spex(b, T, GROUPS, "soft" if decoding == "soft" else "hard")
    ends = Samples(masks.ends(n), game(masks.ends(n)))
    asked = spex.ask(n, 10**9, np.random.default_rng(seed), ends)
    return spex.fit(ends.join(Samples(asked, game(asked))))


def theirs(game: Counted, n: int, b: int, decoding: str, seed: int) -> SetFunction:
    """The peer on the game, at one b. Its random state is numpy's global one."""
    import spectralexplain

    np.random.seed(seed)  # noqa: NPY002
    signal, _ = spectralexplain.sampling_strategy(game, b, b, n, sample_save_dir=None, t=T)
    found = spectralexplain.support_recovery(decoding, signal, b, t=T)
    sets = [tuple(np.flatnonzero(key).tolist()) for key in found]
    return set_function(n, (sets, np.array([float(v) for v in found.values()])))


def limited(work: Callable[[], SetFunction], seconds: float) -> SetFunction | None:
    """What work returns, or None when it has taken so many CPU seconds."""

    def stop(*_: Any) -> None:
        raise TimeoutError

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return work()
    except (TimeoutError, SystemError):  # numba turns what is raised inside it into the latter
        return None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


SOLVERS: dict[str, Callable[..., SetFunction]] = {"whence": ours, "spectralexplain": theirs}


def first(n: int, method: str) -> list[common.Row]:
    """CPU seconds of a first, small run in this process: imports, tables, compilation."""
    truth = planted.sparse(n, 0, terms=3).truth
    assert truth is not None
    who, decoding = method.split()
    game = Counted(truth, 0.0, np.random.default_rng(0))
    spent = common.cpu(lambda: SOLVERS[who](game, n, 3, decoding, 0))
    return [common.row(f"first run, n={n}, b=3, 3 terms", method, "cpu_s", spent)]


def measured(
    n: int, b: int, terms: int, noise: float, method: str, seeds: int, limit: float
) -> list[common.Row]:
    """Recovered sets, wrong sets, R² on fresh masks and CPU seconds of one method.

    A run that reaches the limit of CPU seconds has taken those seconds, and found nothing.
    """
    who, decoding = method.split()
    solve = SOLVERS[who]
    table: dict[str, list[float]] = {"recovered": [], "wrong": [], "r2": [], "cpu_s": []}
    calls = 0
    for seed in range(seeds):
        truth = planted.sparse(n, seed, terms=terms, degree=4).truth
        assert truth is not None
        fresh = np.random.default_rng(12345).random((2000, n)) < 0.5
        exact = truth(fresh)
        game = Counted(truth, noise * float(exact.std()), np.random.default_rng(seed))
        start = time.process_time()
        work = functools.partial(solve, game, n, b, decoding, seed)
        f = limited(work, limit)
        table["cpu_s"].append(time.process_time() - start - game.spent)
        calls = game.calls
        if f is None:
            continue
        sets, kept = set(truth.sets), set(f.sets) - {()}
        table["recovered"].append(len(sets & kept) / len(sets))
        table["wrong"].append(float(len(kept - sets)))
        table["r2"].append(1 - float(((f(fresh) - exact) ** 2).mean() / exact.var()))
    task = f"n={n}, b={b}, {terms} terms, noise {noise:g}"
    table = {metric: values or [float("nan")] for metric, values in table.items()}
    return [
        common.row(
            task, method, metric, float(np.mean(values)), low=min(values), high=max(values),
            seeds=seeds, calls=calls, cpu_seconds=sum(table["cpu_s"]),
        )
        for metric, values in table.items()
    ]  # fmt: skip


def decoders(words: int, rounds: int) -> list[common.Row]:
    """CPU seconds to decode parity words of the code for 64 units, beside galois."""
    c, rng = code(64, T), np.random.default_rng(0)
    # Up to five wrong bits, units among them: all words can be decoded.
    units = np.stack([rng.permutation(64)[:3] for _ in range(words)])
    bits = (c.parity.T[units].sum(axis=1) % 2).astype(np.uint8)
    bits[np.arange(words), rng.integers(0, c.p, words)] ^= 1
    rivals: dict[str, Callable[[], Any]] = {
        "whence": lambda: correct(c, syndromes(c, bits.astype(bool)))
    }
    found = rivals["whence"]()
    assert (found.units[:, :3] == np.sort(units, axis=1)).all()
    if common.version("galois"):
        import galois

        peer = galois.BCH(2**c.field.mu - 1, d=2 * T + 1)
        field = galois.GF(2)
        full = field(np.concatenate([np.zeros((words, peer.k), dtype=np.uint8), bits], axis=1))
        rivals["galois"] = lambda: peer.decode(full, errors=True)
    else:
        print("skipped: galois is not installed")
    spent = common.race(rivals, rounds=rounds, least=0.1)
    task = f"decode {words:,} words, n=64, t=5"
    return [
        common.row(task, who, "cpu_s", float(np.median(s)), low=min(s), high=max(s), seeds=rounds)
        for who, s in spent.items()
    ]


def imports() -> list[common.Row]:
    """CPU seconds until a decoder is ready, in a new process: ours, and galois."""
    starts = {
        "whence": "from whence._kernels.bch import code; code(64, 5)",
        "galois": "import galois; galois.BCH(127, d=11)",
    }
    rows = []
    for who, text in starts.items():
        if who == "galois" and not common.version("galois"):
            continue
        program = f"import time; {text}; print(time.process_time())"
        found = [float(_python("-c", program)) for _ in range(3)]
        rows.append(
            common.row("import and code, n=64, t=5", who, "cpu_s", float(np.median(found)),
                       low=min(found), high=max(found), seeds=3)
        )  # fmt: skip
    return rows


def peak(n: int, b: int) -> list[common.Row]:
    """Ours at many units with noise, in its own process: the same measures, and peak memory."""
    return json.loads(_python(__file__, "--one", str(n), str(b)))


def one(n: int, b: int) -> None:
    """Print the rows of one run of ours, and the peak memory of this process."""
    rows = measured(n, b, 50, 0.5, "whence soft", 1, 600)
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows.append(common.row(rows[0]["task"], "whence soft", "peak_MiB", mib))
    print(json.dumps(rows))


def _python(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def show(rows: Sequence[common.Row]) -> None:
    """Print the tables."""
    at = {(r["task"], r["method"], r["metric"]): r["value"] for r in rows}
    calls = {(r["task"], r["method"]): r["calls"] for r in rows}
    pairs = {(r["task"], r["method"]): None for r in rows if r["metric"] == "r2"}
    print("\nPlanted sparse functions; means over seeds\n")
    head = ["task", "method", "calls", "sets found", "wrong sets", "R²", "CPU s", "peak MiB"]
    common.show(head, [
        [task, who, f"{calls[task, who]:,}", common.number(at[task, who, "recovered"]),
         common.number(at[task, who, "wrong"]), f"{at[task, who, 'r2']:.4f}",
         common.number(at[task, who, "cpu_s"]),
         common.number(at.get((task, who, "peak_MiB"), float("nan")))]
        for task, who in pairs
    ])  # fmt: skip
    print("\nFirst runs, and the code alone\n")
    rest = [r for r in rows if (r["task"], r["method"]) not in pairs]
    common.show(
        ["task", "method", "CPU s"],
        [[r["task"], r["method"], common.number(r["value"])] for r in rest],
    )


def options() -> argparse.Namespace:
    parser = common.arguments(str(__doc__).splitlines()[0])
    parser.add_argument("--one", nargs=2, type=int, metavar=("N", "B"), help=argparse.SUPPRESS)
    parser.add_argument("--seeds", type=int, default=1, help="games per task (default 1)")
    return parser.parse_args()


def main() -> None:
    """Measure, print, and write the rows if asked to."""
    given = options()
    if given.one:
        one(*given.one)
        return
    peer = common.version("spectralexplain") is not None
    if not peer:
        print("skipped: spectralexplain is not installed")
    methods = [m for m in METHODS if peer or m.startswith("whence")]
    sizes = [(64, 4, 20)] if given.quick else [(64, 4, 20), (64, 6, 80), (256, 5, 40)]
    rows: list[common.Row] = []
    warm: set[tuple[int, str]] = set()
    limit = 30.0 if given.quick else 300.0
    for n, b, terms in sizes:
        for noise in (0.3,) if given.quick else (0.0, 0.3):
            for method in methods:
                rows += [] if (n, method) in warm else first(n, method)
                warm.add((n, method))
                rows += measured(
                    n, b, terms, noise, method, 1 if given.quick else given.seeds, limit
                )
                done = f"{rows[-1]['task']}, {method}: {common.number(rows[-1]['value'])} s"
                print(done, file=sys.stderr, flush=True)
    rows += peak(1000, 6 if given.quick else 8)
    rows += decoders(200 if given.quick else 2000, 3)
    rows += imports()
    machine = common.machine("spectralexplain", "sparse-transform", "galois")
    print(f"{machine}; one thread")
    show(rows)
    common.write(given.json, rows, machine)


if __name__ == "__main__":
    main()
