"""Holds the players of the surrogate benchmark: our explainers, and shapiq's approximators.

A player gets a problem's value function and a budget of distinct masks, and gives back what it
found. It does not know the truth. Peers run at their defaults, except that their tree libraries
are held to one thread and to silence: their results are the same, bit for bit, and their CPU
seconds several times less. Never imported by the package.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import common
import numpy as np

from whence import indices, recipes
from whence import masks as mask
from whence.explain import explain
from whence.game import Game
from whence.masks import Masks
from whence.samples import Samples
from whence.setfunction import SetFunction, set_function

Floats = np.ndarray
Value = Callable[[Masks], Floats]


@dataclass(frozen=True)
class Found:
    """What a player found; None where it says nothing.

    Attributes:
        predict: masks `(b, n)` -> predicted values `(b,)`: the whole fitted function.
        shapley: `(n,)`; read from `predict` where None.
        fbii: Faith-Banzhaf interactions of order 2, of all pairs `(pairs,)`; likewise.
        sii: Shapley interactions of all pairs; likewise.
        told: how it was fitted, in words.
    """

    predict: Value | None = None
    shapley: Floats | None = None
    fbii: Floats | None = None
    sii: Floats | None = None
    told: str = ""


Player = Callable[[int, Value, int, int], Found]


# Ours ----------------------------------------------------------------------------------------


def all_pairs(n: int, found: SetFunction) -> Floats:
    """Values of all pairs `(pairs,)`, in the order of `itertools.combinations`."""
    terms = found.terms
    return np.array([terms.get(pair, 0.0) for pair in itertools.combinations(range(n), 2)])


def ours(name: str) -> Player:
    """`explain` as a user calls it: a fifth of the budget is held out to measure the fit."""

    def play(n: int, value: Value, budget: int, seed: int) -> Found:
        found = explain(Game(value, n, batch=4096), name, budget=budget, rng=seed, repeats=0)
        shapley = found.attributions("shapley").values
        sii = all_pairs(n, found.interactions("sii", 2).f)
        return Found(found.f, shapley=shapley, sii=sii, told=found.f.fitted_by)

    return play


def ours_all(name: str) -> Player:
    """The same explainer with nothing held out: it fits every mask of the budget."""

    def play(n: int, value: Value, budget: int, seed: int) -> Found:
        explainer = recipes.named(name)
        ends = mask.ends(n)
        seen = Samples(ends, value(ends))
        asked = explainer.ask(n, budget - 2, np.random.default_rng(seed), seen)
        f = explainer.fit(seen.join(Samples(asked, value(asked))))
        missed = seen.values - f(seen.masks)
        sii = indices.interactions(f, "sii", 2).f + indices.shapley_of_ends(
            n, 2, missed[1], missed[0]
        )
        return Found(f, shapley=held(f, seen), sii=all_pairs(n, sii), told=f.fitted_by)

    return play


def held(f: SetFunction, ends: Samples) -> Floats:
    """Shapley values held to the two ends, as `Explanation.attributions` does it."""
    found = indices.shapley(f)
    full, empty = (ends.values[ends.masks.sum(axis=1) == k][0] for k in (f.n, 0))
    return found + (full - empty - found.sum()) / f.n


# Peers ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing that libraries print reaches the terminal, not even from C."""
    sys.stdout.flush()
    sys.stderr.flush()
    null, out, err = os.open(os.devnull, os.O_WRONLY), os.dup(1), os.dup(2)
    os.dup2(null, 1)
    os.dup2(null, 2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(out, 1)
        os.dup2(err, 2)
        for opened in (null, out, err):
            os.close(opened)


def proxyspex(n: int, value: Value, budget: int, seed: int) -> Found:
    """ProxySPEX with its grid search; its refined Fourier function, every term of it."""
    import shapiq

    kept: dict[tuple[int, ...], float] = {}

    class Kept(shapiq.approximator.ProxySPEX):
        """Keeps the fitted function, which the parent cuts to the index's order."""

        def fourier_to_moebius(self, four_dict: dict[Any, float]) -> dict[Any, float]:
            kept.update(four_dict)
            return shapiq.approximator.ProxySPEX.fourier_to_moebius(self, four_dict)

    approximator = Kept(n=n, random_state=seed)
    approximator.proxy_model.estimator.set_params(n_jobs=1, verbosity=-1)
    approximator.approximate(budget, value)
    terms = {tuple(int(i) for i in t): float(c) for t, c in kept.items()}
    return Found(set_function(n, terms, "fourier"), told=f"{len(terms)} terms")


def proxyshap(n: int, value: Value, budget: int, seed: int) -> Found:
    """ProxySHAP: its trees' own predictions, of which its indices are an exact account."""
    import shapiq

    approximator = shapiq.approximator.ProxySHAP(n, random_state=seed)
    approximator.proxy_model.set_params(n_jobs=1)
    baseline = approximator.approximate(budget, value).baseline_value
    trees = approximator.proxy_model
    return Found(lambda masks: trees.predict(masks.astype(float)).astype(float) + baseline)


def proxyshap_read(n: int, value: Value, budget: int, seed: int) -> Found:
    """ProxySHAP as it answers: its FBII of order 5, as a polynomial."""
    import shapiq

    approximator = shapiq.approximator.ProxySHAP(n, max_order=5, index="FBII", random_state=seed)
    approximator.proxy_model.set_params(n_jobs=1)
    return Found(polynomial(n, approximator.approximate(budget, value)))


def proxyshap_adjusted(n: int, value: Value, budget: int, seed: int) -> Found:
    """ProxySHAP with its residual adjustment, asked for each index by itself."""
    import shapiq

    def ask(index: str, order: int) -> Any:
        approximator = shapiq.approximator.ProxySHAP(
            n, max_order=order, index=index, adjustment=True, random_state=seed
        )
        approximator.proxy_model.set_params(n_jobs=1)
        return approximator.approximate(budget, value)

    fbii, sii = (pairs(n, ask(index, 2)) for index in ("FBII", "SII"))
    return Found(shapley=singles(n, ask("SV", 1)), fbii=fbii, sii=sii)


def shapley_only(name: str) -> Player:
    """A shapiq approximator of Shapley values alone."""

    def play(n: int, value: Value, budget: int, seed: int) -> Found:
        import shapiq

        maker = getattr(shapiq.approximator, name)
        return Found(shapley=singles(n, maker(n, random_state=seed).approximate(budget, value)))

    return play


def with_pairs(name: str) -> Player:
    """A shapiq approximator of Shapley interactions up to order 2; FBII too, where it has it."""

    def play(n: int, value: Value, budget: int, seed: int) -> Found:
        import shapiq

        maker = getattr(shapiq.approximator, name)
        found = maker(n, max_order=2, index="SII", random_state=seed).approximate(budget, value)
        fbii = None
        if "FBII" in maker.valid_indices:
            top = maker(n, max_order=2, index="FBII", top_order=True, random_state=seed)
            fbii = pairs(n, top.approximate(budget, value))
        return Found(shapley=singles(n, found), fbii=fbii, sii=pairs(n, found))

    return play


def regression_fbii(n: int, value: Value, budget: int, seed: int) -> Found:
    """Faith-Banzhaf interactions of order 2 by least squares."""
    import shapiq

    approximator = shapiq.approximator.RegressionFBII(n, 2, random_state=seed)
    return Found(polynomial(n, approximator.approximate(budget, value)))


def polynomial(n: int, found: Any) -> SetFunction:
    """The values of shapiq as the Möbius coefficients of a function."""
    terms = {tuple(int(i) for i in t): float(c) for t, c in found.dict_values.items()}
    terms.setdefault((), float(found.baseline_value))
    return set_function(n, terms, "mobius")


def singles(n: int, found: Any) -> Floats:
    """The values of shapiq for the single units, `(n,)`."""
    return np.array([found[(i,)] for i in range(n)])


def pairs(n: int, found: Any) -> Floats:
    """The values of shapiq for all pairs, `(pairs,)`."""
    return np.array([found[pair] for pair in itertools.combinations(range(n), 2)])


#: Name -> peer. The first three give a function; the rest are asked on exact games only.
PEERS: dict[str, Player] = {
    "ProxySPEX": proxyspex,
    "ProxySHAP": proxyshap,
    "ProxySHAP FBII-5": proxyshap_read,
    "ProxySHAP adjusted": proxyshap_adjusted,
    "OddSHAP": shapley_only("OddSHAP"),
    "KernelSHAP": shapley_only("KernelSHAP"),
    "KernelSHAPIQ": with_pairs("KernelSHAPIQ"),
    "SVARMIQ": with_pairs("SVARMIQ"),
    "RegressionFBII": regression_fbii,
}
#: Peers whose cost does not grow with all pairs, so that they play large problems too.
LEAN = ("ProxySPEX", "ProxySHAP")


def player(name: str) -> Player:
    """By name: a peer, "whence", "whence all calls", or "whence RECIPE [all calls]"."""
    if name in PEERS:
        return PEERS[name]
    recipe = name.removeprefix("whence").removesuffix("all calls").strip() or "default"
    return (ours_all if name.endswith("all calls") else ours)(recipe)


def peers_here() -> list[str]:
    """The peers that can run; the rest is skipped, by name."""
    if common.version("shapiq") is None:
        print("skipped: every peer (shapiq is not installed)")
        return []
    import shapiq

    needs = {name: name.split()[0] for name in PEERS}
    offered = dir(shapiq.approximator)
    if "ProxySHAP" not in offered:  # ProxySPEX is another program there
        offered.remove("ProxySPEX")
    here = [p for p, need in needs.items() if need in offered]
    trees = {"ProxySPEX": "lightgbm", "OddSHAP": "lightgbm", "ProxySHAP": "xgboost"}
    here = [p for p in here if common.version(trees.get(needs[p], "numpy"))]
    absent = [p for p in PEERS if p not in here]
    if absent:
        told = f"shapiq {common.version('shapiq')} lacks them, or lightgbm or xgboost is absent"
        print(f"skipped: {', '.join(absent)} ({told})")
    return here
