"""Holds check_explainer: the contract of an Explainer, one named check per promise.

It does not know the method: what it asks for holds for every one. Games here are planted, so no
model is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence import masks
from whence.errors import BudgetError
from whence.explainer import Explainer
from whence.masks import Masks
from whence.samples import Samples
from whence.setfunction import SetFunction
from whence.testing import planted
from whence.testing.contract import close, finite, gap, require, run, some_masks, untouched

Rng = int | np.random.Generator
ExplainerCheck = Callable[[Explainer, Rng], None]


def check_explainer(
    explainer: Explainer,
    rng: Rng = 0,
    *,
    n: int = 6,
    additive: float = 0.99,
    joint: bool = False,
    tolerance: float = 1e-6,
) -> None:
    """Hold an explainer to every promise of `Explainer`, on planted games of n units.

    Args:
        explainer: any Explainer.
        rng: seed or generator for games and masks.
        n: number of units; budgets up to all 2^n masks are tried, so keep it small.
        additive: the least R², over all masks, with which a game without interactions must be
            recovered from half of all masks, or from the fewest the explainer accepts if those
            are more. Lower it for a method that shrinks or weighs, and say so.
        joint: outputs are fitted together (they share a choice, say), so a fit of several need
            not equal the fits of each.
        tolerance: what counts as equal, relative to the largest value (at least 1).

    Raises:
        AssertionError: the promise that is broken, and how.
    """
    for _, check in explainer_checks(n=n, additive=additive, joint=joint, tolerance=tolerance):
        check(explainer, rng)


def explainer_checks(
    *, n: int = 6, additive: float = 0.99, joint: bool = False, tolerance: float = 1e-6
) -> Iterator[tuple[str, ExplainerCheck]]:
    """The checks of `check_explainer`, as (name, check): call `check(explainer, rng)`.

    Example:
        >>> [name for name, _ in explainer_checks()][:4]
        ['budgets', 'masks', 'seen', 'generator']
    """
    limits = _Limits(n, additive, tolerance)
    checks = [
        _budgets,
        _masks,
        _seen,
        _generator,
        _feeds,
        _pure,
        _order,
        _shapes,
        _copies,
        *([] if joint else [_columns]),
        _constant,
        _scale,
        _additive,
    ]
    for check in checks:
        yield check.__name__[1:], partial(_run, check, limits)


@dataclass(frozen=True)
class _Limits:
    n: int
    additive: float
    tolerance: float


@dataclass(frozen=True)
class _Case:
    """An explainer under check, with helpers that ask and fit as `explain` does."""

    explainer: Explainer
    rng: np.random.Generator
    limits: _Limits

    @property
    def n(self) -> int:
        return self.limits.n

    @property
    def most(self) -> int:
        """The largest budget there is: all masks but the two ends."""
        return 2**self.n - 2

    def ask(self, budget: int, seed: int = 0, seen: Samples | None = None) -> Masks | None:
        """The masks asked for a budget, or None where the explainer refuses it by name."""
        seen = _ends(self.n) if seen is None else seen
        try:
            return self.explainer.ask(self.n, budget, np.random.default_rng(seed), seen)
        except BudgetError:
            return None

    def accepted(self, budgets: Iterable[int]) -> Iterator[tuple[int, Masks]]:
        """The budgets that are accepted, and the masks asked for each."""
        told = "a budget that is too small is refused with BudgetError."
        for budget in budgets:
            asked = run(told, partial(self.ask, budget))
            if asked is not None:
                yield budget, asked

    def first(self, start: int) -> tuple[int, Masks]:
        """The smallest accepted budget from `start` on; there must be one."""
        found = next(self.accepted(range(start, self.most + 1)), None)
        require(
            found is not None,
            "some budget up to all masks is accepted.",
            f"every budget from {start} to {self.most} was refused for {self.n} units.",
        )
        assert found is not None
        return found

    def few(self) -> Iterator[tuple[int, Masks]]:
        """The smallest accepted budgets and some up to the largest, odd and even."""
        least = self.first(0)[0]
        spread = np.linspace(least, self.most, 6).astype(int).tolist()
        budgets = {least, least + 1, least + 2, *spread, self.most - 1, self.most}
        return self.accepted(sorted(b for b in budgets if least <= b <= self.most))

    def design(self) -> Masks:
        """The ends and the masks asked for half of all masks, or the fewest accepted."""
        return np.concatenate([masks.ends(self.n), self.first(self.most // 2)[1]])

    def fit(self, rows: Masks, values: Any) -> SetFunction:
        """The fit, checked for what every fit must be."""
        told = "fit returns a finite SetFunction of these units and outputs."
        given = Samples(rows, np.asarray(values, dtype=np.float64))
        f = run(told, lambda: self.explainer.fit(given))
        require(isinstance(f, SetFunction), told, f"a {type(f).__name__} came.")
        require(
            (f.n, f.out) == (self.n, given.out),
            told,
            f"{f.n} units, outputs {f.out}, for samples of {self.n} units, {given.out}.",
        )
        require(finite(f), told, "nan or inf among its coefficients or errors.")
        return f

    def agree(self, a: NDArray[Any], b: NDArray[Any], promise: str, when: str) -> None:
        """Require two answers to be equal."""
        require(close(a, b, self.limits.tolerance), promise, f"{gap(a, b)} {when}")


def _run(check: Callable[[_Case], None], limits: _Limits, explainer: Explainer, rng: Rng) -> None:
    check(_Case(explainer, np.random.default_rng(rng), limits))


def _ends(n: int) -> Samples:
    return Samples(masks.ends(n), np.array([1.0, 0.0]))


def _budgets(case: _Case) -> None:
    """Never more masks than the budget, at every budget; too small is refused as BudgetError."""
    for budget, asked in case.few():
        require(
            len(asked) <= budget,
            "ask returns at most `budget` masks.",
            f"{len(asked)} masks for a budget of {budget}.",
        )


def _masks(case: _Case) -> None:
    """Masks are distinct boolean rows `(b, n)`, none of them the full or the empty one."""
    told = "ask returns distinct boolean masks (b, n), none of those in `seen`."
    for budget, asked in case.few():
        array = np.asarray(asked)
        require(
            array.dtype == np.bool_ and array.ndim == 2 and array.shape[1] == case.n,
            told,
            f"type {array.dtype}, shape {array.shape}, budget {budget}, {case.n} units.",
        )
        require(
            len(masks.distinct(array)[0]) == len(array), told, f"a mask twice, budget {budget}."
        )
        require(
            not masks.among(array, masks.ends(case.n)).any(),
            told,
            f"the full or the empty mask, which were seen, budget {budget}.",
        )


def _seen(case: _Case) -> None:
    """What was seen, beyond the ends, is not asked again and not changed."""
    one = some_masks(case.n, 1, case.rng)
    pair = np.concatenate([one, ~one[2:]])
    for rows in (pair, some_masks(case.n, 5, case.rng)):
        seen = Samples(rows, case.rng.normal(size=len(rows)))
        budget = case.most - (len(rows) - 2)
        with untouched(seen.masks, seen.values):
            asked = case.ask(budget, seen=seen)
        if rows is pair:
            require(
                asked is not None,
                "what was seen counts: with all other masks it is enough.",
                f"budget {budget} was refused with {len(rows)} of {2**case.n} masks seen.",
            )
        if asked is not None:
            require(
                not masks.among(asked, rows).any(),
                "ask returns none of the masks in `seen`.",
                "some of them came.",
            )


def _generator(case: _Case) -> None:
    """Equal generators ask for equal masks, and nothing else is drawn from."""
    for budget, first in case.few():
        with untouched():
            second = case.ask(budget)
        require(
            second is not None and np.array_equal(first, second),
            "equal generators ask for equal masks.",
            f"different masks for two generators of one seed, budget {budget}.",
        )


def _feeds(case: _Case) -> None:
    """What was accepted by ask is enough for fit: nobody pays and then gets nothing."""
    told = "masks that ask was content with are enough for fit."
    for budget, asked in case.few():
        rows = np.concatenate([masks.ends(case.n), asked])
        values = case.rng.normal(size=len(rows))
        run(f"{told} (budget {budget})", partial(case.fit, rows, values))


def _pure(case: _Case) -> None:
    """Equal samples give the equal function, and fit changes nothing around it."""
    rows = case.design()
    values = case.rng.normal(size=len(rows))
    with untouched(rows, values):
        first = case.fit(rows, values)
    second = case.fit(rows.copy(), values.copy())
    told = "equal samples give the equal function."
    require(
        first.sets == second.sets and np.array_equal(first.values, second.values),
        told,
        "other terms or coefficients the second time.",
    )


def _order(case: _Case) -> None:
    """The order of the samples changes nothing but rounding."""
    rows = case.design()
    values = planted.sparse(case.n, case.rng, degree=2).game(rows)
    turn = case.rng.permutation(len(rows))
    everything = masks.every(case.n)
    a, b = case.fit(rows, values)(everything), case.fit(rows[turn], values[turn])(everything)
    case.agree(a, b, "the order of the samples does not matter.", "after shuffling them.")


def _shapes(case: _Case) -> None:
    """Values of any shape are fitted: one number, one output, several, a table of them."""
    rows = case.design()
    for out in ((), (1,), (2,), (2, 3)):
        case.fit(rows, case.rng.normal(size=(len(rows), *out)))


def _copies(case: _Case) -> None:
    """An output that comes twice is fitted twice alike, and as if it came alone."""
    rows = case.design()
    values = planted.sparse(case.n, case.rng, degree=2).game(rows)
    everything = masks.every(case.n)
    alone = case.fit(rows, values)(everything)
    twice = case.fit(rows, np.stack([values, values], axis=1))(everything)
    for column in twice.T:
        case.agree(
            alone,
            column,
            "equal outputs are fitted alike.",
            "between an output alone and beside its copy.",
        )


def _columns(case: _Case) -> None:
    """Several outputs are fitted as each alone."""
    rows = case.design()
    values = planted.sparse(case.n, case.rng, degree=2, out=(3,)).game(rows)
    everything = masks.every(case.n)
    together = case.fit(rows, values)(everything)
    for alone, joined in zip(values.T, together.T, strict=True):
        case.agree(
            case.fit(rows, alone)(everything),
            joined,
            "outputs are fitted independently (say joint=True if they are not).",
            "between an output alone and beside others.",
        )


def _constant(case: _Case) -> None:
    """A constant game is fitted by its constant."""
    rows = case.design()
    for value in (0.0, 0.1, -3.0):
        f = case.fit(rows, np.full(len(rows), value))
        case.agree(
            f(masks.every(case.n)),
            np.full(2**case.n, value),
            "a constant game gives its constant.",
            f"from the constant {value}.",
        )


def _scale(case: _Case) -> None:
    """Other units of measurement and another zero give the same function in those units."""
    rows = case.design()
    values = planted.sparse(case.n, case.rng, degree=2).game(rows)
    everything = masks.every(case.n)
    plain = case.fit(rows, values)(everything)
    for factor, shift in ((4.0, 0.0), (-1.0, 0.0), (1.0, 2.0), (0.25, -1.0)):
        moved = case.fit(rows, factor * values + shift)(everything)
        case.agree(
            moved,
            factor * plain + shift,
            "scaling and shifting the values scales and shifts the function.",
            f"after values * {factor:g} + {shift:g}.",
        )


def _additive(case: _Case) -> None:
    """A game without interactions is recovered from half of all masks."""
    rows = case.design()
    game = planted.additive(case.n, case.rng).game
    everything = masks.every(case.n)
    truth = game(everything)
    left = truth - case.fit(rows, game(rows))(everything)
    r2 = 1.0 - (left**2).mean() / truth.var()
    require(
        bool(r2 >= case.limits.additive),
        f"an additive game is recovered with R² at least {case.limits.additive} "
        f"from {len(rows)} of {len(everything)} masks.",
        f"R² {r2:.4f}.",
    )
