"""Holds explain: ask for masks, value them, fit, measure the fit on masks that were held out.

It does not know where values are remembered (a journal wraps the game) nor how results are drawn.
"""

from __future__ import annotations

import platform
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from whence import masks as mask
from whence import recipes
from whence._plan import EXACT_BUDGET, MAX_UNITS, Arguments, Plan, arguments, copied, default_budget
from whence._rounds import Rounds, rounds
from whence._run import Progress, Run, rows_of
from whence._version import __version__
from whence.errors import InputError, Interrupted, ShapeError
from whence.evaluation import stopping
from whence.evaluation.controls import Check
from whence.evaluation.fidelity import Fidelity, measure
from whence.explainer import Explainer
from whence.explanation import Explanation, Provenance
from whence.game import Game
from whence.samples import Samples
from whence.setfunction import SetFunction
from whence.units import plural

__all__ = [
    "EXACT_BUDGET",
    "MAX_UNITS",
    "Plan",
    "default_budget",
    "explain",
    "plan",
    "seed_spread",
]

#: An interrupted run says nothing of a fit that it can judge on fewer masks than this.
LEAST_JUDGED = 5
#: With more masks times units than this, an interrupted run is fitted leanly: nobody waits then.
LEAN_BEYOND = 20_000


def plan(
    game: Game,
    explainer: Explainer | str | None = None,
    *,
    budget: int | None = None,
    rng: int | np.random.Generator = 0,
    held_out: int | None = None,
    target_r2: float | None = None,
    separate: int | None = None,
) -> Plan:
    """The masks that `explain` with the same arguments would value, at most. Calls nothing.

    For explainers that look at values before they ask, the plan is that of values all zero. A run
    that may stop early values some of them only.

    Raises:
        InputError, BudgetError: as `explain`, before anything is spent.
    """
    once, parts = _planned(arguments(game, explainer, budget, rng, held_out, target_r2, separate))
    return once if parts is None else parts.plan()


def _planned(given: Arguments) -> tuple[Plan, Rounds | None]:
    """The plan of a run that asks once, and the rounds if there are several.

    A design that cannot be afforded is refused here, before the first call.
    """
    once = given.plan(Samples(mask.ends(given.game.n), np.zeros(2)))
    parts = rounds(given)
    return once, parts if len(parts.stages) > 1 else None


def explain(
    game: Game,
    explainer: Explainer | str | None = None,
    *,
    budget: int | None = None,
    rng: int | np.random.Generator = 0,
    held_out: int | None = None,
    repeats: int = 3,
    progress: Progress | None = None,
    target_r2: float | None = None,
    separate: int | None = None,
) -> Explanation:
    """Find the set function that stands in for a game, and measure how well it does.

    The full and the empty mask are always valued. A fifth of the budget (8 to 1,000 masks) is
    drawn uniformly from the masks not used for fitting, is held out, chooses nothing, and
    measures the fit. With a budget that covers all 2^n masks every mask is valued, and the fit is
    measured on all of them.

    With a goal the run may stop early. It asks in rounds that end at 1/8, 1/4, 1/2 and all of the
    budget, and looks after each whether the goal is reached; at least 50 masks must be held out
    by then, so a budget below 250 (at the default `held_out`) is always spent. The interval shown
    is then the one that holds at all looks together.

    Args:
        game: units and a value function; wrap it with `Journal.remember` to keep what is paid.
        explainer: an `Explainer`, the name of a recipe ("kernel_shap", "faith:3", ...), or None
            for the default: exact when the budget covers every mask, else a blend of fits,
            see `whence.surrogate`.
        budget: the most distinct masks to value, held-out ones included; None uses
            `default_budget(n)`.
        rng: seed or generator; equal seeds give equal results.
        held_out: masks to hold out, at least 2; None as above.
        repeats: masks asked a second time to detect noise; these calls are counted apart.
        progress: called as `progress(done, total)` after every batch.
        target_r2: stop when the lower end of the interval of the held-out R² clears this, in
            every output that is not constant.
        separate: stop when so many units, the strongest by Shapley value, are told apart from the
            rest, in every output that is not constant, and the fit is better than a constant.
            It rests on the fit's own standard errors. With both goals either will do.

    Raises:
        InputError: too many units, an unknown explainer, or unusable arguments.
        BudgetError: a budget the explainer cannot work with; nothing has been spent.
        GameError: the value function broke its contract or raised.
        Interrupted: Ctrl-C; a KeyboardInterrupt that carries what can be said so far.
    """
    given = arguments(game, explainer, budget, rng, held_out, target_r2, separate)
    expected, parts = _planned(given)
    run = Run(game, progress, expected.calls)
    stopped = ""
    f = None
    try:
        run.value(mask.ends(game.n))
        _check_outputs(game, run.samples())
        if parts is None:
            design = _ask_once(given, run)
        else:
            design, f, stopped = _ask_in_rounds(parts, run)
        noise = run.noise(min(repeats, len(run.rows)), given.streams[3])
    except Interrupted:
        raise
    except KeyboardInterrupt:
        raise Interrupted(_partial(given, run, parts), len(run.rows)) from None
    try:
        f = given.explainer.fit(rows_of(run.samples(), design.fitting)) if f is None else f
        return _conclude(given, run, design, f, noise, given.streams[3], stopped=stopped)
    except KeyboardInterrupt:
        raise Interrupted(_partial(given, run, parts, lean=True), len(run.rows)) from None


