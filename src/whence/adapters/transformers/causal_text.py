"""Holds Reader: texts, conversations and half-hidden texts -> the tokens a language model reads.

It does not know the model. A prompt and a continuation are cut into tokens apart, so that the
continuation's tokens are the same after every prompt.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError
from whence.scoring import HiddenText, Message

#: What may stand before a continuation while it is cut into tokens: one that it does not merge
#: with is used, so that a tokenizer's blank in front of a text is not taken for a part of it.
ANCHORS = ("\n", "a", ".", "0", '"', "。")

#: Stands for a user's words while the text that a template puts around them is found.
PLACE = "qJzXvW"


class Prompt(NamedTuple):
    """What a model reads before the continuation.

    Attributes:
        tokens: `(t,)` token ids.
        hidden: `(t,)` whether each may not be attended to; the last one may.
    """

    tokens: NDArray[np.int64]
    hidden: NDArray[np.bool_]


@dataclass(frozen=True)
class Reader:
    """Items -> prompts. Made by `reader`.

    Attributes:
        tokenizer: a transformers tokenizer; what it puts behind a text is left out.
        lead: what it puts before a text, with one beginning-of-sequence token at most.
        begin: the beginning-of-sequence token, which a prompt never begins with twice; None when
            the tokenizer has none.
        alone: what stands for a prompt of no tokens at all; None where that must be refused.
        chat: whether a text is one user turn.
        system: a system turn before every conversation, or None.
        hides: whether tokens can be hidden.
    """

    tokenizer: Any = field(repr=False)
    lead: tuple[int, ...]
    begin: int | None
    alone: int | None
    chat: bool
    system: str | None
    hides: bool

    @property
    def reads(self) -> frozenset[str]:
        """The kinds of items that can be read: see `whence.scoring.Item`."""
        plain = self.chat or self.system is None
        told = {"text": plain, "hidden": plain and self.hides, "messages": self._templated()}
        return frozenset(kind for kind, can in told.items() if can)

    def __call__(self, items: Sequence[Any]) -> list[Prompt]:
        """The prompt of each item.

        Raises:
            InputError: an item of another kind, or one that makes no tokens.
        """
        if isinstance(items, str | HiddenText):
            raise InputError("One text came; a list of items is needed. Put it in brackets.")
        read = [self._read(i, item) for i, item in enumerate(items)]
        cut = self._cut([text for text, _ in read], any(spans for _, spans in read))
        return [
            self._prompt(ids, offsets, spans)
            for (ids, offsets), (_, spans) in zip(cut, read, strict=True)
        ]

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Character offsets of the tokens of a text, special ones left out."""
        _, offsets = self._cut([text], True)[0]
        return [(start, end) for start, end in offsets if end > start]

    def hash(self) -> str:
        """Equal only for readers that read alike."""
        told: Any = sorted(self.tokenizer.get_vocab().items())
        if self.tokenizer.is_fast:
            told = json.loads(self.tokenizer.backend_tokenizer.to_str())
            told.pop("truncation", None)
            told.pop("padding", None)
        template = str(self.tokenizer.chat_template) if self.chat or self._templated() else None
        rest = [self.lead, self.begin, self.alone, self.chat, self.system, template]
        return hashlib.sha256(json.dumps([told, rest]).encode("utf-8")).hexdigest()

    def _templated(self) -> bool:
        return bool(self.tokenizer.chat_template)

    def _read(self, i: int, item: Any) -> tuple[str, tuple[tuple[int, int], ...]]:
        """The whole text of an item, templates and all, and the spans that are hidden in it."""
        if isinstance(item, str | HiddenText) and self.system is not None and not self.chat:
            raise InputError(
                "A text came, and system=, which stands before conversations only. Add chat=True "
                "to make each text a user turn, or write it into the text and pin it (pin=)."
            )
        if isinstance(item, HiddenText):
            if not self.hides:
                raise InputError(
                    f"Item {i} has hidden spans; this model takes no attention mask with "
                    "positions, or its tokenizer does not say where its tokens are. Leave units "
                    "out with absent='drop'."
                )
            return self._in_its_turn(item) if self.chat else (item.text, item.hidden)
        if isinstance(item, str):
            return (self._turn(item) if self.chat else item), ()
        return self._rendered(_conversation(i, item)), ()

    def _turn(self, text: str) -> str:
        return self._rendered([Message("user", text)])

    def _in_its_turn(self, item: HiddenText) -> tuple[str, tuple[tuple[int, int], ...]]:
        """A half-hidden text as a user turn, its spans moved to where the template puts it."""
        whole = self._turn(item.text)
        before, _, after = self._turn(PLACE).partition(PLACE)
        for text in (item.text, item.text.strip()):
            if whole == before + text + after:
                moved = len(before) - item.text.find(text)
                return whole, tuple((start + moved, end + moved) for start, end in item.hidden)
        raise InputError(
            "The chat template changes a user's words, so hidden spans cannot be followed into "
            "it. Leave units out with absent='drop' instead of hiding them."
        )

    def _rendered(self, turns: Sequence[Message]) -> str:
        if not self._templated():
            raise InputError(
                "A conversation came, and this tokenizer has no chat template. Give plain texts "
                "(chat=False), or a tokenizer of a model made for conversations."
            )
        system = [] if self.system is None else [Message("system", self.system)]
        told = [{"role": one.role, "content": one.content} for one in (*system, *turns)]
        going_on = turns[-1].role == "assistant"
        try:
            return self.tokenizer.apply_chat_template(
                told,
                tokenize=False,
                add_generation_prompt=not going_on,
                continue_final_message=going_on,
            )
        except Exception as error:  # a template may raise what it likes
            roles = ", ".join(one["role"] for one in told)
            raise InputError(
                f"The chat template refused a conversation of turns {roles}: {error} Pin the "
                "turns that must be there, or explain parts of one turn."
            ) from error

    def _cut(
        self, texts: Sequence[str], places: bool
    ) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """Tokens of texts without special ones of the tokenizer's own, and where they are."""
        if not texts:
            return []
        told = self.tokenizer(
            list(texts),
            add_special_tokens=False,
            truncation=False,
            padding=False,
            return_attention_mask=False,
            return_offsets_mapping=places,
            verbose=False,
        )
        where = told["offset_mapping"] if places else [[] for _ in texts]
        return list(zip(told["input_ids"], where, strict=True))

    def _prompt(
        self, ids: list[int], offsets: list[tuple[int, int]], spans: tuple[tuple[int, int], ...]
    ) -> Prompt:
        doubled = 0
        while doubled < len(ids) and ids[doubled] == self.begin:
            doubled += 1
        if self.lead and tuple(ids[: len(self.lead)]) == self.lead:  # a template may write it all
            doubled = max(doubled, len(self.lead))
        own = ids[doubled:]
        kept = self.lead or (ids[:1] if doubled else [])
        hidden = [
            any(s < end and start < e for s, e in spans) for start, end in offsets[doubled:]
        ] or [False] * len(own)
        # A model goes on from the last token, hidden or not: none that is hidden may stand there.
        while hidden and hidden[-1]:
            hidden.pop()
        tokens, dark = [*kept, *own[: len(hidden)]], [False] * len(kept) + hidden
        if not tokens:
            tokens, dark = [self._nothing()], [False]
        return Prompt(np.array(tokens, dtype=np.int64), np.array(dark, dtype=np.bool_))

    def _nothing(self) -> int:
        if self.alone is None:
            raise InputError(
                "A text of no tokens came, and the tokenizer has no token to begin a text with, "
                "so nothing can be continued. Pin a part of the text (pin=), or put a mask in the "
                "place of absent units (absent='mask:...')."
            )
        return self.alone


