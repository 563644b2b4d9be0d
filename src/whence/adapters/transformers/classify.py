"""Holds classify: a sequence classifier and its tokenizer -> a scorer of texts.

It does not know how texts become tokens (reading) nor how batches are run (running).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from whence.adapters.transformers.reading import Read, Reader, limit_of, refuse_misfit
from whence.adapters.transformers.running import (
    TextScorer,
    class_names,
    name_of,
    read_facts,
    text_scorer,
)
from whence.scoring import Facts, HiddenText


@dataclass(frozen=True)
class Classes:
    """The head of a sequence classifier: its logits.

    Attributes:
        single: whether it gives one number, which is then no class.
    """

    single: bool

    def aim(self, item: str | HiddenText, read: Read) -> None:
        """Nothing: the answer is of the whole text."""

    def values(self, answer: Any, aims: Sequence[None], attended: Any) -> Any:
        """`(b, classes)` logits, or `(b,)` numbers."""
        return answer.logits[:, 0] if self.single else answer.logits


def scorer(
    model: Any,
    tokenizer: Any,
    *,
    labels: Sequence[str] = (),
    second: str | None = None,
    name: str = "",
    tokens_per_batch: int | None = None,
) -> TextScorer:
    """A scorer of texts by a sequence classifier.

    Its scores are `(b, classes)` logits. Of a classifier with several labels at once
    (`problem_type="multi_label_classification"`) each logit is that label's own log-odds, and the
    scores are plain numbers of that unit, one output per label. A model with one label gives one
    plain number `(b,)`, without a unit: it may be a regression or a single logit.

    Args:
        model: a transformers model with a head for sequence classification.
        tokenizer: its tokenizer.
        labels: the classes' names; () takes the model's own.
        second: a text that is read after each item as its second part, such as the hypothesis
            for a premise. It is always present.
        name: what to call the model.
        tokens_per_batch: tokens that go through the model at once, padding counted; None leaves
            the choice to the device.

    Raises:
        InputError: a tokenizer of another model, or labels that do not fit.
    """
    refuse_misfit(tokenizer, model, name_of(model, name))
    reader = Reader(tokenizer, limit_of(tokenizer, model), second=second)
    names = class_names(model, labels)
    facts = read_facts(model, reader, name, "sequence-classification")
    return text_scorer(
        model,
        reader,
        Classes(single=len(names) == 1),
        _told(facts, model, names, second),
        tokens_per_batch,
    )


def _told(facts: Facts, model: Any, names: tuple[str, ...], second: str | None) -> Facts:
    notes = () if second is None else ("each text is read with a second one beside it",)
    if len(names) == 1:
        note = "one plain number per text: a regression, or a single logit"
        return replace(facts, scores="values", notes=(*notes, note))
    if model.config.problem_type == "multi_label_classification":
        note = "several labels may hold at once; each number is its own label's log-odds"
        return replace(facts, scores="values", labels=names, unit="log-odds", notes=(*notes, note))
    return replace(facts, scores="logits", labels=names, notes=notes)
