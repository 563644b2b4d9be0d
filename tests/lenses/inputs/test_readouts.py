"""Holds tests of what is read of raw class scores: links, outputs, contrasts."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from whence.errors import GameError, InputError, ShapeError
from whence.game import Game
from whence.lenses.inputs.readouts import CLIP, LINKS, predicted_class, readout, with_output

LABELS = ("negative", "neutral", "positive")
LOGITS = arrays(
    np.float64, st.tuples(st.integers(1, 4), st.just(3)), elements=st.floats(-15, 15, width=32)
)


def read(raw, output, link="log-odds", labels=LABELS, scores="logits"):
    """What a readout makes of raw scores."""
    return readout(output, link, labels, scores)[0](np.asarray(raw, dtype=float))


def softmax(z):
    """Probabilities by their definition."""
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


@given(z=LOGITS)
def test_links_are_their_definitions(z):
    """Each link of logits equals its formula on the softmax, for one class and for all."""
    p = softmax(z)
    others = np.stack([p[:, [1, 2]].sum(1), p[:, [0, 2]].sum(1), p[:, [0, 1]].sum(1)], axis=1)
    expected = {
        "log-odds": np.log(p / others),
        "log-probability": np.log(p),
        "probability": p,
        "logit": z,
    }
    for link in LINKS:
        np.testing.assert_allclose(read(z, "all", link), expected[link], rtol=1e-9, atol=1e-9)
        for index, label in enumerate(LABELS):
            np.testing.assert_array_equal(read(z, label, link), read(z, "all", link)[:, index])


@given(z=LOGITS)
def test_links_of_probabilities_agree_with_those_of_logits(z):
    """Where no clip bites, probabilities lead to the same quantity as the logits behind them."""
    z = z / 4
    p = softmax(z)
    for link in ("log-odds", "log-probability", "probability"):
        for output in ("all", "positive", "positive-negative"):
            np.testing.assert_allclose(
                read(p, output, link, scores="probabilities"), read(z, output, link), atol=1e-9
            )


@given(z=LOGITS)
def test_a_contrast_is_the_log_of_a_ratio(z):
    """Class a against class b: log p_a / p_b, or the difference of probabilities or logits."""
    p = softmax(z)
    for link in ("log-odds", "log-probability"):
        np.testing.assert_allclose(
            read(z, "positive-negative", link), np.log(p[:, 2] / p[:, 0]), atol=1e-9
        )
    np.testing.assert_allclose(
        read(z, "positive-negative", "probability"), p[:, 2] - p[:, 0], atol=1e-12
    )
    np.testing.assert_array_equal(read(z, "positive-negative", "logit"), z[:, 2] - z[:, 0])


def test_with_two_classes_log_odds_is_the_difference_of_logits():
    """Exactly, and far beyond where a probability rounds to 1."""
    z = np.array([[0.0, 1000.0], [300.0, -300.0], [5.0, 5.0]])
    np.testing.assert_array_equal(read(z, 1, labels=()), [1000.0, -600.0, 0.0])


def test_log_odds_stay_finite_at_large_and_tied_logits():
    """No overflow, and ties for the top class are taken right."""
    z = np.array([[900.0, 900.0, 900.0], [1e6, 0.0, -1e6], [-1e6, -1e6, 0.0]])
    odds = read(z, "all")
    assert np.isfinite(odds).all()
    np.testing.assert_allclose(odds[0], -np.log(2))
    np.testing.assert_allclose(odds[1], [1e6, -1e6, -2e6])


def test_probabilities_are_kept_away_from_zero_and_one():
    """A saturated probability gives the log-odds of the clip, not infinity."""
    odds = read([[0.0, 0.0, 1.0]], "all", scores="probabilities")[0]
    np.testing.assert_allclose(odds, np.array([-1, -1, 1]) * np.log((1 - CLIP) / CLIP), rtol=1e-4)
    assert read([[0.0, 0.0, 1.0]], "neutral", "log-probability", scores="probabilities") == (
        np.log(CLIP)
    )


@pytest.mark.parametrize(
    ("output", "labels", "names", "value"),
    [
        ("positive", LABELS, ("positive",), 4.0),
        (2, LABELS, ("positive",), 4.0),
        (np.int64(2), LABELS, ("positive",), 4.0),
        ("2", (), ("2",), 4.0),
        (2, (), ("2",), 4.0),
        ("positive-negative", LABELS, ("positive-negative",), 3.0),
        ("2-0", (), ("2-0",), 3.0),
        ("non-toxic-toxic", ("toxic", "non-toxic", "x"), ("non-toxic-toxic",), 1.0),
        ("non-toxic", ("toxic", "non-toxic", "non"), ("non-toxic",), 2.0),
        ("all", ("all", "b", "c"), ("all",), 1.0),
    ],
)
def test_outputs_are_found_by_label_index_or_contrast(output, labels, names, value):
    """A label is taken whole before it is read as a contrast or as "all"."""
    chosen, found, _ = readout(output, "logit", labels, "logits")
    assert found == names
    assert chosen(np.array([[1.0, 2.0, 4.0]])) == [value]


def test_all_names_every_class():
    """The outputs are the labels; without labels they are unnamed."""
    assert readout("all", "log-odds", LABELS, "logits")[1] == LABELS
    assert readout("all", "log-odds", (), "logits")[1] == ()


def test_units_of_the_links():
    """Each link says its unit."""
    units = [readout(0, link, (), "logits")[2] for link in LINKS]
    assert units == ["log-odds", "log-probability (nats)", "probability", "logit"]


def test_a_contrast_is_no_probability():
    """The unit of a contrast differs from that of a class, whatever the link."""
    for link in LINKS:
        assert readout("1-0", link, (), "logits")[2] != readout(0, link, (), "logits")[2]


def test_values_are_explained_as_they_are():
    """Plain numbers have no readout and no unit; labels name them."""
    assert readout(None, None, ("x", "y"), "values") == (None, ("x", "y"), "")


@pytest.mark.parametrize(
    ("output", "link", "labels", "scores", "message"),
    [
        (None, "log-odds", LABELS, "logits", "None came.*one of 'negative'.*'predicted'"),
        ("happy", "log-odds", LABELS, "logits", "'happy' came.*one of 'negative', 'neutral', 'pos"),
        ("1", "log-odds", LABELS, "logits", "output='1' came"),
        (3, "log-odds", LABELS, "logits", "output=3 came, which is no class"),
        (-1, "log-odds", (), "logits", "output=-1 came.*a class index"),
        (True, "log-odds", (), "logits", "output=True came"),
        (1.5, "log-odds", (), "logits", "output=1.5 came"),
        ("positive-happy", "log-odds", LABELS, "logits", "'positive-happy' came, .* no class"),
        ("positive-positive", "log-odds", LABELS, "logits", "a class against itself"),
        ("a-b-c", "log-odds", ("a", "b-c", "a-b", "c"), "logits", "more than one contrast"),
        (0, "odds", (), "logits", "link='odds' came; it must be one of log-odds, log-prob"),
        (0, "logit", (), "probabilities", "link='logit' came with scores='probabilities'"),
        (0, "log-odds", (), "logit", "scores='logit' came; it must be one of logits"),
        (0, None, (), "values", "output=0 came with scores='values'"),
        (None, "probability", (), "values", "link='probability' came with scores='values'"),
        ("a", "log-odds", ("a", "a"), "logits", "labels came with a repeat"),
        ("a", "log-odds", "ab", "logits", "labels='ab' came; a sequence is needed"),
    ],
)
def test_an_output_or_link_that_does_not_fit_is_refused(output, link, labels, scores, message):
    """Each message says what came, what there is, and the knob."""
    with pytest.raises(InputError, match=message):
        readout(output, link, labels, scores)


@pytest.mark.parametrize(
    ("raw", "output", "labels", "message"),
    [
        ([1.0, 2.0], 0, (), r"shape \(2,\); scores='logits' needs \(b, classes\).*scores='values'"),
        ([[1.0]], 0, (), r"shape \(1, 1\)"),
        ([[1.0, 2.0]], "positive", LABELS, "returned 2 classes and labels= names 3"),
        ([[1.0, 2.0]], 5, (), "output asks for class 5; score returned classes 0 to 1"),
    ],
)
def test_scores_of_another_shape_are_refused(raw, output, labels, message):
    """What can only be known once the model answered is refused then, by name."""
    with pytest.raises(ShapeError, match=message):
        read(raw, output, labels=labels)


@pytest.mark.parametrize("raw", [[[0.5, 1.5]], [[-0.1, 0.4]]])
def test_logits_passed_as_probabilities_are_refused(raw):
    """Numbers outside 0 to 1 are no probabilities."""
    with pytest.raises(GameError, match=r"needs them between 0 and 1.*scores='logits'"):
        read(raw, 0, labels=(), scores="probabilities")


def test_no_rows_give_no_rows():
    """A readout of no masks is empty."""
    for link in LINKS:
        assert read(np.zeros((0, 3)), "all", link).shape == (0, 3)
    assert read(np.zeros((0, 3)), 1, scores="probabilities").shape == (0,)


def test_readouts_can_be_compared_and_sent_elsewhere():
    """A readout is plain data: equal, printable, and picklable."""
    one, two = (readout("positive", "log-odds", LABELS, "logits")[0] for _ in range(2))
    assert one == two == pickle.loads(pickle.dumps(one))


def game(calls):
    """Two units; class 2 wins by how many are present."""

    def value(masks):
        calls.append(len(masks))
        return np.stack([masks[:, 0] * 1.0, masks[:, 0] * 0.0, masks.sum(1) * 2.0], axis=1)

    return Game(value, 2)


def test_predicted_class_is_the_top_of_the_full_mask():
    """One call, of the mask with every unit present."""
    calls = []
    assert predicted_class(game(calls), LABELS) == "positive"
    assert predicted_class(game(calls)) == 2
    assert calls == [1, 1]


def test_predicted_class_needs_classes():
    """A game of plain numbers predicts no class."""
    with pytest.raises(ShapeError, match="needs"):
        predicted_class(Game(lambda masks: masks.sum(1), 2))


def test_with_output_changes_only_what_is_read():
    """Raw values, units and identity stay, so a journal of the raw values still serves."""
    first = game([])
    second = with_output(first, "positive-negative", link="logit", labels=LABELS)
    assert second.value is first.value
    assert second.units is first.units
    assert (second.outputs, second.unit) == (("positive-negative",), "logit difference")
    np.testing.assert_array_equal(second([[True, True], [False, True]]), [3.0, 2.0])
