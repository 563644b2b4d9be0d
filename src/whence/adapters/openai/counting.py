"""Holds Counting: how many tokens a server reads for an item, counted here or estimated.

It does not know what the tokens are worth, in nats or in money.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError, MissingExtra, ModelError


@dataclass(frozen=True)
class Counting:
    """Tokens of items: exact for texts where there is a tokenizer, else from their length.

    Attributes:
        letters: characters per token, as the server counted them in the probe.
        tokenizer: a `tokenizers.Tokenizer` that neither cuts nor pads, or None.
        tails: what is sent after each item; one request each.
        fixed: characters that every request holds beside these.
        chat: whether the server puts a template around the items, which is not counted.
    """

    letters: float
    tokenizer: Any = None
    tails: tuple[str, ...] = ("",)
    fixed: int = 0
    chat: bool = False

    @property
    def exact(self) -> bool:
        """Whether these are the server's own numbers."""
        return self.tokenizer is not None and not self.chat

    def __call__(self, items: Sequence[Any]) -> NDArray[np.int64]:
        """`(b,)` tokens read for each item, all its requests together."""
        return np.array([sum(self.of(item, tail) for tail in self.tails) for item in items], int)

    def of(self, item: Any, tail: str) -> int:
        """Tokens of one request."""
        text = (item if isinstance(item, str) else "\n".join(one.content for one in item)) + tail
        if self.tokenizer is None:
            return int(np.ceil((len(text) + self.fixed) / self.letters))
        return len(self.tokenizer.encode(text).ids) + int(np.ceil(self.fixed / self.letters))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Character offsets of a text's tokens, special ones left out."""
        one = self.tokenizer.encode(text)
        pairs = zip(one.offsets, one.special_tokens_mask, strict=True)
        return [(start, end) for (start, end), special in pairs if not special]

    def refuse_cut(self, item: Any, tail: str, read: int) -> None:
        """Nothing, unless the server is known to have read less than it was sent.

        Raises:
            ModelError: it counted fewer tokens than the text has.
        """
        if self.tokenizer is None or not read:
            return
        own = len(self.tokenizer.encode(item + tail, add_special_tokens=False).ids)
        if read < own:
            raise ModelError(
                f"the server read {read} tokens of a text of {own}: it cut the text. Raise its "
                "context, shorten the text, or give the tokenizer= that belongs to the model."
            )


def tokenizer_of(path: Path | str | None) -> Any:
    """A tokenizer from its file, or from the folder of one; None for None.

    Raises:
        MissingExtra: when tokenizers is not installed.
        InputError: there is no such file, or it holds none.
    """
    if path is None:
        return None
    try:
        import tokenizers
    except ImportError as error:
        raise MissingExtra(
            "tokenizers is not installed, and tokenizer= needs it: pip install tokenizers"
        ) from error
    file = Path(path) / "tokenizer.json" if Path(path).is_dir() else Path(path)
    try:
        opened = tokenizers.Tokenizer.from_file(str(file))
    except Exception as error:
        raise InputError(
            f"tokenizer={str(path)!r} came; a tokenizer.json, or the folder of one, is needed "
            f"({error})."
        ) from error
    opened.no_truncation()
    opened.no_padding()
    return opened
