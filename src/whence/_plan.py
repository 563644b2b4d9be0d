"""Holds Plan and Arguments: what a run was asked for, checked, and the masks it would value.

It does not know how values are got, nor what is concluded from them.
"""

from __future__ import annotations

import copy
import operator
from dataclasses import dataclass

import numpy as np

from whence import masks as mask
from whence import recipes
from whence.errors import BudgetError, InputError
from whence.evaluation.stopping import Goal, goal
from whence.explainer import Explainer
from whence.game import Game
from whence.masks import Masks
from whence.samples import Samples
from whence.units import plural

#: More units than this are refused: no budget a person pays for could tell them apart.
MAX_UNITS = 5000
#: Up to this many masks, a run without a stated budget values all of them.
EXACT_BUDGET = 1024


@dataclass(frozen=True)
class Plan:
    """What a run would ask, before anything is spent.

    Attributes:
        fitting: `(m, n)` masks the explainer asked for, the two ends first.
        judging: `(h, n)` masks held out to measure the fit; those not in `fitting`, if all masks
            are valued.
        exhaustive: whether the two together are all 2^n masks.
        duplicates: masks asked for more than once, which cost nothing.
        budget: the most distinct masks allowed.
        looks: how many intervals of the fit may be taken, where the run may stop and at its end;
            0 if it values all masks anyway.
    """

    fitting: Masks
    judging: Masks
    exhaustive: bool
    duplicates: int
    budget: int
    looks: int = 0

    @property
    def calls(self) -> int:
        """Distinct masks the run would value."""
        return len(self.fitting) + len(self.judging)

    @property
    def masks(self) -> Masks:
        """Every mask the run would value, `(calls, n)`."""
        return np.concatenate([self.fitting, self.judging])


def default_budget(n: int) -> int:
    """All masks while they are few (1,024), else 16 per unit and at least 1,024."""
    return 2**n if 2**n <= EXACT_BUDGET else max(EXACT_BUDGET, 16 * n)


