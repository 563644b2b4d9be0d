"""Holds explain: ask for masks, value them, fit, measure the fit on masks that were held out.

It does not know where values are remembered (a journal wraps the game) nor how results are drawn.
"""

from __future__ import annotations

import copy
import operator
import platform
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whence import masks as mask
from whence import recipes
from whence._run import Progress, Run, rows_of
from whence._version import __version__
from whence.errors import BudgetError, InputError, Interrupted, ShapeError
from whence.evaluation.controls import Check
from whence.evaluation.fidelity import Fidelity, measure
from whence.explainer import Explainer
from whence.explanation import Explanation, Provenance
from whence.game import Game
from whence.masks import Masks
from whence.samples import Samples
from whence.setfunction import SetFunction

#: More units than this are refused: no budget a person pays for could tell them apart.
MAX_UNITS = 5000
#: Up to this many masks, a run without a stated budget values all of them.
EXACT_BUDGET = 1024
#: An interrupted run says nothing of a fit that it can judge on fewer masks than this.
LEAST_JUDGED = 5
#: With more masks times units than this, an interrupted run is fitted leanly: nobody waits then.
LEAN_BEYOND = 20_000


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
    """

    fitting: Masks
    judging: Masks
    exhaustive: bool
    duplicates: int
    budget: int

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


def plan(
    game: Game,
    explainer: Explainer | str | None = None,
    *,
    budget: int | None = None,
    rng: int | np.random.Generator = 0,
    held_out: int | None = None,
) -> Plan:
    """The masks that `explain` with the same arguments would value. Calls nothing.

    For explainers that look at values before they ask, the plan is that of values all zero.

    Raises:
        InputError, BudgetError: as `explain`, before anything is spent.
    """
    given = _arguments(game, explainer, budget, rng, held_out)
    ends = mask.ends(game.n)
    return given.plan(Samples(ends, np.zeros(2)))


def explain(
    game: Game,
    explainer: Explainer | str | None = None,
    *,
    budget: int | None = None,
    rng: int | np.random.Generator = 0,
    held_out: int | None = None,
    repeats: int = 3,
    progress: Progress | None = None,
) -> Explanation:
    """Find the set function that stands in for a game, and measure how well it does.

    The full and the empty mask are always valued. A fifth of the budget (8 to 1,000 masks) is
    drawn uniformly from the masks not used for fitting, is held out, chooses nothing, and
    measures the fit. With a budget that covers all 2^n masks every mask is valued, and the fit is
    measured on all of them.

    Args:
        game: units and a value function; wrap it with `Journal.remember` to keep what is paid.
        explainer: an `Explainer`, the name of a recipe ("kernel_shap", "faith:3", ...), or None
            for the default: exact when the budget covers every mask, else the best of the
            regressions by cross-validation.
        budget: the most distinct masks to value, held-out ones included; None uses
            `default_budget(n)`.
        rng: seed or generator; equal seeds give equal results.
        held_out: masks to hold out, at least 2; None as above.
        repeats: masks asked a second time to detect noise; these calls are counted apart.
        progress: called as `progress(done, total)` after every batch.

    Raises:
        InputError: too many units, an unknown explainer, or unusable arguments.
        BudgetError: a budget the explainer cannot work with; nothing has been spent.
        GameError: the value function broke its contract or raised.
        Interrupted: Ctrl-C; a KeyboardInterrupt that carries what can be said so far.
    """
    given = _arguments(game, explainer, budget, rng, held_out)
    ends = mask.ends(game.n)
    # A design that cannot be afforded is refused here, before the first call.
    expected = given.plan(Samples(ends, np.zeros(2))).calls
    run = Run(game, progress, expected)
    try:
        run.value(ends)
        _check_outputs(game, run.samples())
        design = given.plan(run.samples())
        run.total = design.calls
        rest = np.concatenate([design.fitting[2:], design.judging])
        # Mixed, so that an interrupted run can be judged too.
        run.value(rest[given.streams[2].permutation(len(rest))])
        noise = run.noise(min(repeats, len(run.rows)), given.streams[3])
    except KeyboardInterrupt:
        raise Interrupted(_partial(given, run), len(run.rows)) from None
    try:
        return _conclude(given, run, design, given.explainer, noise, interrupted=False)
    except KeyboardInterrupt:
        raise Interrupted(_partial(given, run, lean=True), len(run.rows)) from None


def _check_outputs(game: Game, first: Samples) -> None:
    """Refuse outputs that cannot be explained after two calls, not after all of them."""
    q = first.columns.shape[1]
    if q == 0:
        raise ShapeError(
            f"the game's values have shape {first.values.shape}, with no output to explain; value "
            "must return (b,) or (b, *out) floats with at least one output."
        )
    if len(game.outputs) not in (0, q):
        raise ShapeError(
            f"outputs={list(game.outputs)} came, {len(game.outputs)} names for {q} outputs per "
            "mask; give one name per (flattened) output, or none."
        )


def seed_spread(
    e: Explanation, game: Game, explainer: Explainer | str | None = None, *, seeds: int = 3
) -> Check:
    """The self-check of `e`, with the spread of its Shapley values over runs with other seeds.

    Costs `seeds` further runs of the same budget (masks a journal knows are free).

    Raises:
        InputError: fewer than two seeds.
    """
    if seeds < 2:
        raise InputError(f"seeds={seeds} came; a spread needs at least 2.")
    runs = [
        explain(game, explainer, budget=e.provenance.budget, rng=1_000_003 + s, repeats=0)
        for s in range(seeds)
    ]
    spread = np.std([r.attributions().values for r in runs], axis=0, ddof=1)
    return replace(e.check(), spread=spread, seeds=seeds)


@dataclass(frozen=True)
class _Arguments:
    game: Game
    explainer: Explainer
    name: str
    budget: int
    held_out: int
    streams: list[np.random.Generator]
    seed: int | None

    def plan(self, ends: Samples) -> Plan:
        """The design; draws from copies, so that planning twice gives the same masks."""
        n = self.game.n
        ask, hold = (_copy(s) for s in self.streams[:2])
        exhaustive = n <= 20 and self.budget >= 2**n
        share = (2**n if exhaustive else self.budget - self.held_out) - 2
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
        fresh = asked[~mask.among(asked, ends.masks)]
        fresh = fresh[mask.distinct(fresh)[0]]
        if len(fresh) > share:
            raise InputError(
                f"{self.explainer!r} asked for {len(fresh)} distinct masks and was allowed "
                f"{share}; an Explainer keeps to its budget (see whence.testing.check_explainer)."
            )
        fitting = np.concatenate([ends.masks, fresh])
        count = 2**n if exhaustive else self.held_out
        judging = mask.uniform(n, count, hold, avoid=fitting)
        return Plan(fitting, judging, exhaustive, len(asked) - len(fresh), self.budget)

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


def _arguments(
    game: Game,
    explainer: Explainer | str | None,
    budget: int | None,
    rng: int | np.random.Generator,
    held_out: int | None,
) -> _Arguments:
    if not isinstance(game, Game):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(
            f"game came as {type(game).__name__}; a Game is needed: Game(value, units=...), or "
            "whence.text_game for a text."
        )
    if game.n > MAX_UNITS:
        raise InputError(
            f"{game.n:,} units ({game.units.kind}s) came; at most {MAX_UNITS:,} can be told apart "
            "by masking. Cut coarser units (for text: units='sentence' or 'paragraph'), or pin "
            "what need not be explained."
        )
    budget = default_budget(game.n) if budget is None else _whole("budget", budget)
    held = _held(budget) if held_out is None else _whole("held_out", held_out)
    if budget < 4 or held < 2:
        raise BudgetError(
            f"budget={budget}, held_out={held} came; at least 4 masks are needed, of which at "
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
    return _Arguments(game, chosen, name or repr(chosen), budget, held, streams, seed)


def _whole(name: str, value: object, least: int | None = None) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or (least is not None and number < least):
        kind = "a non-negative integer or a numpy Generator" if name == "rng" else "an integer"
        raise InputError(f"{name}={value!r} came; {kind} is needed.")
    return number


def _copy(rng: np.random.Generator) -> np.random.Generator:
    # Its seed sequence goes along, so that a sampler may `spawn` and still repeat itself.
    return copy.deepcopy(rng)


def _conclude(
    given: _Arguments,
    run: Run,
    design: Plan,
    explainer: Explainer,
    noise: NDArray[np.float64] | float,
    *,
    interrupted: bool,
) -> Explanation:
    game = given.game
    values = run.samples()
    fitted = rows_of(values, design.fitting)
    f = explainer.fit(fitted)
    judged = values if design.exhaustive else rows_of(values, design.judging)
    fidelity = _fidelity(f, judged, given.streams[3], design, noise, run.repeats)
    return Explanation(
        f,
        game.units,
        game.outputs,
        game.unit,
        values.take(slice(0, 2)),
        fitted,
        judged,
        fidelity,
        run.cost(design.duplicates),
        Provenance(
            given.name,
            f.fitted_by,
            given.budget,
            given.seed,
            game.description,
            game.identity,
            (
                ("whence", __version__),
                ("numpy", np.__version__),
                ("python", platform.python_version()),
            ),
            interrupted,
        ),
    )


def _fidelity(
    f: SetFunction,
    judged: Samples,
    rng: np.random.Generator,
    design: Plan,
    noise: NDArray[np.float64] | float,
    repeats: int,
) -> Fidelity:
    told = "all masks" if design.exhaustive else "uniform, not used for fitting"
    return measure(
        f,
        judged,
        rng,
        distribution=told,
        exhaustive=design.exhaustive,
        noise=noise,
        repeats=repeats,
    )


def _partial(given: _Arguments, run: Run, *, lean: bool = False) -> Explanation | None:
    """What can be said of the masks valued before an interruption, or None.

    `lean` fits single units only, in no time: for an interruption of the fit itself.
    """
    try:
        return _what_was_valued(given, run, lean=lean)
    except KeyboardInterrupt:
        return None if lean else _partial(given, run, lean=True)
    except Exception:
        # Whatever a fit to too few masks raises, the interruption is what the caller hears of.
        return None


def _what_was_valued(given: _Arguments, run: Run, *, lean: bool) -> Explanation | None:
    if len(run.rows) < 3:
        return None
    design = given.plan(run.samples().take(slice(0, 2)))
    lean = lean or run.rows.size > LEAN_BEYOND
    chosen = recipes.lean() if lean else given.explainer
    if len(run.rows) == design.calls:
        chosen = given.explainer if design.exhaustive else chosen
        return _conclude(given, run, design, chosen, 0.0, interrupted=True)
    fitting = design.fitting[mask.among(design.fitting, run.rows)]
    judging = design.judging[mask.among(design.judging, run.rows)]
    if design.exhaustive:
        # In the order they were valued, which is mixed: the last are a uniform draw.
        keep = len(run.rows) // 5
        fitting, judging = run.rows[:-keep], run.rows[-keep:]
        chosen = recipes.lean() if lean else recipes.default()
    if len(judging) < min(LEAST_JUDGED, given.held_out):
        return None
    cut = replace(design, fitting=fitting, judging=judging, exhaustive=False)
    return _conclude(given, run, cut, chosen, 0.0, interrupted=True)
