"""Holds filling: a masked language model and what may fill a blank -> a scorer of texts with one.

It does not know how texts become tokens (reading) nor how batches are run (running).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from whence.adapters.transformers.anchor import Anchor
from whence.adapters.transformers.reading import (
    Read,
    Reader,
    limit_of,
    need_spans,
    refuse_misfit,
    touches,
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


@dataclass(frozen=True)
class Filler:
    """The head of a masked language model: log-probabilities of some tokens at the blank.

    Attributes:
        blank: where to look.
        mask: the id of the token that stands there when the model reads.
        ids: the tokens; () for the whole vocabulary.
    """

    blank: Anchor
    mask: int
    ids: tuple[int, ...]

    def aim(self, item: str | HiddenText, read: Read) -> int:
        """The position of the blank."""
        start, _ = self.blank.place(item)
        for i, (token, span) in enumerate(zip(read.ids, read.spans, strict=True)):
            if token == self.mask and touches(span, ((start, start + 1),)):
                return i
        raise InputError(
            f"the blank {self.blank.words!r} is not read as a token of its own; set it apart with "
            "spaces."
        )

    def values(self, answer: Any, aims: Sequence[int], attended: Any) -> Any:
        """`(b, tokens)` log-probabilities, over the whole vocabulary."""
        at = answer.logits[list(range(len(aims))), list(aims)].float().log_softmax(dim=-1)
        return at[:, list(self.ids)] if self.ids else at


@dataclass(frozen=True)
class Blank:
    """What the blank of a masked language model is.

    Attributes:
        anchor: the blank in a text as the user writes it.
        token: the model's own mask token.
    """

    anchor: Anchor
    token: str

    def __call__(self, text: str) -> str:
        """The text as the model reads it."""
        start, end = self.anchor.place(text)
        return text[:start] + self.token + text[end:]


def scorer(
    model: Any,
    tokenizer: Any,
    *,
    target: str | None = None,
    contrast: str | None = None,
    candidates: Sequence[str] = (),
    blank: str = "",
    name: str = "",
    tokens_per_batch: int | None = None,
) -> TextScorer:
    """A scorer of texts with one blank: how probable a filler of the blank is.

    With `target` the score is its log-probability over the whole vocabulary, beside that of
    `contrast` if there is one: the value is then the log of the ratio. With `candidates` the
    scores are the log-probabilities of each, to be read as the logits of so many classes: the
    readout's log-odds and probabilities are then among the candidates alone, and
    `link="logit"` is the log-probability over the whole vocabulary.

    The blank must stand in every text: pin it. Where absent units shall become the model's own
    mask token, mark the blank in another way: `blank="___"`.

    Args:
        model: a transformers model with a head for masked language modelling.
        tokenizer: its fast tokenizer.
        target: what fills the blank: one token as the tokenizer cuts it, with the space before
            it where the tokenizer keeps one.
        contrast: another filler.
        candidates: two fillers or more, in place of `target`.
        blank: what marks the blank in a text; "" is the model's mask token.
        name: what to call the model.
        tokens_per_batch: as in `classify.scorer`.

    Raises:
        InputError: a vocabulary with no mask token, a tokenizer of another model or without
            offsets, a filler that is not one token, or neither target nor candidates.
    """
    fillers = _fillers(target, contrast, candidates)
    reader, at = _reader(model, tokenizer, blank, name)
    ids = tuple(token_of(tokenizer, filler) for filler in fillers)
    facts = read_facts(model, reader, name, "masked-lm", at, ids)
    return text_scorer(
        model,
        reader,
        Filler(at, tokenizer.mask_token_id, ids),
        replace(_told(facts, fillers, contrast, blank), pins=(at.words,)),
        tokens_per_batch,
        per_token=model.config.get_text_config().vocab_size,
    )


def waiting(model: Any, tokenizer: Any, *, blank: str = "", name: str = "") -> Waiting:
    """The same before the filler is said: `continuing(text, most)` takes the model's own.

    Raises:
        InputError: as `scorer`, for the model and the tokenizer.
    """
    reader, _ = _reader(model, tokenizer, blank, name)

    def own(text: str, most: int) -> TextScorer:
        filler = best_filler(model, tokenizer, text, blank=blank)
        return scorer(model, tokenizer, target=filler, blank=blank, name=name)

    facts = replace(read_facts(model, reader, name, "masked-lm"), scores="log-probabilities")
    knob = "Say what fills the blank: target=, with or without contrast=."
    return Waiting(facts, own, knob)


def best_filler(model: Any, tokenizer: Any, text: str, *, blank: str = "") -> str:
    """The most probable filler of the blank of a text, as `scorer` takes it. One call.

    Raises:
        InputError: as `scorer`, or a text without exactly one blank.
    """
    reader, at = _reader(model, tokenizer, blank, "")
    head = Filler(at, tokenizer.mask_token_id, ())
    whole = text_scorer(model, reader, head, Facts(), per_token=1)
    for token in (-whole([text])[0]).argsort().tolist():
        filler = tokenizer.decode([token])
        if tokenizer.encode(filler, add_special_tokens=False) == [token]:
            return filler
    raise InputError("no token of this vocabulary is cut as itself; give target=.")


def token_of(tokenizer: Any, filler: str) -> int:
    """The one token that a filler is.

    Raises:
        InputError: it is several, or one that the vocabulary does not know.
    """
    ids = tokenizer.encode(filler, add_special_tokens=False)
    if len(ids) != 1:
        cut = tokenizer.convert_ids_to_tokens(ids)
        raise InputError(
            f"the filler {filler!r} is {len(ids)} tokens ({cut}); a blank is filled by exactly "
            "one. Give a word of the vocabulary, with the space before it if the tokenizer keeps "
            "one."
        )
    if ids[0] == tokenizer.unk_token_id:
        raise InputError(f"the filler {filler!r} is not in the model's vocabulary; give another.")
    return int(ids[0])


def _fillers(
    target: str | None, contrast: str | None, candidates: Sequence[str]
) -> tuple[str, ...]:
    if isinstance(candidates, str) or (candidates and len(set(candidates)) < 2):
        raise InputError(f"candidates={candidates!r} came; give two different fillers or more.")
    if (target is None) == (not candidates) or (contrast is not None and target is None):
        raise InputError(
            "say what may fill the blank: target=, with or without contrast=, or candidates=. "
            "best_filler(model, tokenizer, text) finds the model's own."
        )
    if target is None:
        return tuple(candidates)
    return (target,) if contrast is None else (target, contrast)


def _reader(model: Any, tokenizer: Any, blank: str, name: str) -> tuple[Reader, Anchor]:
    if tokenizer.mask_token is None:
        raise InputError(
            f"the tokenizer of {name_of(model, name)} has no mask token, so there is no blank to "
            "fill. Give the tokenizer of a masked language model."
        )
    refuse_misfit(tokenizer, model, name_of(model, name))
    need_spans(tokenizer, "the place of a blank")
    at = Anchor(blank or tokenizer.mask_token)
    write: Callable[[str], str] = str if not blank else Blank(at, tokenizer.mask_token)
    return Reader(tokenizer, limit_of(tokenizer, model), write=write), at


def _told(facts: Facts, fillers: tuple[str, ...], contrast: str | None, blank: str) -> Facts:
    classes = len(fillers) > 1 and contrast is None
    # A blank that is written anew moves what stands behind it, and hidden spans with it.
    reads = facts.reads - {"hidden"} if blank else facts.reads
    return replace(
        facts,
        scores="logits" if classes else "log-probabilities",
        labels=fillers,
        split=None if contrast is None else 1,
        reads=reads,
        notes=("log-probabilities at the blank, over the whole vocabulary",),
    )
