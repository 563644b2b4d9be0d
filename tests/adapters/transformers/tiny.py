"""Holds tiny transformers models and tokenizers that tests make in milliseconds."""

from __future__ import annotations

import re
import string
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = re.findall(
    r"\S+",
    "the a film plot is not never very good bad dull fails moves me Paris capital of France "
    "centre heart where what who Anna lives in house with cats and dogs photo ? . , !",
)


def tokenizer(corpus: Sequence[str] = (), *, size: int = 400, limit: int | None = None) -> Any:
    """A WordPiece tokenizer as BERT's: the corpus's commonest words, and letters for the rest.

    Counted rather than trained, for training breaks ties by chance.
    """
    counted = Counter(word for text in corpus for word in text.split())
    words = [word for word, _ in counted.most_common()] or WORDS
    letters = sorted(set("".join(words)) | set(string.ascii_letters))
    pieces = [*SPECIAL, *letters, *(f"##{one}" for one in letters), *words]
    known = list(dict.fromkeys(pieces))[:size]
    vocabulary = {piece: i for i, piece in enumerate(known)}
    inner = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    inner.normalizer = normalizers.BertNormalizer(lowercase=False)
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return wrapped(inner, limit)


def wrapped(inner: Any, limit: int | None = None) -> Any:
    """A tokenizer as transformers has it."""
    named = {
        "unk_token": "[UNK]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **named,
        **({} if limit is None else {"model_max_length": limit}),
    )


#: The first, last and filling tokens of `tokenizer`, as configurations name them.
ENDS = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}


def bert_config(vocabulary: int = 400, positions: int = 64, **more: Any) -> Any:
    """The configuration of a tiny BERT."""
    return transformers.BertConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=positions,
        **more,
    )


def made(kind: type, config: Any, seed: int = 0) -> Any:
    """A model of random weights, large enough that words matter; in evaluation mode."""
    torch.manual_seed(seed)
    model = kind(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(8.0)
    return model


def vit_config(classes: int = 3, channels: int = 3) -> Any:
    """The configuration of a tiny vision transformer."""
    return transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=16,
        patch_size=4,
        num_channels=channels,
        num_labels=classes,
    )


def image_processor(channels: int = 3) -> Any:
    """The image processor that goes with `vit_config`."""
    half = [0.5] * channels
    return transformers.ViTImageProcessor(
        size={"height": 16, "width": 16}, image_mean=half, image_std=half
    )


def clip(kind: Any = None, text_vocabulary: int = 400, seed: int = 0) -> Any:
    """A tiny CLIP; its text ends with the separator, as CLIP's with its end token."""
    text = {
        "vocab_size": text_vocabulary,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 24,
        **ENDS,
    }
    vision = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 16,
        "patch_size": 4,
    }
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    return made(kind or transformers.CLIPModel, config, seed)


def siglip() -> Any:
    """A tiny SigLIP."""
    shape = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    text = {
        **shape,
        "vocab_size": 400,
        "max_position_embeddings": 24,
        "projection_size": 16,
        **ENDS,
    }
    vision = {**shape, "image_size": 16, "patch_size": 4}
    model = made(
        transformers.SiglipModel,
        transformers.SiglipConfig(text_config=text, vision_config=vision),
    )
    with torch.no_grad():
        model.logit_scale.fill_(2.0)
        model.logit_bias.fill_(-3.0)
    return model


def reviews(folder: Path) -> tuple[list[str], Any]:
    """The one-sentence reviews of rt_polarity, mixed, and 1 for each that is positive."""
    texts: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(("rt-polarity.neg", "rt-polarity.pos")):
        lines = (folder / name).read_text(encoding="utf-8", errors="replace").splitlines()
        texts += [line.strip() for line in lines]
        labels += [label] * len(lines)
    order = np.random.default_rng(0).permutation(len(texts))
    return [texts[i] for i in order], np.array(labels)[order]


def fresh(statement: str, absent: Sequence[str]) -> None:
    """Runs a statement in a fresh process, where it may load none of some packages."""
    code = f"{statement}\nimport sys\nassert not set({list(absent)!r}) & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
