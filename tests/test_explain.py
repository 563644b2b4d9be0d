"""explain: exact budgets, held-out masks, repeatability, noise, and every way to go wrong."""

import dataclasses
import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import brute
import whence
from recorder import Recorder, same
from whence import Game, Samples, explain, indices, masks, plan
from whence.errors import BudgetError, InputError, Interrupted, ModelError, NotFinite, ShapeError
from whence.explain import default_budget
from whence.explainer import Paired
from whence.solvers.low_degree import LowDegree
from whence.testing import planted

LEAN = ["kernel_shap", "lime", "banzhaf", "permutation", "faith"]


@settings(max_examples=60)
@given(st.integers(2, 11), st.integers(4, 150), st.sampled_from(LEAN), st.integers(0, 10**6))
def test_budget_is_exact_and_no_mask_is_asked_twice(n, budget, name, seed):
    """At any n and budget: at most `budget` distinct masks, none twice, or refused for nothing."""
    record = Recorder(planted.sparse(n, 0).truth)
    try:
        e = explain(Game(record, n, batch=7), name, budget=budget, rng=seed, repeats=0)
    except BudgetError:
        assert record.rows == []
        return
    assert len(record.rows) == len(set(record.rows)) == e.cost.calls <= budget
    assert budget < 2**n or e.cost.calls == 2**n


@pytest.mark.parametrize(
    ("n", "budget"), [(2, 4), (3, 8), (3, 7), (4, 13), (5, 17), (5, 32), (9, 101)]
)
def test_default_budget_is_exact_for_few_units(n, budget):
    """The default explainer spends just the budget, odd ones and few units included."""
    record = Recorder(planted.sparse(n, 0).truth)
    e = explain(Game(record, n), budget=budget, held_out=2, repeats=0)
    assert len(set(record.rows)) == len(record.rows) == e.cost.calls == budget


@pytest.mark.parametrize("name", [*LEAN, "lasso", "default"])
def test_held_out_masks_are_not_fitted(name):
    """Held-out masks are none of the fitting masks, and are as many as was asked for."""
    e = explain(planted.sparse(8, 0).game, name, budget=90, held_out=17)
    assert not masks.among(e.judged.masks, e.fitted.masks).any()
    assert len(e.judged) == e.fidelity.masks == 17


@pytest.mark.parametrize("name", [*LEAN, "default"])
def test_held_out_values_choose_nothing(name):
    """With other values on the held-out masks the fitted function is the same; only R² differs."""
    truth = planted.sparse(8, 0).truth
    design = plan(Game(truth, 8), name, budget=100, rng=3)

    def disturbed(rows):
        return truth(rows) + 5.0 * masks.among(rows, design.judging)

    a = explain(Game(truth, 8), name, budget=100, rng=3, repeats=0)
    b = explain(Game(disturbed, 8), name, budget=100, rng=3, repeats=0)
    assert a.f.terms == b.f.terms
    assert a.fidelity.r2 > b.fidelity.r2


def test_the_plan_is_what_is_asked():
    """`plan` names the masks that the run values, and calls nothing."""
    record = Recorder(planted.sparse(7, 0).truth)
    design = plan(Game(record, 7), "lasso", budget=60, rng=5)
    assert record.rows == []
    explain(Game(record, 7), "lasso", budget=60, rng=5, repeats=0)
    assert set(record.rows) == {tuple(r) for r in design.masks.tolist()}
    assert design.calls == 60


@pytest.mark.parametrize("name", ["default", "permutation"])
def test_batch_size_changes_nothing(name):
    """Equal seeds give equal results whatever the batch."""
    truth = planted.sparse(8, 0).truth
    runs = [explain(Game(truth, 8, batch=b), name, budget=80, rng=1) for b in (1, 7, 1000)]
    for run in runs[1:]:
        same(runs[0], run)


def test_seeds_and_generators_are_one():
    """A seed and a generator of that seed give the same run; another seed, other masks."""
    game = planted.sparse(9, 0).game
    a = explain(game, "banzhaf", budget=60, rng=4)
    b = explain(game, "banzhaf", budget=60, rng=np.random.default_rng(4))
    same(a, b)
    assert (a.provenance.seed, b.provenance.seed) == (4, None)
    c = explain(game, "banzhaf", budget=60, rng=5)
    assert not np.array_equal(a.fitted.masks, c.fitted.masks)


def test_a_sampler_may_spawn():
    """A sampler that spawns generators from its own repeats itself too."""

    def spawning(n, budget, rng, seen):
        return masks.uniform(n, budget, rng.spawn(1)[0], avoid=seen.masks)

    mine = Paired(spawning, LowDegree(1))
    game = planted.sparse(8, 0).game
    same(explain(game, mine, budget=60), explain(game, mine, budget=60))


