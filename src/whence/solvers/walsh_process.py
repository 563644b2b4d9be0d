"""Holds the Walsh-kernel Gaussian process: every term at once, larger sets expected to be smaller.

It does not know how the masks were drawn, nor what else it will be weighed against.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whence._kernels import cube, process
from whence._kernels import terms as csr
from whence._kernels.walsh import walsh
from whence.errors import BudgetError, InputError
from whence.masks import Masks, every, keys
from whence.samples import Samples, ends_of
from whence.setfunction import SetFunction
from whence.solvers.link import Link, link
from whence.solvers.walsh import Walsh

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Up to this many units the whole spectrum is written out, instead of searched.
WRITTEN_OUT = 16
#: Posterior draws that carry the standard errors.
DRAWS = 48
#: Up to this many samples the draws are exact, and every row is left out in turn.
DRAWN = 1200
#: Beyond, so many rows stand for all.
LOOKED_AT = 256


@dataclass(frozen=True)
class WalshProcess:
    """A Gaussian process on masks whose prior shrinks every term by the units in it.

    Prior: `F(T) ~ N(0, s * prod of rho_i over T / prod (1 + rho_i))`. A unit with a large rho
    takes part in large interactions; the rates are learned by maximising the evidence. One
    factorisation serves all outputs, which share the rates.

    The full and the empty mask are left out of the fit: they are two of 2^n masks, often far from
    all others, and would bend a small fit. An Explanation reports them beside the function.

    Attributes:
        pooling: how strongly the units' rates are drawn together; 30 nearly makes them one, which
            is safe for few samples.
        linked: whether values become normal scores first (see `Link`). The result is then no
            longer linear in the values; it is turned back into a set function by `function`.
        pairs: products of two units that become columns of their own, per unit: those with the
            largest coefficients in a first fit. They let one interaction be strong without making
            its units strong in all others.
        steps: the most steps of the search for rates.
        rows: the most samples that search looks at.
        most_rows: the most samples the process is conditioned on.
        max_terms: the most terms of the set function.

    Source:
        See `whence._kernels.process`. The prior is that of the notes on interactions; the closest
        published relative is ShaplEIG (2026), one rate per unit with other priors on the rates.
    """

    pooling: float = 1.0
    linked: bool = False
    pairs: float = 0.0
    steps: int = 12
    rows: int = 512
    most_rows: int = 4000
    max_terms: int = 2000

    def __post_init__(self) -> None:
        least = min(self.steps, self.rows - 7, self.most_rows - 7, self.max_terms)
        if self.pooling <= 0 or self.pairs < 0 or least < 1:
            raise InputError(
                f"{self!r} came; pooling must be positive, pairs not negative, steps and max_terms "
                "at least 1, rows and most_rows at least 8."
            )

    def needs(self, n: int) -> int:
        """Eight samples besides the ends.

        Raises:
            InputError: linked, or with pairs, and more units than are written out.
        """
        if n > WRITTEN_OUT and (self.linked or self.pairs):
            raise InputError(
                f"{self!r} came for {n} units; linked or with pairs, the spectrum is written out, "
                f"for at most {WRITTEN_OUT} units. Use neither, or whence.surrogate.Surrogate."
            )
        return 10

    def fit(self, samples: Samples) -> SetFunction:
        """The posterior mean's largest terms, with standard errors if not linked.

        Raises:
            BudgetError: fewer than eight samples besides the two ends, and not all masks.
            InputError: as `needs`.
        """
        samples = samples.distinct()
        inner = int((~ends_of(samples)).sum())
        if inner < 8:
            if len(samples) == 2**samples.n:
                return Walsh().fit(samples)
            raise BudgetError(
                f"WalshProcess was given {inner} samples besides the full and the empty mask and "
                "needs at least 8. Raise the budget."
            )
        found = condition(self, samples)
        f = found.function(self.max_terms)
        return replace(f, fitted_by=repr(self))


@dataclass(frozen=True)
class Conditioned:
    """A process given samples: predictions, coefficients and their covariance.

    Attributes:
        n: number of units.
        out: shape of one value.
        post: the posterior for standardised values or scores.
        rows: which of the samples it is conditioned on, in the order of the posterior's rows.
        theta: hyper-parameters, to start a further search from.
        columns: `(k, 2)` units whose products are further columns.
        centre: `(q,)` and
        spread: `(q,)` what was taken off the values (or scores), and what they were divided by;
            0 where all are the same.
        link: from values to scores, or None.
        doubt: `(q,)` variance of what a prediction of a score misses, by leave-one-out.
    """

    n: int
    out: tuple[int, ...]
    post: process.Posterior
    rows: NDArray[np.intp]
    theta: Floats
    columns: Ints
    centre: Floats
    spread: Floats
    link: Link | None
    doubt: Floats

    def __call__(self, masks: Masks) -> Floats:
        """Expected values at masks `(b, n)`: `(b, *out)`."""
        mean = process.mean(self.post, signs(masks, self.columns))
        return self._values(mean).reshape(len(masks), *self.out)

    def again(self, samples: Samples, most: int = 5000) -> Conditioned:
        """The same hyper-parameters, conditioned on at most so many of other samples."""
        rows = _rows(samples, most)
        standard = _standard(samples.columns[rows], self.link is not None)
        return _given(samples, rows, self.columns, self.theta, standard)

    def guesses(self, samples: Samples, group: NDArray[np.int64]) -> Floats:
        """Predictions `(m, q)` of the samples without their fold, rates kept; nan for fold -1.

        Args:
            samples: those it was conditioned on.
            group: `(m,)` fold of each sample.
        """
        out = np.full(samples.columns.shape, np.nan, dtype=np.float64)
        wrong = process.left_out(self.post, group[self.rows])
        k = self.post.root @ (self.post.root.T @ self.post.a)
        out[self.rows] = self._values(k - wrong)
        beyond = group >= 0
        beyond[self.rows] = False
        if beyond.any():
            out[beyond] = self(samples.masks[beyond]).reshape(-1, len(self.centre))
        out[group < 0] = np.nan
        return out

    def residuals(self) -> Floats:
        """Leave-one-out residuals `(m, q)` in the units of what was fitted, rates kept."""
        return process.left_out(self.post) * self.spread

    def everywhere(self) -> Floats:
        """Expected values at all masks, `(2^n, q)`, row r with unit i present if bit i is set."""
        if len(self.columns):
            return self._values(process.mean(self.post, signs(every(self.n), self.columns)))
        return self._values(process.every_mean(self.post))

    def _values(self, mean: Floats) -> Floats:
        mean = mean * self.spread + self.centre
        return mean if self.link is None else self.link.back(mean, self.doubt)

    @property
    def closed(self) -> bool:
        """Whether coefficients have their closed form: no link, and no columns but the units."""
        return self.link is None and not len(self.columns)

    def function(self, most: int) -> SetFunction:
        """The largest terms of the posterior mean, at most `most`, with errors where closed.

        Raises:
            InputError: linked, or with pairs, and too many units to write the spectrum out;
                `whence.solvers.distil` turns those into set functions.
        """
        if self.n <= WRITTEN_OUT:
            f = spectrum(self.everywhere(), self.n, self.out, most)
        elif self.closed:
            f = self._at(cube.search(self.post, most)[0])
        else:
            raise InputError(f"{self.n} units came; the spectrum of at most {WRITTEN_OUT} is "
                             "written out. Use whence.solvers.distil.")  # fmt: skip
        return replace(f, deviations=self.deviations(f)) if self.closed else f

    def sketch(self, most: int) -> SetFunction:
        """The largest terms of what was fitted, made values by one slope: where to look.

        For a linked process that is a first guess only; the terms are the right ones to refit.
        """
        f = self._at(cube.search(self._units(), most)[0])
        if self.link is None:
            return f
        slope = np.array(
            [_slope(s, v) for s, v in zip(self.link.scores, self.link.values, strict=True)]
        )
        return replace(f, values=(f.columns * slope).reshape(f.values.shape))

    def _units(self) -> process.Posterior:
        """The posterior with the columns of pairs cut off: enough to name terms by."""
        prior, n = self.post.prior, self.n
        return self.post._replace(x=self.post.x[:, :n], prior=prior._replace(rho=prior.rho[:n]))

    def _at(self, sets: NDArray[np.bool_]) -> SetFunction:
        blank = np.zeros((len(sets), 1))
        indptr, indices, _ = csr.merge(*cube.family(sets), blank, self.n)
        values = cube.coefficients(self._units(), indptr, indices) * self.spread
        values[csr.sizes(indptr) == 0] += self.centre
        return SetFunction(self.n, indptr, indices, values.reshape(-1, *self.out))

    def deviations(self, f: SetFunction, count: int = DRAWS) -> Floats:
        """A square root of the covariance of f's coefficients, `(count, k, *out)`, by draws.

        The posterior's covariance for f's terms; see `whence._kernels.cube.draws`. It holds what
        the prior leaves open as well as what other masks might have said, and takes the
        hyper-parameters as given. Beyond `DRAWN` samples terms are taken as independent, which
        under uniform masks they nearly are: variance `v noise / (noise + m v)`.
        """
        rng = np.random.default_rng(0)
        post = self._units()
        if len(post.x) <= DRAWN and not len(self.columns):
            drawn = cube.draws(post, f.indptr, f.indices, count, rng)
        else:
            v, m = cube.variances(post, f.indptr, f.indices), len(post.x)
            noise = post.prior.noise + process.JITTER
            drawn = rng.standard_normal((count, len(v))) * np.sqrt(v * noise / (noise + m * v))
        drawn /= np.sqrt(count)
        return (drawn[:, :, None] * self.spread).reshape(count, len(f), *self.out)

    def expected(self) -> Floats:
        """Variance `(q,)` that the process expects of leave-one-out residuals, on average."""
        post = self.post
        if len(post.x) <= DRAWN:
            return process.uncertainty(post).mean() * self.spread**2
        fresh = np.random.default_rng(0).choice([-1.0, 1.0], (LOOKED_AT, post.x.shape[1]))
        return (process.variance(post, fresh).mean() + post.prior.noise) * self.spread**2

    def variance(self, masks: Masks) -> Floats:
        """Posterior variance of the function at masks `(b, n)`, `(b,)`, relative to the values'."""
        return process.variance(self.post, signs(masks, self.columns))

    def shapley(self) -> Floats:
        """Shapley values of the whole posterior mean, no term left out, `(n, *out)`.

        Raises:
            InputError: linked or with pairs: there is no closed form.
        """
        if not self.closed:
            raise InputError("a linked process, or one with pairs, has no closed Shapley values.")
        return (cube.shapley(self.post) * self.spread).reshape(self.n, *self.out)


