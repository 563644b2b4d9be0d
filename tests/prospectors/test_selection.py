"""Concepts and radius chosen from bag labels alone."""

import numpy as np
import pytest

from tools.tree import ROOT
from whence.dictionaries import KMeans
from whence.errors import InputError
from whence.prospectors import Bag, Graph, Prospector, ProspectorRegressor, Sequence
from whence.prospectors import selection as module
from whence.prospectors.baselines import beside
from whence.prospectors.selection import select


def blobs(seed, count=60, size=12, pair=True):
    """Bags of tokens around six centres; in positives a 0 stands beside a 1, in negatives not."""
    rng = np.random.default_rng(seed)
    centres = 4 * np.eye(6)
    y, bags, truths = np.tile([0, 1], count // 2), [], []
    for c in y:
        ids = rng.integers(2, 6, size)
        at = int(rng.integers(0, size // 2 - 1))
        ids[at] = 0
        ids[at + 1 if c and pair else at + size // 2] = 1
        bags.append(Bag(centres[ids] + 0.3 * rng.normal(size=(size, 6)), Sequence(window=1)))
        truths.append(np.isin(np.arange(size), [at, at + 1]) & bool(c))
    return bags, y, truths


def chosen(found):
    """The chosen setting."""
    return found.chosen.k, found.chosen.r, found.chosen.softness


def test_pairs_are_chosen_where_pairs_matter():
    """Where only a pair tells classes apart, a radius with pairs is chosen, without truths."""
    bags, y, _ = blobs(0)
    found = select(Prospector(softness=0), bags, y, k=(3, 6), r=(0, 1), stability=4)
    assert chosen(found)[:2] == (6, 1)
    assert found.reason.endswith("No token labels were used.")
    assert found.head.attribute(bags[1]).performance == found.chosen.performance.words


def test_the_head_is_fitted_as_the_one_that_came():
    """The chosen head has the options of the one that came, which stays as it was."""
    bags, y, _ = blobs(0)
    head = Prospector(kernel="ridge", cv=3, bootstrap=3, softness=0)
    found = select(head, bags, y, k=(6,), r=(1,), stability=0)
    options = found.head.get_params()
    assert (options["kernel"], options["cv"], options["bootstrap"]) == ("ridge", 3, 3)
    assert len(found.head.draws_) == 3
    assert "quantizer_" not in vars(head)
    assert head.quantizer is None


def test_the_choice_is_what_a_fresh_fit_gives():
    """A head fitted anew with the chosen setting has the same weights and performance."""
    bags, y, _ = blobs(1)
    found = select(Prospector(seed=3), bags, y, k=(4, 6), r=(0, 1), stability=4)
    k, r, softness = chosen(found)
    again = Prospector(k, r, softness=softness, seed=3).fit(bags, y)
    assert again.weights_ == pytest.approx(found.head.weights_)
    assert again.performance_.value == found.chosen.performance.value


def test_every_setting_is_in_the_table():
    """The table has a row per setting, and one mark."""
    bags, y, _ = blobs(0)
    done = []
    found = select(
        Prospector(),
        bags,
        y,
        k=(3, 6),
        r=(0, 1),
        softness=(0, 1),
        stability=2,
        progress=lambda *at: done.append(at),
    )
    assert {(c.k, c.r, c.softness) for c in found.candidates} == {
        (k, r, s) for k in (3, 6) for r in (0, 1) for s in (0, 1)
    }
    assert [line[0] for line in str(found).splitlines()[1:-1]].count("*") == 1
    assert done == [(i, 8) for i in range(1, 9)]


def test_concepts_are_learned_once_per_k(monkeypatch):
    """Radii and softness share the concepts of their k."""
    bags, y, _ = blobs(0)
    calls = []
    fit = KMeans.fit
    monkeypatch.setattr(KMeans, "fit", lambda *a, **k: calls.append(1) or fit(*a, **k))
    select(Prospector(), bags, y, k=(3, 6), r=(0, 1, 2), softness=(0, 1), stability=0)
    assert len(calls) == 2


def test_names_have_nothing_but_a_radius_to_choose():
    """Where tokens are names there is one k: that of the names."""
    rng = np.random.default_rng(0)
    bags = [Bag(rng.choice(list("abc"), 9)) for _ in range(20)]
    found = select(Prospector(cv=2), bags, np.tile([0, 1], 10), r=(0, 1), stability=2)
    assert [(c.k, c.r) for c in found.candidates] == [(3, 0), (3, 1)]


def test_a_quantizer_of_ones_own_is_kept():
    """A head's own quantizer is used as it is, and k is not tried."""
    bags, y, _ = blobs(0)
    own = KMeans(5, seed=1).fit(np.concatenate([b.tokens for b in bags]))
    found = select(Prospector(quantizer=own), bags, y, k=(3, 6), r=(0, 1), stability=0)
    assert [(c.k, c.r) for c in found.candidates] == [(5, 0), (5, 1)]
    assert (found.head.quantizer_.centers_ == own.centers_).all()


def test_the_softness_told_is_that_of_the_quantizer():
    """A candidate tells the softness of the quantizer that was given, not the head's default."""
    bags, y, _ = blobs(0, count=20)
    for softness in (0, 0.5):
        own = KMeans(5, softness=softness, seed=1)
        found = select(Prospector(quantizer=own, cv=2), bags, y, r=(0,), stability=0)
        assert found.chosen.softness == softness
        assert f"softness={softness:g}:" in found.reason


def test_truths_choose_only_when_handed_over():
    """With token labels the best localising setting is chosen, and the reason says so."""
    bags, y, truths = blobs(0)
    found = select(
        Prospector(softness=0), bags, y, k=(3, 6), r=(0, 1), stability=2, token_labels=truths
    )
    known = [c.localisation.precision.mean() for c in found.candidates]
    assert found.chosen is found.candidates[int(np.argmax(known))]
    assert "BY TOKEN LABELS" in found.reason
    without = select(Prospector(softness=0), bags, y, k=(6,), r=(1,), stability=2)
    assert without.chosen.localisation is None


def candidate(value, stability, *, k=10, r=1, softness=1.0, error=0.02):
    """A setting with that performance and stability."""
    low = value - 1.959963984540054 * error
    performance = module.Performance(value, low, 1.0, 0.5, "AUC", "")
    return module.Candidate(k, r, softness, performance, stability)


@pytest.mark.parametrize(
    ("settings", "best"),
    [
        ([(0.90, 0.2), (0.89, 0.8), (0.80, 0.9)], 1),
        ([(0.90, 0.2), (0.87, 0.8)], 0),
        ([(0.89, 0.8), (0.90, 0.795)], 1),
    ],
)
def test_stability_decides_within_a_standard_error(settings, best):
    """Within a standard error of the best the most stable is chosen, of alike ones the best."""
    found = [candidate(v, s, k=10 + i) for i, (v, s) in enumerate(settings)]
    assert module._by_bags(found)[0] == best


def test_soft_is_preferred_among_alike():
    """Of settings alike in performance and stability the soft one is chosen."""
    found = [candidate(0.9, 0.8, softness=s) for s in (0.0, 1.0)]
    assert module._by_bags(found)[0] == 1


def test_without_stability_the_best_is_chosen():
    """Without resamples the best performance decides."""
    found = [candidate(v, float("nan")) for v in (0.89, 0.90)]
    assert module._by_bags(found)[0] == 1


def test_stability_is_one_where_resamples_agree():
    """Maps of strongly separated bags hardly move between resamples; of noise they do."""
    bags, y, _ = blobs(0)
    steady, noisy = (
        select(Prospector(softness=0), bags, labels, k=(6,), r=(1,), stability=10)
        for labels in (y, np.random.default_rng(0).permutation(y))
    )
    assert steady.chosen.stability > noisy.chosen.stability
    assert -1 <= noisy.chosen.stability <= steady.chosen.stability <= 1


def test_chance_is_said():
    """A choice that is no better than chance says that its maps must not be trusted."""
    bags, y, _ = blobs(2)
    y = np.random.default_rng(2).permutation(y)
    found = select(Prospector(softness=0), bags, y, k=(3,), r=(0,), stability=2)
    assert not found.chosen.performance.better
    assert "must not be trusted" in found.reason


def test_numbers_are_chosen_for_too():
    """A regressor's settings are compared by rank correlation."""
    bags, y, _ = blobs(0)
    y = y + 0.1 * np.random.default_rng(0).normal(size=len(y))
    found = select(ProspectorRegressor(softness=0), bags, y, k=(6,), r=(0, 1), stability=2)
    assert found.chosen.r == 1
    assert "rank correlation" in found.reason


def test_groups_stay_in_one_fold():
    """With groups the performance is that of a head fitted with groups."""
    bags, y, _ = blobs(0)
    groups = np.arange(60) // 4
    found = select(Prospector(), bags, y, groups=groups, k=(6,), r=(1,), stability=2)
    want = Prospector(6, 1).fit(bags, y, groups).performance_.value
    assert found.chosen.performance.value == want


@pytest.mark.parametrize(
    ("head", "options", "said"),
    [
        (Prospector(cv=0), {}, "cv=0"),
        (Prospector(), {"k": ()}, "no setting"),
        (Prospector(), {"stability": 1}, "stability=1"),
        (Prospector(), {"k": (2000,)}, "distinct"),
    ],
)
def test_what_cannot_be_chosen_is_refused(head, options, said):
    """No folds, no setting, one resample, or more concepts than tokens are refused by name."""
    bags, y, _ = blobs(0)
    with pytest.raises(InputError, match=said):
        select(head, bags, y, **options)


def test_linear_terms_move_the_maps_too():
    """With a linear term stability is that of the whole map, and the chosen head has the term."""
    bags, y, _ = blobs(0)
    bags = [Bag(bag.tokens + 0.5 * c, bag.layout) for bag, c in zip(bags, y, strict=True)]
    plain, both = (
        select(Prospector(linear=term), bags, y, k=(6,), r=(1,), stability=4)
        for term in (None, "bag")
    )
    assert np.abs(both.head.beta_).max() > 0
    assert both.chosen.stability != plain.chosen.stability


BENZENE = ROOT.parent / "shared" / "data" / "graph_attribution_flat" / "benzene.npz"


def molecules(table, rows):
    """Bags of atom types, and the union of the rings that are the truth."""
    ids = np.unpackbits(table["nodes"], axis=1)[:, : int(table["node_dim"])].argmax(axis=1)
    bags, truths = [], []
    for i in rows:
        nodes, edges = (slice(*table[name][i : i + 2]) for name in ("node_ptr", "edge_ptr"))
        links = np.stack([table["senders"][edges], table["receivers"][edges]], axis=1)
        size = nodes.stop - nodes.start
        bags.append(Bag(ids[nodes], Graph(links.astype(np.int64), size)))
        rings = table["node_attr"][slice(*table["attr_ptr"][i : i + 2])]
        truths.append(rings.reshape(-1, size).any(axis=0))
    return bags, truths


@pytest.mark.skipif(not BENZENE.exists(), reason="needs ../shared/data/graph_attribution_flat")
def test_benzene_is_found_from_fifty_labels():
    """With a radius chosen from 50 labels, maps of molecules lie surely above every baseline's."""
    with np.load(BENZENE, allow_pickle=False) as file:
        table = dict(file)
    y = table["y"].ravel().astype(int)
    rows = np.random.default_rng(0).choice(table["train_index"], 50, replace=False)
    bags, _ = molecules(table, rows)
    found = select(Prospector(kernel="welch"), bags, y[rows], r=(0, 1, 2, 3))
    assert found.chosen.r == 2
    tested, truths = molecules(table, [i for i in table["test_index"][:300] if y[i]])
    rng = np.random.default_rng(0)
    table = beside(found.head, bags, y[rows], tested, truths, rng)
    assert table["head"].low > 0.8
    for row in table.rows[2:]:
        assert row.difference_high < -0.05
