"""Holds the network, teacher and student alike, and the 4-bit rounding of its weights.

One class serves both: the teacher has six layers and a full word table, the student three and a
table factorised into rank `rank`. Knows nothing of data, tokenizers or ONNX.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own custom

WIDTH, INNER, HEADS, POSITIONS = 384, 1536, 12, 512


@dataclass(frozen=True)
class Shape:
    """What differs between teacher and student.

    Attributes:
        pieces: rows of the word table.
        layers: transformer layers.
        rank: inner width of the factorised word table; 0 for a full table.
        bits: bits a weight is rounded to in the forward pass; 0 for none.
        block: weights that share one scale.
        drop: dropout in training.
    """

    pieces: int
    layers: int
    rank: int = 0
    bits: int = 0
    block: int = 64
    drop: float = 0.1


def grid(weight: Tensor, bits: int, block: int) -> tuple[Tensor, Tensor]:
    """Integers and scales whose product stands for `weight`.

    Symmetric, one scale to `block` consecutive entries of the last axis, scales rounded to half
    precision as they are stored.

    Args:
        weight: (..., k), `block` dividing k.
        bits: 4 or 8.
        block: entries to a scale.

    Returns:
        (..., k) integers as floats in [-2^(bits-1), 2^(bits-1) - 1], and (..., k / block) scales.
    """
    top = 2 ** (bits - 1) - 1
    parts = weight.unflatten(-1, (-1, block))
    # The largest magnitude lands half a step above the top level and is clipped: that costs
    # little, and buys every other weight a finer step.
    scale = (parts.abs().amax(-1) / (top + 0.5)).clamp_min(1e-6).half().float()
    whole = (parts / scale[..., None]).round().clamp(-top - 1, top)
    return whole.flatten(-2), scale


def rounded(weight: Tensor, bits: int, block: int) -> Tensor:
    """`weight` as the shipped model will hold it, with the gradient of the identity.

    Source:
        Bengio, Leonard and Courville (2013), arXiv:1308.3432 (the straight-through estimator).
    """
    if not bits:
        return weight
    with torch.no_grad():
        whole, scale = grid(weight, bits, block)
        near = (whole.unflatten(-1, (-1, block)) * scale[..., None]).flatten(-2)
    return weight + (near - weight).detach()


class Dense(nn.Linear):
    """A linear map whose weights may be rounded in the forward pass."""

    bits = 0
    block = 64

    def forward(self, input: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        return F.linear(input, rounded(self.weight, self.bits, self.block), self.bias)


class Layer(nn.Module):
    """One post-norm transformer layer (Vaswani et al. 2017, as BERT arranges it)."""

    def __init__(self, drop: float) -> None:
        super().__init__()
        self.query, self.key = Dense(WIDTH, WIDTH), Dense(WIDTH, WIDTH)
        self.value, self.out = Dense(WIDTH, WIDTH), Dense(WIDTH, WIDTH)
        self.up, self.down = Dense(WIDTH, INNER), Dense(INNER, WIDTH)
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-12)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-12)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """(b, t, WIDTH) to the same; `bias` (b, 1, 1, t) is added to the attention scores."""
        b, t, _ = x.shape
        query, key, value = (
            part(x).view(b, t, HEADS, WIDTH // HEADS).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        mixed = mixed.transpose(1, 2).reshape(b, t, WIDTH)
        x = self.norm1(x + self.drop(self.out(mixed)))
        return self.norm2(x + self.drop(self.down(F.gelu(self.up(x)))))


class Network(nn.Module):
    """Token ids to two logits, and the mean vector they are read from."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.words = nn.Embedding(shape.pieces, shape.rank or WIDTH)
        self.widen = nn.Linear(shape.rank, WIDTH, bias=False) if shape.rank else None
        self.places = nn.Parameter(torch.zeros(POSITIONS, WIDTH))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList([Layer(shape.drop) for _ in range(shape.layers)])
        self.head = nn.Linear(WIDTH, 2)
        self.drop = nn.Dropout(shape.drop)
        self.round_to(shape.bits)

    def round_to(self, bits: int) -> None:
        """Sets the bits that weights are rounded to from now on; 0 for none."""
        self.bits = bits
        for module in self.modules():
            if isinstance(module, Dense):
                module.bits, module.block = bits, self.shape.block

    def table(self, ids: Tensor) -> Tensor:
        """(b, t, WIDTH) word vectors."""
        rows = rounded(self.words.weight[ids], self.bits, self.words.embedding_dim)
        if self.widen is None:
            return rows
        # This small factor is multiplied into every word, so it keeps 8 bits.
        wide = rounded(self.widen.weight, 8 if self.bits else 0, self.shape.rank)
        return F.linear(rows, wide)

    def forward(self, ids: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (b, 2) and mean vectors (b, WIDTH) of ids (b, t), `present` True off padding."""
        places = rounded(self.places[: ids.shape[1]], self.bits, self.shape.block)
        x = self.drop(self.norm(self.table(ids) + places))
        bias = torch.zeros(present.shape).masked_fill(~present, -1e9)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, bias)
        weight = present[..., None].float()
        mean = (x * weight).sum(1) / weight.sum(1)
        return self.head(self.drop(mean)), mean


def load_teacher(weights: Path) -> Network:
    """The public MiniLM encoder (a BERT with six layers of width 384) with a fresh head."""
    from safetensors.torch import load_file

    state = {key.removeprefix("bert."): value for key, value in load_file(weights).items()}
    pre = "embeddings."
    net = Network(Shape(pieces=state[pre + "word_embeddings.weight"].shape[0], layers=6))
    names = {
        "query": "attention.self.query", "key": "attention.self.key",
        "value": "attention.self.value", "out": "attention.output.dense",
        "up": "intermediate.dense", "down": "output.dense",
        "norm1": "attention.output.LayerNorm", "norm2": "output.LayerNorm",
    }  # fmt: skip
    own = net.state_dict()
    own["words.weight"] = state[pre + "word_embeddings.weight"]
    # Every text is one segment, so the first segment's vector folds into the positions.
    own["places"] = (
        state[pre + "position_embeddings.weight"] + state[pre + "token_type_embeddings.weight"][0]
    )
    for kind in ("weight", "bias"):
        own[f"norm.{kind}"] = state[f"{pre}LayerNorm.{kind}"]
        for i in range(6):
            for mine, theirs in names.items():
                own[f"layers.{i}.{mine}.{kind}"] = state[f"encoder.layer.{i}.{theirs}.{kind}"]
    net.load_state_dict(own)
    return net


def student_of(
    teacher: Network, pieces: Tensor, counts: Tensor, take: tuple[int, ...], rank: int
) -> Network:
    """A student that starts from some of the teacher's layers and a factorised word table.

    Args:
        teacher: the fine-tuned teacher.
        pieces: (v,) rows of the teacher's word table to keep, in the student's order.
        counts: (v,) how often each was seen in training; the factorisation minds common ones more.
        take: the teacher's layers to copy.
        rank: inner width of the word table.
    """
    net = Network(Shape(pieces=len(pieces), layers=len(take), rank=rank, drop=0.05))
    own, old = net.state_dict(), teacher.state_dict()
    for key in own:
        if not key.startswith(("words", "widen", "layers")):
            own[key] = old[key]
        elif key.startswith("layers"):
            _, i, rest = key.split(".", 2)
            own[key] = old[f"layers.{take[int(i)]}.{rest}"]
    table = old["words.weight"][pieces]
    weight = (counts.float() + 1).sqrt()[:, None]
    middle = (table * weight).sum(0) / weight.sum()
    left, size, right = torch.linalg.svd((table - middle) * weight, full_matrices=False)
    own["words.weight"] = left[:, :rank] * size[:rank].sqrt() / weight
    own["widen.weight"] = (size[:rank].sqrt()[:, None] * right[:rank]).T.contiguous()
    own["places"] = own["places"] + middle
    net.load_state_dict(own)
    kept = float((size[:rank] ** 2).sum() / (size**2).sum())
    print(f"student: layers {take}, {len(pieces)} pieces, rank {rank} keeps {kept:.3f}")
    return net
