"""Holds answering: an extractive question answerer and a question -> a scorer of contexts.

It does not know how texts become tokens (reading) nor how batches are run (running).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from whence.adapters import _torch
from whence.adapters.transformers.anchor import Anchor, anchored, as_anchor
from whence.adapters.transformers.reading import (
    Read,
    Reader,
    limit_of,
    need_spans,
    refuse_misfit,
    tokens_at,
)
from whence.adapters.transformers.running import (
    TextScorer,
    name_of,
    read_facts,
    text_scorer,
)
from whence.adapters.transformers.waiting import Waiting
from whence.errors import InputError
from whence.scoring import Facts, HiddenText

#: The contrast with the answer that there is none.
NO_ANSWER = ""
#: Tokens of the longest answer that is looked for.
LONGEST = 30


class Aim(NamedTuple):
    """Positions in one item.

    Attributes:
        starts: of the answer's first token, and then the contrast's.
        ends: of the answer's last token, and then the contrast's.
    """

    starts: tuple[int, ...]
    ends: tuple[int, ...]


@dataclass(frozen=True)
class Answer:
    """The head of a question answerer: the log-probabilities of where an answer starts and ends.

    Attributes:
        answers: the answer, and a contrast if there is one; None stands for no answer.
        first: the token that "no answer" points to.
    """

    answers: tuple[Anchor | None, ...]
    first: int | None

    def aim(self, item: str | HiddenText, read: Read) -> Aim:
        """The positions of each answer's first and last token."""
        found = [self._tokens(answer, item, read) for answer in self.answers]
        return Aim(tuple(one[0] for one in found), tuple(one[-1] for one in found))

    def values(self, answer: Any, aims: Sequence[Aim], attended: Any) -> Any:
        """`(b, 2)` or, with a contrast, `(b, 4)` log-probabilities: start, end, start, end."""
        torch = _torch.require()
        start, end = log_shares(answer, attended)
        columns = [
            scores.gather(1, torch.tensor(where, device=scores.device)[:, None])
            for k in range(len(self.answers))
            for scores, where in (
                (start, [aim.starts[k] for aim in aims]),
                (end, [aim.ends[k] for aim in aims]),
            )
        ]
        return torch.cat(columns, dim=1)

    def _tokens(self, answer: Anchor | None, item: str | HiddenText, read: Read) -> list[int]:
        if answer is None:
            assert self.first is not None
            return [read.ids.index(self.first)]
        return tokens_at(read, answer.place(item))


def log_shares(answer: Any, attended: Any) -> tuple[Any, Any]:
    """Log-probabilities `(b, tokens)` of the start and the end, over all attended tokens."""
    absent = attended == 0
    start, end = (
        scores.float().masked_fill(absent, float("-inf")).log_softmax(dim=1)
        for scores in (answer.start_logits, answer.end_logits)
    )
    return start, end


def scorer(
    model: Any,
    tokenizer: Any,
    *,
    question: str,
    answer: str | Anchor,
    contrast: str | Anchor | None = None,
    name: str = "",
    tokens_per_batch: int | None = None,
) -> TextScorer:
    """A scorer of contexts: how probable the answer's span is, for a question.

    The scores are the log-probabilities that the answer starts at its first token and ends at its
    last, over every token the model attends to; the value is their sum. The question is always
    present. The answer must be a stretch of every context: `text_game` pins it. A context that has
    lost it is refused: its probability would be zero, its logarithm no number.

    Args:
        model: a transformers model with a head for question answering.
        tokenizer: its fast tokenizer.
        question: read before every context.
        answer: a stretch of the context, letter for letter, if it occurs once; or an `Anchor`.
            `best_answer` finds the model's own.
        contrast: another stretch, also pinned, or `NO_ANSWER` (""): the value is then the log of
            the ratio of the two probabilities. "No answer" is the model's first special token.
        name: what to call the model.
        tokens_per_batch: as in `classify.scorer`.

    Raises:
        InputError: a tokenizer of another model or without offsets, or no question.
    """
    reader = _reader(model, tokenizer, question, name)
    answers = (as_anchor(answer), *_contrast(contrast, tokenizer))
    facts = read_facts(model, reader, name, "question-answering", *answers)
    return text_scorer(
        model,
        reader,
        Answer(answers, tokenizer.cls_token_id),
        replace(
            facts,
            scores="log-probabilities",
            labels=("start", "end") * len(answers),
            split=None if contrast is None else 2,
            notes=_notes(answers),
            pins=tuple(one.words for one in answers if isinstance(one, Anchor)),
        ),
        tokens_per_batch,
        per_token=2,
    )


