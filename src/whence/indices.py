"""Holds the indices: what a SetFunction says of units and of sets of units, in closed form.

Every interaction index here is `I(T) = sum over S ⊇ T of w(#S, #T) * M(S)` for Möbius
coefficients M, so one table of exact weights and one sum over supersets serve them all; from
Fourier coefficients the weights follow by inserting `M(S) = (-2)^#S sum over U ⊇ S of F(U)`.
Nothing here knows how the function was fitted: read `Explanation.fidelity` beside an index.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from math import comb

import numpy as np
from numpy.typing import NDArray

from whence._kernels import terms as csr
from whence.errors import InputError
from whence.setfunction import SetFunction

Floats = NDArray[np.float64]
Weight = Callable[[int, int, int], Fraction]


@dataclass(frozen=True)
class Interactions:
    """An index evaluated for sets of up to `order` units.

    Attributes:
        index: name of the index, such as "faith_banzhaf".
        order: the largest set it was asked for.
        f: the sets with their values and deviations, held as a SetFunction. For the Möbius,
            Shapley-Taylor, Faith-Shap, Faith-Banzhaf and k-SII indices it is itself a function:
            the polynomial whose coefficients the index reports.
        names: one name per unit, or () for bare positions.
    """

    index: str
    order: int
    f: SetFunction
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.f)

    @property
    def sets(self) -> list[tuple[int, ...]]:
        """The sets, as sorted tuples of unit positions; () is the baseline."""
        return self.f.sets

    @property
    def values(self) -> Floats:
        """`(k, *out)` values, in the game's units."""
        return self.f.values

    @property
    def errors(self) -> Floats | None:
        """`(k, *out)` standard errors, or None when not known."""
        return self.f.errors

    def value(self, units: tuple[int, ...]) -> float | Floats:
        """Value of one set; zero for a set that the function does not hold."""
        absent = 0.0 if not self.f.out else np.zeros(self.f.out)
        return self.f.terms.get(tuple(sorted(units)), absent)

    def top(self, k: int, *, smallest: int = 1, output: int | None = None) -> Interactions:
        """The k strongest sets of at least `smallest` units, strongest first.

        Args:
            k: how many.
            smallest: 2 leaves single units out.
            output: which (flattened) output ranks them; None takes all together, by the root
                of the sum of squares.
        """
        ranked = self.f.columns if output is None else self.f.columns[:, [output]]
        strength = np.sqrt((ranked**2).sum(axis=1))
        strength[self.f.sizes < smallest] = -1.0
        order = np.argsort(-strength, kind="stable")[: max(k, 0)]
        return replace(self, f=_in_order(self.f, order[strength[order] > 0]))

    def of_order(self, size: int) -> Interactions:
        """Only the sets of exactly `size` units."""
        return replace(self, f=self.f.take(self.f.sizes == size))

    def __repr__(self) -> str:
        lines = [f"{self.index}, sets of up to {self.order} units:"]
        errors = self.errors
        for row, (s, value) in enumerate(zip(self.sets[:20], self.values[:20], strict=True)):
            label = " + ".join(self.names[i] if self.names else str(i) for i in s) or "(none)"
            shown = np.array2string(np.asarray(value), precision=4, sign="+")
            spread = "" if errors is None else f" ± {np.array2string(errors[row], precision=2)}"
            lines.append(f"  {shown}{spread}  {label}")
        if len(self) > 20:
            lines.append(f"  ... and {len(self) - 20} more")
        return "\n".join(lines)


def shapley(f: SetFunction) -> Floats:
    """Shapley value of every unit: its mean marginal contribution over all orders.

    Exact for `f`, in O(terms), because `f` is sparse. It is only as good an account of the game
    as `f` is: read `Explanation.fidelity` beside it.

    Returns:
        `(n, *out)` floats in the game's units. They sum to `f(all) - f(none)`.

    Source:
        Shapley (1953); the Fourier form `phi_i = -2 sum over odd T containing i of F(T) / #T`
        is checked against enumeration of all orders in tests/test_indices.py.
    """
    return _per_unit(interactions(f, "shapley_interaction", 1).f)


def banzhaf(f: SetFunction) -> Floats:
    """Banzhaf value of every unit: its mean marginal contribution over all sets of the others.

    Returns:
        `(n, *out)` floats in the game's units; `-2 F({i})`. They do not sum to `f(all) - f(none)`.

    Source:
        Banzhaf (1965); checked against enumeration in tests/test_indices.py.
    """
    return _per_unit(interactions(f, "banzhaf_interaction", 1).f)


