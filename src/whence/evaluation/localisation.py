"""Holds localisation: how well a map finds the tokens that are known to matter, ties and all.

It does not know where maps come from. Token truth is for judging only: nothing is fitted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import InputError

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Ints = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Localisation:
    """Over the bags that have both true and false tokens.

    Attributes:
        precision: `(b,)` average precision of each bag, its expectation over random orders of
            tied tokens.
        grouped: `(b,)` average precision with tied tokens as one threshold (scikit-learn's).
        chance: `(b,)` expected average precision of a random order. In short bags it lies far
            above the prevalence.
        prevalence: `(b,)` share of true tokens; what a constant map gets by `grouped`.
        ties: `(b,)` share of tokens whose value another token of the bag has too.
        pointing: `(b,)` probability that the (a tied) largest value lies on a true token.
        skipped: bags with no true token or only true ones.
        bags: `(b,)` positions of the bags that were judged.
        groups: `(b,)` what bags belong together (the crops of one slide), or None: intervals are
            then over bags, else over groups.
    """

    precision: Floats
    grouped: Floats
    chance: Floats
    prevalence: Floats
    ties: Floats
    pointing: Floats
    skipped: int
    bags: Ints
    groups: NDArray[Any] | None = None

    @property
    def adjusted(self) -> Floats:
        """Average precision above chance `(b,)`: 0 for a random order, 1 for a perfect one."""
        return (self.precision - self.chance) / (1 - self.chance)

    def interval(self, values: Floats | None = None) -> tuple[float, float, float]:
        """Mean of values `(b,)` over bags and its 95 % interval; of the precision, within [0, 1].

        Student's t, over the sums of each group's deviations where there are groups; nan for both
        ends where there is one bag or group only. None is the precision.
        """
        if values is not None:
            return mean_interval(values, self.groups)
        mean, low, high = mean_interval(self.precision, self.groups)
        low, high = np.clip([low, high], 0.0, 1.0).tolist()
        return mean, low, high

    def summary(self) -> str:
        """All of it in words, a line each."""
        mean, low, high = self.interval()
        of = "" if self.groups is None else f" of {len(np.unique(self.groups))} groups"
        lines = [
            f"average precision {mean:.3f} [{low:.3f}, {high:.3f}], {len(self.bags)} bags{of}",
            f"  a random order {self.chance.mean():.3f}, "
            f"above it {self.adjusted.mean():.3f} of what there is to gain",
            f"  tied tokens {self.ties.mean():.0%}; ties as one threshold: "
            f"{self.grouped.mean():.3f}, a constant map: {self.prevalence.mean():.3f}",
            f"  the largest value is on a true token in {self.pointing.mean():.0%} of bags, "
            f"by chance in {self.prevalence.mean():.0%}",
        ]
        if self.skipped:
            lines.append(f"  {self.skipped} bags left out: no true token, or true ones only")
        return "\n".join(lines)


def localisation(
    maps: Iterable[ArrayLike], truths: Iterable[ArrayLike], groups: ArrayLike | None = None
) -> Localisation:
    """Judge maps `(N,)` by truths `(N,)` of booleans, bag by bag.

    Args:
        maps: larger values mark more. One at a time is held, so a generator will do.
        truths: one per map.
        groups: one per map: bags of a group are not independent, so intervals are over groups.

    Raises:
        InputError: lengths that differ, nan, or no bag with both true and false tokens.
    """
    rows: list[tuple[float, ...]] = []
    kept: list[int] = []
    place = -1
    for place, (values, truth) in enumerate(_pairs(maps, truths)):
        if truth.any() and not truth.all():
            rows.append(_judged(values, truth))
            kept.append(place)
    if not rows:
        raise InputError(
            f"none of {place + 1} bags has both true and false tokens, so no map can be judged"
        )
    ap, grouped, chance, share, ties, pointing = np.array(rows).T
    bags, count = np.array(kept), place + 1
    of = _of(groups, bags, count)
    return Localisation(ap, grouped, chance, share, ties, pointing, count - len(kept), bags, of)


def average_precision(values: ArrayLike, truth: ArrayLike) -> float:
    """Average precision of one map, its expectation over random orders of tied tokens.

    Exact, in O(N log N): of a block of m tied tokens with t true ones, after a tokens with A true
    ones, place i is true with probability t / m, and then A + 1 + (i - 1) (t - 1) / (m - 1) of the
    first a + i tokens are true on average.

    Raises:
        InputError: lengths that differ, nan, or no true token.
    """
    values, truth = _with_true(values, truth)
    return _expected(*_blocks(values, truth))


def trapezoidal_auprc(values: ArrayLike, truth: ArrayLike, *, as_published: bool = False) -> float:
    """The area under the precision-recall points by trapezoids, only to compare with publications.

    A constant map scores (1 + prevalence) / 2 by it, so it rewards ties; average precision gives
    the prevalence.

    Raises:
        InputError: without `as_published=True`, with the reason; or as `average_precision`.
    """
    if not as_published:
        raise InputError(
            "the trapezoidal AUPRC rewards ties: a constant map scores (1 + prevalence) / 2 by it. "
            "Use average_precision; to set a number beside a published one, say as_published=True"
        )
    sizes, true = _blocks(*_with_true(values, truth))
    found = true.cumsum()
    recall = np.concatenate([[0.0], found / found[-1]])
    precision = np.concatenate([[1.0], found / sizes.cumsum()])
    return float(np.trapezoid(precision, recall))


@dataclass(frozen=True)
class Row:
    """One kind of map in a `Comparison`.

    Attributes:
        name: what the map is called.
        precision: mean average precision over bags, `low` and `high` its 95 % interval.
        difference: mean over the same bags of this less the first row, with its interval.
        ties: mean share of tied tokens.
        pointing: mean probability that the largest value is on a true token.
        grouped: mean average precision with ties as one threshold.
    """

    name: str
    precision: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float
    ties: float
    pointing: float
    grouped: float


@dataclass(frozen=True)
class Comparison:
    """Maps of several kinds on the same bags; `str` of it is a table.

    Attributes:
        rows: in the order given.
        found: the Localisation of each.
    """

    rows: tuple[Row, ...]
    found: Mapping[str, Localisation]

    def __getitem__(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)

    def __str__(self) -> str:
        first = self.found[self.rows[0].name]
        wide = max(len(row.name) for row in self.rows)
        head = f"{'':{wide}}  average precision     less the first           ties  as one  pointing"
        foot = (
            f"{len(first.bags)} bags ({first.skipped} left out); a random order is expected at "
            f"{first.chance.mean():.3f}, and points right in {first.prevalence.mean():.0%}; "
            "as one: average precision with tied tokens as one threshold"
        )
        lines = [_line(row, wide, place == 0) for place, row in enumerate(self.rows)]
        return "\n".join([head, *lines, foot])


def compare(
    maps: Mapping[str, Iterable[ArrayLike]],
    truths: Iterable[ArrayLike],
    groups: ArrayLike | None = None,
) -> Comparison:
    """Judge several kinds of maps on the same bags, each beside the first, bag by bag.

    Each interval of a difference is for that one pair; it is not widened for their number.

    Args:
        maps: by name; the first is what the others are compared with.
        truths: see `localisation`.
        groups: see `localisation`.

    Raises:
        InputError: no maps, or as `localisation`, with the name of the maps at fault.
    """
    if not maps:
        raise InputError("no maps came; give at least one kind, by name")
    kept = [np.asarray(truth) for truth in truths]
    found = {name: _named(name, of, kept, groups) for name, of in maps.items()}
    first = next(iter(found.values()))
    return Comparison(tuple(_row(name, of, first) for name, of in found.items()), found)


def mean_interval(values: Floats, groups: NDArray[Any] | None = None) -> tuple[float, float, float]:
    """Mean of values `(b,)` and its 95 % interval by Student's t; over groups where given."""
    from scipy.special import stdtrit  # late: `import whence` does not load scipy

    mean = float(values.mean())
    member = np.arange(len(values)) if groups is None else np.unique(groups, return_inverse=True)[1]
    sums = np.bincount(member, weights=values - mean)
    if len(sums) < 2:
        return mean, float("nan"), float("nan")
    error = np.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum()) / len(values)
    reach = float(stdtrit(len(sums) - 1, 0.975) * error)
    return mean, mean - reach, mean + reach


