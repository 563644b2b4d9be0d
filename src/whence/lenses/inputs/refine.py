"""Holds refine: coarse units are explained first, then the insides of those that matter.

Both runs are within one budget. It does not know how a text is cut (segment) nor how a game is
explained (explain).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from whence._run import Progress
from whence.errors import BudgetError, InputError, Interrupted
from whence.explain import explain, plan
from whence.explainer import Explainer
from whence.explanation import Explanation
from whence.game import Game, Values
from whence.lenses.inputs.conversation import Pin, Talk, Turns, conversation_game, talk
from whence.lenses.inputs.ends import Known
from whence.lenses.inputs.making import asks_predicted
from whence.lenses.inputs.nesting import Inside, mixed, opened_by
from whence.lenses.inputs.opening import told_from_zero
from whence.lenses.inputs.render import Absent, Baseline, Drop, Hide, as_absent
from whence.lenses.inputs.segment import Segmented, Tokenizer, segment
from whence.lenses.inputs.text import text_game
from whence.samplers.uniform import Uniform
from whence.scoring import Score, facts_of
from whence.surrogate import Surrogate

#: Kinds whose units may be cut further, and kinds they may be cut into.
COARSE = ("document", "turn", "function", "paragraph", "line", "sentence")
FINE = ("paragraph", "line", "sentence", "word", "token")
#: Masks that the second run must have for each unit inside what it opens, beyond the first.
PER_UNIT = 4
#: The smallest budget of two runs.
LEAST = 12


@dataclass(frozen=True)
class Refined:
    """A coarse explanation, and a finer one inside the units that matter.

    The finer game holds the opened units' insides and the other units whole, so its values are of
    the same input between the same two ends, and its attributions sum to the same difference.

    Attributes:
        coarse: of the coarse units.
        fine: of the insides of those that were opened, and the others as they were; None if none
            was.
        opened: the coarse units that were opened.
        closed: coarse units that are told from zero as well, and stayed closed: for want of
            budget, or because there is nothing to cut in them.
        calls: distinct masks valued by both runs together, the shared ends counted once.
        level: of the intervals that chose what to open.
    """

    coarse: Explanation
    fine: Explanation | None
    opened: tuple[int, ...]
    closed: tuple[int, ...]
    calls: int
    level: float

    @property
    def best(self) -> Explanation:
        """The finer explanation if there is one, else the coarse one."""
        return self.coarse if self.fine is None else self.fine

    def __repr__(self) -> str:
        names, kind = self.coarse.units.names(), self.coarse.units.kind
        lines = [repr(self.coarse), f"Opened, of {len(names)} {kind}s, told from zero:"]
        lines += [f"  {names[i]}" for i in self.opened] or [f"  none, at level {self.level:g}"]
        if self.closed:
            lines.append("Told from zero and not opened (little budget, or nothing to cut):")
            lines += [f"  {names[i]}" for i in self.closed]
        lines.append(f"{self.calls} calls in all.")
        return "\n".join(lines if self.fine is None else [*lines, repr(self.fine)])


def refine(
    score: Score,
    text: str | Segmented | Turns | Talk,
    *,
    budget: int,
    coarse: str = "paragraph",
    fine: str = "sentence",
    share: float = 1 / 3,
    level: float = 0.95,
    least: float = 0.01,
    explainer: Explainer | str | None = None,
    rng: int | np.random.Generator = 0,
    remember: Callable[[Game], Game] | None = None,
    absent: Absent | str = Drop(),  # noqa: B008  frozen, and holds nothing
    pin: Sequence[Pin] = (),
    tokenizer: Tokenizer | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Refined:
    """Explain coarse units, then only inside those that are told from zero, within one budget.

    The first run spends about `share` of the budget on the coarse units, by default with the
    default explainer on uniform masks. A unit is opened if its Banzhaf value is told from zero, or
    that of a pair it is in: if an interval excludes zero whose rate of missing, over all that are
    told from zero, is `1 - level`. The intervals do not rest on the fit's being right; see
    `whence.lenses.inputs.opening.told_from_zero`. If all masks were valued, the values are exact.

    Then the strongest of these are opened, at least one, as many as the second run has `PER_UNIT`
    masks for each unit inside them; it spends the rest of the budget. A document's tags or number
    are there as long as anything inside is; a title in its heading is a unit of its own.

    Args:
        score: as `whence.text_game` or `conversation_game`.
        text: a text, or a conversation, or either of them cut already.
        budget: the most distinct masks of both runs together, held-out ones included. The two ends
            are the same input in both and valued once (with absent="mask:...", the full one).
        coarse: what is explained first, one of `COARSE` or "split:" and a separator.
        fine: what is explained inside, one of `FINE`.
        share: of the budget that the first run may spend.
        level: 1 less the share of false ones that is tolerated among the opened.
        least: a unit whose strongest value is below this share of the strongest of all stays
            closed, however surely it is not zero.
        explainer, rng: as `whence.explain`, for both runs. With an explainer of your own what is
            told from zero rests on the held-out masks alone.
        remember: what puts a journal before a game, such as `Journal.remember`.
        absent, pin, tokenizer: as `whence.text_game`; a baseline text cannot be cut two ways.
        progress: called as `progress(done, budget)`.
        options: passed on whole to `whence.text_game`, or `conversation_game` for a conversation.

    Raises:
        InputError, BudgetError: before anything is spent; and as `whence.text_game`.
        Interrupted: Ctrl-C; it carries the last explanation there is.
    """
    _check(coarse, fine, isinstance(text, Segmented | Talk), as_absent(absent))
    _check_shares(share, level, least)
    _check_budget(budget)
    whole, make = _input(score, text, coarse, pin, tokenizer, options)
    # Lines keep their indentation in both runs alike, so that both have the same ends.
    lines = whole.layout.lines or fine == "line"
    whole = replace(whole, layout=replace(whole.layout, lines=lines))
    cutter = partial(segment, units=fine, tokenizer=tokenizer or facts_of(score).token_spans)
    insides = opened_by(whole, cutter)
    if all(inner is None for inner in insides):
        raise InputError(
            f"no {whole.units.kind} of the text holds two {fine}s, so there is nothing to refine; "
            "choose a finer fine= or a coarser coarse=, or explain the text as it is."
        )
    same = isinstance(as_absent(absent), Drop | Hide)
    runs = _Runs(explainer, rng, remember or _as_is, budget, progress)
    game = make(whole, absent=absent, **options)
    if asks_predicted(options.get("output"), replace(facts_of(score), **_scores(options))):
        options["output"] = game.outputs[0]  # said once; the second run need not ask again
    found = runs.first(game, max(4, round(budget * share)))
    strength = told_from_zero(found, level, least, uniform=explainer is None)
    order = sorted(strength, key=lambda i: -strength[i])
    left = budget - found.cost.calls + (2 if same else 1)
    opened = _affordable(insides, order, left)
    finer = None
    if opened:
        game = make(mixed(whole, insides, opened), absent=absent, **options)
        finer = runs.second(game, found, left, same)
    calls = found.cost.calls
    if finer is None:
        opened = ()
    else:
        calls += finer.cost.calls - (2 if same else 1)
    closed = tuple(sorted(i for i in order if i not in opened))
    return Refined(found, finer, opened, closed, calls, level)


def _scores(options: dict[str, Any]) -> dict[str, Any]:
    return {"scores": options["scores"]} if options.get("scores") else {}


def _as_is(game: Game) -> Game:
    return game


def _check(coarse: str, fine: str, cut: bool, absent: Absent) -> None:
    if not cut and coarse not in COARSE and not coarse.startswith("split:"):
        raise InputError(
            f"coarse={coarse!r} came; what can be opened is {', '.join(COARSE)}, or split: and a "
            "separator."
        )
    if fine not in FINE or (fine == coarse and not cut):
        raise InputError(
            f"fine={fine!r} came inside coarse={coarse!r}; it must be a finer one of "
            f"{', '.join(FINE)}."
        )
    if isinstance(absent, Baseline):
        raise InputError(
            "absent='baseline:...' came; a baseline does not cut into two kinds of units at once. "
            "Use absent='drop', 'hide' or 'mask:...'."
        )


def _check_budget(budget: int) -> None:
    if isinstance(budget, bool) or not isinstance(budget, int | np.integer) or budget < LEAST:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise BudgetError(
            f"budget={budget!r} came; it is the masks of both runs together, a whole number of at "
            f"least {LEAST}. Nine for each coarse unit is a good beginning."
        )


def _check_shares(share: float, level: float, least: float) -> None:
    if not (0 < share < 1 and 0 < level < 1 and 0 <= least < 1):
        raise InputError(
            f"share={share}, level={level}, least={least} came; each is a share between 0 and 1, "
            "such as share=1/3, level=0.95, least=0.01."
        )


def _input(
    score: Score,
    text: str | Segmented | Turns | Talk,
    coarse: str,
    pin: Sequence[Pin],
    tokenizer: Tokenizer | None,
    options: dict[str, Any],
) -> tuple[Segmented, Callable[..., Game]]:
    """The coarse units, and what makes a game of a cut of the same input, and of options."""
    if isinstance(text, str | Segmented):
        given = (pin,) if isinstance(pin, str | int) else pin
        places = [place for place in given if not isinstance(place, int)]
        if len(places) < len(given):
            raise InputError(f"pin={pin!r} came for a text; numbers are those of messages.")
        if isinstance(text, str):
            places += [piece for piece in facts_of(score).pins if piece in text]
        whole = segment(text, coarse, pin=places, tokenizer=tokenizer)
        return whole, partial(text_game, score)
    if not isinstance(text, Talk):
        roles = options.pop("roles", None)
        text = talk(text, units=coarse, roles=roles, pin=pin, tokenizer=tokenizer)
    return text.cut, partial(_talk_game, score, text)


def _talk_game(score: Score, spoken: Talk, cut: Segmented, **options: Any) -> Game:
    return conversation_game(score, replace(spoken, cut=cut), **options)


def _affordable(
    insides: Sequence[Inside | None], order: Sequence[int], masks: int
) -> tuple[int, ...]:
    """The units to open, strongest first, as many as the masks that are left can tell apart.

    Units that stay closed are not counted: most of them hardly matter.
    """
    opened: list[int] = []
    count = 0
    for unit in order:
        inner = insides[unit]
        more = len(inner.spans) if inner is not None else 0
        if more and (not opened or PER_UNIT * (count + more) <= masks):
            opened.append(unit)
            count += more
    return tuple(sorted(opened))


# --- the two runs -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Runs:
    """How both runs are made."""

    explainer: Explainer | str | None
    rng: int | np.random.Generator
    remember: Callable[[Game], Game]
    budget: int
    progress: Progress | None
    # Raw values of the ends, from the first run for the second.
    ends: dict[bool, Values] = field(default_factory=dict[bool, Values])

    def first(self, game: Game, budget: int) -> Explanation:
        # Uniform masks, so that all of them can say what is told from zero.
        explainer = Surrogate(Uniform()) if self.explainer is None else self.explainer
        return self._run(game, budget, self.ends, 0, explainer)

    def second(self, game: Game, found: Explanation, budget: int, same: bool) -> Explanation | None:
        """The finer explanation; None where the budget cannot feed the explainer."""
        try:
            plan(game, self.explainer, budget=budget)
        except BudgetError:
            return None
        ends = {end: raw for end, raw in self.ends.items() if end or same}
        try:
            return self._run(game, budget, ends, found.cost.calls - len(ends), self.explainer)
        except Interrupted as stop:
            best = found if stop.explanation is None else stop.explanation
            raise Interrupted(best, stop.calls + found.cost.calls - len(ends)) from None

    def _run(
        self,
        game: Game,
        budget: int,
        ends: dict[bool, Values],
        spent: int,
        explainer: Explainer | str | None,
    ) -> Explanation:
        kept = self.remember(game)
        known = Known(kept, ends)
        played = replace(kept, value=known, again=kept.again or kept.value)
        told = self.progress
        return explain(
            played,
            explainer,
            budget=budget,
            rng=self.rng,
            progress=None if told is None else lambda done, _: told(spent + done, self.budget),
        )
