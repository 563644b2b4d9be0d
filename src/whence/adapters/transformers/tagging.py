"""Holds tagging: a token classifier and one word of the text -> a scorer of that word's tag.

It does not know how texts become tokens (reading) nor how batches are run (running).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from whence.adapters.transformers.anchor import Anchor, as_anchor
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
    class_names,
    name_of,
    read_facts,
    text_scorer,
)
from whence.scoring import HiddenText


@dataclass(frozen=True)
class Tag:
    """The head of a token classifier: the logits at the first token of a word.

    Attributes:
        word: where to look.
    """

    word: Anchor

    def aim(self, item: str | HiddenText, read: Read) -> int:
        """The position of the word's first token."""
        return tokens_at(read, self.word.place(item))[0]

    def values(self, answer: Any, aims: Sequence[int], attended: Any) -> Any:
        """`(b, classes)` logits."""
        return answer.logits[list(range(len(aims))), list(aims)]


def scorer(
    model: Any,
    tokenizer: Any,
    *,
    word: str | Anchor,
    labels: Sequence[str] = (),
    name: str = "",
    tokens_per_batch: int | None = None,
) -> TextScorer:
    """A scorer of the tag that a token classifier gives to one word.

    The scores are the `(b, classes)` logits at the word's first token. A text without the word
    has no such score, so the word must be kept always present: `text_game` pins it. A
    text that has lost it is refused, never guessed at.

    Args:
        model: a transformers model with a head for token classification.
        tokenizer: its fast tokenizer.
        word: the word, letter for letter, if the text has it once; or an `Anchor`.
        labels: the tags' names; () takes the model's own.
        name: what to call the model.
        tokens_per_batch: as in `classify.scorer`.

    Raises:
        InputError: a tokenizer of another model or without offsets, or labels that do not fit.
    """
    refuse_misfit(tokenizer, model, name_of(model, name))
    need_spans(tokenizer, "the tag of a word")
    reader = Reader(tokenizer, limit_of(tokenizer, model))
    at = as_anchor(word)
    names = class_names(model, labels)
    facts = read_facts(model, reader, name, "token-classification", at)
    return text_scorer(
        model,
        reader,
        Tag(at),
        replace(
            facts,
            scores="logits",
            labels=names,
            pins=(at.words,),
            notes=(f"the tag of {at.words!r}, read at its first token",),
        ),
        tokens_per_batch,
        per_token=len(names),
    )
