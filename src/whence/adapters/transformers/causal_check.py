"""Holds what is found out of a causal language model before it is asked anything.

Whether it is one, what its forward takes, whether keys and values may be kept, and how much goes
through at once. A handful of tokens is run; no text is read.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import numpy as np

from whence.adapters._batches import Size
from whence.adapters._torch import device_of, evaluating, require
from whence.adapters.transformers.causal_forward import Arena, Forward, Row
from whence.adapters.transformers.causal_tree import Pace
from whence.errors import InputError, MissingExtra

EXACT, STEPS = 1e-4, 64
"""Nats by which kept keys and values may change a log-probability; where numbers are so coarse that
this many of their steps at 1 are more, that many."""

KEPT = 1 << 28
"""Bytes of keys and values kept at most in a processor's memory; of an accelerator's, a quarter of
what is free."""

PROCESSOR, ACCELERATOR = (0.45e-3, 1e11, 2e-6), (0.4e-3, 2e14, 2e-9)
"""Seconds that one layer of one forward pass costs whatever it is given, float operations a
second, and seconds of one layer for each token beside them. The processor's were measured on one
core with models of 0.26 and 20 million parameters; the accelerator's are a guess."""


def checked(model: Any, tokenizer: Any) -> Forward:
    """A model as a Forward without endings, if it is a causal language model.

    Raises:
        MissingExtra: transformers is not installed.
        InputError: it is not one, or the tokenizer is another model's.
    """
    try:
        from transformers import PreTrainedModel, PreTrainedTokenizerBase
    except ImportError as error:
        raise MissingExtra(
            "transformers is not installed, and a causal language model needs it: "
            'pip install "whence[transformers]"'
        ) from error
    kind = type(model).__name__
    if not isinstance(model, PreTrainedModel):
        raise InputError(
            f"The model came as {kind}; a model object of transformers is needed, such as "
            "AutoModelForCausalLM.from_pretrained(...) gives (adapters merged into it)."
        )
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise InputError(
            f"The tokenizer came as {type(tokenizer).__name__}; the one saved with the model is "
            "needed, such as AutoTokenizer.from_pretrained(...) gives."
        )
    if model.config.is_encoder_decoder:
        raise InputError(f"{kind} has an encoder and a decoder; a causal language model is needed.")
    rows = _embeddings(model).shape[0]
    if len(tokenizer) > rows:
        raise InputError(
            f"A tokenizer that does not match came: it knows {len(tokenizer)} tokens, and {kind} "
            f"has embeddings of {rows}. Give the tokenizer that was saved with the model."
        )
    takes = frozenset(inspect.signature(model.forward).parameters)
    forward = Forward(model, takes, device_of(model.get_input_embeddings()), ())
    _refuse_other_heads(forward, rows, len(tokenizer))
    return forward


def context(model: Any) -> int | None:
    """The longest sequence that a model reads, in tokens; None when it does not say."""
    return _told(model, "max_position_embeddings")