def influence(f: SetFunction) -> Floats:
    """Influence of every unit: the part of the variance under uniform masks that it touches.

    Returns:
        `(n, *out)` non-negative floats in squared units of the game: `sum over T containing i of
        F(T)^2`, the total-effect Sobol index times the variance.

    Source:
        O'Donnell, Analysis of Boolean Functions (2014), section 2.2; enumeration in
        tests/test_indices.py.
    """
    return _influence(f, None)


def attributions(f: SetFunction, index: str = "shapley") -> Interactions:
    """One number per unit: sets (0,), (1,), ... in order, with values `(n, *out)` and errors.

    Args:
        f: a function in either basis.
        index: "shapley", "banzhaf", "influence", or an interaction index read at order 1.
            Errors of the influence are those of its linearisation at the estimate.

    Raises:
        InputError: an unknown index.
    """
    if index == "influence":
        fourier = f.to("fourier")
        values = _influence(fourier, None)
        spread = (
            None
            if fourier.deviations is None
            else [_influence(fourier, d) for d in fourier.deviations]
        )
        name = index
    else:
        name = index if index in _AS_INTERACTION else canonical(index)
        single = interactions(f, _AS_INTERACTION.get(name, name), 1).f
        values = _per_unit(single)
        spread = (
            None
            if single.deviations is None
            else [_per_unit(replace(single, values=d)) for d in single.deviations]
        )
    units = np.arange(f.n, dtype=np.int64)
    deviations = None if spread is None else np.reshape(spread, (-1, *values.shape))
    alone = SetFunction(f.n, np.arange(f.n + 1), units, values, "mobius", deviations)
    return Interactions(name, 1, alone)


def interactions(f: SetFunction, index: str, order: int = 2) -> Interactions:
    """An interaction index of every set of up to `order` units that `f` says something about.

    Args:
        f: a function in either basis; the result is the same.
        index: a name or alias in `INDICES`.
        order: the largest set wanted, at least 1. For k-SII, Shapley-Taylor, Faith-Shap and
            Faith-Banzhaf the values of small sets depend on it too.

    Returns:
        Sets of 0 to `order` units; sets that are not listed have the value zero.

    Raises:
        InputError: an unknown index, an order below 1, or too many subsets.

    Source:
        SII: Grabisch and Roubens (1999). BII: Roubens (1996). k-SII: Bordt and von Luxburg (2023).
        Shapley-Taylor: Sundararajan, Dhamdhere and Agarwal (2020). Faith-Shap and Faith-Banzhaf:
        Tsai, Yeh and Ravikumar (2023). OR interaction (co-Möbius): the Möbius coefficients of
        `A -> f(all without A)`, with the sign that makes `f(S) = O(none) + sum over T meeting S of
        O(T)`. Each is checked against enumeration of its definition in tests/test_indices.py.
    """
    name = canonical(index)
    if order < 1:
        raise InputError(f"order={order} came; it is the largest set wanted, at least 1.")
    order = min(order, f.n)
    weight = _weights(name, order, f.degree, f.basis)
    sums = f.superset_sums(weight, list(range(min(order, f.degree) + 1)), "mobius")
    return Interactions(name, order, sums)


def shapley_of_ends(n: int, order: int, empty: Floats, full: Floats) -> SetFunction:
    """Shapley interactions of a function that is zero but for the empty and the full mask.

    Each set T of t units gets `((-1)^t empty + full) / (n - t + 1)`: both ends are one of the
    n - t + 1 equally weighted sizes, alone in it.

    Args:
        n: number of units.
        order: the largest set, at least 1.
        empty: `(*out)` value of the empty mask.
        full: `(*out)` value of the full mask.

    Returns:
        All sets of 1 to `order` units.

    Source:
        Grabisch and Roubens (1999), the definition; checked in tests/test_indices.py.
    """
    indptr, indices = csr.all_sets(n, order)
    size = csr.sizes(indptr)[1:].astype(np.float64)
    shape = (-1,) + (1,) * np.ndim(empty)
    sign = np.where(size % 2 == 0, 1.0, -1.0).reshape(shape)
    values = (sign * empty + full) / (n - size + 1).reshape(shape)
    return SetFunction(n, indptr[1:] - indptr[1], indices, values, "mobius")


def canonical(index: str) -> str:
    """The full name of an index given by name or alias.

    Raises:
        InputError: no such index; the message lists them.
    """
    key = index.lower().replace("-", "_").replace(" ", "_").replace("ö", "o")
    name = _ALIASES.get(key, key)
    if name not in INDICES:
        raise InputError(
            f"index {index!r} came; the interaction indices are {', '.join(sorted(INDICES))} "
            f"(or short: {', '.join(sorted(_ALIASES))}); per unit also shapley, banzhaf, influence."
        )
    return name