def condition(how: WalshProcess, samples: Samples, begin: Floats | None = None) -> Conditioned:
    """A process conditioned on samples.

    Args:
        how: the settings.
        samples: distinct samples; the two ends are left out.
        begin: hyper-parameters to start the search from, if not the middle of their prior; with
            pairs, those of a process without them, to choose the pairs by.
    """
    rows = _rows(samples, how.most_rows)
    known, y, centre, spread = _standard(samples.columns[rows], how.linked)
    masks = samples.masks[rows]
    columns = np.zeros((0, 2), dtype=np.int64)
    if how.pairs:
        columns = _pairs(how, masks, begin, y)
        begin = None
    theta = _learned(how, signs(masks, columns), y, begin)
    return _given(samples, rows, columns, theta, (known, y, centre, spread))


def _given(
    samples: Samples,
    rows: NDArray[np.intp],
    columns: Ints,
    theta: Floats,
    standard: tuple[Link | None, Floats, Floats, Floats],
) -> Conditioned:
    """The process with these hyper-parameters given these rows."""
    known, y, centre, spread = standard
    x = signs(samples.masks[rows], columns)
    post = process.condition(x, y, process.prior_of(theta))
    doubt = np.zeros(y.shape[1])
    if known is not None:
        doubt = np.nanmean(process.left_out(post, _some(len(x))) ** 2, axis=0) * spread**2
    return Conditioned(
        samples.n, samples.out, post, rows, theta, columns, centre, spread, known, doubt
    )


