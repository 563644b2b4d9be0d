"""Holds the choice of concepts and radius without cheating: by bag labels, and map stability.

It does not know which tokens are true, unless it is told, and then it says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, clone

from whence.errors import InputError
from whence.evaluation.localisation import Localisation, localisation
from whence.prospectors._fitting import batched, coded, first_of, learned
from whence.prospectors.bags import Bag, as_bags
from whence.prospectors.counting import token_map
from whence.prospectors.folds import Performance
from whence.prospectors.head import Prospector, ProspectorRegressor
from whence.prospectors.linear import spoken

Floats = NDArray[np.float64]
Head = Prospector | ProspectorRegressor

#: Bags whose maps are compared for stability, at most, and the tokens of all of them.
BAGS = 300
TOKENS = 20_000
#: Stabilities closer than this are alike.
ALIKE = 0.01


@dataclass(frozen=True, eq=False)
class Candidate:
    """One setting and what it is worth.

    Attributes:
        k: concepts.
        r: radius.
        softness: of the concepts; 0 where they have none.
        performance: of left-out bags, with its interval.
        stability: mean rank correlation, within bags, of the maps of two resamples of the bags;
            nan when it was not asked for.
        localisation: of the training bags' maps, only where token labels were handed over.
    """

    k: int
    r: int
    softness: float
    performance: Performance
    stability: float
    localisation: Localisation | None = None

    @property
    def error(self) -> float:
        """Standard error of the performance, from the lower end of its interval."""
        return (self.performance.value - self.performance.low) / 1.959963984540054


@dataclass(frozen=True, eq=False)
class Selection:
    """What was tried, what was chosen and why; `str` of it is a table.

    Attributes:
        head: of the chosen setting, fitted to all bags.
        chosen: its candidate.
        candidates: all of them.
        reason: in words.
    """

    head: Head
    chosen: Candidate
    candidates: tuple[Candidate, ...]
    reason: str

    def __str__(self) -> str:
        name = self.chosen.performance.name
        lines = [f"    k  r  soft  bag {name:16}  stability"]
        for c in self.candidates:
            mark = "*" if c is self.chosen else " "
            p = c.performance
            found = f"{p.value:.3f} [{p.low:.3f}, {p.high:.3f}]"
            lines.append(f"{mark}{c.k:4} {c.r:2}  {c.softness:4g}  {found:20}  {c.stability:9.2f}")
        return "\n".join([*lines, self.reason])


def select(
    head: Head,
    bags: Iterable[Any],
    y: ArrayLike,
    *,
    k: Sequence[int] = (10, 20, 40),
    r: Sequence[int] = (0, 1, 2),
    softness: Sequence[float] | None = None,
    groups: ArrayLike | None = None,
    stability: int = 20,
    token_labels: Iterable[ArrayLike] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Selection:
    """Choose k and r of a head, within its kernel, from the bags' labels alone.

    Of all settings whose cross-validated bag performance lies within one standard error of the
    best, the one with the most stable maps is chosen; of alike ones (within 0.01) the softest, then
    the best. Kernels are not compared: one that tells bags apart better need not
    localise better.

    The concepts are learned once per k, without labels, from all bags. The chosen performance is
    the best of several, so it flatters: keep bags aside to report one.

    Args:
        head: with every other setting as it is to be; it is not changed. Its folds and seed are
            used, its k and r are not.
        bags: as in `fit`; read a few times per setting.
        y: one label each.
        k: numbers of concepts; ignored where tokens are names or the head has a quantizer.
        r: radii.
        softness: of the concepts; None takes the head's. Ignored where k is.
        groups: as in `fit`.
        stability: resamples of the bags per setting; 0 leaves stability out, and the best
            performance is chosen.
        token_labels: truths `(N,)` per bag. They are never needed; where they are handed over,
            the setting whose maps of these bags have the largest mean average precision is chosen
            in place of all this, and the reason says so.
        progress: called as `progress(done, total)` after every setting.

    Raises:
        InputError: nothing to choose from, a head without folds (cv below 2), one resample, or as
            `fit` does.

    Source:
        The rule of one standard error: Breiman et al. (1984). Stability as the tie-break is ours.
    """
    made = as_bags(bags)
    settings = list(_settings(head, made, k, r, softness))
    _check(head, settings, stability)
    truths = None if token_labels is None else [np.asarray(t) for t in token_labels]
    found: list[Candidate] = []
    kept: dict[int, Any] = {}
    for done, (concepts, hops, soft) in enumerate(settings):
        if concepts not in kept:
            kept[concepts] = _learned(head, made, concepts)
        own = _with(head, kept[concepts], (concepts, hops, soft))
        own.set_params(bootstrap=stability).fit(made, y, groups)
        steady = _stability(own, made, len(np.asarray(y))) if stability else float("nan")
        judged = None if truths is None else _judged(own, made, truths)
        assert own.performance_ is not None
        quantizer: Any = own.quantizer_
        used = _softness(quantizer)
        found.append(Candidate(quantizer.k, hops, used, own.performance_, steady, judged))
        if progress is not None:
            progress(done + 1, len(settings))
    best, reason = _by_tokens(found) if truths is not None else _by_bags(found)
    final = _with(head, kept[settings[best][0]], settings[best]).fit(made, y, groups)
    return Selection(final, found[best], tuple(found), reason)


def _settings(
    head: Head,
    bags: Iterable[Bag],
    k: Sequence[int],
    r: Sequence[int],
    softness: Sequence[float] | None,
) -> Iterator[tuple[int, int, float]]:
    """(k, r, softness), those of one k after one another."""
    own = head.quantizer is not None or first_of(bags).tokens.ndim == 1
    soft = (head.softness,) if softness is None or own else tuple(softness)
    yield from product((head.k,) if own else tuple(k), tuple(r), soft)


def _check(head: Head, settings: Sequence[Any], stability: int) -> None:
    if not settings:
        raise InputError("no setting to choose from came; give at least one k and one r")
    if head.cv < 2:
        raise InputError(f"the head has cv={head.cv}; choosing by left-out bags needs cv >= 2")
    if stability == 1 or stability < 0:
        raise InputError(f"stability={stability} came; it compares 2 resamples or more, or is 0")


def _learned(head: Head, bags: Iterable[Bag], k: int) -> Any:
    return learned(bags, head.quantizer, (k, head.softness, head.seed))


def _softness(quantizer: Any) -> float:
    known = isinstance(quantizer, BaseEstimator)
    return quantizer.get_params().get("softness", 0.0) if known else 0.0


def _with(head: Head, quantizer: Any, setting: tuple[int, int, float]) -> Head:
    """A fresh head of that setting, with concepts that were learned already."""
    k, r, softness = setting
    if head.quantizer is None and "softness" in quantizer.get_params():
        quantizer = copy(quantizer).set_params(softness=softness)
    fresh: Any = clone(head)
    return fresh.set_params(k=k, r=r, softness=softness, quantizer=quantizer)


def _stability(head: Head, bags: Iterable[Bag], count: int) -> float:
    """Mean over bags, and over pairs of resamples, of the rank correlation of their maps."""
    assert head.draws_ is not None
    assert head.beta_draws_ is not None
    flats, betas = (np.moveaxis(d, 0, -1) for d in (head.draws_, head.beta_draws_))  # (., c, R)
    found: list[float] = []
    tokens = 0
    for batch in batched(_some(bags, count, head.seed)):
        for bag, codes, _ in coded(batch, head.quantizer_, 0):
            if tokens >= TOKENS:
                break
            tokens += len(bag)
            for column in range(flats.shape[1] if len(bag) > 1 else 0):
                maps = token_map(codes, bag.layout, head.r, flats[:, column])
                if len(betas):
                    maps += spoken(bag.tokens, head.centre_, betas[:, column])
                found.append(_agreement(maps))
    return float(np.mean(found)) if found else float("nan")


def _some(bags: Iterable[Bag], count: int, seed: int) -> Iterator[Bag]:
    """At most `BAGS` of so many bags, the same ones for every setting."""
    kept = np.random.default_rng(seed).permutation(count)[:BAGS]
    chosen = np.isin(np.arange(count), kept)
    return (bag for bag, keep in zip(bags, chosen, strict=True) if keep)


def _agreement(maps: Floats) -> float:
    """Mean rank correlation of maps 0 and 1, 2 and 3, ... `(N, R)`; 0 for a constant one."""
    ranks = rankdata(maps, axis=0)
    ranks -= ranks.mean(axis=0)
    size = np.sqrt((ranks**2).sum(axis=0))
    ranks /= np.where(size > 0, size, 1.0)
    pairs = ranks.shape[1] // 2 * 2
    return float((ranks[:, 0:pairs:2] * ranks[:, 1:pairs:2]).sum(axis=0).mean())


def _judged(head: Head, bags: Iterable[Bag], truths: list[NDArray[Any]]) -> Localisation:
    return localisation((head.attribute(bag).values for bag in bags), truths)


def _by_tokens(found: list[Candidate]) -> tuple[int, str]:
    known = [c.localisation.interval()[0] for c in found if c.localisation is not None]
    best = int(np.argmax(known))
    return best, (
        f"k={found[best].k}, r={found[best].r}, softness={found[best].softness:g}: chosen BY TOKEN "
        f"LABELS, by average precision of these bags' maps ({known[best]:.3f}); do not report this "
        "as learned from bag labels"
    )


def _by_bags(found: list[Candidate]) -> tuple[int, str]:
    top = max(found, key=lambda c: c.performance.value)
    mark = top.performance.value - top.error
    near = [i for i, c in enumerate(found) if c.performance.value >= mark]
    if np.isnan(top.stability):
        near = [found.index(top)]
    steady = max(found[i].stability for i in near)
    alike = [i for i in near if not found[i].stability < steady - ALIKE]
    best = max(alike, key=lambda i: (found[i].softness, found[i].performance.value))
    return best, _reason(found[best], top, len(near))


def _reason(best: Candidate, top: Candidate, near: int) -> str:
    name, p = best.performance.name, best.performance
    said = f"k={best.k}, r={best.r}, softness={best.softness:g}: bag {name} {p.value:.3f}"
    if near == 1:
        said += ", the best, and no other within its standard error"
    else:
        said += (
            f", one of {near} within a standard error ({top.error:.3f}) of the best "
            f"({top.performance.value:.3f}), with the most stable maps ({best.stability:.2f})"
        )
    if not p.better:
        said += "; no better than chance, so its maps must not be trusted"
    return f"{said}. No token labels were used."
