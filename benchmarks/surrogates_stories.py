"""Holds stories260K in numpy: log-probabilities of a small language model, and stories it tells.

It does not know what a mask or a game is. The weights are read from the `hf/` folder of the data
set; the text is tokenised with the `tokenizers` package. Never imported by the package.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Floats = np.ndarray

LAYERS, HEADS, KEY_HEADS, WIDTH, CONTEXT, START = 5, 8, 4, 8, 512, 1
#: Squared length times sequences in one batch; bounds the memory of attention.
BATCH = 1_500_000


@dataclass(frozen=True)
class StoryModel:
    """A Llama of 260,032 parameters.

    Attributes:
        weights: tensor name -> float32 array, as in the file.
        tokenizer: a `tokenizers.Tokenizer`, which puts the start token in front.
    """

    weights: dict[str, Floats]
    tokenizer: Any

    def encode(self, text: str) -> list[int]:
        """Tokens of a text, the start token first."""
        return self.tokenizer.encode(text).ids

    def hidden(self, tokens: np.ndarray) -> Floats:
        """Final hidden states `(b, t, 64)` of tokens `(b, t)`; each sees only what precedes it."""
        w = self.weights
        x = w["model.embed_tokens.weight"][tokens]
        turn = rotation(tokens.shape[1])
        for i in range(LAYERS):
            at = f"model.layers.{i}."
            x = x + attend(w, at + "self_attn.", norm(x, w[at + "input_layernorm.weight"]), turn)
            y = norm(x, w[at + "post_attention_layernorm.weight"])
            gate = y @ w[at + "mlp.gate_proj.weight"].T
            up = y @ w[at + "mlp.up_proj.weight"].T
            x = x + (gate / (1 + np.exp(-gate)) * up) @ w[at + "mlp.down_proj.weight"].T
        return norm(x, w["model.norm.weight"])

    def log_probabilities(self, hidden: Floats) -> Floats:
        """Of every next token, `(..., 512)`, from hidden states `(..., 64)`."""
        logits = (hidden @ self.weights["model.embed_tokens.weight"].T).astype(np.float64)
        logits -= logits.max(axis=-1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))

    def score(self, prompts: Sequence[str], target: Sequence[int]) -> Floats:
        """Mean log-probability per token of the target after each prompt, in nats: `(b,)`."""
        rows = [self.encode(p) + list(target) for p in prompts]
        result = np.zeros(len(rows))
        order = sorted(range(len(rows)), key=lambda r: len(rows[r]))
        for batch in batches(order, [len(rows[r]) for r in order]):
            longest = max(len(rows[r]) for r in batch)
            if longest > CONTEXT:
                raise ValueError(f"{longest} tokens came; the model reads {CONTEXT}")
            padded = np.array([rows[r] + [0] * (longest - len(rows[r])) for r in batch])
            ends = np.array([len(rows[r]) for r in batch])
            places = ends[:, None] - len(target) - 1 + np.arange(len(target))
            hidden = self.hidden(padded)[np.arange(len(batch))[:, None], places]
            told = self.log_probabilities(hidden)
            result[batch] = told[:, np.arange(len(target)), list(target)].mean(axis=1)
        return result

    def continued(
        self, tokens: Sequence[int], count: int, rng: np.random.Generator | None
    ) -> list[int]:
        """`count` more tokens: drawn at temperature 0.8, or the likeliest without an rng."""
        known = list(tokens)
        for _ in range(count):
            told = self.log_probabilities(self.hidden(np.array([known]))[0, -1])
            told[: START + 2] = -np.inf
            if rng is not None:
                chance = np.exp(told / 0.8)
                known.append(int(rng.choice(len(told), p=chance / chance.sum())))
            else:
                known.append(int(told.argmax()))
        return known[len(tokens) :]


def load(folder: Path) -> StoryModel:
    """The model in a folder with `model.safetensors` and `tokenizer.json`."""
    from tokenizers import Tokenizer

    raw = (folder / "model.safetensors").read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    weights = {}
    for name, told in header.items():
        if name != "__metadata__":
            first, last = (8 + size + o for o in told["data_offsets"])
            weights[name] = np.frombuffer(raw[first:last], "<f4").reshape(told["shape"])
    return StoryModel(weights, Tokenizer.from_file(str(folder / "tokenizer.json")))


def norm(x: Floats, scale: Floats) -> Floats:
    """Root-mean-square normalisation of the last axis."""
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-5) * scale


def rotation(length: int) -> tuple[Floats, Floats]:
    """Cosines and sines of the rotary position embedding, `(length, WIDTH)` each."""
    speed = 10000.0 ** (-np.arange(0, WIDTH, 2) / WIDTH)
    angle = np.tile(np.arange(length)[:, None] * speed, 2)
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def rotate(x: Floats, turn: tuple[Floats, Floats]) -> Floats:
    """Rotary position embedding of `(b, heads, t, WIDTH)`."""
    half = WIDTH // 2
    swapped = np.concatenate([-x[..., half:], x[..., :half]], axis=-1)
    return x * turn[0] + swapped * turn[1]


def attend(w: dict[str, Floats], at: str, x: Floats, turn: tuple[Floats, Floats]) -> Floats:
    """Causal self-attention with grouped keys: `(b, t, 64)` to `(b, t, 64)`."""
    b, t, _ = x.shape

    def part(name: str, heads: int) -> Floats:
        y = x @ w[f"{at}{name}_proj.weight"].T
        return y.reshape(b, t, heads, WIDTH).transpose(0, 2, 1, 3)

    query = rotate(part("q", HEADS), turn)
    key, value = rotate(part("k", KEY_HEADS), turn), part("v", KEY_HEADS)
    key, value = (np.repeat(y, HEADS // KEY_HEADS, axis=1) for y in (key, value))
    weight = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(WIDTH))
    weight += np.triu(np.full((t, t), -np.inf, dtype=np.float32), 1)
    weight = np.exp(weight - weight.max(axis=-1, keepdims=True))
    weight /= weight.sum(axis=-1, keepdims=True)
    mixed = (weight @ value).transpose(0, 2, 1, 3).reshape(b, t, HEADS * WIDTH)
    return mixed @ w[f"{at}o_proj.weight"].T


def batches(order: Sequence[int], lengths: Sequence[int]) -> list[list[int]]:
    """The rows, shortest first, in batches whose attention fits in memory."""
    made: list[list[int]] = [[]]
    for row, length in zip(order, lengths, strict=True):
        if (len(made[-1]) + 1) * length**2 > BATCH and made[-1]:
            made.append([])
        made[-1].append(row)
    return made
