"""Maps: their account is complete, and they are read with the head's performance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prospectors.made import clouds, letters, mixed, quick
from whence.errors import InputError
from whence.prospectors import Bag, Prospector, Sequence
from whence.prospectors.linear import spoken


@given(st.integers(0, 1000), st.integers(0, 3), st.sampled_from([0.0, 1.0]))
@settings(max_examples=20)
def test_a_map_splits_into_its_terms(seed, r, softness):
    """Values are monograms, pairs and the linear term, and over Z they are the margin."""
    bags, y = mixed(seed)
    head = Prospector(k=4, r=r, softness=softness, cv=2, linear="bag").fit(bags, y)
    for bag in bags[:8]:
        found = head.attribute(bag)
        again = found.monograms + found.pairs.sum(axis=1) + found.linear
        scale = np.abs(found.values).max()
        np.testing.assert_allclose(found.values, again, atol=1e-12 * scale)
        assert found.values.sum() / found.total == pytest.approx(found.margin, abs=1e-12 * scale)
        assert found.margin == pytest.approx(
            head.decision_function([bag])[0], abs=1e-10 * (scale + np.abs(head.weights_).max())
        )


def test_the_linear_term_is_the_embedding_times_beta():
    """What the linear term says of a token is its embedding, less the mean, times beta."""
    bags, y = clouds(0)
    head = Prospector(k=4, linear="auto").fit(bags, y)
    mean = np.concatenate([bag.tokens for bag in bags]).mean(axis=0)
    np.testing.assert_allclose(head.centre_, mean)
    found = head.attribute(bags[0])
    np.testing.assert_allclose(found.linear, (bags[0].tokens - mean) @ head.beta_[:, 0])
    assert found.linear.any()
    np.testing.assert_allclose(spoken(bags[0].tokens, mean, head.beta_)[:, 0], found.linear)


def test_top_pairs_name_the_neighbours():
    """The strongest pair of a token is with the concept that is planted beside it."""
    bags, y = letters(0)
    found = Prospector().fit(bags, y).attribute(bags[1])
    a = found.units.labels.index("a")
    best, *others = found.top_pairs(a)
    assert best.name == "b"
    assert best.value == found.pairs[a, best.concept]
    assert all(abs(best.value) >= abs(other.value) > 0 for other in others)
    assert len(found.top_pairs(a, 1)) == 1


def test_pairs_with_what_is_out_of_reach_say_nothing():
    """A token has pair terms only with concepts of tokens within r hops."""
    bags, y = letters(0)
    head = Prospector(r=1).fit(bags, y)
    found = head.attribute(Bag(np.array(list("abccc")), Sequence()))
    names = np.array(found.names)
    assert not found.pairs[0, (names != "a") & (names != "b")].any()


def test_performance_is_read_first():
    """The printed map opens with the head's performance, before any token."""
    bags, y = letters(0)
    head = Prospector(bootstrap=5).fit(bags, y)
    first, second, *_ = repr(head.attribute(bags[1])).splitlines()
    assert head.performance_.words in first
    assert "margin" in second
    assert "probability" in second


def test_an_unmeasured_head_says_so():
    """Without folds every map says that nothing speaks for it."""
    found = quick().fit(*letters(0)).attribute(letters(0)[0][0])
    assert "not measured (cv=0)" in found.performance
    assert "±" not in repr(found)


def test_smoothing_leaves_the_values():
    """Smoothing averages a copy for reading; the account stays that of the values."""
    bags, y = letters(0)
    plain = quick().fit(bags, y).attribute(bags[1])
    smooth = quick(smoothing=1).fit(bags, y).attribute(bags[1])
    np.testing.assert_array_equal(plain.values, smooth.values)
    assert smooth.smoothing == 1
    assert smooth.smoothed[1] == pytest.approx(plain.values[:3].mean())


def test_a_token_that_is_not_there_is_refused():
    """Asking for a token beyond the bag is refused with the number of tokens."""
    bags, y = letters(0)
    found = quick().fit(bags, y).attribute(bags[0])
    for ask in (found.top_pairs, found.concept_of):
        with pytest.raises(InputError, match="numbered from 0"):
            ask(len(found))