def test_global_random_state_is_left_alone():
    """A run neither seeds nor draws from the global generators of numpy and Python."""
    before = random.getstate(), np.random.get_state()[1].tobytes()  # noqa: NPY002
    explain(planted.sparse(8, 0).game, budget=80)
    assert (random.getstate(), np.random.get_state()[1].tobytes()) == before  # noqa: NPY002


@pytest.mark.parametrize("out", [(1,), (3,), (2, 2)])
def test_outputs_are_explained_together(out):
    """One call answers for every output, and each output's fit stands for itself."""
    p = planted.sparse(6, 0, out=out)
    e = explain(p.game, budget=64)
    np.testing.assert_allclose(e.f(masks.every(6)), p.game(masks.every(6)), atol=1e-9)
    assert np.shape(e.fidelity.r2) == out
    assert e.attributions().values.shape == (6, *out)


def test_two_units_are_explained():
    """Two units have four masks, and all of them are valued."""
    e = explain(Game(lambda rows: rows @ [1.0, 2.0], 2))
    np.testing.assert_allclose(e.attributions().values, [1.0, 2.0])
    assert e.fidelity.exhaustive


def test_an_exhaustive_run_is_judged_on_all_masks():
    """With a budget for every mask, R² is over all of them and its interval is a point."""
    e = explain(planted.hierarchical(6, 0, degree=6).game, "banzhaf", budget=10**9)
    f, judged = e.f, e.judged
    assert len(judged) == 64
    want = 1 - ((judged.values - f(judged.masks)) ** 2).mean() / judged.values.var()
    assert e.fidelity.low == e.fidelity.high == e.fidelity.r2 == pytest.approx(want)


def test_default_budgets():
    """All masks while they are at most 1,024, else 16 per unit and at least 1,024."""
    assert [default_budget(n) for n in (2, 10, 11, 100)] == [4, 1024, 1024, 1600]


def test_noise_is_found_by_asking_again():
    """Different answers to one mask are reported with their size, and paid for apart."""
    p = planted.sparse(7, 0)
    quiet = explain(p.game, budget=60)
    assert quiet.fidelity.noise == 0.0
    assert quiet.cost.repeats == 3
    loud = explain(planted.noisy(p, 1, sd=0.5).game, budget=60, repeats=40)
    assert loud.cost.repeats == 40
    assert loud.cost.calls == 60
    assert 0.3 < loud.fidelity.noise < 0.7


def test_repeats_come_in_batches_and_from_again():
    """Repeat calls keep to the batch, and ask `again` where a game has one."""
    truth, sizes = planted.sparse(6, 0).truth, []

    def again(rows):
        sizes.append(len(rows))
        return truth(rows) + 1.0

    e = explain(Game(truth, 6, batch=4, again=again), budget=40, repeats=10)
    assert sizes == [4, 4, 2]
    assert e.fidelity.noise == pytest.approx(np.sqrt(0.5))


def test_a_constant_game_is_called_constant():
    """No unit matters: R² is nan and never -inf, nothing is found, and words say so."""
    for game in (planted.constant(6, 0).game, Game(lambda rows: np.full(len(rows), 0.1), 6)):
        for budget in (40, 64):
            e = explain(game, budget=budget)
            assert e.fidelity.constant is True
            assert np.isnan([e.fidelity.r2, e.fidelity.low, e.fidelity.high]).all()
            np.testing.assert_allclose(e.attributions().values, 0, atol=1e-12)
            assert "constant: no unit changes it" in repr(e)


def test_progress_is_told():
    """Progress ends at the number of calls, and never goes back."""
    told = []
    e = explain(
        Game(planted.sparse(7, 0).truth, 7, batch=10),
        budget=60,
        progress=lambda done, total: told.append((done, total)),
    )
    done = [d for d, _ in told]
    assert done == sorted(done)
    assert told[-1] == (e.cost.calls, e.cost.calls)


def test_tokens_are_counted_over_what_was_valued():
    """A game that counts tokens has its distinct masks counted."""
    game = Game(planted.sparse(5, 0).truth, 5, tokens=lambda rows: 2 + rows.sum(axis=1))
    e = explain(game, budget=32)
    assert e.cost.tokens == 32 * 2 + 16 * 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": 3}, "at least 4"),
        ({"budget": 20, "held_out": 1}, "at least 2"),
        ({"budget": 20, "held_out": 30}, "leaves 0 masks for fitting. Raise it to at least 34"),
        ({"budget": 1.5}, "budget=1.5 came; an integer"),
        ({"budget": "9"}, "budget='9' came"),
        ({"rng": None}, "rng=None came; a non-negative integer or a numpy Generator"),
        ({"rng": -1}, "rng=-1 came"),
        ({"rng": "x"}, "rng='x' came"),
        ({"explainer": "magic"}, "there are default"),
    ],
)
def test_bad_arguments_are_refused_before_a_call(arguments, message):
    """Each unusable argument is refused by name, and the model is not called."""
    game = Game(lambda rows: pytest.fail("called"), 9)
    with pytest.raises(InputError, match=message):
        explain(game, **arguments)