def stops(model: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end a text."""
    generation = model.generation_config
    said = [tokenizer.eos_token_id, None if generation is None else generation.eos_token_id]
    flat = [one for some in said for one in (some if isinstance(some, list) else [some])]
    return frozenset(int(one) for one in flat if one is not None)


def kept_bytes(forward: Forward) -> int:
    """Bytes of one token's keys and values; 0 where they cannot be kept.

    Tried, not looked up: prefixes of two lengths are kept in two steps, and what follows them is
    compared with what follows when all is computed at once.
    """
    if not {"past_key_values", "use_cache", "attention_mask"} <= forward.takes:
        return 0
    try:
        return _tried(replace(forward, endings=(((1, 2),),)))
    except Exception:  # whatever a model raises that keeps something else
        return 0


def pace(forward: Forward, tokens: int | None, kept: int) -> Pace:
    """How a model is fed, by its size and its device.

    Nothing is timed, so that a run that is repeated makes the same batches, to the last bit.

    Args:
        forward: the model.
        tokens: tokens that go through at once; None to find out.
        kept: bytes of one token's keys and values; 0 to share no prefixes.
    """
    model = forward.model
    parameters = sum(one.numel() for one in model.parameters())
    layers = _told(model, "num_hidden_layers") or 1
    processor = forward.device.type == "cpu"
    call, speed, token = PROCESSOR if processor else ACCELERATOR
    overhead = layers * call / (2 * parameters / speed + layers * token)
    overhead = int(min(max(overhead, 16), 1 << 14))
    if processor:
        size, room = min(max(16 * overhead, 1024), 2048), KEPT
    else:
        room = _free(forward.device) // 4
        each = 64 * _embeddings(model).shape[1] * _embeddings(model).element_size() + 4 * kept
        size = max(256, min(16 * overhead, 1 << 16, room // max(each, 1)))
    return Pace(Size(tokens or size), overhead, room // kept if kept else 0)


def _free(device: Any) -> int:
    """Bytes of an accelerator's memory that are free."""
    torch = require()
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else 4 * KEPT


def _embeddings(model: Any) -> Any:
    return model.get_input_embeddings().weight


def _told(model: Any, name: str) -> int | None:
    """A number of a model's configuration, by the name that most models give it."""
    config = model.config.get_text_config()
    value = config.to_dict().get(config.attribute_map.get(name, name))
    return value if isinstance(value, int) else None


def _refuse_other_heads(forward: Forward, rows: int, vocabulary: int) -> None:
    """Nothing, if the model tells of each next token from what precedes it alone."""
    kind = type(forward.model).__name__
    ids = np.array([[(7 * i + 3) % rows for i in range(6)]] * 2)
    ids[1, -1] = (ids[1, -1] + 1) % rows
    torch = require()
    with evaluating(forward.model):
        try:
            told = forward.model(input_ids=torch.from_numpy(ids).to(forward.device))
        except Exception as error:  # whatever a model raises that is something else
            raise InputError(f"{kind} cannot be run on six tokens: {error}") from error
        logits = told.get("logits")
        if logits is None or logits.ndim != 3 or logits.shape[2] < vocabulary:
            shape = "no logits" if logits is None else f"logits of shape {tuple(logits.shape)}"
            raise InputError(
                f"{kind} gives {shape} for 2 rows of 6 tokens and a vocabulary of {vocabulary}; "
                "it has no language-modelling head. Load it with AutoModelForCausalLM."
            )
        least = 1e-4 if logits.dtype.itemsize >= 4 else 0.03
        logits = logits[:, :-1].float()
        if float((logits[0] - logits[1]).abs().max()) > least * float(logits.abs().max()):
            raise InputError(
                f"{kind} reads ahead: the last token changes what it tells of those before. A "
                "causal language model is needed; for a masked one use task='fill-mask'."
            )


def _tried(forward: Forward) -> int:
    """See `kept_bytes`."""
    rows = int(_embeddings(forward.model).shape[0])
    one, other = (
        np.array([(a * i + b) % rows for i in range(t)]) for a, b, t in ((7, 3, 12), (5, 2, 9))
    )
    dark = np.zeros(12, dtype=np.bool_)
    dark[2] = "position_ids" in forward.takes
    slots, arena, none = np.arange(10), Arena(10), np.arange(0)
    forward.keep(
        [Row(one, dark, 0, 4, none), Row(other, dark[:9], 0, 3, none)],
        arena,
        [slots[:4], slots[7:]],
    )
    forward.keep([Row(one, dark, 4, 7, slots[:4])], arena, [slots[4:7]])
    shared = [Row(one, dark, 7, 12, slots[:7]), Row(other, dark[:9], 3, 9, slots[7:])]
    whole = [Row(one, dark, 0, 12, none), Row(other, dark[:9], 0, 9, none)]
    got = forward.log_probabilities(shared, [0, 0], arena)
    needed = forward.log_probabilities(whole, [0, 0], arena)
    most = max(EXACT, STEPS * require().finfo(forward.model.dtype).eps)
    if not np.abs(got - needed).max() <= most:
        return 0
    return sum(one[0].numel() * one.element_size() for kept in arena.layers for one in kept)
