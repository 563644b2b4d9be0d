"""A map as a SetFunction and as an Explanation: exact, with pairs, and with the head's own fit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brute import sii, subsets
from prospectors.made import clouds, letters, mixed, quick
from whence import indices
from whence.errors import InputError
from whence.prospectors import Bag, Graph, Prospector, Sequence, explanation
from whence.prospectors.counting import token_map


def masked_sum(head, bag, mask):
    """The sum of the head's map with absent tokens' codes at zero, by the definition."""
    codes = head.quantizer_.transform(bag.tokens) * mask[:, None]
    pairs = token_map(codes, bag.layout, head.r, head.weights_[:, 0]).sum()
    if not len(head.beta_):
        return pairs
    return pairs + ((bag.tokens - head.centre_) @ head.beta_[:, 0])[mask].sum()


@given(st.integers(0, 1000), st.integers(0, 3), st.sampled_from([0.0, 1.0]))
@settings(max_examples=15)
def test_shapley_values_are_the_map(seed, r, softness):
    """On every layout whose neighbours are mutual, the function's Shapley values are the map."""
    bags, y = mixed(seed)
    head = quick(r=r, softness=softness).fit(bags, y)
    for bag in bags[:7]:
        values = head.attribute(bag).values
        found = indices.shapley(head.set_function(bag))
        np.testing.assert_allclose(found, values, atol=1e-10 * np.abs(head.weights_).max())


@pytest.mark.parametrize("softness", [0.0, 1.0])
def test_shapley_values_by_enumeration(softness):
    """All 2^7 masked re-runs of a bag of seven tokens at r = 2 give the map as Shapley values."""
    rng = np.random.default_rng(0)
    bags, y = clouds(0)
    head = Prospector(k=4, r=2, softness=softness, linear="bag").fit(bags, y)
    bag = Bag(rng.normal(size=(7, 4)) * 5, Sequence())
    values = {s: masked_sum(head, bag, np.isin(np.arange(7), s)) for s in subsets(range(7))}
    shapley = [sii(values, 7, (i,)) for i in range(7)]
    np.testing.assert_allclose(shapley, head.attribute(bag).values, atol=1e-9)


def test_directed_neighbours_share_their_pair():
    """In a directed graph the Shapley values split each pair evenly, with the map's sum."""
    bags, y = letters(0)
    head = quick(r=1).fit(bags, y)
    bag = Bag(np.array(["a", "b"]), Graph(np.array([[0, 1]]), 2, directed=True))
    f, found = head.set_function(bag), head.attribute(bag)
    pair = f.terms[0, 1]
    assert found.pairs[0, 1] == pytest.approx(pair)
    assert found.pairs[1, 0] == 0
    np.testing.assert_allclose(indices.shapley(f), found.values + pair / 2 * np.array([-1, 1]))


@pytest.mark.parametrize("over", ["tokens", "concepts"])
def test_the_function_is_the_masked_head(over):
    """The function equals the head's own masked sums on any mask, of tokens and of concepts."""
    bags, y = clouds(0)
    head = Prospector(k=4, linear="auto").fit(bags, y)
    f = head.set_function(bags[0], over=over)
    masks = np.random.default_rng(0).random((40, f.n)) < 0.5
    reader = head._reader(0, 1.0, "1")
    again = explanation.Masked(reader, bags[0], over)(masks)
    np.testing.assert_allclose(f(masks), again, atol=1e-9)
    if over == "tokens":
        by_hand = [masked_sum(head, bags[0], mask) for mask in masks]
        np.testing.assert_allclose(again, by_hand, atol=1e-9)


@pytest.mark.parametrize("over", ["tokens", "concepts"])
def test_errors_go_along(over):
    """The errors of Shapley values over tokens are those of the map; of concepts they are known."""
    bags, y = clouds(0)
    head = Prospector(k=4, bootstrap=20, linear="bag").fit(bags, y)
    f = head.set_function(bags[0], over=over)
    single = indices.interactions(f, "shapley_interaction", 1)
    rows = [i for i, s in enumerate(single.sets) if len(s) == 1]
    assert single.errors[rows].min() > 0
    if over == "tokens":
        np.testing.assert_allclose(single.errors[rows], head.attribute(bags[0]).errors, rtol=1e-6)


def test_an_explanation_is_exact_and_shows_the_heads_fit():
    """The held-out fit is 1, the full value is the map's sum, and the head's fit is read first."""
    bags, y = letters(0)
    head = Prospector().fit(bags, y)
    shown = head.explain(bags[1], seed=3)
    found = head.attribute(bags[1])
    assert shown.fidelity.r2 == pytest.approx(1)
    assert shown.fidelity.masks == explanation.JUDGED
    assert shown.full == pytest.approx(found.values.sum())
    np.testing.assert_allclose(shown.attributions().values, found.values, atol=1e-9)
    assert {shown.units.labels[i] for i in shown.top(1).sets[0]} == {"a", "b"}
    assert shown.provenance.seed == 3
    assert head.performance_.words in shown.provenance.model


def test_a_head_at_chance_warns_in_its_explanation():
    """The text of an explanation says that a head at chance must not be trusted."""
    from whence.views.text import text

    bags, y = letters(0)
    shown = Prospector(r=0).fit(bags, y).explain(bags[1])
    told = " ".join(text(shown, width=100, colour=False).split())
    assert told.index("must not be trusted") < told.index("explains 100 %")


def test_few_concepts_are_tried_exactly():
    """Over concepts all masks of a few concepts are tried, and pairs of concepts are its terms."""
    bags, y = letters(0)
    shown = Prospector().fit(bags, y).explain(bags[1], over="concepts")
    assert shown.fidelity.exhaustive
    assert shown.units.labels == ("a", "b", "c", "d", "e", "f")
    assert shown.f.terms[0, 1] > 10 * abs(shown.f.terms[2, 3])


def test_too_many_pairs_are_refused(monkeypatch):
    """More pairs than are written out are refused with what to do instead."""
    bags, y = letters(0)
    head = quick(r=2).fit(bags, y)
    monkeypatch.setattr(explanation, "MAX_NUMBERS", 10)
    with pytest.raises(InputError, match="lower r"):
        head.set_function(bags[0])
    with pytest.raises(InputError, match="over='words'"):
        head.set_function(bags[0], over="words")


def test_one_token_cannot_be_explained():
    """An explanation of a single token is refused, as of any game of one unit."""
    bags, y = letters(0)
    with pytest.raises(InputError, match="at least 2"):
        quick().fit(bags, y).explain(Bag(np.array(["a"])))
