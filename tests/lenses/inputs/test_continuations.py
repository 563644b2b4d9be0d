"""Facts about readouts of continuations: the whole, each token, a phrase, a contrast."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from whence.errors import GameError, InputError, ShapeError
from whence.lenses.inputs.readouts import readout

TOKENS = (" very", " hap", "py", ".")
RAW = np.log(np.array([[0.5, 0.25, 0.9, 1.0], [0.1, 0.2, 0.3, 0.4]]))
logp = arrays(float, (3, 4), elements=st.floats(-30, 0))


def told(raw, output=None, link=None, labels=TOKENS, split=None):
    """The explained quantity of raw log-probabilities, its names and its unit."""
    read, names, unit = readout(output, link, labels, "log-probabilities", split)
    return read(raw), names, unit


def test_the_whole_is_the_sum():
    """Without an output the log-probability of the whole continuation is explained, in nats."""
    value, names, unit = told(RAW)
    np.testing.assert_allclose(value, RAW.sum(axis=1))
    assert names == ("' very happy.'",)
    assert unit == "log-probability (nats)"


@given(logp)
def test_probabilities_and_log_odds_are_of_the_whole(raw):
    """The probability is the product of the tokens' own, and log-odds are its log-odds."""
    p, _, _ = told(raw, link="probability")
    np.testing.assert_allclose(p, np.exp(raw).prod(axis=1), atol=1e-12)
    odds, _, unit = told(raw, link="log-odds")
    inside = (p > 1e-9) & (p < 1 - 1e-9)
    np.testing.assert_allclose(
        odds[inside], np.log(p[inside] / (1 - p[inside])), rtol=1e-6, atol=1e-6
    )
    assert np.isfinite(odds).all()
    assert unit == "log-odds"


def test_tokens_are_outputs_of_their_own():
    """output="tokens" gives one column per token, named by it."""
    value, names, _ = told(RAW, "tokens")
    np.testing.assert_array_equal(value, RAW)
    assert names == TOKENS


@pytest.mark.parametrize(
    ("phrase", "columns"),
    [("happy", [1, 2]), (" very", [0]), ("py.", [2, 3]), ("app", [1, 2]), (1, [1])],
)
def test_a_phrase_is_the_tokens_it_touches(phrase, columns):
    """A phrase is worth the sum of the tokens that hold a part of it."""
    value, _, _ = told(RAW, phrase)
    np.testing.assert_allclose(value, RAW[:, columns].sum(axis=1))


def test_a_contrast_is_a_difference():
    """With a contrast the target's log-probability less the contrast's is explained."""
    value, names, unit = told(RAW, split=3)
    np.testing.assert_allclose(value, RAW[:, :3].sum(axis=1) - RAW[:, 3])
    assert names == ("' very happy' rather than '.'",)
    assert unit == "log-ratio of two probabilities"


@pytest.mark.parametrize(
    ("output", "link", "split", "message"),
    [
        ("sad", None, None, "'sad' came; it must be 'whole', 'tokens', or a phrase"),
        ("", None, None, "output='' came"),
        (9, None, None, "tokens 0 to 3"),
        (None, "logit", None, "link='logit' came for a continuation"),
        (None, "probability", 3, "with a contrast, which is a difference"),
    ],
)
def test_an_output_that_does_not_fit_is_refused(output, link, split, message):
    """Each message says what came and what there is."""
    with pytest.raises(InputError, match=message):
        told(RAW, output, link, split=split)


def test_another_number_of_tokens_is_refused():
    """Columns that are not the tokens named are refused."""
    with pytest.raises(ShapeError, match=r"needs \(b, 4\)"):
        told(RAW[:, :3])


def test_positive_log_probabilities_are_refused():
    """A number above 0 is no log-probability."""
    with pytest.raises(GameError, match=r"log-probability of 0\.5"):
        told(np.full((1, 4), 0.5))