@dataclass(frozen=True)
class Arguments:
    """What a run was asked for, as it will be used.

    Attributes:
        game: what is explained.
        explainer: who asks for masks and fits.
        name: of the explainer, for people.
        budget: the most distinct masks.
        held_out: how many of them are held out, unless all masks are valued.
        streams: generators for asking, holding out, mixing, and measuring.
        seed: or None, when a generator came.
        goal: what lets the run stop early.
    """

    game: Game
    explainer: Explainer
    name: str
    budget: int
    held_out: int
    streams: list[np.random.Generator]
    seed: int | None
    goal: Goal

    @property
    def exhaustive(self) -> bool:
        """Whether the budget covers all 2^n masks."""
        return self.game.n <= 20 and self.budget >= 2**self.game.n

    @property
    def total(self) -> int:
        """The most masks that will be valued."""
        return 2**self.game.n if self.exhaustive else self.budget

    def plan(self, ends: Samples) -> Plan:
        """The design; draws from copies, so that planning twice gives the same masks."""
        n = self.game.n
        ask, hold = (copied(s) for s in self.streams[:2])
        exhaustive = self.exhaustive
        share = (self.total if exhaustive else self.budget - self.held_out) - 2
        try:
            if share < 1:
                raise BudgetError(
                    f"budget={self.budget} leaves {max(share, 0)} masks for fitting. "
                    f"Raise it to at least {min(self.held_out + 4, 2**n)}, or hold out fewer."
                )
            asked = self.explainer.ask(n, share, ask, ends)
        except BudgetError as error:
            kept = "" if exhaustive else f", {self.held_out} are held out to measure the fit"
            raise BudgetError(
                f"{error}{self._enough(error.needed)} (budget={self.budget} distinct masks: 2 are "
                f"the full and the empty one{kept})"
            ) from error
        asked = mask.as_masks(asked, n)
        fresh = self.fresh(asked, ends.masks, share)
        fitting = np.concatenate([ends.masks, fresh])
        count = 2**n if exhaustive else self.held_out
        judging = mask.uniform(n, count, hold, avoid=fitting)
        return Plan(fitting, judging, exhaustive, len(asked) - len(fresh), self.budget)

    def fresh(self, asked: Masks, seen: Masks, share: int) -> Masks:
        """The different masks among those asked that were not seen.

        Raises:
            InputError: more of them than were allowed.
        """
        fresh = asked[~mask.among(asked, seen)]
        fresh = fresh[mask.distinct(fresh)[0]]
        if len(fresh) > share:
            raise InputError(
                f"{self.explainer!r} asked for {len(fresh)} distinct masks and was allowed "
                f"{share}; an Explainer keeps to its budget (see whence.testing.check_explainer)."
            )
        return fresh

    def _enough(self, needed: int | None) -> str:
        """The budget that would do, in words, where the explainer said how many masks it needs."""
        if needed is None:
            return ""
        if needed >= 2**self.game.n:
            return f" A budget of {2**self.game.n:,} would do."
        held = max(self.held_out, -(-needed // 4))
        return f" A budget of {needed + min(1000, held):,} would do."


def _held(budget: int) -> int:
    """Masks held out of a budget by default: a fifth, 8 to 1,000."""
    return min(1000, max(8, budget // 5))


def arguments(
    game: Game,
    explainer: Explainer | str | None,
    budget: int | None,
    rng: int | np.random.Generator,
    held_out: int | None,
    target_r2: float | None = None,
    separate: int | None = None,
) -> Arguments:
    """The arguments of `explain`, checked before anything is spent.

    Raises:
        InputError, BudgetError: as `explain`.
    """
    if not isinstance(game, Game):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(
            f"game came as {type(game).__name__}; a Game is needed: Game(value, units=...), or "
            "whence.text_game for a text."
        )
    if game.n > MAX_UNITS:
        raise InputError(
            f"{game.n:,} units ({plural(game.units.kind)}) came; at most {MAX_UNITS:,} can be told "
            "apart by masking. Cut coarser units (for text: units='sentence' or 'paragraph'), or "
            "pin what need not be explained."
        )
    budget = default_budget(game.n) if budget is None else _whole("budget", budget)
    held = _held(min(budget, 2**game.n)) if held_out is None else _whole("held_out", held_out)
    if budget < 4 or held < 2:
        came = f"budget={budget}" + ("" if held_out is None else f", held_out={held}")
        raise BudgetError(
            f"{came} came; at least 4 masks are needed, of which at "
            "least 2 are held out. Raise the budget or held_out."
        )
    name = "default" if explainer is None else explainer if isinstance(explainer, str) else ""
    chosen = recipes.named(name) if explainer is None or isinstance(explainer, str) else explainer
    if not isinstance(chosen, Explainer):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(
            f"explainer came as {type(chosen).__name__}; it must be an Explainer (with ask and "
            f"fit), the name of a recipe ({', '.join(recipes.RECIPES)}), or None for the default."
        )
    seed = None if isinstance(rng, np.random.Generator) else _whole("rng", rng, least=0)
    streams = np.random.default_rng(rng).spawn(4)
    wanted = goal(target_r2, separate, game.n)
    return Arguments(game, chosen, name or repr(chosen), budget, held, streams, seed, wanted)


def _whole(name: str, value: object, least: int | None = None) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or (least is not None and number < least):
        kind = "a non-negative integer or a numpy Generator" if name == "rng" else "an integer"
        raise InputError(f"{name}={value!r} came; {kind} is needed.")
    return number


def copied(rng: np.random.Generator) -> np.random.Generator:
    """A generator in the same state, so that drawing twice gives the same."""
    # Its seed sequence goes along, so that a sampler may `spawn` and still repeat itself.
    return copy.deepcopy(rng)
