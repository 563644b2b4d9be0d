"""Facts about masked language models of transformers: what fills the blank of a text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import whence  # noqa: E402  after what may be missing, as all that follows
from adapters.transformers import tiny  # noqa: E402
from whence.adapters.transformers import filling  # noqa: E402
from whence.errors import InputError  # noqa: E402
from whence.masks import every  # noqa: E402
from whence.scoring import HiddenText  # noqa: E402

TEXT = "Paris is the [MASK] of France"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A WordPiece tokenizer."""
    return tiny.tokenizer()


@pytest.fixture(scope="module")
def bert() -> Any:
    """A masked language model of random weights."""
    return tiny.made(transformers.BertForMaskedLM, tiny.bert_config())


def by_hand(model: Any, tokenizer: Any, text: str, which: int = 0) -> dict[str, float]:
    """The log-probability of every token at a mask token of a text."""
    given = tokenizer(text, return_tensors="pt")
    at = torch.nonzero(given["input_ids"][0] == tokenizer.mask_token_id)[which, 0]
    with torch.no_grad():
        shares = model(**given).logits[0, at].double().log_softmax(0).numpy()
    return {token: shares[i] for token, i in tokenizer.get_vocab().items()}


def test_the_value_is_the_filler_s_log_probability(bert: Any, tokenizer: Any) -> None:
    """The score is the filler's log-probability at the blank, over the whole vocabulary."""
    scorer = filling.scorer(bert, tokenizer, target="capital")
    wanted = by_hand(bert, tokenizer, TEXT)["capital"]
    got = scorer([TEXT, "[MASK]", "the [MASK] film"])
    np.testing.assert_allclose(got[0], [wanted], atol=1e-5)
    np.testing.assert_allclose(got[1], scorer(["[MASK]"])[0], atol=1e-4)
    assert (scorer.facts.scores, scorer.facts.labels) == ("log-probabilities", ("capital",))
    assert scorer.facts.mask == "[MASK]"


def test_a_contrast_is_the_log_of_a_ratio(bert: Any, tokenizer: Any) -> None:
    """With a contrast a game's value is the difference of the two log-probabilities."""
    scorer = filling.scorer(bert, tokenizer, target="capital", contrast="heart")
    game = whence.text_game(scorer, TEXT, pin=("[MASK]",))
    shares = by_hand(bert, tokenizer, TEXT)
    whole = game(np.ones((1, game.n), dtype=bool))
    np.testing.assert_allclose(whole, [shares["capital"] - shares["heart"]], atol=1e-5)


def test_candidates_are_classes(bert: Any, tokenizer: Any) -> None:
    """Candidates' scores are their log-probabilities, and log-odds are among them alone."""
    scorer = filling.scorer(bert, tokenizer, candidates=("capital", "heart"))
    assert (scorer.facts.scores, scorer.facts.labels) == ("logits", ("capital", "heart"))
    shares = by_hand(bert, tokenizer, TEXT)
    full = np.ones((1, 5), dtype=bool)
    for link, wanted in (
        ("logit", shares["capital"]),
        ("log-odds", shares["capital"] - shares["heart"]),
    ):
        game = whence.text_game(scorer, TEXT, pin=("[MASK]",), output="capital", link=link)
        np.testing.assert_allclose(game(full), [wanted], atol=1e-5)


def test_a_blank_of_one_s_own_leaves_the_mask_token_to_absent_words(
    bert: Any, tokenizer: Any
) -> None:
    """With blank="___" absent words may become [MASK], and the blank is still found."""
    scorer = filling.scorer(bert, tokenizer, target="capital", blank="___")
    game = whence.text_game(
        scorer, "Paris is the ___ of France", pin=("___",), absent="mask:[MASK]"
    )
    words = ["Paris", "is", "the", "of", "France"]
    wanted = []
    for row in every(5):
        shown = [w if on else "[MASK]" for w, on in zip(words, row, strict=True)]
        shown.insert(3, "[MASK]")
        before = 3 - int(row[:3].sum())
        wanted.append(by_hand(bert, tokenizer, " ".join(shown), before)["capital"])
    np.testing.assert_allclose(game(every(5)), wanted, atol=1e-4)


def test_a_blank_of_one_s_own_hides_nothing(bert: Any, tokenizer: Any) -> None:
    """Writing the blank anew would move hidden spans, so such a scorer reads plain texts only."""
    scorer = filling.scorer(bert, tokenizer, target="capital", blank="___")
    assert scorer.facts.reads == {"text"}
    plain = filling.scorer(bert, tokenizer, target="capital")
    assert plain.facts.reads == {"text", "hidden"}
    assert np.isfinite(plain([HiddenText(TEXT, ((0, 5),))])).all()


@pytest.mark.parametrize("text", ["Paris is the capital", "[MASK] is the [MASK]"])
def test_a_text_without_exactly_one_blank_is_refused(bert: Any, tokenizer: Any, text: str) -> None:
    """No blank, or two, are refused with what to pin."""
    scorer = filling.scorer(bert, tokenizer, target="capital")
    with pytest.raises(InputError, match=r"'\[MASK\]' occurs [02] times.*pin="):
        scorer([text])


def test_a_vocabulary_without_a_mask_token_is_refused(bert: Any) -> None:
    """Without a mask token there is no blank to fill."""
    bare = tiny.tokenizer()
    bare.mask_token = None
    with pytest.raises(InputError, match="no mask token"):
        filling.scorer(bert, bare, target="capital")


def test_fillers_are_one_known_token(bert: Any, tokenizer: Any) -> None:
    """A filler of several tokens, or one that the vocabulary lacks, is refused by name."""
    with pytest.raises(InputError, match="'Lyon' is 4 tokens"):
        filling.scorer(bert, tokenizer, target="Lyon")
    with pytest.raises(InputError, match="'ß' is not in the model's vocabulary"):
        filling.scorer(bert, tokenizer, target="ß")


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"contrast": "heart"},
        {"target": "heart", "candidates": ("heart", "capital")},
        {"candidates": ("heart",)},
        {"candidates": "heart"},
    ],
)
def test_what_may_fill_the_blank_must_be_said(
    bert: Any, tokenizer: Any, asked: dict[str, Any]
) -> None:
    """Nothing, a contrast alone, both kinds, or one candidate are refused."""
    with pytest.raises(InputError, match=r"say what may fill|two different fillers"):
        filling.scorer(bert, tokenizer, **asked)


def test_the_best_filler_is_the_most_probable(bert: Any, tokenizer: Any) -> None:
    """best_filler is the most probable token that the tokenizer cuts as itself."""
    shares = by_hand(bert, tokenizer, TEXT)
    whole = {
        token: value
        for token, value in shares.items()
        if tokenizer.encode(token, add_special_tokens=False) == [tokenizer.get_vocab()[token]]
    }
    found = filling.best_filler(bert, tokenizer, TEXT)
    assert found == max(whole, key=lambda token: whole[token])
