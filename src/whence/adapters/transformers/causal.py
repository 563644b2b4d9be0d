"""Holds CausalScorer: a language model's log-probabilities of a continuation after each item.

It does not know how items become tokens (causal_text), nor how tokens go through the model
(causal_tree, causal_forward).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.adapters._torch import fingerprint
from whence.adapters.transformers.causal_check import checked, context, kept_bytes, pace, stops
from whence.adapters.transformers.causal_forward import Forward
from whence.adapters.transformers.causal_text import Prompt, Reader, continuation, reader, shown
from whence.adapters.transformers.causal_tree import Pace, Passage, passed
from whence.errors import InputError
from whence.game import Values
from whence.scoring import Facts, Part

BEFORE = 16
"""Tokens of a prompt that are decoded with what the model writes, to show what each token adds."""


#: Items that are put in order together: enough to share what they begin with.
ITEMS = 512


@dataclass(frozen=True)
class Continuation:
    """What follows a prompt.

    Attributes:
        tokens: its token ids; () for none.
        labels: how to show each.
    """

    tokens: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class CausalScorer:
    """Log-probabilities, in nats, of each token of a continuation. Made by `scorer`.

    Each is the log-probability of the token after the item and the continuation's tokens before
    it (teacher forcing), taken in float32 whatever the model's precision. An item's values do
    not depend on what it is scored with: see docs/adapters/transformers.md for how nearly.

    Attributes:
        name: the model, for people.
        reader: items -> tokens.
        forward: the model.
        pace: how it is fed.
        target: the continuation.
        contrast: another one, which the target is held against.
        fingerprint: of the model and the reader; None where the model is not in memory whole.
        max_tokens: the model's context; None when it does not say.
        notes: what a reader of a finding should know.
    """

    name: str
    reader: Reader = field(repr=False)
    forward: Forward = field(repr=False)
    pace: Pace = field(repr=False)
    target: Continuation
    contrast: Continuation
    fingerprint: str | None = field(repr=False)
    max_tokens: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def facts(self) -> Facts:
        """See `Scorer`."""
        return Facts(
            name=self.name,
            identity=self._identity(),
            scores="log-probabilities",
            labels=self.target.labels + self.contrast.labels,
            split=len(self.target.tokens) if self.contrast.tokens else None,
            reads=self.reader.reads,
            batch=ITEMS,
            max_tokens=self.max_tokens,
            count_tokens=self.count_tokens,
            token_spans=self.reader.spans if self.reader.tokenizer.is_fast else None,
            notes=self.notes,
        )

    def __call__(self, items: Sequence[Any], /) -> Values:
        """Log-probabilities `(b, T)`, or `(b, T1 + T2)` with a contrast, target first.

        Args:
            items: texts, `HiddenText`s or `Messages`.

        Raises:
            InputError: an item of another kind, or longer than the model's context.
        """
        values = np.zeros((len(items), self._width))
        for rows, found in self.stream(items):
            values[rows] = found
        return values

    def stream(self, items: Sequence[Any], /) -> Iterator[Part]:
        """See `Executor`."""
        self._refuse_nothing_to_score()
        prompts = self.reader(items)
        self._refuse_long(prompts)
        passages, of = _different(prompts, [one[0][:-1] for one in self.forward.endings])
        values = np.zeros((len(items), self._width))
        missing = np.full(len(items), len(self.forward.endings))

        def named(passage: int) -> str:
            return f"item {of[passage][0]}"

        for at, found in passed(self.forward, passages, self.pace, named):
            done: list[int] = []
            for passage, row in zip(at.tolist(), found, strict=True):
                columns = self._columns(passages[passage].which)
                for item in of[passage]:
                    values[item, columns] = row[: columns.stop - columns.start]
                    missing[item] -= 1
                done += [item for item in of[passage] if not missing[item]]
            if done:
                yield np.array(done, dtype=np.intp), values[done]

    def count_tokens(self, items: Sequence[Any]) -> NDArray[np.int64]:
        """`(b,)` tokens of each item with the longer continuation, special ones counted."""
        sizes = [len(one.tokens) for one in self.reader(items)]
        return np.array(sizes, dtype=np.int64) + self._longest

    def continuing(self, item: Any, most: int) -> CausalScorer:
        """A scorer of what the model itself writes after an item, each token the likeliest.

        A contrast that was given stays. What ends a text is not written.

        Args:
            item: the whole input.
            most: tokens at most.

        Raises:
            InputError: no room in the model's context, or the model writes nothing.
        """
        prompt = self.reader([item])[0]
        model, tokenizer, known = self.forward.model, self.reader.tokenizer, len(prompt.tokens)
        room = (self.max_tokens or known + most) - known
        if most < 1 or room < 1:
            raise InputError(
                f"A continuation of at most {most} tokens was asked after {known} tokens, and "
                f"there is room for {max(room, 0)}. Ask for at least 1, or shorten the text."
            )
        tokens = self.forward.written(
            prompt.tokens.tolist(), prompt.hidden.tolist(), min(most, room),
            stops(model, tokenizer), cached=self.pace.most > 0,
        )  # fmt: skip
        if not tokens:
            raise InputError(
                "The model writes nothing after this text: it ends it at once. Name the "
                "continuation yourself (target=)."
            )
        labels = shown(tokenizer, prompt.tokens[-BEFORE:].tolist(), tokens)
        return _with(self, Continuation(tokens, labels), self.contrast)

    @property
    def _width(self) -> int:
        return len(self.target.tokens) + len(self.contrast.tokens)

    @property
    def _longest(self) -> int:
        return max(len(self.target.tokens), len(self.contrast.tokens))

    def _columns(self, ending: int) -> slice:
        """The raw columns that an ending gives; the first ending's come first."""
        sizes = [len(one) * len(one[0]) for one in self.forward.endings]
        return slice(sum(sizes[:ending]), sum(sizes[: ending + 1]))

    def _identity(self) -> str | None:
        if self.fingerprint is None:
            return None
        told = [self.fingerprint, self.target.tokens, self.contrast.tokens]
        return "causal:" + hashlib.sha256(json.dumps(told).encode("utf-8")).hexdigest()

    def _refuse_nothing_to_score(self) -> None:
        if self.target.tokens:
            return
        if self.contrast.tokens:
            raise InputError(
                "contrast= came without target=, so there is nothing to hold it against. Give "
                "target= too, or leave contrast= out to explain what the model itself writes (in "
                "Python, continuing(item, most) keeps the contrast)."
            )
        raise InputError(
            "No continuation was named, so there is nothing to score. Give target=, or let the "
            "model write one: continuing(item, most)."
        )

    def _refuse_long(self, prompts: Sequence[Prompt]) -> None:
        most, after = self.max_tokens, self._longest
        for i, one in enumerate(prompts):
            if most is not None and len(one.tokens) + after > most:
                raise InputError(
                    f"Item {i} is {len(one.tokens)} tokens long, and the continuation {after}; "
                    f"{self.name} reads at most {most} together. Shorten the text, or explain a "
                    "part of it; nothing is cut off in silence."
                )


