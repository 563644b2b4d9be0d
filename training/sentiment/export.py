"""Holds what turns a trained student into the two shipped files, and what runs them back.

The graph is written by hand, operator by operator (opset 21), so that nothing in it depends on
an exporter's version. Only weights are rounded: every activation is float32, so no text's score
depends on its neighbours. Knows nothing of training or data.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from network import HEADS, WIDTH, Network, grid
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from torch import Tensor

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def _character(piece: str) -> bool:
    """Whether a piece is one character of a Latin script, a mark, or a currency sign."""
    body = piece.removeprefix("##")
    return len(body) == 1 and (ord(body) < 0x250 or 0x2000 <= ord(body) < 0x20D0)


def pruned_tokenizer(
    full: Tokenizer, texts: Sequence[str], size: int
) -> tuple[Tokenizer, Tensor, Tensor]:
    """The teacher's tokenizer with `size` pieces: those that training used, then common ones.

    Kept are the special pieces, single characters (so that a word can always be spelled), the
    pieces seen in `texts` by falling count, then the rest in the order of the teacher's word
    list, which falls with frequency.

    Returns:
        The tokenizer; (size,) the teacher's ids of its pieces; (size,) their counts in `texts`.
    """
    vocabulary = full.get_vocab()
    counts = Counter(i for one in full.encode_batch(list(texts)) for i in one.ids)
    first = [vocabulary[name] for name in SPECIAL]
    spelled = [i for piece, i in sorted(vocabulary.items()) if _character(piece)]
    seen = [i for i, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]
    rest = sorted(i for p, i in vocabulary.items() if not p.startswith("[") and p.isascii())
    pieces = sorted(list(dict.fromkeys(first + spelled + seen + rest))[:size])
    state = json.loads(full.to_str())
    by_id = {i: piece for piece, i in vocabulary.items()}
    state["model"]["vocab"] = {by_id[i]: new for new, i in enumerate(pieces)}
    new_id = state["model"]["vocab"]
    state["added_tokens"] = [
        {**token, "id": new_id[token["content"]]}
        for token in state["added_tokens"]
        if token["content"] in SPECIAL
    ]
    for name, token in state["post_processor"]["special_tokens"].items():
        token["ids"] = [new_id[name]]
    small = Tokenizer.from_str(json.dumps(state))
    return small, torch.tensor(pieces), torch.tensor([counts[i] for i in pieces])


class _Graph:
    """Nodes and constants of a graph being written; every method returns a value's name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: str, **attributes: object) -> str:
        """Adds a node."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name

    def constant(self, value: np.ndarray) -> str:
        """Adds a constant as it is."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def half(self, value: Tensor) -> str:
        """Adds a float32 value stored in half precision."""
        stored = self.constant(value.detach().half().numpy())
        return self.op("Cast", stored, to=TensorProto.FLOAT)

    def whole(self, weight: Tensor, bits: int, block: int, turn: bool) -> str:
        """Adds a weight stored as 4- or 8-bit integers with a scale to each block.

        `turn` transposes the stored (out, in) to the (in, out) that MatMul reads.
        """
        integers, scale = grid(weight.detach(), bits, block)
        q = integers.to(torch.int8).numpy()
        scale, axis = (scale.T, 0) if turn else (scale, q.ndim - 1)
        q = q.T if turn else q
        if bits == 8:
            stored = self.constant(q)
        else:
            flat = (q.reshape(-1) & 0xF).astype(np.uint8)
            raw = (flat[0::2] | (flat[1::2] << 4)).tobytes()
            stored = f"c{len(self.constants)}"
            self.constants.append(
                helper.make_tensor(stored, TensorProto.INT4, q.shape, raw, raw=True)
            )
        return self.op("DequantizeLinear", stored, self.half(scale), axis=axis, block_size=block)


def _dense(g: _Graph, x: str, module: torch.nn.Linear, block: int) -> str:
    weight = g.whole(module.weight, 4, block, turn=True)
    return g.op("Add", g.op("MatMul", x, weight), g.half(module.bias))


