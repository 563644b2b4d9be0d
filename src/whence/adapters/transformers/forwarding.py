"""Holds Forward: a model of texts, and how it must be run so that a text's answer is its own.

What a model does with padding and with hidden tokens is found out by trying, not from a table of
models. It does not know which part of an answer is a value (running).
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from whence.adapters import _torch
from whence.adapters.transformers.reading import Read, Reader, spans_known

#: What is tried: any tokenizer cuts it into a few tokens.
TRIED = "a b c"
#: How much is padded to a text that is tried.
MORE = 4
#: Answers that differ by more than this share of their size are not the same: in full and in
#: half precision.
CLOSE, CLOSE_HALF = 1e-3, 0.1


@dataclass(frozen=True)
class Forward:
    """A model and its manners.

    Attributes:
        model: a transformers model; left where it is, and as it is.
        pad: the token that the model knows as padding; None if it knows none, and then every text
            goes alone.
        pads: whether a text's answer is the same with padding behind it; if not, only texts of
            one length share a batch.
        hides: whether a token that is left out of attention is nowhere seen.
    """

    model: Any
    pad: int | None
    pads: bool = False
    hides: bool = False

    def __call__(self, reads: Sequence[Read], width: int = 0) -> tuple[Any, Any]:
        """What the model answers, and where it attended: `(b, tokens)`, 1 or 0.

        Args:
            reads: the texts.
            width: tokens that each is padded to, at least; 0 for the longest.
        """
        given, attended = self._tensors(reads, max(width, *(len(read.ids) for read in reads)))
        with _torch.evaluating(self.model):
            return self.model(**given, return_dict=True), attended

    def _tensors(self, reads: Sequence[Read], width: int) -> tuple[dict[str, Any], Any]:
        """What the model is given, each row padded at its end, and where it may attend."""
        torch = _torch.require()
        device = _torch.device_of(self.model)

        def rows(lists: Sequence[list[int]], fill: int) -> Any:
            padded = [one + [fill] * (width - len(one)) for one in lists]
            return torch.tensor(padded, dtype=torch.long, device=device)

        attended = rows([read.attended for read in reads], 0)
        given = {
            "input_ids": rows([read.ids for read in reads], self.pad or 0),
            "attention_mask": attended,
        }
        if reads[0].types:
            given["token_type_ids"] = rows([read.types for read in reads], 0)
        known = inspect.signature(self.model.forward).parameters
        return {name: tensor for name, tensor in given.items() if name in known}, attended


def forward(model: Any, tokenizer: Any, most: int | None, *, per_token: bool) -> Forward:
    """A model with its manners found out: two calls of a few tokens, and two for each of them.

    Args:
        model: the model.
        tokenizer: its tokenizer.
        most: the longest text that it reads, in tokens.
        per_token: whether it answers for every token, and not for a text as a whole.
    """
    bare = Forward(model, model.config.get_text_config().pad_token_id)
    (read,) = Reader(tokenizer).read([TRIED])
    tokens = len(read.ids)
    if most is not None and tokens + MORE > most:
        return bare
    try_all = slice(None), slice(0, tokens if per_token else None)
    pads = _same(bare, (read, 0), (read, tokens + MORE), try_all)
    if not spans_known(tokenizer):
        return replace(bare, pads=pads)
    own = _own(read)
    hides = bool(own) and all(_unseen(bare, tokenizer, read, at, per_token) for at in own)
    return replace(bare, pads=pads, hides=hides)


def _same(
    tried: Forward, first: tuple[Read, int], second: tuple[Read, int], where: tuple[Any, Any]
) -> bool:
    """Whether two readings are answered alike, where it matters."""
    torch = _torch.require()
    one, other = (tried([read], width)[0][0][where].float() for read, width in (first, second))
    full = next(iter(tried.model.parameters())).dtype == torch.float32
    share = CLOSE if full else CLOSE_HALF
    return bool(((one - other).abs() <= share * (1 + one.abs())).all())


def _own(read: Read) -> list[int]:
    """Tokens of the text itself, but a row's last: a reader leaves no hidden one there."""
    return [i for i, span in enumerate(read.spans[:-1]) if span is not None and span[0] < span[1]]


def _unseen(tried: Forward, tokenizer: Any, read: Read, at: int, per_token: bool) -> bool:
    """Whether it makes no difference which token is hidden at a place."""
    there = [i for i in range(len(read.ids)) if i != at] if per_token else slice(None)
    first, second = (_hidden(read, at, id) for id in (read.ids[at], _another(tokenizer, read, at)))
    return _same(tried, (first, 0), (second, 0), (slice(None), there))


def _hidden(read: Read, at: int, token: int) -> Read:
    """The reading with another token at a place that is not attended to."""
    ids, attended = list(read.ids), list(read.attended)
    ids[at], attended[at] = token, 0
    return read._replace(ids=ids, attended=attended)


def _another(tokenizer: Any, read: Read, at: int) -> int:
    """A token that is neither special nor the one that is there."""
    special = {*tokenizer.all_special_ids, read.ids[at]}
    return next(i for i in sorted(tokenizer.get_vocab().values()) if i not in special)
