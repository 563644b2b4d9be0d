"""Holds the fit of a head: concepts, counts, weights, left-out margins, and what they are worth.

It does not know scikit-learn's conventions, nor how a fitted head is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.dictionaries.quantizer import Quantizer
from whence.errors import InputError
from whence.prospectors import _stack, kernels, linear
from whence.prospectors._fitting import Progress, counted, first_of, is_fitted, learned
from whence.prospectors._members import Team
from whence.prospectors._stack import Members, Stack
from whence.prospectors.bags import Bag
from whence.prospectors.calibration import Calibration, least_squares, platt
from whence.prospectors.folds import (
    Fold,
    Performance,
    as_targets,
    checked_groups,
    folds,
    performance,
)
from whence.prospectors.kernels import Kernel, Weights
from whence.prospectors.layouts import radius

Floats = NDArray[np.float64]

#: What `smoothing="cv"` tries.
HOPS = (0, 1)
#: Kernels of tokens that are names, and of embeddings, by their number of axes.
DEFAULT = {1: "welch", 2: "ridge"}
#: Kernels that can leave out what they did not discover.
TESTED = (kernels.Welch, kernels.Dirichlet, kernels.FoldChange)
#: Tokens that linear terms learn from, of all bags together.
TOKENS = 30_000


@dataclass(frozen=True, eq=False)
class Settings:
    """The arguments of a head, see `Prospector`, and whether its labels are numbers."""

    k: int
    r: int
    kernel: str | Kernel | None
    softness: float
    quantizer: Quantizer | None
    linear: str | None
    smoothing: int | str
    bootstrap: int
    cv: int
    seed: int
    numbers: bool


@dataclass(frozen=True, eq=False)
class Trained:
    """What a fit leaves.

    Attributes:
        kind: `Bag.kind` of the bags, which others must have too.
        bags: how many there were.
        r: hops.
        kernel: that was used, a name or a Kernel.
        classes: sorted; empty for numbers.
        quantizer: fitted.
        weights: `(p, c)`, with what the kernel knows of them.
        spread: `(p,)` standard deviation of the frequencies over bags.
        beta: `(d, c)` of the linear term; of no length without one.
        centre: `(d,)` the embedding at which it says nothing.
        shares: how much each member counts `(c,)`, by name; {} without a linear term.
        draws: `(R, p, c)` weights and `(R, d, c)` betas from resampled bags, or None.
        calibration: of margins.
        performance: of the left-out margins, or None.
        hops: of smoothing.
    """

    kind: str
    bags: int
    r: int
    kernel: str | Kernel
    classes: NDArray[Any]
    quantizer: Quantizer
    weights: Weights
    spread: Floats
    beta: Floats
    centre: Floats
    shares: dict[str, Floats]
    draws: tuple[Floats, Floats] | None
    calibration: Calibration
    performance: Performance | None
    hops: int


class Counter:
    """Bags read so far, over all passes, for `progress`."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def __call__(self, bags: int) -> None:
        """So many bags more."""
        self.done += bags
        if self.progress is not None:
            self.progress(min(self.done, self.total), self.total)