def _ask_once(given: Arguments, run: Run) -> Plan:
    design = given.plan(run.samples())
    run.total = design.calls
    rest = np.concatenate([design.fitting[2:], design.judging])
    # Mixed, so that an interrupted run can be judged too.
    run.value(rest[given.streams[2].permutation(len(rest))])
    return design


def _ask_in_rounds(parts: Rounds, run: Run) -> tuple[Plan, SetFunction | None, str]:
    """What was asked in the end; if the goal was reached early, the fit, and why it will do."""
    design, looked = None, 0
    for stage, design in zip(parts.stages, parts.walk(run.valued), strict=False):
        if not stage.look:
            continue
        looked += 1
        try:
            f, reached = _look(parts.given, run, design)
        except KeyboardInterrupt:
            raise Interrupted(_partial(parts.given, run, parts, lean=True), len(run.rows)) from None
        if reached:
            return design, f, f"{reached} at look {looked} of {parts.looks}"
    assert design is not None
    return design, None, ""


def _look(given: Arguments, run: Run, design: Plan) -> tuple[SetFunction, str]:
    """The fit to what was asked so far, and in which way it is enough; "" if it is not."""
    wanted, looks = given.goal, design.looks
    values = run.samples()
    f = given.explainer.fit(rows_of(values, design.fitting))
    judged = rows_of(values, design.judging)
    varies = ~stopping.constant_columns(values.columns)
    target = wanted.target_r2
    if target is not None and stopping.fits(target, f, judged, varies, looks):
        return f, f"the fit's interval cleared R² {target:g}"
    k = wanted.separate
    if k is not None and stopping.fits(0.0, f, judged, varies, looks):
        so_far = _conclude(given, run, design, f, 0.0, copied(given.streams[3]))
        if stopping.told_apart(k, so_far.attributions().f, varies, looks):
            kind = given.game.units.kind
            return (
                f,
                f"the strongest {kind if k == 1 else f'{k} {plural(kind)}'} stood apart from the "
                "rest",
            )
    return f, ""


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


def _conclude(
    given: Arguments,
    run: Run,
    design: Plan,
    f: SetFunction,
    noise: NDArray[np.float64] | float,
    rng: np.random.Generator,
    *,
    interrupted: bool = False,
    stopped: str = "",
) -> Explanation:
    game = given.game
    values = run.samples()
    fitted = rows_of(values, design.fitting)
    judged = values if design.exhaustive else rows_of(values, design.judging)
    fidelity = _fidelity(f, judged, rng, design, noise, run.repeats)
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
            stopped,
            game.model,
            () if game.notes is None else tuple(game.notes()),
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
    fidelity = measure(
        f,
        judged,
        rng,
        distribution=told,
        exhaustive=design.exhaustive,
        noise=noise,
        repeats=repeats,
    )
    looks = 0 if design.exhaustive else design.looks
    return stopping.widened(fidelity, f, judged, looks) if looks else fidelity


def _partial(
    given: Arguments, run: Run, parts: Rounds | None, *, lean: bool = False
) -> Explanation | None:
    """What can be said of the masks valued before an interruption, or None.

    `lean` fits single units only, in no time: for an interruption of the fit itself.
    """
    try:
        return _what_was_valued(given, run, parts, lean=lean)
    except KeyboardInterrupt:
        return None if lean else _partial(given, run, parts, lean=True)
    except Exception:
        # Whatever a fit to too few masks raises, the interruption is what the caller hears of.
        return None


def _what_was_valued(
    given: Arguments, run: Run, parts: Rounds | None, *, lean: bool
) -> Explanation | None:
    if len(run.rows) < 3:
        return None
    design = _design_of(given, run, parts)
    lean = lean or run.rows.size > LEAN_BEYOND
    chosen = recipes.lean() if lean else given.explainer
    if len(run.rows) == design.calls and (parts is None or design.exhaustive):
        chosen = given.explainer if design.exhaustive else chosen
        return _told(given, run, design, chosen)
    fitting = design.fitting[mask.among(design.fitting, run.rows)]
    judging = design.judging[mask.among(design.judging, run.rows)]
    if design.exhaustive:
        # In the order they were valued, which is mixed: the last are a uniform draw.
        keep = len(run.rows) // 5
        fitting, judging = run.rows[:-keep], run.rows[-keep:]
        chosen = recipes.lean() if lean else recipes.default()
    if len(judging) < min(LEAST_JUDGED, given.held_out):
        return None
    return _told(
        given, run, replace(design, fitting=fitting, judging=judging, exhaustive=False), chosen
    )


def _design_of(given: Arguments, run: Run, parts: Rounds | None) -> Plan:
    """The design of an interrupted run; of one in rounds, as far as it came."""
    if parts is None:
        return given.plan(run.samples().take(slice(0, 2)))
    fitting, judging = parts.parted(run.rows)
    if given.exhaustive and len(run.rows) == given.total:
        return Plan(run.rows, run.rows[:0], True, 0, given.budget)
    return Plan(fitting, judging, False, 0, given.budget)


def _told(given: Arguments, run: Run, design: Plan, chosen: Explainer) -> Explanation:
    f = chosen.fit(rows_of(run.samples(), design.fitting))
    return _conclude(given, run, design, f, 0.0, given.streams[3], interrupted=True)