def scorer(
    model: Any,
    tokenizer: Any,
    *,
    target: str | None = None,
    contrast: str | None = None,
    chat: bool = False,
    system: str | None = None,
    name: str = "",
    tokens_per_batch: int | None = None,
    share: bool = True,
) -> CausalScorer:
    """A scorer of a continuation after each item, by a causal language model of transformers.

    The model stays where it is and as it is. Every prompt begins with what the tokenizer puts
    before a text, one beginning-of-sequence token at most; a prompt of no tokens at all is that
    token alone, or the one that ends a text where there is no other.

    Args:
        model: a model with a language-modelling head, such as `AutoModelForCausalLM` loads.
        tokenizer: the tokenizer saved with it.
        target: the continuation; a blank in front of it counts. None to have the model write one:
            `CausalScorer.continuing`.
        contrast: another continuation, to say why the target and not this.
        chat: whether a text is one user turn, put into the tokenizer's chat template.
        system: a system turn before every conversation.
        name: what to call the model.
        tokens_per_batch: tokens that go through the model at once; None to find out.
        share: whether what items begin with alike is computed once. Models that cannot keep keys
            and values are found out, and share nothing.

    Raises:
        MissingExtra: torch or transformers is not installed.
        InputError: not a causal language model, a tokenizer that does not match, a continuation
            that cannot be scored, or a conversation without a chat template.
    """
    if tokens_per_batch is not None and tokens_per_batch < 1:
        raise InputError(f"tokens_per_batch={tokens_per_batch} came; at least 1 is needed.")
    forward = checked(model, tokenizer)
    hides = {"attention_mask", "position_ids"} <= forward.takes
    read = reader(tokenizer, chat=chat, system=system, hides=hides)
    kept = kept_bytes(forward) if share else 0
    made = CausalScorer(
        name=name or type(model).__name__,
        reader=read,
        forward=forward,
        pace=pace(forward, tokens_per_batch, kept),
        target=Continuation(),
        contrast=Continuation(),
        fingerprint=fingerprint(model, _configuration(model), read.hash()),
        max_tokens=context(model),
        notes=_notes(model, tokenizer),
    )
    wanted = [
        Continuation() if text is None else Continuation(*continuation(tokenizer, text, what))
        for text, what in ((target, "target"), (contrast, "contrast"))
    ]
    return _with(made, *wanted)


def _with(made: CausalScorer, target: Continuation, contrast: Continuation) -> CausalScorer:
    """The same model, asked for other continuations."""
    if target.tokens and target.tokens == contrast.tokens:
        raise InputError(
            f"target and contrast came as the same tokens ({''.join(target.labels)!r}); their "
            "difference is always zero. Name two continuations."
        )
    both = [one.tokens for one in (target, contrast) if one.tokens]
    alike = len(both) == 2 and both[0][:-1] == both[1][:-1]
    endings = (tuple(both),) if alike else tuple((one,) for one in both)
    forward = replace(made.forward, endings=endings)
    return replace(made, forward=forward, target=target, contrast=contrast)


def _different(
    prompts: Sequence[Prompt], tails: Sequence[tuple[int, ...]]
) -> tuple[list[Passage], list[list[int]]]:
    """Every different passage, and the items that it belongs to."""
    items: dict[tuple[bytes, bytes], list[int]] = {}
    for item, one in enumerate(prompts):
        items.setdefault((one.tokens.tobytes(), one.hidden.tobytes()), []).append(item)
    ends = [(np.array(tail, dtype=np.int64), np.zeros(len(tail), np.bool_)) for tail in tails]
    passages = [
        Passage(np.concatenate([one.tokens, tokens]), np.concatenate([one.hidden, seen]), which)
        for one in (prompts[same[0]] for same in items.values())
        for which, (tokens, seen) in enumerate(ends)
    ]
    return passages, [same for same in items.values() for _ in tails]


def _configuration(model: Any) -> str:
    """A model's configuration without what does not change its scores: paths and versions."""
    told = model.config.to_dict()
    kept = {k: v for k, v in told.items() if k[0] != "_" and k != "transformers_version"}
    return json.dumps(kept, sort_keys=True, default=str)


def _notes(model: Any, tokenizer: Any) -> tuple[str, ...]:
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) >= rows / 2:
        return ()
    return (
        f"the tokenizer knows {len(tokenizer)} of the model's {rows} tokens; check that they "
        "belong together",
    )
