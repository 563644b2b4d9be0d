"""Facts about finding a target among tokens, and about answers that lack something."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.adapters.openai.reading import (
    Pieces,
    begins,
    choice,
    ending,
    first_value,
    prompt_pieces,
    spelled,
    target_row,
)
from whence.errors import ModelError

PIECES = st.lists(st.text("ab \n", min_size=1, max_size=4), min_size=1, max_size=8)


@given(PIECES, PIECES)
def test_a_target_of_whole_tokens_is_found(before, target):
    """The last tokens that spell the target exactly are counted, whatever stands before."""
    count = ending(before + target, "".join(target))
    assert "".join((before + target)[-count:]) == "".join(target)


@given(PIECES, st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=5))
def test_tokens_shown_without_spaces_are_found(before, words):
    """Tokens whose leading spaces the server does not show are still counted."""
    target = "".join(" " + word for word in words)
    assert ending([*before, "x", *words], target) == len(words)


@given(st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=5))
def test_a_straddling_token_is_no_end(words):
    """Where the first token also holds letters from before, nothing is found."""
    target = "".join(words)
    assert ending(["x" + words[0], *words[1:]], target) == 0


def test_a_line_break_before_the_target_counts():
    """A line break that the target begins with is one of its tokens."""
    assert ending(["x", "\n", "Lily"], "\n Lily") == 2
    assert ending(["x", "\n", "\n", "Lily"], "\n Lily") == 2
    assert ending(["x", "", "Lily"], " Lily") == 1


def test_the_marks_of_leading_spaces_are_spaces():
    """Tokens with a letter in the place of their leading space are read as others are."""
    assert ending(["x", "\u2581Lily", "\u2581runs"], " Lily runs") == 2
    assert begins("\u0120Yes", " Yes")


@given(st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=5), st.data())
def test_labels_spell_the_target(words, data):
    """Labels joined give the target back, whether the server shows its spaces or not."""
    spaces = [data.draw(st.sampled_from(["", " ", "\n "])) for _ in words]
    target = "".join(space + word for space, word in zip(spaces, words, strict=True))
    assert "".join(spelled(words, target)) == target
    assert len(spelled(words, target)) == len(words)
    assert spelled(["\ufffd", "\ufffd"], " \u65e5") == ("\ufffd", "\ufffd")


def test_a_row_keeps_its_columns():
    """Columns are the labels' tokens; a target cut otherwise has its sum in the first."""
    pieces = Pieces(("a", "Li", "ly"), (None, -1.0, -2.0))
    np.testing.assert_allclose(target_row(pieces, ("Li", "ly"), " Lily")[0], [-1, -2])
    row, usual = target_row(pieces, ("L", "i", "ly"), " Lily")
    np.testing.assert_allclose(row, [-3, 0, 0])
    assert not usual


def test_a_target_without_a_log_probability_is_refused():
    """The first token of all has none; the message says what to put before it."""
    with pytest.raises(ModelError, match="pin a part of the text"):
        target_row(Pieces(("Li", "ly"), (None, -2.0)), ("Li", "ly"), " Lily")


@given(st.floats(0.05, 0.9), st.integers(1, 20))
def test_a_bound_is_never_below_what_is_possible(share, count):
    """The bound of an unlisted token is at most the least listed and at most what is left."""
    logs = np.log(np.full(count, share / count))
    value, listed = first_value([(f"x{i}", float(log)) for i, log in enumerate(logs)], "Yes", "")
    assert not listed
    assert np.exp(value) == pytest.approx(min(share / count, 1 - share))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"choices": []},
        {"choices": [{}, {}]},
        {"choices": ["x"]},
        {"choices": None},
    ],
)
def test_other_than_one_choice_is_refused(answer):
    """An answer without exactly one choice is refused by name."""
    with pytest.raises(ModelError, match="choices where one was asked for"):
        choice(answer)


def test_half_a_list_is_refused():
    """As many tokens as log-probabilities are needed."""
    logs = {"tokens": ["a", "b"], "token_logprobs": [None]}
    with pytest.raises(ModelError, match="2 tokens and 1 log-probabilities"):
        prompt_pieces({"choices": [{"text": "ab", "logprobs": logs}]}, "echo", "a")


@pytest.mark.parametrize(
    ("text", "tokens", "kept"),
    [
        ("a b c", ["a", " b", " c"], 2),
        ("a b", ["a", " b", ""], 2),
        ("a b", ["a", " b"], 2),
    ],
)
def test_the_written_token_is_left_out(text, tokens, kept):
    """The token that an echo had to write is none of the prompt's, shown or not."""
    logs = {"tokens": tokens, "token_logprobs": [-1.0] * len(tokens)}
    pieces = prompt_pieces({"choices": [{"text": text, "logprobs": logs}]}, "echo", "a b")
    assert pieces is not None
    assert len(pieces.texts) == kept


def test_log_probs_of_what_was_written_are_none_of_the_prompt():
    """A server that ignores echo is not taken for one that heeds it."""
    logs = {"tokens": [" c"], "token_logprobs": [-1.0]}
    assert prompt_pieces({"choices": [{"text": " c", "logprobs": logs}]}, "echo", "a b") is None