def _half(power: int) -> Fraction:
    return Fraction(1, 2**power)


def _mobius(s: int, t: int, order: int) -> Fraction:
    return Fraction(int(s == t))


def _sii(s: int, t: int, order: int) -> Fraction:
    return Fraction(1, s - t + 1)


def _bii(s: int, t: int, order: int) -> Fraction:
    return _half(s - t)


def _co_mobius(s: int, t: int, order: int) -> Fraction:
    return Fraction(int(s == 0) if t == 0 else (-1) ** (t + 1))


def _taylor(s: int, t: int, order: int) -> Fraction:
    return Fraction(1, comb(s, order)) if t == order else Fraction(int(s == t))


def _faith_shap(s: int, t: int, order: int) -> Fraction:
    if s <= order or t == 0:
        return Fraction(int(s == t))
    share = Fraction(t * comb(order, t) * comb(s - 1, order), order + t)
    return (-1) ** (order - t) * share / comb(s + order - 1, order + t)


def _faith_banzhaf(s: int, t: int, order: int) -> Fraction:
    if s <= order:
        return Fraction(int(s == t))
    return (-1) ** (order - t) * _half(s - t) * comb(s - t - 1, order - t)


def _k_sii(s: int, t: int, order: int) -> Fraction:
    if t == 0:
        return Fraction(int(s == 0))
    steps = range(min(order, s) - t + 1)
    return sum((_bernoulli(j) * comb(s - t, j) / (s - t - j + 1) for j in steps), Fraction(0))


@lru_cache
def _bernoulli(j: int) -> Fraction:
    """Bernoulli numbers with B_1 = -1/2."""
    if j == 0:
        return Fraction(1)
    return -sum((comb(j + 1, i) * _bernoulli(i) for i in range(j)), Fraction(0)) / (j + 1)


#: Index name -> its weight w(#S, #T, order) on Möbius coefficients.
INDICES: dict[str, Weight] = {
    "mobius": _mobius,
    "co_mobius": _co_mobius,
    "shapley_interaction": _sii,
    "banzhaf_interaction": _bii,
    "k_sii": _k_sii,
    "shapley_taylor": _taylor,
    "faith_shap": _faith_shap,
    "faith_banzhaf": _faith_banzhaf,
}

_ALIASES = {
    "sii": "shapley_interaction",
    "bii": "banzhaf_interaction",
    "ksii": "k_sii",
    "stii": "shapley_taylor",
    "fsii": "faith_shap",
    "fbii": "faith_banzhaf",
    "or": "co_mobius",
    "or_interaction": "co_mobius",
}

_AS_INTERACTION = {"shapley": "shapley_interaction", "banzhaf": "banzhaf_interaction"}


@lru_cache(maxsize=256)
def _weights(name: str, order: int, degree: int, basis: str) -> Floats:
    """Weights `(degree + 1, min(order, degree) + 1)` on the coefficients of the given basis.

    Sums alternate in sign, so they are taken in exact fractions.
    """
    sizes = range(min(order, degree) + 1)
    on_mobius = INDICES[name]
    table = np.zeros((degree + 1, len(sizes)))
    for s in range(degree + 1):
        for t in sizes[: s + 1]:
            if basis == "mobius":
                exact = on_mobius(s, t, order)
            else:
                exact = sum(
                    (
                        comb(s - t, r - t) * (-2) ** r * on_mobius(r, t, order)
                        for r in range(t, s + 1)
                    ),
                    Fraction(0),
                )
            table[s, t] = float(exact)
    return table


def _per_unit(single: SetFunction) -> Floats:
    """Values of the one-unit sets, spread over all n units: `(n, *out)`."""
    dense = np.zeros((single.n, *single.out))
    alone = single.sizes == 1
    dense[single.indices[single.indptr[:-1][alone]]] = single.values[alone]
    return dense


def _influence(f: SetFunction, tangent: Floats | None) -> Floats:
    """Sum over sets containing i of F^2, or of 2 F * tangent for its derivative."""
    fourier = f.to("fourier")
    values = fourier.values
    energy = values**2 if tangent is None else 2.0 * values * tangent
    dense = np.zeros((f.n, *f.out))
    np.add.at(dense, fourier.indices, np.repeat(energy, csr.sizes(fourier.indptr), axis=0))
    return dense


def _in_order(f: SetFunction, rows: NDArray[np.intp]) -> SetFunction:
    """The chosen terms in the given order (for reading only: not canonical)."""
    sets = [f.sets[r] for r in rows]
    indptr, indices = csr.from_sets(sets)
    deviations = None if f.deviations is None else f.deviations[:, rows]
    return replace(f, indptr=indptr, indices=indices, values=f.values[rows], deviations=deviations)
