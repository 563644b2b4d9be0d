"""Runs in rounds: they stop when enough is known, spend no call too many, and repeat exactly."""

import dataclasses
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder import Recorder, same
from whence import Explanation, Game, Journal, Samples, explain, masks, plan
from whence._plan import arguments
from whence._rounds import rounds
from whence.errors import BudgetError, InputError, Interrupted
from whence.explainer import Explainer, Paired, Staged
from whence.samplers.uniform import Uniform
from whence.solvers.low_degree import LowDegree
from whence.testing import planted
from whence.views.document import document

#: What no run reaches: rounds to the end.
NEVER = 0.999999


@dataclasses.dataclass
class Curious:
    """Single units from uniform masks, in rounds; keeps what it was asked and shown."""

    rounds: int
    log: list = dataclasses.field(default_factory=list)

    def ask(self, n, budget, rng, seen):
        """Uniform masks."""
        if len(seen) + budget < n + 3:
            raise BudgetError("too few for single units")
        asked = masks.uniform(n, budget, rng, avoid=seen.masks)
        self.log.append((budget, seen, asked))
        return asked

    def fit(self, samples):
        """Single units."""
        return LowDegree(1).fit(samples)


def same_run(a, b):
    """Whether two explanations hold the same numbers and say the same of how they came about."""
    same(a, b)
    assert a.provenance == b.provenance


def rows_of(samples):
    """Masks as a set of tuples."""
    return {tuple(r) for r in samples.masks.tolist()}


@settings(max_examples=60, deadline=None)
@given(
    st.integers(3, 12),
    st.integers(20, 700),
    st.sampled_from(["banzhaf", "kernel_shap", "permutation", "lime"]),
    st.integers(0, 10**6),
    st.sampled_from([None, 2, 60, 200]),
    st.booleans(),
)
def test_the_budget_is_exact(n, budget, name, seed, held_out, staged):
    """At any n and budget a run in rounds values no mask twice and never more than the budget."""
    record = Recorder(planted.sparse(n, 0).truth)
    explainer = Curious(4) if staged else name
    try:
        e = explain(
            Game(record, n, batch=7),
            explainer,
            budget=budget,
            held_out=held_out,
            rng=seed,
            repeats=0,
            target_r2=NEVER,
        )
    except BudgetError:
        assert record.rows == []
        return
    assert len(record.rows) == len(set(record.rows)) == e.cost.calls <= budget
    assert budget < 2**n or e.cost.calls == 2**n
    if staged or name == "banzhaf":
        assert e.cost.calls == min(budget, 2**n)
    assert e.fidelity.exhaustive == (budget >= 2**n)
    if budget < 2**n:
        assert not rows_of(e.fitted) & rows_of(e.judged)
        assert rows_of(e.fitted) | rows_of(e.judged) == set(record.rows)


@pytest.mark.parametrize("n", [9, 11, 16])
@pytest.mark.parametrize("name", ["default", "banzhaf"])
def test_an_easy_game_costs_a_fraction(n, name):
    """An additive game reaches R² 0.9 with an eighth of the budget, and says so."""
    record = Recorder(planted.additive(n, 0).truth)
    e = explain(Game(record, n), name, budget=1024, target_r2=0.9, repeats=0)
    assert len(record.rows) == e.cost.calls == min(1024, 2**n) // 8 * (2 if n == 9 else 1)
    assert e.fidelity.low > 0.9
    assert e.provenance.stopped.startswith("the fit's interval cleared R² 0.9 at look 1 of")
    assert not e.provenance.interrupted
    assert e.provenance.budget == 1024


def test_a_hard_game_costs_the_whole_budget():
    """Where no function that fits comes near the target, all is spent and nothing is claimed."""
    e = explain(planted.peak(12, 0).game, "lasso", budget=600, target_r2=0.9)
    assert e.cost.calls == 600
    assert e.provenance.stopped == ""
    assert len(e.judged) == 120


def test_the_interval_shown_is_the_one_that_stopped():
    """A run with a goal shows the interval that holds at all looks, wider than that of one look."""
    game = planted.sparse(12, 0).game
    looked = explain(game, "banzhaf", budget=600, target_r2=NEVER)
    f, judged = looked.f, looked.judged
    assert looked.fidelity.distribution.endswith("the interval holds at all 3 looks")
    plain = explain(game, "banzhaf", budget=600)
    assert looked.fidelity.low < looked.fidelity.r2 < looked.fidelity.high
    assert plain.fidelity.distribution == "uniform, not used for fitting"
    want = 1 - ((judged.values - f(judged.masks)) ** 2).mean() / judged.values.var()
    assert looked.fidelity.r2 == pytest.approx(want)


