"""Facts about extractive question answering with transformers: an answer's span as the value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import whence  # noqa: E402  after what may be missing, as all that follows
from adapters.transformers import tiny  # noqa: E402
from whence.adapters.transformers import answering  # noqa: E402
from whence.adapters.transformers.anchor import Anchor  # noqa: E402
from whence.errors import InputError  # noqa: E402
from whence.masks import every  # noqa: E402

QUESTION = "who lives in Paris ?"
CONTEXT = "the good Anna lives in Paris with cats"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A WordPiece tokenizer."""
    return tiny.tokenizer()


@pytest.fixture(scope="module")
def bert() -> Any:
    """A question answerer of random weights."""
    return tiny.made(transformers.BertForQuestionAnswering, tiny.bert_config())


def by_hand(model: Any, tokenizer: Any, context: str) -> tuple[Any, Any, list[str]]:
    """Log-probabilities of start and end at each token, and the tokens."""
    given = tokenizer(QUESTION, context, return_tensors="pt")
    with torch.no_grad():
        answer = model(**given)
    start, end = (
        scores[0].double().log_softmax(0).numpy()
        for scores in (answer.start_logits, answer.end_logits)
    )
    return start, end, tokenizer.convert_ids_to_tokens(given["input_ids"][0])


def test_the_value_is_the_span_s_log_probability(bert: Any, tokenizer: Any) -> None:
    """Scores are the log-probabilities of the answer's start and of its end."""
    scorer = answering.scorer(bert, tokenizer, question=QUESTION, answer="good Anna")
    start, end, tokens = by_hand(bert, tokenizer, CONTEXT)
    wanted = (start[tokens.index("good")], end[tokens.index("Anna")])
    got = scorer([CONTEXT, "good Anna", "in good Anna and the good house"])
    np.testing.assert_allclose(got[0], wanted, atol=1e-5)
    assert (scorer.facts.scores, scorer.facts.labels) == ("log-probabilities", ("start", "end"))
    alone = scorer(["good Anna"])
    np.testing.assert_allclose(got[1], alone[0], atol=1e-4)


def test_the_contrast_may_be_no_answer(bert: Any, tokenizer: Any) -> None:
    """With contrast="" the value is less the log-probability of pointing at [CLS] twice."""
    scorer = answering.scorer(
        bert, tokenizer, question=QUESTION, answer="Anna", contrast=answering.NO_ANSWER
    )
    start, end, tokens = by_hand(bert, tokenizer, CONTEXT)
    at = tokens.index("Anna")
    game = whence.text_game(scorer, CONTEXT, pin=("Anna",))
    wanted = start[at] + end[at] - start[0] - end[0]
    whole = game(np.ones((1, game.n), dtype=bool))
    np.testing.assert_allclose(whole, [wanted], atol=1e-5)
    assert scorer.facts.split == 2


def test_another_stretch_may_be_the_contrast(bert: Any, tokenizer: Any) -> None:
    """A contrast is read in the two columns after the answer's."""
    scorer = answering.scorer(bert, tokenizer, question=QUESTION, answer="Anna", contrast="cats")
    start, end, tokens = by_hand(bert, tokenizer, CONTEXT)
    at, other = tokens.index("Anna"), tokens.index("cats")
    wanted = [start[at], end[at], start[other], end[other]]
    np.testing.assert_allclose(scorer([CONTEXT])[0], wanted, atol=1e-5)


def test_a_game_with_the_answer_pinned_is_explained(bert: Any, tokenizer: Any) -> None:
    """Every mask has a finite value, and an exact run adds up to the two ends."""
    scorer = answering.scorer(bert, tokenizer, question=QUESTION, answer="Anna")
    game = whence.text_game(scorer, CONTEXT, pin=("Anna",))
    assert game.unit == "log-probability (nats)"
    e = whence.explain(game, budget=2**game.n)
    ends = game(every(game.n)[[-1, 0]])
    assert np.isclose(e.attributions().values.sum(), ends[0] - ends[1])


def test_the_best_answer_is_the_most_probable_span(bert: Any, tokenizer: Any) -> None:
    """best_answer is the argmax over all spans of the context, by enumeration."""
    start, end, tokens = by_hand(bert, tokenizer, CONTEXT)
    first = tokens.index("[SEP]") + 1
    own = range(first, len(tokens) - 1)
    spans = {(i, j): start[i] + end[j] for i in own for j in own if i <= j < i + 3}
    i, j = max(spans, key=lambda span: spans[span])
    words = " ".join(CONTEXT.split()[i - first : j - first + 1])
    found = answering.best_answer(bert, tokenizer, QUESTION, CONTEXT, longest=3)
    assert found == Anchor(words)


def test_a_context_that_lost_the_answer_is_refused(bert: Any, tokenizer: Any) -> None:
    """Its log-probability would be minus infinity; the message says what to pin."""
    scorer = answering.scorer(bert, tokenizer, question=QUESTION, answer="Anna")
    with pytest.raises(InputError, match=r"'Anna' occurs 0 times.*pin='Anna'"):
        scorer(["the house is in Paris"])


def test_an_answer_that_stands_in_the_question_only_is_refused(bert: Any, tokenizer: Any) -> None:
    """The question's own words are no place for an answer."""
    scorer = answering.scorer(bert, tokenizer, question=QUESTION, answer="Paris")
    with pytest.raises(InputError, match="'Paris' occurs 0 times"):
        scorer(["Anna lives in a house"])


def test_a_blank_question_is_refused(bert: Any, tokenizer: Any) -> None:
    """A question that shows nothing is refused."""
    with pytest.raises(InputError, match="question=' '"):
        answering.scorer(bert, tokenizer, question=" ", answer="Anna")


def test_question_and_context_together_may_not_be_too_long(bert: Any, tokenizer: Any) -> None:
    """The length that is refused counts the question and the special tokens."""
    scorer = answering.scorer(bert, tokenizer, question=QUESTION, answer="Anna")
    assert scorer.facts.count_tokens is not None
    assert scorer.facts.count_tokens(["Anna"]).tolist() == [9]
    assert np.isfinite(scorer(["Anna" + " good" * 55])).all()
    with pytest.raises(InputError, match="65 tokens long"):
        scorer(["Anna" + " good" * 56])


def test_no_answer_needs_a_first_token(bert: Any) -> None:
    """Without a [CLS] there is nothing that stands for no answer."""
    bare = tiny.tokenizer()
    bare.cls_token = None
    with pytest.raises(InputError, match=r"no first token"):
        answering.scorer(bert, bare, question=QUESTION, answer="Anna", contrast="")
