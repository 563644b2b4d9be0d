"""Holds Rounds: a run in parts, with its held-out masks drawn beforehand and never fitted to.

It does not know how values are got, nor what is concluded after a round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from whence import masks as mask
from whence._plan import Arguments, Plan, copied
from whence.errors import BudgetError
from whence.evaluation.stopping import LEAST
from whence.explainer import Staged
from whence.masks import Masks
from whence.samples import Samples

#: Values masks that have no value yet, in the order given, and returns the values of all of them.
Valued = Callable[[Masks], Samples]

#: Parts of the budget after which a run with a goal looks whether it may stop.
SHARES = (1 / 8, 1 / 4, 1 / 2)


@dataclass(frozen=True)
class Stage:
    """Where one round ends.

    Attributes:
        fitting: masks for fitting so far, without the two ends.
        judging: held-out masks so far.
        look: whether the run asks here if it may stop; at the last stage it is over anyway.
    """

    fitting: int
    judging: int
    look: bool = False


@dataclass(frozen=True)
class Rounds:
    """The rounds of a run.

    All held-out masks are drawn uniformly before the first round, from a stream of their own, so
    they depend on no value, and each round uses some more of them. What an explainer asks that is
    among them is dropped, and it is asked for others.

    Attributes:
        given: what the run was asked for.
        stages: where the rounds end; a single one means a run without rounds.
        held: `(h, n)` all masks that may be held out, in the order of their use.
    """

    given: Arguments
    stages: tuple[Stage, ...]
    held: Masks

    @property
    def looks(self) -> int:
        """How many intervals of the fit may be taken: at the looks, and at the end.

        An end where all masks are valued needs none.
        """
        looks = sum(stage.look for stage in self.stages)
        return looks + (looks > 0 and not self.given.exhaustive)

    def walk(self, valued: Valued) -> Iterator[Plan]:
        """What is asked after each round, all of it valued."""
        given = self.given
        ask, mix = copied(given.streams[0]), copied(given.streams[2])
        fitting, judged, duplicates = mask.ends(given.game.n), 0, 0
        for stage in self.stages:
            last = stage is self.stages[-1]
            whole = given.exhaustive and last
            barred = self.held[:0] if whole else self.held
            share = stage.fitting + 2 - len(fitting)
            fresh, dropped, twice = self._asked(valued(fitting), share, ask, barred, last)
            duplicates += twice
            rows = np.concatenate([fresh, self.held[judged : stage.judging]])
            # Mixed, so that an interrupted run can be judged too.
            valued(rows[mix.permutation(len(rows))])
            fitting = np.concatenate([fitting, fresh])
            if dropped:
                fitting = self._filled(fitting, dropped, ask, valued)
            judged = stage.judging
            judging = self.held[:judged]
            if whole:
                judging = _rest(given.game.n, fitting)
                valued(judging)
            yield Plan(fitting, judging, whole, duplicates, given.budget, self.looks)

    def plan(self) -> Plan:
        """What the run would value at most, by values all zero."""
        *_, design = self.walk(lambda rows: Samples(rows, np.zeros(len(rows))))
        return design

    def parted(self, rows: Masks) -> tuple[Masks, Masks]:
        """Masks that were valued, as those for fitting and those held out."""
        out = mask.among(rows, self.held)
        return rows[~out], rows[out]

    def _asked(
        self, seen: Samples, share: int, rng: np.random.Generator, barred: Masks, last: bool
    ) -> tuple[Masks, int, int]:
        """New masks, how many were dropped because they are held out, and how many came twice."""
        n = self.given.game.n
        none = seen.masks[:0]
        if share < 1:
            return none, 0, 0
        try:
            asked = mask.as_masks(self.given.explainer.ask(n, share, rng, seen), n)
        except BudgetError:
            # What is left for this round is too little for its design; the next has more.
            if last and len(seen) <= 2:
                raise
            return none, 0, 0
        fresh = self.given.fresh(asked, seen.masks, share)
        kept = fresh[~mask.among(fresh, barred)]
        return kept, len(fresh) - len(kept), len(asked) - len(fresh)

    def _filled(
        self, fitting: Masks, short: int, rng: np.random.Generator, valued: Valued
    ) -> Masks:
        """The masks for fitting, with others in place of those that were dropped.

        The last time so many are asked for that enough remain were all the held-out ones among
        them; any of those will do, so they are taken at random.
        """
        for more in (0, 0, len(self.held)):
            fresh, _, _ = self._asked(valued(fitting), short + more, rng, self.held, False)
            fresh = fresh[rng.permutation(len(fresh))[:short]] if more else fresh
            valued(fresh)
            fitting = np.concatenate([fitting, fresh])
            short -= len(fresh)
            if short < 1:
                break
        return fitting


def rounds(given: Arguments) -> Rounds:
    """The rounds that fit the arguments: one, unless there is a goal or the explainer is Staged."""
    stages = _stages(given)
    while len(stages) > 1 and not _affordable(given, stages[0].fitting):
        stages = stages[1:]
    held = mask.uniform(
        given.game.n, given.held_out, copied(given.streams[1]), avoid=mask.ends(given.game.n)
    )
    return Rounds(given, stages, held)


def _stages(given: Arguments) -> tuple[Stage, ...]:
    """Where rounds end: at shares of the budget for a goal, and where a Staged explainer says."""
    total = given.total
    held = min(given.held_out, total // 2) if given.exhaustive else given.held_out
    share = total - held - 2
    found = [Stage(share, held)]
    if given.goal:
        looked = [_looked(part, held, total) for part in SHARES]
        found += [replace(s, fitting=min(s.fitting, share)) for s in looked if s.judging >= LEAST]
    if len(found) > 1 or not given.exhaustive:
        found += _staged(given, share)
    found = sorted(found, key=lambda stage: (stage.fitting, stage.judging))
    most = np.maximum.accumulate([stage.judging for stage in found])
    stages = [replace(s, judging=int(j)) for s, j in zip(found, most, strict=True)]
    if given.exhaustive:
        stages[-1] = replace(stages[-1], fitting=total - 2)
    return tuple(stages)


def _looked(part: float, held: int, total: int) -> Stage:
    """The stage of a look: a fifth is held out as always, but enough to judge, if half will do."""
    budget = int(total * part)
    judging = min(held, max(LEAST, -(-held * budget // total)), budget // 2)
    return Stage(budget - judging - 2, judging, look=True)


def _staged(given: Arguments, share: int) -> list[Stage]:
    """The rounds but the last of a Staged explainer: half of the share, then equal parts."""
    explainer = given.explainer
    count = explainer.rounds if isinstance(explainer, Staged) else 1
    ends = {share // 2 + (share - share // 2) * j // (count - 1) for j in range(count - 1)}
    return [
        Stage(end, -(-given.held_out * end // share)) for end in sorted(ends) if 0 < end < share
    ]


def _affordable(given: Arguments, share: int) -> bool:
    """Whether the explainer can work with a share, as far as can be told without values."""
    ends = mask.ends(given.game.n)
    try:
        asked = given.explainer.ask(
            given.game.n, share, copied(given.streams[0]), Samples(ends, np.zeros(2))
        )
    except BudgetError:
        return False
    return len(asked) > 0


def _rest(n: int, fitting: Masks) -> Masks:
    every = mask.every(n)
    return every[~mask.among(every, fitting)]
