"""Holds tiny causal language models of many kinds, and tokenizers, made in milliseconds."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

STORIES = Path(__file__).resolve().parents[4] / "shared" / "data" / "stories260K" / "hf"

PLAIN: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
GROUPED = PLAIN | {"num_key_value_heads": 2}
WINDOW = {"sliding_window": 6, "head_dim": 8}
OWN: dict[str, Any] = {
    "vocab_size": 300, "hidden_size": 32, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2
}  # fmt: skip

#: Kind -> the name of its configuration, and what that is given.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", GROUPED),
    "qwen2": ("Qwen2Config", GROUPED),
    "qwen3": ("Qwen3Config", GROUPED | {"head_dim": 8}),
    "mistral-sliding": ("MistralConfig", GROUPED | WINDOW),
    "gemma2-sliding": ("Gemma2Config", GROUPED | WINDOW),
    "gemma3-sliding": (
        "Gemma3TextConfig",
        GROUPED | WINDOW | {"layer_types": ["sliding_attention", "full_attention"]},
    ),
    "mixtral": ("MixtralConfig", GROUPED | {"num_local_experts": 4}),
    "gpt2": (
        "GPT2Config",
        {"vocab_size": 300, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256}
        | {"bos_token_id": 0, "eos_token_id": 1},
    ),
    "gpt-neox": ("GPTNeoXConfig", PLAIN),
    "opt": (
        "OPTConfig",
        OWN | {"ffn_dim": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
        | {"max_position_embeddings": 256, "word_embed_proj_dim": 32},
    ),
    "bloom": ("BloomConfig", OWN | {"n_layer": 2, "n_head": 4}),
    "mamba": ("MambaConfig", OWN | {"num_hidden_layers": 2}),
}  # fmt: skip


def model(kind: str = "llama", seed: int = 0, **more: Any) -> Any:
    """A model of random weights, large enough that its predictions are not flat.

    Nothing is drawn from torch's own generator, but within a fork of it.
    """
    name, given = KINDS[kind]
    config = getattr(transformers, name)(**(given | more))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for one in made.parameters():
            if one.ndim >= 2:
                one.mul_(2 if kind == "mamba" else 6)
    return made.eval()


def tokenizer(*, begins: bool = True, template: str | None = None, blank: bool = False) -> Any:
    """A tokenizer of single bytes.

    Args:
        begins: whether it puts its beginning-of-sequence token before a text.
        template: a chat template.
        blank: whether it puts a blank before every text, as sentencepiece does.
    """
    special = ["<s>", "</s>", "<pad>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: i for i, piece in enumerate([*special, *letters])}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    if blank:
        inner.normalizer = normalizers.Prepend(" ")
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    if begins:
        inner.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    made.chat_template = template
    return made


def stories() -> tuple[Any, Any]:
    """The model and the tokenizer of stories260K."""
    transformers.utils.logging.disable_progress_bar()
    return (
        transformers.AutoModelForCausalLM.from_pretrained(STORIES),
        transformers.AutoTokenizer.from_pretrained(STORIES),
    )


def by_hand(model: Any, prompts: list[Any], continuation: tuple[int, ...]) -> np.ndarray:
    """Log-probabilities of a continuation after prompts: one forward pass each, no padding."""
    takes = inspect.signature(model.forward).parameters
    rows: list[list[float]] = []
    with torch.inference_mode():
        for tokens, hidden in prompts:
            ids = torch.tensor([[*tokens.tolist(), *continuation]])
            seen = torch.tensor([[*(~hidden).tolist(), *(True for _ in continuation)]])
            more = {"position_ids": torch.arange(ids.shape[1])[None]}
            told = model(
                input_ids=ids,
                attention_mask=seen.long(),
                use_cache=False,
                **{k: v for k, v in more.items() if k in takes},
            )
            each = told.logits[0].double().log_softmax(-1)
            first = len(tokens) - 1
            rows.append([float(each[first + i, one]) for i, one in enumerate(continuation)])
    return np.array(rows)