def train(
    given: Settings,
    bags: Sequence[Bag] | Iterable[Bag],
    y: Any,
    groups: Any,
    progress: Progress | None,
) -> Trained:
    """Fit a head; everything that can be refused without reading tokens is refused first.

    Raises:
        InputError: see `Prospector.fit`.
    """
    _check(given)
    classes, targets = as_targets(y, numbers=given.numbers)
    _same_length(len(bags) if isinstance(bags, Sequence) else len(targets), targets)
    groups = checked_groups(groups, len(targets))
    parts = folds(y, groups, given.cv, given.seed, numbers=given.numbers) if given.cv else []
    first = first_of(bags)
    kinds = _kinds(given, first)
    kernel = given.kernel or DEFAULT[first.tokens.ndim]
    learns = given.quantizer is None or not is_fitted(given.quantizer)
    seen = Counter(progress, (1 + learns + _reads_maps(given, kinds)) * len(targets))
    default = (given.k, given.softness, given.seed)
    quantizer = learned(bags, given.quantizer, default, seen)
    seen.done = learns * len(targets)  # whatever the quantizer read, and how often
    per_bag = max(1, TOKENS // len(targets)) if kinds else 0
    data = counted(
        bags, quantizer, given.r, means=bool(kinds), per_bag=per_bag, seed=given.seed, seen=seen
    )
    _same_length(len(data.totals), targets)
    # Away from 0 and 1: no fold of numbers may look like two classes. A shift changes no fit.
    meant = targets - targets.min() + 2.0 if given.numbers else targets
    grouped = groups is not None and len(np.unique(groups)) < len(targets)
    team = Team(_of_bags(kernels.named(kernel), grouped), kinds, data, meant)
    every = [np.arange(len(targets)), *(training for training, _ in parts)]
    fits = [team.fit(rows) for rows in every]
    stack = _stacked(given, bags, quantizer, team, fits, parts, seen)
    beta, flat = fits[0].weighed(stack.by[0])
    margins, aligned = left_out(team, fits, stack, parts)
    weights = replace(fits[0].weights, values=flat)
    if grouped:
        weights = replace(weights, p_values=None, adjusted=None)
    draws = None
    if given.bootstrap:
        draws = team.draws(stack.by[0], given.seed, given.bootstrap, groups)
    return Trained(
        first.kind,
        len(targets),
        int(given.r),
        kernel,
        classes,
        quantizer,
        weights,
        data.frequencies.std(axis=0),
        beta,
        team.centre,
        dict(zip((*kinds, "concepts"), stack.shares, strict=True)) if kinds else {},
        draws,
        (least_squares if given.numbers else platt)(aligned, targets),
        performance(margins, y, parts, groups=groups, numbers=given.numbers) if parts else None,
        stack.hops,
    )


def left_out(
    team: Team, fits: Sequence[Members], stack: Stack, parts: Sequence[Fold]
) -> tuple[Floats, Floats]:
    """Margins of every bag from the fit without its fold, as they came and aligned.

    Aligned, the mean and the spread that each fold's fit gives its own training bags are moved to
    those of the fit to all bags, so that one calibration serves; and they are held within the range
    of these, for one bag whose concept no other bag has may be far out. Without folds both are the
    margins of the fit to all bags, which flatter it.
    """
    whole = team.margins(*fits[0].weighed(stack.by[0]))
    margins, aligned = whole.copy(), whole.copy()
    for fit, by, (training, test) in zip(fits[1:], stack.by[1:], parts, strict=True):
        own = team.margins(*fit.weighed(by))
        margins[test] = own[test]
        spread = own[training].std(axis=0)
        scale = np.where(spread > 0, whole.std(axis=0) / np.where(spread > 0, spread, 1.0), 0.0)
        aligned[test] = (own[test] - own[training].mean(axis=0)) * scale + whole.mean(axis=0)
    return margins, np.clip(aligned, whole.min(axis=0), whole.max(axis=0))


def _reads_maps(given: Settings, kinds: tuple[str, ...]) -> bool:
    """Whether maps of left-out bags must be made: one pass more."""
    return bool(kinds) or given.smoothing == "cv"


def _stacked(
    given: Settings,
    bags: Iterable[Bag],
    quantizer: Quantizer,
    team: Team,
    fits: Sequence[Members],
    parts: Sequence[Fold],
    seen: Counter,
) -> Stack:
    """Shares of the members and hops; concepts alone keep the units of their kernel."""
    columns = team.targets.shape[1]
    alone = np.ones((len(fits), 1, columns))
    if not _reads_maps(given, team.kinds):
        return Stack(np.ones((1, columns)), alone, int(given.smoothing))
    hops = HOPS if given.smoothing == "cv" else (int(given.smoothing),)
    fold = _stack.fold_of(parts, len(team.targets))
    maps = _stack.read(bags, quantizer, given.r, team.centre, fits, fold, hops, seen)
    found = _stack.chosen(maps, team.targets, parts, hops, numbers=given.numbers)
    return found if team.kinds else replace(found, by=alone)


def _check(given: Settings) -> None:
    """Settings that can be told to be wrong before any bag is read."""
    radius(given.r)
    _whole("cv", given.cv, (0, 2), "0 (no performance) or the number of folds, from 2")
    _whole("bootstrap", given.bootstrap, (0, 2), "0 (no errors) or the resamples, from 2")
    _whole("seed", given.seed, (0, 0), "a whole number from 0")
    if given.smoothing != "cv":
        _whole("smoothing", given.smoothing, (0, 0), 'a number of hops from 0, or "cv"')
    if not given.cv and (given.smoothing == "cv" or given.linear is not None):
        raise InputError(
            f"smoothing={given.smoothing!r} and linear={given.linear!r} came with cv=0; what is "
            "chosen by left-out bags needs folds: cv=5."
        )
    if given.kernel is not None:
        kernels.named(given.kernel)


def _of_bags(kernel: Kernel, grouped: bool) -> Kernel:
    """The kernel, refused where its tests would take bags of one group for independent ones."""
    if grouped and isinstance(kernel, TESTED) and kernel.fdr is not None:
        raise InputError(
            f"fdr={kernel.fdr} came with groups of several bags, which are not independent, so the "
            "kernel's tests do not hold. Leave fdr out, or give one bag per group."
        )
    return kernel


def _kinds(given: Settings, first: Bag) -> tuple[str, ...]:
    """The linear terms that are asked for."""
    known = ("bag",) if given.numbers else tuple(linear.TERMS)
    if given.linear is not None and given.linear not in (*known, "auto"):
        said = ", ".join(map(repr, (*known, "auto")))
        raise InputError(f"linear={given.linear!r} came; it is None or one of {said}.")
    if given.linear is None or (given.linear == "auto" and first.tokens.ndim == 1):
        return ()
    if first.tokens.ndim == 1:
        raise InputError(
            f"linear={given.linear!r} came with tokens that are names; a linear term needs "
            "embeddings. Leave it out."
        )
    return known if given.linear == "auto" else (given.linear,)


def _whole(name: str, value: Any, least: tuple[int, int], needed: str) -> None:
    """Zero where the first allows it, or from the second on."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or (value != least[0] and value < least[1]):
        raise InputError(f"{name}={value!r} came; it is {needed}.")


def _same_length(bags: int, targets: Floats) -> None:
    if bags != len(targets):
        raise InputError(
            f"{bags} bags and {len(targets)} labels came; give one label per bag, in their order."
        )