def _rows(samples: Samples, most: int) -> NDArray[np.intp]:
    """Which samples a process is conditioned on: none of the ends, at most so many, mixed."""
    rows = np.flatnonzero(~ends_of(samples))
    return rows[_mixed(samples.masks[rows])[:most]]


def _standard(y: Floats, linked: bool) -> tuple[Link | None, Floats, Floats, Floats]:
    """The link if any, standardised values or scores, and their centre and spread."""
    known, y = link(y) if linked else (None, y)
    centre, spread = y.mean(axis=0), y.std(axis=0)
    # A constant that is no binary fraction has a spread by rounding.
    varies = spread > 1e-13 * np.abs(y).max(axis=0, initial=0.0)
    y = np.where(varies, (y - centre) / np.where(varies, spread, 1.0), 0.0)
    return known, y, centre, np.where(varies, spread, 0.0)


def signs(masks: Masks, columns: Ints) -> Floats:
    """Masks `(b, n)` as -1 for present and 1 for absent, and the products of pairs of units."""
    x = np.where(masks, -1.0, 1.0)
    if not len(columns):
        return x
    return np.concatenate([x, x[:, columns[:, 0]] * x[:, columns[:, 1]]], axis=1)


def spectrum(values: Floats, n: int, out: tuple[int, ...], most: int) -> SetFunction:
    """The `most` largest Fourier terms of values at all masks `(2^n, q)`, the constant among them.

    Magnitudes are relative to each output's spread, so that no output's scale decides.
    """
    table = walsh(values) / 2**n
    size = (relative(table, values.std(axis=0)) ** 2).sum(axis=1)
    size[0] = np.inf
    kept = np.argsort(-size, kind="stable")[:most]
    kept = kept[size[kept] > 1e-24]
    bits = ((kept[:, None] >> np.arange(n)) & 1).astype(np.bool_)
    family = csr.merge(*cube.family(bits), table[kept], n)
    return SetFunction(n, family.indptr, family.indices, family.values.reshape(-1, *out))