def waiting(model: Any, tokenizer: Any, *, question: str, name: str = "") -> Waiting:
    """The same before the answer is said: `continuing(context, most)` takes the model's own.

    Raises:
        InputError: as `scorer`, for the model, the tokenizer and the question.
    """
    reader = _reader(model, tokenizer, question, name)

    def own(text: str, most: int) -> TextScorer:
        answer = best_answer(model, tokenizer, question, text, longest=most)
        return scorer(model, tokenizer, question=question, answer=answer, name=name)

    facts = read_facts(model, reader, name, "question-answering")
    knob = "Say the answer: target=, a stretch of every context."
    return Waiting(replace(facts, scores="log-probabilities"), own, knob)


def best_answer(
    model: Any, tokenizer: Any, question: str, context: str, *, longest: int = LONGEST
) -> Anchor:
    """The model's own answer to a question: the most probable span of the context. One call.

    Args:
        model, tokenizer, question: as `scorer`.
        context: the whole context.
        longest: tokens of the longest answer considered.

    Raises:
        InputError: as `scorer`, or a context without tokens.
    """
    reader = _reader(model, tokenizer, question, "")
    (read,) = reader.read([context])
    own = [i for i, span in enumerate(read.spans) if span is not None and span[0] < span[1]]
    if not own:
        raise InputError("the context has no token; give a text that may hold the answer.")
    whole = text_scorer(model, reader, _Everywhere(), Facts(), per_token=2)
    start, end = whole([context])[0]
    pairs = [(i, j) for at, i in enumerate(own) for j in own[at : at + longest]]
    i, j = max(pairs, key=lambda pair: start[pair[0]] + end[pair[1]])
    first, last = read.spans[i], read.spans[j]
    assert first is not None
    assert last is not None
    return anchored(context, (first[0], last[1]))


@dataclass(frozen=True)
class _Everywhere:
    """The head that looks at every token: `(b, 2, tokens)` log-probabilities of start and end."""

    def aim(self, item: str | HiddenText, read: Read) -> None:
        """Nothing: everywhere."""

    def values(self, answer: Any, aims: Sequence[None], attended: Any) -> Any:
        """`(b, 2, tokens)`."""
        return _torch.require().stack(log_shares(answer, attended), dim=1)


def _reader(model: Any, tokenizer: Any, question: str, name: str) -> Reader:
    if not question.strip():
        raise InputError(f"question={question!r} came; give the question that is asked.")
    refuse_misfit(tokenizer, model, name_of(model, name))
    need_spans(tokenizer, "the place of an answer")
    return Reader(tokenizer, limit_of(tokenizer, model), first=question)


def _notes(answers: tuple[Anchor | None, ...]) -> tuple[str, ...]:
    told = ["no answer" if one is None else repr(one.words) for one in answers]
    against = "" if len(told) == 1 else f", against {told[1]}"
    return (
        f"the answer {told[0]}{against}",
        "start and end of an answer are taken as independent, as the model does",
    )


def _contrast(contrast: str | Anchor | None, tokenizer: Any) -> tuple[Anchor | None, ...]:
    if contrast is None:
        return ()
    if contrast != NO_ANSWER:
        return (as_anchor(contrast),)
    if tokenizer.cls_token_id is None:
        raise InputError(
            'contrast="" came, the answer that there is none, and this tokenizer has no first '
            "token ([CLS]) that stands for it. Give another stretch, or no contrast."
        )
    return (None,)