def test_false_stops_are_rare():
    """With a target that no additive function reaches, at most 5 % of the runs claim it."""
    every, stops, runs = masks.every(10), 0, 0
    quick = Paired(Uniform(), LowDegree(1), groups=1)
    for game in range(3):
        p = planted.sparse(10, game, degree=2)
        truth = p.truth(every)
        best = LowDegree(1).fit(Samples(every, truth))(every)
        target = 1 - ((truth - best) ** 2).mean() / truth.var()
        for seed in range(20):
            e = explain(p.game, quick, budget=1000, target_r2=target, rng=seed, repeats=0)
            stops += e.provenance.stopped != ""
            runs += 1
    assert stops <= 0.05 * runs + 2


@pytest.mark.parametrize("goal", [{"target_r2": 0.9}, {"separate": 2}, {"target_r2": NEVER}])
def test_batch_size_changes_nothing(goal):
    """Equal seeds give equal results whatever the batch; another seed gives another."""
    truth = planted.near_linear(12, 1).truth
    runs = [explain(Game(truth, 12, batch=b), budget=500, rng=1, **goal) for b in (1, 7, 1000)]
    for run in runs[1:]:
        same_run(runs[0], run)
    other = explain(Game(truth, 12), budget=500, rng=2, **goal)
    assert rows_of(other.judged) != rows_of(runs[0].judged)


def test_a_journal_changes_nothing_and_pays_once(tmp_path):
    """With an empty, a half-filled or a full journal the result is the same; full is free."""
    truth = planted.sparse(12, 1).truth
    goal = {"budget": 800, "target_r2": 0.95, "repeats": 0}
    bare = explain(Game(truth, 12), **goal)
    assert bare.provenance.stopped
    record = Recorder(truth)
    game = Game(record, 12, identity="planted", batch=16)
    with Journal(tmp_path / "a.db") as journal:
        kept = journal.remember(game)
        record.stop = 40
        with pytest.raises(Interrupted):
            explain(kept, **goal)
        paid = len(record.rows)
        record.stop = None
        resumed = explain(kept, **goal)
        assert len(record.rows) == bare.cost.calls > paid
        again = explain(kept, **goal)
        assert len(record.rows) == bare.cost.calls
    for e in (resumed, again):
        same_run(replace(e, provenance=bare.provenance), bare)


def test_a_second_goal_goes_on_from_the_first(tmp_path):
    """A stricter goal asks the masks of a laxer one again, so a journal answers those."""
    record = Recorder(planted.sparse(14, 0).truth)
    with Journal(tmp_path / "a.db") as journal:
        kept = journal.remember(Game(record, 14, identity="planted"))
        lax = explain(kept, "banzhaf", budget=800, target_r2=-0.5, repeats=0)
        strict = explain(kept, "banzhaf", budget=800, target_r2=NEVER, repeats=0)
    assert lax.cost.calls < strict.cost.calls == len(record.rows) == 800
    assert rows_of(lax.fitted) < rows_of(strict.fitted)
    assert rows_of(lax.judged) < rows_of(strict.judged)


def test_all_outputs_must_clear():
    """A run goes on while one output falls short, and a constant output does not hold it up."""
    easy, hard = planted.additive(12, 0).truth, planted.peak(12, 0).truth
    goal = {"budget": 600, "target_r2": 0.9, "repeats": 0}

    def game(*columns):
        return Game(lambda rows: np.stack([c(rows) for c in columns], axis=1), 12)

    def flat(rows):
        return np.full(len(rows), 0.3)

    assert explain(game(easy, flat, easy), "banzhaf", **goal).cost.calls < 600
    assert explain(game(easy, hard), "banzhaf", **goal).cost.calls == 600
    assert explain(game(flat, flat), "banzhaf", **goal).cost.calls == 600


def test_units_that_stand_apart_end_a_run():
    """`separate=k` ends a run when the k strongest units are clear, and never when two tie."""
    weights = np.array([5.0, 4.0, 0.3, 0.2, 0.1, 0.0, 0.0, 0.1, 0.2, 0.1, 0.05, 0.3])
    game = Game(lambda rows: rows @ weights + 0.2 * rows[:, 0] * rows[:, 3], 12)
    e = explain(game, "banzhaf", budget=600, separate=2)
    assert e.provenance.stopped == "the strongest 2 units stood apart from the rest at look 1 of 3"
    assert e.cost.calls < 600
    one = np.where(weights == 4.0, 5.0, weights)
    tied = Game(lambda rows: rows @ one + 0.5 * rows[:, 2] * rows[:, 3], 12)
    assert explain(tied, "banzhaf", budget=600, separate=1).provenance.stopped == ""