def reader(
    tokenizer: Any, *, chat: bool = False, system: str | None = None, hides: bool = True
) -> Reader:
    """A reader of what a tokenizer cuts.

    Args:
        tokenizer: a transformers tokenizer.
        chat: whether a text is one user turn.
        system: a system turn before every conversation.
        hides: whether the model can be kept from attending to a token.

    Raises:
        InputError: a conversation is meant, and the tokenizer has no chat template; or a system
            turn came for plain texts.
    """
    if chat and not tokenizer.chat_template:
        raise InputError(
            "chat=True came, and this tokenizer has no chat template. Leave chat out, or give a "
            "tokenizer of a model made for conversations."
        )
    if system is not None and not tokenizer.chat_template:
        raise InputError(
            f"system={system[:40]!r} came, and this tokenizer has no chat template to put it in. "
            "Write it into the text and pin it (pin=)."
        )
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    lead = _lead(tokenizer, begin)
    alone = end if begin is None else begin
    return Reader(tokenizer, lead, begin, alone, chat, system, hides and bool(tokenizer.is_fast))


def _lead(tokenizer: Any, begin: int | None) -> tuple[int, ...]:
    """What a tokenizer puts before a text, a doubled beginning made single."""
    whole = list(tokenizer("a").input_ids)
    own = list(tokenizer("a", add_special_tokens=False).input_ids)
    at = next((i for i in range(len(whole)) if whole[i : i + len(own)] == own), 0)
    lead = whole[:at]
    while lead[:2] == [begin, begin]:
        lead = lead[1:]
    return tuple(lead)


def continuation(tokenizer: Any, text: str, what: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Tokens of a continuation, cut as they are inside of a text, and how to show each.

    Args:
        tokenizer: a transformers tokenizer.
        text: the continuation; a blank in front of it counts.
        what: the argument that it came as.

    Raises:
        InputError: it is empty, or cannot be cut apart from what stands before it.
    """
    if not text:
        raise InputError(
            f'{what}="" came; a continuation of at least one token is needed, such as " yes" '
            "(with the blank that separates it from the prompt)."
        )
    for anchor in ANCHORS:
        before = list(tokenizer(anchor, add_special_tokens=False).input_ids)
        both = list(tokenizer(anchor + text, add_special_tokens=False).input_ids)
        tokens = both[len(before) :]
        if tokens and both[: len(before)] == before:
            return tuple(tokens), shown(tokenizer, before, tokens)
    raise InputError(
        f"{what}={text[:40]!r} came, whose tokens depend on what stands before it. Begin it with "
        "a blank or a letter."
    )


def shown(tokenizer: Any, before: Sequence[int], tokens: Sequence[int]) -> tuple[str, ...]:
    """What each token adds to the text; the token's own name where that is nothing to see."""
    labels: list[str] = []
    known = _decoded(tokenizer, before)
    for i, token in enumerate(tokens):
        text = _decoded(tokenizer, [*before, *tokens[: i + 1]])
        new = text[len(known) :] if text.startswith(known) else ""
        labels.append(new or str(tokenizer.convert_ids_to_tokens(int(token))))
        known = text
    return tuple(labels)


def _decoded(tokenizer: Any, tokens: Sequence[int]) -> str:
    ids = [int(token) for token in tokens]
    return tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


def _conversation(i: int, item: Any) -> list[Message]:
    turns = list(item) if isinstance(item, tuple | list) else []
    if not turns or not all(isinstance(one, Message) for one in turns):
        raise InputError(
            f"Item {i} is of type {type(item).__name__}; a str, a HiddenText, or a tuple of at "
            "least one Message is needed."
        )
    return turns
