"""Holds tests of text_game: from a scripted model and a text to a Game."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from whence.errors import InputError, ModelError, ShapeError
from whence.lenses.inputs.readouts import predicted_class, with_output
from whence.lenses.inputs.render import Baseline, Drop, Replace
from whence.lenses.inputs.text import text_game
from whence.masks import every

TEXT = "Not bad, not good"
LABELS = ("negative", "positive")


def sentiment(texts):
    """Logits (b, 2): "good" and "bad," speak for themselves, "not" turns the sum around."""
    total = [2.0 * ("good" in t) - 1.0 * ("bad" in t) for t in texts]
    turned = [-x if "not" in t else x for x, t in zip(total, texts, strict=True)]
    return [[0.0, x] for x in turned]


def length(texts):
    """A plain number per text: its length."""
    return [float(len(text)) for text in texts]


def test_values_are_raw_and_the_readout_reads_them():
    """`value` gives what the model said; the game itself gives the link of the output."""
    game = text_game(sentiment, TEXT, output="positive", labels=LABELS)
    full = np.ones((1, 4), dtype=bool)
    np.testing.assert_array_equal(game.value(full), [[0.0, -1.0]])
    np.testing.assert_array_equal(game(full), [-1.0])
    assert (game.outputs, game.unit, game.n) == (("positive",), "log-odds", 4)
    assert game.batch == 64


def test_every_mask_is_valued_by_its_text():
    """Each mask's value is the model's score of the text with those units."""
    game = text_game(length, "ab c def", scores="values", batch=3)
    texts = ["", "ab", "c", "ab c", "def", "ab def", "c def", "ab c def"]
    np.testing.assert_array_equal(game(every(3)), length(texts))
    assert (game.readout, game.unit) == (None, "")


def test_equal_texts_of_one_call_are_scored_once():
    """Dropping either of two equal words asks the model once and answers both masks."""
    asked = []

    def score(texts):
        asked.append(texts)
        return length(texts)

    game = text_game(score, "so so dull", scores="values")
    np.testing.assert_array_equal(
        game.value(np.array([[1, 0, 1], [0, 1, 1], [0, 0, 1]], dtype=bool)), [7.0, 7.0, 4.0]
    )
    assert asked == [["so dull", "dull"]]


def test_the_model_is_not_called_before_it_is_asked():
    """Making a game, and choosing an output for it, costs nothing."""

    def never(texts):
        raise AssertionError("called")

    game = text_game(never, TEXT, output="all", labels=LABELS, identity="m")
    assert with_output(game, "positive", labels=LABELS).outputs == ("positive",)


def test_the_predicted_class_is_resolved_through_the_game():
    """One call of the full text says which class to explain, braces and all."""
    asked = []

    def score(texts):
        asked.extend(texts)
        return sentiment(texts)

    game = text_game(score, "{Not} {bad}", units="marked", output="all", labels=LABELS)
    name = predicted_class(game, LABELS)
    assert (name, asked) == ("negative", ["Not bad"])
    assert with_output(game, name, labels=LABELS)(np.ones(2, dtype=bool)) == [1.0]


@pytest.mark.parametrize(
    ("absent", "text"),
    [
        (Drop(), "bad, good"),
        ("drop", "bad, good"),
        (Replace("[UNK]"), "[UNK] bad, [UNK] good"),
        ("mask:[UNK]", "[UNK] bad, [UNK] good"),
        (Baseline("a b c d"), "a bad, c good"),
    ],
)
def test_absent_policies(absent, text):
    """A policy, or how the command line writes it, decides what is sent."""
    sent = []
    game = text_game(lambda t: sent.extend(t) or length(t), TEXT, absent=absent, scores="values")
    game.value(np.array([[False, True, False, True]]))
    assert sent == [text]


def test_tokens_are_counted_on_the_rendered_texts():
    """A run can say what the model read."""
    game = text_game(
        length, "a b c", scores="values", count_tokens=lambda texts: [len(t.split()) for t in texts]
    )
    np.testing.assert_array_equal(game.tokens(every(3)), every(3).sum(axis=1))
    assert text_game(length, "a b c", scores="values").tokens is None


# --- identity


def identity(text=TEXT, model="m", **options):
    """The identity of a game of plain numbers."""
    return text_game(length, text, scores="values", identity=model, **options).identity


def test_identity_tells_games_apart():
    """Another model, text, cut, pin or absent policy is another game; the same are the same."""
    games = [
        identity(),
        identity(model="n"),
        identity(TEXT + " "),
        identity(units="marked", text="{Not} {bad,} not good"),
        identity(parts=["Not", "bad"]),
        identity(pin=["good"]),
        identity(absent="mask:[UNK]"),
        identity(absent=Baseline("a b c d")),
        identity(absent=Baseline(["a", "b", "c", "d"])),
        identity(absent=Baseline(["a", "b", "c", "e"])),
    ]
    assert len(set(games)) == len(games)
    assert identity() == games[0]


def test_identity_holds_what_the_policy_fills_in():
    """One baseline text, cut differently by two tokenizers that cut the text alike: two games."""

    def tokenizer(cut):
        return lambda text: [(0, 1), (1, 2)] if text == "ab" else [(0, cut), (cut, 3)]

    options = {"units": "token", "absent": "baseline:xyz"}
    assert identity("ab", tokenizer=tokenizer(1), **options) != identity(
        "ab", tokenizer=tokenizer(2), **options
    )


def test_identity_ignores_what_is_read_of_the_scores():
    """One journal of raw scores serves every output and link."""
    one, two = (
        text_game(sentiment, TEXT, output=output, link=link, labels=LABELS, identity="m", batch=b)
        for output, link, b in [("positive", "log-odds", 1), ("negative", "probability", 9)]
    )
    assert one.identity == two.identity


def test_identity_is_readable():
    """It is JSON that says model, text digest, spans, absent policy and pinned spans."""
    said = json.loads(identity(pin=["bad"], absent="mask:_"))
    assert (said["model"], said["absent"]) == ("m", "mask:_")
    assert said["spans"] == [[0, 3], [9, 12], [13, 17]]
    assert said["pinned"] == [[4, 8]]
    assert len(said["text"]) == 64


def test_without_a_model_identity_there_is_none():
    """A bare callable cannot be journalled on disk."""
    assert identity(model=None) is None


def test_the_description_is_for_people():
    """It names the model and quotes the beginning of the text."""
    said = text_game(length, "a b\n" * 100, scores="values", identity="my model").description
    assert said.startswith("my model on 200 words of 'a b a b")
    assert len(said) < 100


def test_value_and_readout_can_be_sent_elsewhere():
    """The value function pickles, so a worker can be handed it."""
    game = text_game(sentiment, TEXT, output=1)
    again = pickle.loads(pickle.dumps(game.value))
    np.testing.assert_array_equal(again(every(4)), game.value(every(4)))


# --- bad input


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "text came empty"),
        ("word", {}, "the text has 1 word; at least 2.*units='token' with a tokenizer"),
        ("One sentence here.", {"units": "sentence"}, "has 1 sentence;.*units='word' or 'token'"),
        ("no marks", {"units": "marked"}, "has 0 parts;.*put {...} around each"),
        ("a b c", {"parts": ["b"]}, "has 1 part;.*list each in parts="),
        ("a b c", {"pin": ["a", "b"]}, "has 1 word beside 2 pinned; .*or pin less"),
        ("a b", {"units": "clause"}, "units='clause' came"),
        ("a b", {"absent": "zero"}, "absent='zero' came"),
        ("a b", {"output": 0}, "output=0 came with scores='values'"),
        (7, {}, "text came as int"),
    ],
)
def test_bad_input_is_refused_before_the_model_is_called(text, options, message):
    """Each message says what came, what is needed and the knob."""

    def never(texts):
        raise AssertionError("called")

    with pytest.raises(InputError, match=message):
        text_game(never, text, scores="values", **options)


def test_a_score_that_is_no_function_is_refused():
    """The message says what a score is."""
    with pytest.raises(InputError, match="score came as str; a function from a list of inputs"):
        text_game("positive", "a b")


def test_the_predicted_class_is_explained_by_default():
    """Scores with classes and no output: the class of the whole text, found by one call."""
    game = text_game(sentiment, TEXT)
    scores = np.asarray(sentiment([TEXT]))[0]
    assert game.outputs == (str(scores.argmax()),)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda texts: [1.0], r"score returned shape \(1,\) for 4 inputs"),
        (lambda texts: 1.0, r"score returned shape \(\) for 4 inputs"),
        (lambda texts: [[1.0], [1.0, 2.0]] * 2, "score returned a list that is not an array"),
    ],
)
def test_a_score_of_the_wrong_shape_is_refused(answer, message):
    """The message says how many inputs were asked."""
    with pytest.raises(ShapeError, match=message):
        text_game(answer, "a b", scores="values")(every(2))


def test_what_the_model_raises_is_kept_as_the_cause():
    """A model's own ValueError is not taken for a bad shape."""

    def broken(texts):
        raise ValueError("out of cheese")

    with pytest.raises(ModelError, match="ValueError: out of cheese"):
        text_game(broken, "a b", scores="values")(every(2))
