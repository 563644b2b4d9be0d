"""Holds Beside: what the files next to a text model say of it.

It reads config.json, tokenizer_config.json and special_tokens_map.json, as Hugging Face writes
them. It does not know whether what they say is true (finding tries it).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whence.adapters.onnx.text import MASKS
from whence.errors import InputError

#: A `model_max_length` beyond this is how a tokenizer's config says "none known".
UNLIMITED = 10**9
#: What a config may call the number of places that a model has.
PLACES = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
#: What a tokenizer may call the token that fills rows up.
PADS = ("[PAD]", "<pad>")


@dataclass(frozen=True)
class Beside:
    """What is said of a model in the files beside it; all of it may be missing.

    Attributes:
        model: config.json.
        tokenizer: tokenizer_config.json, over special_tokens_map.json.
    """

    model: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tokenizer: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def labels(self) -> tuple[str, ...]:
        """The classes' names in order; () when none are said."""
        said = self.model.get("id2label")
        if not isinstance(said, dict):
            return ()
        return tuple(str(said[key]) for key in sorted(said, key=int))

    def contexts(self) -> tuple[int, ...]:
        """How many tokens the model may read, most first, as far as the files say.

        Some models count places from the padding token on, and so read fewer than they have
        places for: that number follows.
        """
        most = _count(self.tokenizer.get("model_max_length"))
        said = (_count(self.model.get(name)) for name in PLACES)
        places = next((one for one in said if one), None)
        pad = _count(self.model.get("pad_token_id"))
        less = [places - pad - 1] if places and pad is not None and places > pad + 1 else []
        known = [*([places] if places else []), *less]
        cut = [min(one, most) for one in known] if most else known
        return tuple(dict.fromkeys(cut or ([most] if most else [])))

    def pad(self, tokenizer: Any) -> int | None:
        """The token that fills rows up; None when nothing says."""
        said = _count(self.model.get("pad_token_id"))
        if said is not None:
            return said
        return _known(tokenizer, (*_words(self.tokenizer, "pad_token"), *PADS))[1]

    def mask(self, tokenizer: Any) -> str:
        """What stands for a missing word, or an unknown one; "" when nothing says."""
        words = (*_words(self.tokenizer, "mask_token"), *MASKS[:2])
        return _known(tokenizer, (*words, *_words(self.tokenizer, "unk_token"), *MASKS[2:]))[0]

    def vocabulary(self) -> int:
        """How many tokens the model knows; 0 when not said."""
        return _count(self.model.get("vocab_size")) or 0

    def task(self) -> str:
        """The `problem_type` that the model was trained for; "" when not said."""
        return str(self.model.get("problem_type") or "")


def beside(model: Path, tokenizer: Path) -> Beside:
    """What the files in the model's folder, or else in the tokenizer's, say.

    Raises:
        InputError: a file is there and is not JSON.
    """
    folders = (model.parent, tokenizer.parent)
    words = _first(folders, "special_tokens_map.json")
    return Beside(
        _first(folders, "config.json"), {**words, **_first(folders, "tokenizer_config.json")}
    )


def find_tokenizer(model: Path, said: Path | None) -> Path:
    """The tokenizer.json that goes with a model: the one said, or beside it, or one folder up.

    Raises:
        InputError: there is none.
    """
    folders = [model.parent, model.parent.parent] if said is None else [said]
    if said is not None and not said.is_dir():
        return said
    for folder in folders:
        if (folder / "tokenizer.json").is_file():
            return folder / "tokenizer.json"
    raise InputError(
        f"{model.name} reads tokens, and there is no tokenizer.json in "
        f"{' or '.join(str(folder) for folder in folders)}. Give tokenizer= its path (or folder); "
        "a Hugging Face tokenizer's save_pretrained writes one."
    )


def _first(folders: Sequence[Path], name: str) -> dict[str, Any]:
    for path in (folder / name for folder in folders):
        if path.is_file():
            return _read(path)
    return {}


def _read(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"{path} is beside the model and is not JSON ({error}). Mend it or move it away."
        ) from error
    return said if isinstance(said, dict) else {}


def _count(said: Any) -> int | None:
    """A whole number that a file gives; None where it gives another thing, or no limit."""
    usable = isinstance(said, int) and not isinstance(said, bool) and 0 <= said < UNLIMITED
    return said if usable else None


def _words(said: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A token as the files write it: a string, or a table with its content."""
    found = said.get(name)
    content = found.get("content") if isinstance(found, dict) else found
    return (content,) if isinstance(content, str) else ()


def _known(tokenizer: Any, words: Sequence[str]) -> tuple[str, int | None]:
    """The first of some words that is a token, and its number."""
    for word in words:
        number = tokenizer.token_to_id(word)
        if number is not None:
            return word, int(number)
    return "", None