def _slope(scores: Floats, values: Floats) -> float:
    """Of the straight line nearest to a link."""
    centred = scores - scores.mean()
    return float(centred @ values / max(float(centred @ centred), 1e-300))


def _mixed(masks: Masks) -> NDArray[np.intp]:
    """A shuffle of the rows that depends on what they are, not on the order they came in."""
    order = np.argsort(keys(masks), kind="stable")
    return order[np.random.default_rng(0).permutation(len(order))]


def _some(m: int) -> NDArray[np.int64] | None:
    """The folds by which m rows are left out: each alone while they are few, else some at once."""
    if m <= DRAWN:
        return None
    return np.where(np.arange(m) < LOOKED_AT, np.arange(m) % 2, -1)


def relative(coefficients: Floats, spread: Floats) -> Floats:
    """Coefficients `(k, q)` in shares of each output's spread; zero for a constant output."""
    varies = spread > 1e-12 * max(float(spread.max(initial=0.0)), np.finfo(float).tiny)
    return np.where(varies, coefficients / np.where(varies, spread, 1.0), 0.0)


def _learned(how: WalshProcess, x: Floats, y: Floats, begin: Floats | None) -> Floats:
    used, varies = x[: how.rows], y.any(axis=0)
    # Outputs that do not vary are no witnesses of rates.
    y = y[: how.rows, varies] if varies.any() else y[: how.rows]
    return process.learn(used, y, how.pooling, 2.0, how.steps, len(x) / len(used), begin)


def _pairs(how: WalshProcess, masks: Masks, theta: Floats | None, y: Floats) -> Ints:
    """The pairs of units with the largest coefficients in a process without them, `(k, 2)`."""
    n = masks.shape[1]
    x = signs(masks, np.zeros((0, 2), dtype=np.int64))
    theta = _learned(how, x, y, None) if theta is None else theta
    post = process.condition(x, y, process.prior_of(theta))
    size = np.zeros((n, n))
    for a in post.a.T:
        size += ((x * a[:, None]).T @ x) ** 2
    size = np.triu(size * np.outer(post.prior.rho, post.prior.rho) ** 2, 1)
    top = np.argsort(-size.ravel(), kind="stable")[: round(how.pairs * n)]
    top = top[size.ravel()[top] > 0]
    return np.stack(np.unravel_index(top, (n, n)), axis=1)