def test_a_small_budget_names_all_masks_where_they_are_fewer():
    """For three units the way out of a small budget is all eight masks."""
    with pytest.raises(BudgetError, match="at least 8, or hold out fewer"):
        explain(planted.sparse(3, 0).game, budget=7)


def test_too_many_units_are_refused():
    """Units beyond what masking can tell apart are refused with the way to cut fewer."""
    game = Game(lambda rows: pytest.fail("called"), 5001)
    with pytest.raises(InputError, match=r"5,001 units .* at most 5,000 .* coarser"):
        explain(game)


def test_an_explainer_that_overspends_is_refused():
    """An explainer that asks for more than it was allowed is stopped before anything is paid."""

    def greedy(n, budget, rng, seen):
        return masks.uniform(n, budget + 1, rng, avoid=seen.masks)

    game = Game(lambda rows: pytest.fail("called"), 8)
    with pytest.raises(InputError, match="check_explainer"):
        explain(game, Paired(greedy, LowDegree(1)), budget=50)


def test_duplicates_are_free_and_counted():
    """Masks asked twice are valued once, and reported."""

    def twice(n, budget, rng, seen):
        return np.repeat(masks.uniform(n, budget, rng, avoid=seen.masks), 2, axis=0)

    record = Recorder(planted.sparse(8, 0).truth)
    e = explain(Game(record, 8), Paired(twice, LowDegree(1)), budget=50, repeats=0)
    assert len(record.rows) == e.cost.calls == 50
    assert e.cost.duplicates == 50 - 2 - len(e.judged)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_name_masks(bad):
    """nan or inf half-way through a run names masks that have it."""

    def value(rows):
        return np.where(rows[:, 0] & ~rows[:, 1], bad, 1.0)

    with pytest.raises(NotFinite, match=r"with present units \{0"):
        explain(Game(value, 6), budget=40)


def test_a_model_that_raises_half_way_is_named():
    """An exception in a later batch is a ModelError with its cause."""
    record = Recorder(planted.sparse(6, 0).truth)

    def value(rows):
        if len(record.rows) > 20:
            raise RuntimeError("connection lost")
        return record(rows)

    with pytest.raises(ModelError, match="connection lost") as caught:
        explain(Game(value, 6, batch=5), budget=40)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_changing_outputs_are_refused():
    """A later batch with other outputs than the first is refused, also when asked again."""

    def value(rows):
        return np.zeros((len(rows), 2 if len(rows) == 2 else 3))

    with pytest.raises(ShapeError, match="in different calls"):
        explain(Game(value, 6), budget=40)
    game = Game(lambda rows: np.zeros(len(rows)), 6, again=lambda rows: np.zeros((len(rows), 2)))
    with pytest.raises(ShapeError, match="in different calls"):
        explain(game, budget=40)


@pytest.mark.parametrize("name", ["default", "exact", "kernel_shap", "permutation"])
@pytest.mark.parametrize("stop", [0, 1, 2, 3, 9, 30, 55])
def test_ctrl_c_carries_what_was_paid_for(name, stop):
    """After k calls an interruption tells k, and its explanation rests on paid masks only."""
    record = Recorder(planted.sparse(6, 0).truth, stop)
    with pytest.raises(Interrupted) as caught:
        explain(Game(record, 6, batch=1), name, budget=64 if name == "exact" else 60)
    assert isinstance(caught.value, KeyboardInterrupt)
    assert caught.value.calls == len(record.rows) == stop
    e = caught.value.explanation
    if e is None:
        assert stop < 30
        return
    assert e.provenance.interrupted
    assert e.cost.calls == stop
    used = {tuple(r) for r in np.concatenate([e.fitted.masks, e.judged.masks]).tolist()}
    assert used <= set(record.rows)
    assert not masks.among(e.judged.masks, e.fitted.masks).any()


def test_ctrl_c_in_an_exhaustive_run_is_judged_on_a_fair_draw():
    """Masks judged after an interruption hold every unit about half of the time."""
    record = Recorder(planted.sparse(8, 0).truth, 200)
    with pytest.raises(Interrupted) as caught:
        explain(Game(record, 8, batch=1), "exact", budget=256)
    share = caught.value.explanation.judged.masks.mean(axis=0)
    assert 0.25 < share.min() <= share.max() < 0.75