def test_units_of_a_bad_fit_do_not_stand_apart():
    """A fit that is not surely better than the constant ends nothing, however clear its ranking."""
    e = explain(planted.peak(12, 0).game, "banzhaf", budget=600, separate=1)
    assert e.provenance.stopped == ""


def test_either_goal_is_enough():
    """With two goals the one that is reached ends the run and is named."""
    game = planted.additive(12, 0).game
    by_fit = explain(game, "banzhaf", budget=600, target_r2=0.5, separate=1)
    by_rank = explain(game, "banzhaf", budget=600, target_r2=NEVER, separate=1)
    assert "R² 0.5" in by_fit.provenance.stopped
    assert "stood apart" in by_rank.provenance.stopped


@pytest.mark.parametrize("goal", [{"target_r2": 1.0}, {"target_r2": np.nan}, {"separate": 8}])
def test_bad_goals_are_refused_before_a_call(goal):
    """A goal that cannot be reached is refused by name, and the model is not called."""
    game = Game(lambda rows: pytest.fail("called"), 8)
    for verb in (explain, plan):
        with pytest.raises(InputError, match=f"{next(iter(goal))}="):
            verb(game, **goal)


def test_few_masks_never_end_a_run():
    """Below 50 held-out masks there is no look: the run is the one without a goal."""
    game = planted.additive(9, 0).game
    for given_ in ({"budget": 240}, {"budget": 400, "held_out": 49}):
        same_run(explain(game, **given_, target_r2=0.1), explain(game, **given_))


def test_the_plan_is_the_most_that_is_asked():
    """`plan` with a goal names the masks of a run that is never satisfied, and calls nothing."""
    record = Recorder(planted.sparse(12, 0).truth)
    goal = {"budget": 500, "rng": 5, "target_r2": NEVER}
    design = plan(Game(record, 12), "banzhaf", **goal)
    assert record.rows == []
    explain(Game(record, 12), "banzhaf", **goal, repeats=0)
    assert {tuple(r) for r in design.masks.tolist()} == set(record.rows)
    assert (design.calls, design.looks) == (500, 3)
    assert plan(Game(record, 12), "banzhaf", budget=500).looks == 0


def test_the_first_round_is_one_the_explainer_can_use():
    """Rounds too small for the explainer are left out, and the looks are counted without them."""
    game = planted.sparse(16, 0).game
    for name, first in (("banzhaf", 125), ("faith:2", 250), ("faith_shap:2", 500)):
        parts = rounds(arguments(game, name, 1000, 0, None, target_r2=0.9))
        assert parts.stages[0].fitting + parts.stages[0].judging + 2 == first
        assert parts.looks == len(parts.stages) == {125: 4, 250: 3, 500: 2}[first]


def test_held_out_masks_do_not_depend_on_values():
    """The held-out masks are those drawn beforehand, and are uniform over sizes."""
    parts = rounds(arguments(planted.sparse(12, 0).game, "banzhaf", 2000, 3, 1000, target_r2=0.9))
    for p in (planted.sparse(12, 0), planted.peak(12, 1)):
        e = explain(p.game, "banzhaf", budget=2000, rng=3, held_out=1000, target_r2=NEVER)
        np.testing.assert_array_equal(e.judged.masks, parts.held)
    share = parts.held.mean(axis=0)
    assert 0.4 < share.min() <= share.max() < 0.6


def test_held_out_values_choose_nothing():
    """With other values on the held-out masks the fitted function is the same."""
    truth = planted.sparse(11, 0).truth
    goal = {"budget": 500, "rng": 3, "target_r2": NEVER, "repeats": 0}
    held = plan(Game(truth, 11), Curious(3), **{k: goal[k] for k in goal if k != "repeats"}).judging

    def disturbed(rows):
        return truth(rows) + 5.0 * masks.among(rows, held)

    a = explain(Game(truth, 11), Curious(3), **goal)
    b = explain(Game(disturbed, 11), Curious(3), **goal)
    np.testing.assert_array_equal(a.f.values, b.f.values)
    assert a.fidelity.r2 > b.fidelity.r2


@pytest.mark.parametrize("n", [9, 14])
def test_a_staged_explainer_is_asked_in_rounds(n):
    """Half of the share comes first, then equal parts; `seen` holds just what was fitted so far."""
    mine = Curious(5)
    assert isinstance(mine, Staged)
    record = Recorder(planted.sparse(n, 0).truth)
    e = explain(Game(record, n), mine, budget=300, held_out=58, repeats=0)
    # Before the first call a budget is checked, by values all zero.
    asks = [ask for ask in mine.log if ask[1].values.any()]
    sizes = {len(seen) for _, seen, _ in asks}
    for _, seen, asked in asks:
        assert rows_of(seen) <= rows_of(e.fitted)
        np.testing.assert_array_equal(seen.values, record.truth(seen.masks))
        assert not masks.among(asked, seen.masks).any()
    assert {2, 122, 152, 182, 212} <= sizes
    assert (len(e.fitted), len(e.judged), e.cost.calls) == (242, 58, 300)
    assert len(record.rows) == len(set(record.rows)) == 300
    assert not rows_of(e.fitted) & rows_of(e.judged)
    assert e.provenance.stopped == ""
    assert e.fidelity.distribution == "uniform, not used for fitting"


