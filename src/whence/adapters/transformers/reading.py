"""Holds Reader: a tokenizer and a limit, and how texts become the tokens that a model reads.

It does not know what the model is, nor what is made of its answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whence.adapters.transformers.anchor import Span, plain
from whence.errors import InputError
from whence.scoring import HiddenText

#: A tokenizer that knows no limit says a number above this.
NO_LIMIT = 1_000_000


class Read(NamedTuple):
    """One item as the model reads it.

    Attributes:
        ids: token ids.
        attended: 1 where the model may attend, 0 at hidden tokens.
        types: token types, or () where the tokenizer gives none.
        spans: where each token stands in the item; None for special tokens and for those of the
            text that is read beside it.
    """

    ids: list[int]
    attended: list[int]
    types: list[int]
    spans: list[Span | None]


@dataclass(frozen=True)
class Reader:
    """Items -> tokens, as the tokenizer is set up, but never cut.

    Attributes:
        tokenizer: a transformers tokenizer.
        most: the longest item that the model reads, in tokens, everything counted; None for no
            limit.
        first: a text that is read before every item, in a segment of its own; None for none.
        second: a text that is read after every item, in a segment of its own; None for none.
        write: what is done to a text before it is read; it may change nothing but what stands at
            one place.
    """

    tokenizer: Any
    most: int | None = None
    first: str | None = None
    second: str | None = None
    write: Callable[[str], str] = str

    def read(self, items: Sequence[str | HiddenText]) -> list[Read]:
        """The tokens of each item.

        Raises:
            InputError: an item of another kind, one longer than `most` or without any token, or
                a hidden text where the tokenizer does not say where its tokens stand.
        """
        texts, hidden = _parted(items)
        if not texts:
            return []
        fast = spans_known(self.tokenizer)
        if not fast and any(hidden):
            raise InputError(
                "a text with hidden spans came, and this tokenizer does not say where its tokens "
                "stand. Leave units out with absent='drop', or use a fast tokenizer."
            )
        encoded = self._encode([self.write(text) for text in texts], fast)
        reads = [self._one(encoded, i, spans, fast) for i, spans in enumerate(hidden)]
        for text, read in zip(texts, reads, strict=True):
            self._check(text, len(read.ids))
        return reads

    def count(self, items: Sequence[str | HiddenText]) -> NDArray[np.int64]:
        """Tokens of each item, everything counted: `(b,)`. Too long items are counted too."""
        texts, _ = _parted(items)
        if not texts:
            return np.zeros(0, dtype=np.int64)
        encoded = self._encode([self.write(text) for text in texts], fast=False)
        return np.array([len(ids) for ids in encoded["input_ids"]], dtype=np.int64)

    def spans(self, text: str) -> list[Span]:
        """Where each token of a text stands, special ones left out."""
        encoded = self.tokenizer(
            text,
            add_special_tokens=False,
            return_offsets_mapping=True,
            truncation=False,
            verbose=False,
        )
        return [(int(a), int(b)) for a, b in encoded["offset_mapping"]]

    def _encode(self, texts: list[str], fast: bool) -> Any:
        beside = self.first if self.second is None else self.second
        pair = None if beside is None else [beside] * len(texts)
        left, right = (texts, pair) if self.first is None else (pair, texts)
        return self.tokenizer(
            left,
            right,
            padding=False,
            truncation=False,
            return_attention_mask=False,
            return_offsets_mapping=fast,
            verbose=False,
        )

    def _one(self, encoded: Any, i: int, hidden: Sequence[Span], fast: bool) -> Read:
        ids = list(encoded["input_ids"][i])
        spans: list[Span | None] = [None] * len(ids)
        if fast:
            own = 0 if self.first is None else 1
            pairs = zip(encoded["offset_mapping"][i], encoded.sequence_ids(i), strict=True)
            spans = [(int(a), int(b)) if who == own else None for (a, b), who in pairs]
        attended = [int(not touches(span, hidden)) for span in spans]
        types = list(encoded["token_type_ids"][i]) if "token_type_ids" in encoded else []
        # Some models read their answer at the last token: none that is hidden may stand there.
        end = max((at for at, seen in enumerate(attended, 1) if seen), default=0)
        return Read(ids[:end], attended[:end], types[:end], spans[:end])

    def _check(self, text: str, tokens: int) -> None:
        short = repr(text if len(text) <= 40 else text[:39] + "\u2026")
        if tokens == 0:
            raise InputError(
                f"{short} has no token, and this model's tokenizer adds none of its own, so there "
                "is nothing to read. Pin a word, or put a mask in place of absent units."
            )
        if self.most is not None and tokens > self.most:
            raise InputError(
                f"{short} is {tokens:,} tokens long, everything counted; the model reads at most "
                f"{self.most:,}. Shorten it, or explain its parts one by one."
            )


def touches(span: Span | None, others: Sequence[Span]) -> bool:
    """Whether a token shares a character with one of some spans."""
    return span is not None and any(span[0] < b and a < span[1] for a, b in others)


def tokens_at(read: Read, place: Span) -> list[int]:
    """The positions of the tokens that share a character with a stretch of the item.

    Raises:
        InputError: there are none.
    """
    found = [i for i, span in enumerate(read.spans) if touches(span, (place,))]
    if not found:
        raise InputError(
            f"no token stands at characters {place[0]} to {place[1]}; the tokenizer leaves them "
            "out. Take another stretch."
        )
    return found


def spans_known(tokenizer: Any) -> bool:
    """Whether a tokenizer says where its tokens stand."""
    return bool(tokenizer.is_fast)


def need_spans(tokenizer: Any, what: str) -> None:
    """Refuses a tokenizer that does not say where its tokens stand.

    Raises:
        InputError: naming `what` needs it.
    """
    if not spans_known(tokenizer):
        raise InputError(
            f"{type(tokenizer).__name__} does not say where its tokens stand in a text, and {what} "
            "needs that. Use the fast tokenizer of the same model."
        )


def fingerprint_of(tokenizer: Any) -> str:
    """Equal for two tokenizers only if they cut alike: a sha256."""
    if spans_known(tokenizer):
        told = json.loads(tokenizer.backend_tokenizer.to_str())
        # These two are the state of the last call, not of the tokenizer.
        told = {name: part for name, part in told.items() if name not in ("truncation", "padding")}
    else:
        told = [type(tokenizer).__name__, tokenizer.get_vocab()]
    told = [told, sorted((name, str(token)) for name, token in _specials(tokenizer).items())]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def refuse_misfit(tokenizer: Any, model: Any, name: str) -> None:
    """Refuses a tokenizer that cannot be the model's.

    Raises:
        InputError: it has ids that the model has no embedding for, or no words at all.
    """
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    if len(vocabulary) <= len(set(tokenizer.all_special_ids)):
        raise InputError(
            f"the tokenizer of {name} knows no words, only special tokens: its vocabulary's file "
            "is missing. Put tokenizer.json beside the model, or give tokenizer=."
        )
    rows = rows_of(model)
    if max(vocabulary.values()) >= rows:
        raise InputError(
            f"the tokenizer has ids up to {max(vocabulary.values()):,} and {name} has embeddings "
            f"for {rows:,}; it belongs to another model. Give tokenizer= to match."
        )


def rows_of(model: Any) -> int:
    """How many tokens a model has embeddings for."""
    try:
        return int(model.get_input_embeddings().weight.shape[0])
    except (NotImplementedError, AttributeError):
        # A model of several parts does not say which embeddings are meant; its configuration does.
        return int(model.config.get_text_config().vocab_size)


def limit_of(tokenizer: Any, model: Any) -> int | None:
    """The longest text that both tokenizer and model read, in tokens; None for no limit."""
    limits = [int(tokenizer.model_max_length), *_positions(model)]
    known = [limit for limit in limits if 0 < limit < NO_LIMIT]
    return min(known, default=None)


def _positions(model: Any) -> list[int]:
    config = model.config.get_text_config()
    try:
        limits = [int(config.max_position_embeddings)]
    except (AttributeError, TypeError):
        return []
    # Where positions are counted from the padding's, the first of them are never used.
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(
            padding := vars(module).get("padding_idx"), int
        ):
            limits.append(int(module.weight.shape[0]) - padding - 1)
    return limits


def _specials(tokenizer: Any) -> dict[str, Any]:
    return dict(tokenizer.special_tokens_map)


def _parted(items: Sequence[str | HiddenText]) -> tuple[list[str], list[Sequence[Span]]]:
    """The texts of items, and what of each is hidden."""
    if isinstance(items, str):
        raise InputError("One string came; a list of strings is needed. Put it in brackets.")
    for i, item in enumerate(items):
        if not isinstance(item, str | HiddenText):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputError(
                f"item {i} is of type {type(item).__name__}; the model reads strings, or texts "
                "with hidden spans."
            )
    parted = [plain(item) for item in items]
    return [text for text, _ in parted], [hidden for _, hidden in parted]
