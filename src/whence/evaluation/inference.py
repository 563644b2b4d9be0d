"""Holds honest intervals: for interactions named in advance, and for a list that a fit selected.

A fit is corrected by its errors on masks that it has not seen, so that any fit, good or bad, gives
an unbiased estimate of the game's own index; a good fit gives a short interval. It does not know
how the fit came about, nor does it call the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence.errors import BudgetError, InputError
from whence.evaluation.weights import asked, read, strongest
from whence.evaluation.weights import weights as weigh
from whence.masks import among, folds
from whence.samples import Samples
from whence.setfunction import SetFunction

Floats = NDArray[np.float64]
Set = tuple[int, ...]
Fit = Callable[[Samples], SetFunction]

#: Errors below this share of the values' size are rounding.
ROUNDING = 1e-12
#: Masks whose sizes are so many standard errors from those of uniform masks are refused.
SUSPECT = 6.0


@dataclass(frozen=True)
class Intervals:
    """An index of sets named in advance, with intervals for the game's own value.

    Attributes:
        sets: the k sets.
        index: "fourier", "banzhaf_interaction" or "faith_banzhaf".
        values: `(k, *out)` estimates, in the game's units.
        errors: `(k, *out)` standard errors.
        low: lower and
        high: upper ends, `(k, *out)`. With all masks, and no noise, all three are one.
        level: the chance, over draws of the masks, that one interval covers the game's value.
        samples: distinct masks the estimate rests on.
    """

    sets: tuple[Set, ...]
    index: str
    values: Floats
    errors: Floats
    low: Floats
    high: Floats
    level: float
    samples: int


@dataclass(frozen=True)
class Discoveries:
    """The top list of a fit, tested on masks that had no part in choosing it.

    Attributes:
        sets: the sets of the list, strongest in the fit first.
        index: as in `Intervals`.
        fitted: `(k,)` what the fit says.
        values: `(k,)` unbiased estimates of the game's own values, in the game's units.
        errors: `(k,)` standard errors.
        p: `(k,)` two-sided p-values of "the game's value is zero".
        confirmed: `(k,)` which are told from zero, false ones expected to be at most `fdr` of
            them. A confirmed set's sign is that of its value.
        low: lower and
        high: upper ends, `(k,)`. Of the confirmed ones at most a share `fdr` is expected to miss
            the game's value (false coverage rate).
        fdr: the false discovery rate that was asked for.
        samples: held-out masks the tests rest on.
    """

    sets: tuple[Set, ...]
    index: str
    fitted: Floats
    values: Floats
    errors: Floats
    p: Floats
    confirmed: NDArray[np.bool_]
    low: Floats
    high: Floats
    fdr: float
    samples: int

    def __repr__(self) -> str:
        count = int(self.confirmed.sum())
        lines = [
            f"{count} of {len(self.sets)} confirmed at a false discovery rate of {self.fdr:g}, "
            f"on {self.samples} held-out masks ({self.index}):"
        ]
        for j, s in enumerate(self.sets):
            mark = "*" if self.confirmed[j] else " "
            lines.append(
                f" {mark} {self.values[j]:+.4g} [{self.low[j]:+.4g}, {self.high[j]:+.4g}]  {s}"
            )
        return "\n".join(lines)


def intervals(
    fit: Fit,
    samples: Samples,
    sets: Iterable[Iterable[int]],
    index: str = "fourier",
    *,
    order: int = 2,
    level: float = 0.95,
    groups: int = 5,
    noise: float | Floats = 0.0,
) -> Intervals:
    """Intervals for the game's index of sets **named before the masks were looked at**.

    Not for sets that a fit to these masks brought up: for those the intervals are too short and
    the list is full of chance finds. Use `discoveries`.

    Each fold is left out in turn, the rest is fitted, and the fit's index is corrected by its
    residuals on the fold, each times the weight that the index gives its mask. That is unbiased
    for the game's index, whatever `fit` is. What is known exactly (the two ends, and the other
    folds) is counted as known, so that errors shrink to zero as the masks come to be all 2^n.

    Args:
        fit: samples -> set function; called `groups` times, always with the two ends.
        samples: distinct uniform masks with values `(m, *out)`, drawn without replacement; the
            full and the empty mask may be among them and are left out of the correction.
        sets: the sets, of any size.
        index: "fourier", "banzhaf" or "banzhaf_interaction", "faith_banzhaf".
        order: of the Faith-Banzhaf index; no set may be larger.
        level: of each interval, between 0 and 1.
        groups: number of folds.
        noise: standard deviation `(*out)` of repeated answers to one mask, if the game is noisy.
            Only with a large share of all 2^n masks does it matter.

    Raises:
        InputError: an index that uniform masks do not estimate, masks that are not uniform, or
            sets of units that do not exist.
        BudgetError: fewer than two masks per fold, or too few for `fit`.

    Source:
        Cross-fitted debiasing: Chernozhukov et al. (2018); with a proxy and unbiased Monte Carlo
        on its residual it is RegressionMSR of Witter, Liu and Musco (2025) with uniform masks and
        standard errors. The finite population form: Cochran (1977), section 7.8.
    """
    name, wanted = asked(samples.n, sets, index, order)
    if not 0 < level < 1:
        raise InputError(f"level={level} came; it must be between 0 and 1, such as 0.95.")
    samples = samples.distinct()
    weights = weigh(samples.masks, wanted, name, order)
    total = _all_masks(samples.n)
    extra = _noise(weights, noise, samples)
    if len(samples) == total:
        values = _average(weights, samples.columns) / total
        errors, free = _error(np.zeros_like(values), len(samples), 0.0, total, extra), len(samples)
        return _table(samples, wanted, name, values, errors, free, level)
    group = folds(samples.masks, groups)
    inner = samples.take(group >= 0)
    _check_uniform(inner, groups)
    parts, scores = [], np.zeros((len(samples), len(wanted), samples.columns.shape[1]))
    for g in range(int(group.max()) + 1):
        out = group == g
        f = fit(samples.take(~out))
        part, score = _corrected(f, samples, weights, out, wanted, name, order)
        parts.append(part * out.sum())
        scores[out] = score - score.mean(axis=0)
    m, left = len(inner), total - int((group < 0).sum())
    values = np.sum(parts, axis=0) / m
    used = len(parts)
    spread = (scores[group >= 0] ** 2).sum(axis=0) / max(m - used, 1)
    errors = _error(spread, m, left, total, extra)
    return _table(samples, wanted, name, values, errors, m - used, level)


def _table(
    samples: Samples,
    wanted: tuple[Set, ...],
    name: str,
    values: Floats,
    errors: Floats,
    free: int,
    level: float,
) -> Intervals:
    """Intervals from estimates and errors `(k, q)`."""
    reach = _quantile((1 + level) / 2, free) * errors
    told = (values, errors, values - reach, values + reach)
    values, errors, low, high = (v.reshape(len(wanted), *samples.out) for v in told)
    return Intervals(wanted, name, values, errors, low, high, level, len(samples))


def discoveries(
    f: SetFunction,
    judged: Samples,
    fitted: Samples | None = None,
    *,
    index: str = "fourier",
    order: int = 2,
    sets: Iterable[Iterable[int]] | None = None,
    top: int = 20,
    fdr: float = 0.1,
    any_dependence: bool = False,
    noise: float = 0.0,
) -> Discoveries:
    """Which of the strongest terms of a fit are there in the game, tested on held-out masks.

    The list is chosen by `f`, which has not seen the held-out masks; so, given `f`, they are a
    fresh uniform sample, and their residuals correct each value without bias: a sample split that
    `explain` has paid for already. The Benjamini-Hochberg rule then bounds the expected share of
    false ones among those confirmed.

    Args:
        f: the fitted function, one output.
        judged: held-out masks with values `(m,)`, uniform over the masks not in `fitted`; or all
            2^n masks, and everything is exact.
        fitted: the samples that `f` was fitted to, from any design. Without them the fit's own
            masks count as unknown, which matters only where few masks exist (n up to about 12).
        index: as in `intervals`.
        order: of the Faith-Banzhaf index.
        sets: these sets in place of the strongest; they must not be chosen by the held-out masks.
        top: how many of the strongest are tested. Shorter lists have more power.
        fdr: the false discovery rate, between 0 and 1.
        any_dependence: use the Benjamini-Yekutieli rule, which holds however the tests depend on
            each other, at a factor of about log(top) in power. By default it is taken that they
            hardly do: two estimates share their residuals r, but their correlation is a Fourier
            coefficient of r² over its mean, which is small unless the residuals sit on few masks.
        noise: as in `intervals`.

    Raises:
        InputError: several outputs, held-out masks that are also fitted ones, an index that
            uniform masks do not estimate, or arguments out of range.
        BudgetError: fewer than 4 held-out masks.

    Source:
        Benjamini and Hochberg (1995); any dependence, Benjamini and Yekutieli (2001); intervals
        for the selected, Benjamini and Yekutieli (2005). Departure: intervals are t intervals of
        the corrected estimate, which in small samples of residuals are approximate.
    """
    _check_split(f, judged, fitted, fdr)
    name, wanted = asked(f.n, () if sets is None else sets, index, order)
    if sets is None:
        wanted = tuple(strongest(f, name, order, top))
    judged = judged.distinct()
    own = read(f, wanted, name, order)[:, 0]
    total = _all_masks(f.n)
    both = judged
    if fitted is not None and len(judged) < total:
        both = judged.join(fitted.distinct())
    held = np.arange(len(both)) < len(judged)
    weights = weigh(both.masks, wanted, name, order)
    if len(judged) == total:
        values = _average(weights, judged.columns)[:, 0] / total
        extra = _noise(weights, noise, judged)
        errors = _error(np.zeros_like(extra), len(judged), 0.0, total, extra)[:, 0]
        free = len(judged)
    else:
        values, scores = _corrected(f, both, weights, held, wanted, name, order)
        left = total - (len(both) - len(judged))
        extra = _noise(weights, noise, judged)
        errors = _error(scores.var(axis=0, ddof=1), len(judged), left, total, extra)
        values, errors, free = values[:, 0], errors[:, 0], len(judged) - 1
    p = _p_values(values, errors, free, float(np.abs(judged.values).max(initial=0.0)))
    confirmed = _step_up(p, fdr, any_dependence)
    share = fdr * max(int(confirmed.sum()), 1) / max(len(p), 1)
    reach = _quantile(1 - share / 2, free) * errors
    return Discoveries(
        wanted, name, own, values, errors, p, confirmed,
        values - reach, values + reach, fdr, len(judged),
    )  # fmt: skip


def _corrected(
    f: SetFunction,
    samples: Samples,
    weights: Floats,
    out: NDArray[np.bool_],
    wanted: Sequence[Set],
    name: str,
    order: int,
) -> tuple[Floats, Floats]:
    """The index of `f` corrected by residuals `(k, q)`, and the scores of the fold `(m, k, q)`.

    Rows not in the fold are known; the fold stands for all masks that are not.
    """
    total = _all_masks(samples.n)
    residual = samples.columns - f(samples.masks).reshape(samples.columns.shape)
    known = _average(weights[~out], residual[~out])
    scores = weights[out][:, :, None] * residual[out][:, None, :]
    unknown = (total - int((~out).sum())) * scores.mean(axis=0)
    return read(f, wanted, name, order) + (known + unknown) / total, scores


def _average(weights: Floats, columns: Floats) -> Floats:
    """Sum over masks of weight times value, `(k, q)`."""
    return (weights.T @ columns).astype(np.float64)


def _all_masks(n: int) -> float:
    """Number of masks, 2^n, or a number beyond any sample where that is no float."""
    return 2.0 ** min(n, 1000)


def _error(spread: Floats, m: int, left: float, total: float, extra: Floats) -> Floats:
    """Standard error from the variance of the scores of m masks drawn from `left` of `total`.

    Noise stays when the masks are all there: its part gets back what the correction took off, and
    the masks that count as known have theirs.
    """
    share = min(1.0, m / left) if left else 1.0
    drawn = ((1.0 - share) * spread + share * extra) / m
    known = extra * (total - left) / total
    return np.sqrt((left / total) ** 2 * np.maximum(drawn, 0.0) + known / total)


def _noise(weights: Floats, noise: float | Floats, samples: Samples) -> Floats:
    """Variance of the scores that is noise of the answers, `(k, q)`."""
    sd = np.broadcast_to(np.asarray(noise, dtype=np.float64), samples.out).reshape(-1)
    return (weights**2).mean(axis=0)[:, None] * sd[None] ** 2


def _check_uniform(inner: Samples, groups: int) -> None:
    """Refuse what is plainly no uniform draw; most departures cannot be seen from the masks."""
    m, n = inner.masks.shape
    if m < 2 * groups or groups < 2:
        raise BudgetError(
            f"{m} masks besides the two ends came for {groups} groups; at least 2 groups and two "
            "masks in each are needed. Raise the budget or lower groups."
        )
    if 2**n - 2 > m and among(~inner.masks, inner.masks).all():
        raise InputError(
            "masks in complementary pairs came; their residuals go together, so their errors "
            "would be wrong. Draw them with whence.samplers.uniform.Uniform."
        )
    offset = (2.0 * inner.masks.sum(axis=1) - n) / np.sqrt(n)
    # Mean 0 and variance 1, with a variance of at most 2 for the square, if uniform.
    if max(abs(offset.mean()), abs((offset**2).mean() - 1) / np.sqrt(2)) * np.sqrt(m) > SUSPECT:
        raise InputError(
            f"masks with {inner.masks.mean():.0%} of the units present and sizes "
            f"{(offset**2).mean():.2g} times as spread as those of uniform masks came; intervals "
            "need uniform masks. Draw them with whence.samplers.uniform.Uniform."
        )


def _check_split(f: SetFunction, judged: Samples, fitted: Samples | None, fdr: float) -> None:
    if f.out or judged.out:
        raise InputError(
            f"a function with outputs {f.out} and values with outputs {judged.out} came; "
            "discoveries are made one output at a time: f.output(i), or Explanation.output(i)."
        )
    if judged.n != f.n or not 0 < fdr < 1:
        raise InputError(
            f"a function of {f.n} units, held-out masks of {judged.n} and fdr={fdr} came; the "
            "units must be the same and the rate between 0 and 1."
        )
    if len(judged) < min(4, 2**f.n):
        raise BudgetError(f"{len(judged)} held-out masks came; at least 4 are needed.")
    whole = len(judged.distinct()) == 2**f.n
    if fitted is not None and not whole and among(judged.masks, fitted.masks).any():
        raise InputError(
            "held-out masks came that the function was fitted to as well; they cannot judge what "
            "they helped to choose. Pass Explanation.judged and Explanation.fitted."
        )


def _p_values(values: Floats, errors: Floats, free: int, size: float) -> Floats:
    from scipy.special import stdtr

    floor = np.maximum(errors, ROUNDING * size + np.finfo(float).tiny)
    return 2.0 * np.asarray(stdtr(free, -np.abs(values) / floor))


def _quantile(level: float, free: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(max(free, 1), level))


def _step_up(p: Floats, fdr: float, any_dependence: bool) -> NDArray[np.bool_]:
    """The Benjamini-Hochberg rule, or with `any_dependence` that of Benjamini and Yekutieli."""
    k = len(p)
    rank = np.arange(1, k + 1)
    limit = fdr * rank / max(k, 1)
    if any_dependence:
        limit = limit / (1.0 / rank).sum()
    passed = np.flatnonzero(np.sort(p) <= limit)
    return p <= (limit[passed[-1]] if len(passed) else -1.0)