def test_who_is_staged():
    """An explainer without `rounds` is not Staged; one with `rounds=1` is asked once, as ever."""
    plain = Paired(Uniform(), LowDegree(1))
    assert isinstance(plain, Explainer)
    assert not isinstance(plain, Staged)
    once = Curious(1)
    game = planted.sparse(9, 0).game
    a = explain(game, once, budget=200)
    b = explain(game, Paired(Uniform(), LowDegree(1)), budget=200)
    assert len([x for x in once.log if len(x[1]) == 2]) == len(once.log)
    assert rows_of(a.fitted) == rows_of(b.fitted)
    assert rows_of(a.judged) == rows_of(b.judged)


def test_an_exhaustive_budget_ends_with_all_masks():
    """Rounds that reach every mask end exact, in whatever they asked first."""
    p = planted.hierarchical(9, 0, degree=6)
    e = explain(p.game, budget=512, target_r2=NEVER)
    assert e.fidelity.exhaustive
    assert e.fidelity.distribution == "all masks"
    assert e.fidelity.low == e.fidelity.high == e.fidelity.r2 == pytest.approx(1.0)
    np.testing.assert_allclose(e.f(masks.every(9)), p.truth(masks.every(9)), atol=1e-9)


@pytest.mark.parametrize("stop", [0, 2, 20, 90, 125, 126, 300, 499])
def test_ctrl_c_between_and_in_rounds_keeps_what_was_paid(stop):
    """After k calls an interruption tells k; its explanation rests on paid masks only."""
    record = Recorder(planted.sparse(12, 0).truth, stop)
    with pytest.raises(Interrupted) as caught:
        explain(Game(record, 12, batch=1), "banzhaf", budget=500, target_r2=NEVER)
    assert caught.value.calls == len(record.rows) == stop
    e = caught.value.explanation
    if e is None:
        assert stop < 90
        return
    assert e.provenance.interrupted
    assert e.provenance.stopped == ""
    assert e.cost.calls == stop == len(e.fitted) + len(e.judged)
    assert rows_of(e.fitted) | rows_of(e.judged) == set(record.rows)
    assert not masks.among(e.judged.masks, e.fitted.masks).any()
    assert e.fidelity.distribution == "uniform, not used for fitting"


def test_ctrl_c_in_a_fit_between_rounds_is_lean():
    """An interruption of the fit at a look gives single units, at once, from what was paid."""

    @dataclasses.dataclass(frozen=True)
    class Slow:
        def ask(self, n, budget, rng, seen):
            return masks.uniform(n, budget, rng, avoid=seen.masks)

        def fit(self, samples):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        explain(planted.sparse(12, 0).game, Slow(), budget=1000, target_r2=0.5)
    assert caught.value.calls == 125
    assert caught.value.explanation.f.degree == 1
    assert caught.value.explanation.cost.calls == 125


def test_an_explainer_that_overspends_in_a_round_is_refused():
    """An explainer that keeps to its budget once and not again is stopped at that round."""

    class Greedy(Curious):
        def ask(self, n, budget, rng, seen):
            more = 1 if len(seen) > 2 else 0
            return masks.uniform(n, budget + more, rng, avoid=seen.masks)

    record = Recorder(planted.sparse(12, 0).truth)
    with pytest.raises(InputError, match="check_explainer"):
        explain(Game(record, 12), Greedy(3), budget=200)
    assert len(record.rows) < 200


def test_a_file_from_before_there_were_goals_is_read(tmp_path):
    """A file whose provenance says nothing of an early end loads, and says that there was none."""
    e = explain(planted.additive(6, 0).game)
    path = e.save(tmp_path / "a.npz")
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    meta = json.loads(arrays["meta"].tobytes())
    del meta["provenance"]["stopped"]
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
    np.savez_compressed(path, **arrays)
    assert Explanation.load(path).provenance == e.provenance


def test_why_it_ended_is_kept(tmp_path):
    """What ended a run is in its file and in the JSON document."""
    e = explain(planted.additive(12, 0).game, budget=600, target_r2=0.9)
    back = Explanation.load(e.save(tmp_path / "a.npz"))
    assert back.provenance == e.provenance
    assert back.provenance.stopped
    assert document(e)["provenance"]["stopped"] == e.provenance.stopped