def _norm(g: _Graph, x: str, module: torch.nn.LayerNorm) -> str:
    scale, shift = g.half(module.weight), g.half(module.bias)
    return g.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=1e-12)


def _layer(g: _Graph, x: str, bias: str, layer: torch.nn.Module, block: int) -> str:
    """One transformer layer: x (b, t, WIDTH), bias (b, 1, 1, t) added to the scores."""
    deep = g.constant(np.array([0, 0, HEADS, WIDTH // HEADS], dtype=np.int64))
    flat = g.constant(np.array([0, 0, WIDTH], dtype=np.int64))

    def heads(module: torch.nn.Linear, perm: list[int]) -> str:
        return g.op("Transpose", g.op("Reshape", _dense(g, x, module, block), deep), perm=perm)

    query, value = heads(layer.query, [0, 2, 1, 3]), heads(layer.value, [0, 2, 1, 3])
    scores = g.op("MatMul", query, heads(layer.key, [0, 2, 3, 1]))
    root = g.constant(np.array((WIDTH / HEADS) ** -0.5, dtype=np.float32))
    weights = g.op("Softmax", g.op("Add", g.op("Mul", scores, root), bias), axis=-1)
    mixed = g.op("Transpose", g.op("MatMul", weights, value), perm=[0, 2, 1, 3])
    mixed = _dense(g, g.op("Reshape", mixed, flat), layer.out, block)
    x = _norm(g, g.op("Add", x, mixed), layer.norm1)
    inner = g.op("Gelu", _dense(g, x, layer.up, block), approximate="none")
    return _norm(g, g.op("Add", x, _dense(g, inner, layer.down, block)), layer.norm2)


def write_onnx(net: Network, path: Path) -> None:
    """Writes `net` as ONNX: input_ids and attention_mask (b, t) int64 to logits (b, 2) float32."""
    g, block, rank = _Graph(), net.shape.block, net.words.embedding_dim
    # Both factors are constants, so the runtime multiplies them once, when it loads the file.
    words = g.whole(net.words.weight, 4, rank, turn=False)
    words = g.op("MatMul", words, g.whole(net.widen.weight, 8, rank, turn=True))
    zero, one = (g.constant(np.array([i], dtype=np.int64)) for i in (0, 1))
    length = g.op("Shape", "input_ids", start=1, end=2)
    places = g.op("Slice", g.whole(net.places, 4, block, turn=False), zero, length, zero)
    x = _norm(g, g.op("Add", g.op("Gather", words, "input_ids"), places), net.norm)
    present = g.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    unit = g.constant(np.array(1, dtype=np.float32))
    absent = g.op("Mul", g.op("Sub", unit, present), g.constant(np.array(-1e9, np.float32)))
    bias = g.op("Unsqueeze", absent, g.constant(np.array([1, 2], dtype=np.int64)))
    for layer in net.layers:
        x = _layer(g, x, bias, layer, block)
    weight = g.op("Unsqueeze", present, g.constant(np.array([2], dtype=np.int64)))
    total = g.op("ReduceSum", g.op("Mul", x, weight), one, keepdims=0)
    mean = g.op("Div", total, g.op("ReduceSum", weight, one, keepdims=0))
    head = g.constant(net.head.weight.detach().numpy().T)
    scores = g.op("MatMul", mean, head)
    bias_out = g.constant(net.head.bias.detach().numpy())
    g.nodes.append(helper.make_node("Add", [scores, bias_out], ["logits"], "logits"))
    axes = ["batch", "length"]
    graph = helper.make_graph(
        g.nodes,
        "whence-sentiment-1",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, axes)
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        g.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


class Export:
    """The two written files, run one text at a time: the reference the adapter is held to."""

    def __init__(self, model: Path, tokenizer: Path) -> None:
        import onnxruntime

        self.bytes = model.stat().st_size + tokenizer.stat().st_size
        self.tokenizer = Tokenizer.from_file(str(tokenizer))
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        self.session = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(b, 2) logits."""
        return np.concatenate([self._one(text) for text in texts])

    def _one(self, text: str) -> np.ndarray:
        ids = np.array([self.tokenizer.encode(text).ids], dtype=np.int64)
        return self.session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]