def test_ctrl_c_while_asking_again_loses_nothing():
    """An interruption after the last mask leaves the whole explanation."""

    def again(rows):
        raise KeyboardInterrupt

    truth = planted.sparse(6, 0).truth
    with pytest.raises(Interrupted) as caught:
        explain(Game(truth, 6, again=again), budget=64)
    e = caught.value.explanation
    assert e.fidelity.exhaustive
    np.testing.assert_allclose(e.f(masks.every(6)), truth(masks.every(6)), atol=1e-9)


def test_seed_spread_is_the_spread_of_runs():
    """The spread over seeds is zero for exact runs, positive for sampled ones, one per unit."""
    game = planted.hierarchical(7, 0, degree=5).game
    exact = explain(game, budget=128)
    np.testing.assert_allclose(whence.seed_spread(exact, game, seeds=2).spread, 0, atol=1e-12)
    e = explain(game, "banzhaf", budget=60)
    found = whence.seed_spread(e, game, "banzhaf", seeds=3)
    assert found.spread.shape == (7,)
    assert (found.spread > 0).all()
    assert found.seeds == 3
    with pytest.raises(InputError, match="seeds=1"):
        whence.seed_spread(e, game, seeds=1)


def test_explainers_may_look_at_the_ends():
    """`ask` sees the values of both ends before it chooses, `fit` the ends and what it asked."""
    looked = []

    @dataclasses.dataclass(frozen=True)
    class Curious:
        def ask(self, n, budget, rng, seen):
            looked.append(seen.values.tolist())
            return masks.uniform(n, budget, rng, avoid=seen.masks)

        def fit(self, samples):
            looked.append(len(samples))
            return LowDegree(1).fit(samples)

    game = Game(lambda rows: rows @ np.arange(1.0, 6.0), 5)
    e = explain(game, Curious(), budget=30)
    assert looked == [[0.0, 0.0], [15.0, 0.0], len(e.fitted)]
    assert isinstance(e.fitted, Samples)


@pytest.mark.parametrize("seed", range(3))
def test_exact_attributions_equal_enumeration(seed):
    """Attributions of an exact run are Shapley values by their definition over subsets."""
    p = planted.and_or(5, seed)
    v = brute.table(p.game, 5)
    e = explain(p.game)
    np.testing.assert_allclose(
        e.attributions().values, [brute.sii(v, 5, (i,)) for i in range(5)], atol=1e-9
    )
    np.testing.assert_allclose(
        indices.banzhaf(e.f), [brute.bii(v, 5, (i,)) for i in range(5)], atol=1e-9
    )


def test_wrong_number_of_outputs_is_refused_after_two_calls():
    """Names that do not match the values are refused when the two ends are known, not later."""
    asked = []

    def value(rows):
        asked.extend(rows)
        return np.zeros((len(rows), 3))

    with pytest.raises(ShapeError, match="2 names for 3 outputs"):
        explain(Game(value, 6, outputs=("a", "b")), budget=40)
    assert len(asked) == 2
    with pytest.raises(ShapeError, match="no output to explain"):
        explain(Game(lambda rows: np.zeros((len(rows), 0)), 6), budget=40)
    with pytest.raises(ShapeError, match="not an array of numbers"):
        explain(Game(lambda rows: np.zeros(len(rows), dtype=complex), 6), budget=40)


def test_a_small_budget_is_refused_with_one_that_would_do():
    """The budget named in a refusal is accepted."""
    game = Game(lambda rows: rows.sum(axis=1) * 1.0, 18)
    for name in ("faith:2", "kernel_shap", "banzhaf", "permutation"):
        with pytest.raises(BudgetError, match=r"A budget of ([\d,]+) would do") as caught:
            explain(game, name, budget=20)
        found = re.search(r"A budget of ([\d,]+) would do", str(caught.value))
        explain(game, name, budget=int(found[1].replace(",", "")), repeats=0)


def test_nan_from_a_readout_names_the_masks():
    """A readout that is not finite is refused with the present units of the masks."""
    game = Game(lambda rows: rows[:, 0] * 1.0, 4, readout=lambda raw: np.log(np.maximum(raw, 0)))
    with np.errstate(divide="ignore"), pytest.raises(NotFinite, match="with present units"):
        explain(game, budget=16)


def test_what_is_no_explainer_or_batch_is_refused_by_name():
    """A number for an explainer, or a word for a batch, is refused before the model is asked."""
    record = Recorder(planted.sparse(6, 0).truth)
    with pytest.raises(InputError, match=r"explainer came as int.*kernel_shap"):
        explain(Game(record, 6), 3)
    with pytest.raises(InputError, match="batch='x' came"):
        Game(record, 6, batch="x")
    assert record.rows == []
