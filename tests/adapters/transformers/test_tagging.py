"""Facts about token classifiers of transformers: the tag of one word, wherever masking moves it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import whence  # noqa: E402  after what may be missing, as all that follows
from adapters.transformers import tiny  # noqa: E402
from whence.adapters.transformers import tagging  # noqa: E402
from whence.adapters.transformers.anchor import Anchor, anchored, occurrences  # noqa: E402
from whence.errors import InputError  # noqa: E402
from whence.masks import every  # noqa: E402
from whence.scoring import HiddenText  # noqa: E402

TAGS = {0: "O", 1: "PLACE", 2: "PERSON"}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A WordPiece tokenizer."""
    return tiny.tokenizer()


@pytest.fixture(scope="module")
def bert() -> Any:
    """A tagger of random weights."""
    config = tiny.bert_config(id2label=TAGS)
    return tiny.made(transformers.BertForTokenClassification, config)


def by_hand(model: Any, tokenizer: Any, text: str, position: int) -> Any:
    """The logits at one token, through transformers' own call."""
    with torch.no_grad():
        given = tokenizer(text, return_tensors="pt")
        return model(**given).logits[0, position].double().numpy()


def test_the_value_is_the_word_s_logits(bert: Any, tokenizer: Any) -> None:
    """The scores are the logits at the word's first token, in texts of any length and batch."""
    scorer = tagging.scorer(bert, tokenizer, word="Paris")
    assert scorer.facts.scores == "logits"
    assert scorer.facts.labels == ("O", "PLACE", "PERSON")
    wanted = [
        by_hand(bert, tokenizer, "Anna lives in Paris .", 4),
        by_hand(bert, tokenizer, "Paris", 1),
        by_hand(bert, tokenizer, "the capital is Paris", 4),
    ]
    got = scorer(["Anna lives in Paris .", "Paris", "the capital is Paris"])
    np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_a_word_of_several_tokens_is_read_at_its_first(bert: Any, tokenizer: Any) -> None:
    """A word that the vocabulary lacks is cut into letters; its first token's logits are taken."""
    assert len(tokenizer("Lyon")["input_ids"]) == 6
    got = tagging.scorer(bert, tokenizer, word="Lyon")(["Anna lives in Lyon"])
    np.testing.assert_allclose(got[0], by_hand(bert, tokenizer, "Anna lives in Lyon", 4), atol=1e-5)


def test_a_game_follows_the_pinned_word(bert: Any, tokenizer: Any) -> None:
    """With the word pinned every mask has a value: that of the word where it then stands."""
    scorer = tagging.scorer(bert, tokenizer, word="Paris")
    game = whence.text_game(
        scorer, "Anna lives in Paris", pin=("Paris",), output="PLACE", link="logit"
    )
    assert game.units.labels == ("Anna", "lives", "in")
    words = ["Anna", "lives", "in"]
    wanted = [
        by_hand(bert, tokenizer, " ".join([*np.array(words)[row], "Paris"]), 1 + int(row.sum()))
        for row in every(3)
    ]
    np.testing.assert_allclose(game(every(3)), np.array(wanted)[:, 1], atol=1e-5)


@pytest.mark.parametrize("text", ["Anna lives in", "Paris is Paris", ""])
def test_a_text_that_lost_or_repeats_the_word_is_refused(
    bert: Any, tokenizer: Any, text: str
) -> None:
    """A text without exactly one of the word is refused, with what to pin; nothing is guessed."""
    scorer = tagging.scorer(bert, tokenizer, word="Paris")
    with pytest.raises(InputError, match=r"'Paris' occurs [02] times.*pin='Paris'"):
        scorer(["in Paris", text])


def test_an_anchor_says_which_of_several(bert: Any, tokenizer: Any) -> None:
    """`anchored` makes of a span an anchor that finds the second of two equal words."""
    text = "Paris is not Paris"
    second = anchored(text, (13, 18))
    assert second == Anchor("Paris", nth=1, of=2)
    got = tagging.scorer(bert, tokenizer, word=second)([text, "Paris Paris"])
    np.testing.assert_allclose(got[0], by_hand(bert, tokenizer, text, 4), atol=1e-5)
    np.testing.assert_allclose(got[1], by_hand(bert, tokenizer, "Paris Paris", 2), atol=1e-5)


def test_a_hidden_word_is_refused(bert: Any, tokenizer: Any) -> None:
    """The word may not be hidden from the model; its neighbours may."""
    scorer = tagging.scorer(bert, tokenizer, word="Paris")
    assert np.isfinite(scorer([HiddenText("in Paris", ((0, 2),))])).all()
    with pytest.raises(InputError, match="hidden from the model"):
        scorer([HiddenText("in Paris", ((3, 8),))])


@given(st.text("ab ", max_size=12), st.integers(0, 11), st.integers(1, 4))
def test_an_anchor_of_a_span_finds_that_span_again(text: str, start: int, length: int) -> None:
    """Whatever the text repeats, the anchor of a stretch stands where the stretch stands."""
    span = (start, start + length)
    assume(span[1] <= len(text) and text[slice(*span)].strip())
    assume(start in [a for a, _ in occurrences(text, text[slice(*span)])])
    assert anchored(text, span).place(text) == span


def test_a_stretch_that_overlaps_its_like_is_refused() -> None:
    """The second "aba" of "ababa" overlaps the first, and cannot be told by counting."""
    with pytest.raises(InputError, match="overlaps another"):
        anchored("ababa", (2, 5))


@pytest.mark.parametrize("span", [(0, 0), (5, 3), (0, 99), (-1, 3)])
def test_a_span_outside_the_text_is_refused(span: tuple[int, int]) -> None:
    """Empty, turned or too long spans are refused by name."""
    with pytest.raises(InputError, match="lies outside"):
        anchored("in Paris", span)


def test_a_word_that_shows_nothing_is_refused(bert: Any, tokenizer: Any) -> None:
    """Whitespace is no word."""
    with pytest.raises(InputError, match="shows nothing"):
        tagging.scorer(bert, tokenizer, word=" ")


def test_a_tokenizer_without_offsets_is_refused(bert: Any) -> None:
    """Where the tokenizer does not say where its tokens stand, a word cannot be found."""
    with pytest.raises(InputError, match="does not say where its tokens stand"):
        tagging.scorer(bert, transformers.ByT5Tokenizer(), word="Paris")