def _judged(values: Floats, truth: Booleans) -> tuple[float, ...]:
    sizes, true = _blocks(values, truth)
    share = float(truth.mean())
    return (
        _expected(sizes, true),
        float((true / true.sum() * (true.cumsum() / sizes.cumsum())).sum()),
        _expected(sizes.sum(keepdims=True), true.sum(keepdims=True)),
        share,
        float(sizes[sizes > 1].sum() / sizes.sum()),
        float(true[0] / sizes[0]),
    )


def _blocks(values: Floats, truth: Booleans) -> tuple[Floats, Floats]:
    """Tokens, and true tokens, per distinct value, the largest value first."""
    order = np.argsort(-values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    sizes = np.diff(np.append(starts, len(values))).astype(np.float64)
    return sizes, np.add.reduceat(truth[order].astype(np.float64), starts)


def _expected(sizes: Floats, true: Floats) -> float:
    ends = sizes.cumsum()
    before, found = ends - sizes, true.cumsum() - true
    of = np.repeat(np.arange(len(sizes)), sizes.astype(np.intp))
    place = np.arange(1, len(of) + 1)
    inside = (true[of] - 1) / np.maximum(sizes[of] - 1, 1) * (place - before[of] - 1)
    return float((true[of] / sizes[of] * (found[of] + 1 + inside) / place).sum() / true.sum())


def _pairs(
    maps: Iterable[ArrayLike], truths: Iterable[ArrayLike]
) -> Iterator[tuple[Floats, Booleans]]:
    end = object()
    for place, (values, truth) in enumerate(zip_longest(maps, truths, fillvalue=end)):
        if values is end or truth is end:
            missing = "maps" if values is end else "truths"
            raise InputError(f"the {missing} end after {place} bags; one of each per bag is needed")
        yield _checked(values, truth, f"bag {place}: ")


def _checked(values: Any, truth: Any, where: str = "") -> tuple[Floats, Booleans]:
    values, truth = np.asarray(values, dtype=np.float64), np.asarray(truth)
    if values.ndim != 1 or values.shape != truth.shape:
        raise InputError(
            f"{where}a map of shape {values.shape} came with truth of shape {truth.shape}; one "
            "number and one truth per token are needed"
        )
    if np.isnan(values).any():
        raise InputError(f"{where}token {int(np.isnan(values).argmax())} of the map is nan")
    if truth.dtype != np.bool_ and not np.isin(truth, (0, 1)).all():
        raise InputError(f"{where}truth must be True or False (or 1 and 0) for every token")
    return values, truth.astype(np.bool_)


def _with_true(values: ArrayLike, truth: ArrayLike) -> tuple[Floats, Booleans]:
    checked, true = _checked(values, truth)
    if not true.any():
        raise InputError("no token is true, so there is nothing for the map to find")
    return checked, true


def _of(groups: ArrayLike | None, bags: Ints, count: int) -> NDArray[Any] | None:
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.shape != (count,):
        raise InputError(f"groups of shape {groups.shape} came for {count} bags; one each")
    return groups[bags]


def _named(
    name: str, maps: Iterable[ArrayLike], truths: list[Any], groups: ArrayLike | None
) -> Localisation:
    try:
        return localisation(maps, truths, groups)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def _row(name: str, of: Localisation, first: Localisation) -> Row:
    apart = of.interval(of.precision - first.precision)
    means = (float(v.mean()) for v in (of.ties, of.pointing, of.grouped))
    return Row(name, *of.interval(), *apart, *means)


def _line(row: Row, wide: int, first: bool) -> str:
    apart = f"{row.difference:+.3f} [{row.difference_low:+.3f}, {row.difference_high:+.3f}]"
    return (
        f"{row.name:{wide}}  {row.precision:.3f} [{row.low:.3f}, {row.high:.3f}]"
        f"  {'' if first else apart:23}  {row.ties:4.0%}  {row.grouped:6.3f}"
        f"  {row.pointing:8.0%}"
    )
