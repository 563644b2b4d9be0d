"""Holds stories260K as a llama.cpp file, and llama.cpp's own server of it on loopback."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.openai.stories import FOLDER

LAYERS, HEADS, KEYS = 5, 8, 4
#: Tensors of a layer: transformers' name -> llama.cpp's.
NAMES = {
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def written(path: Path) -> Path:
    """The model as one file that llama.cpp reads; skips the test where it cannot be made."""
    if not FOLDER.exists():
        pytest.skip("needs ../shared/data/stories260K")
    gguf = pytest.importorskip("gguf")
    load_file = pytest.importorskip("safetensors.numpy").load_file
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(64)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(172)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEYS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(8)
    _tokens(writer)
    tensors = load_file(FOLDER / "model.safetensors")
    writer.add_tensor("token_embd.weight", tensors["model.embed_tokens.weight"])
    writer.add_tensor("output_norm.weight", tensors["model.norm.weight"])
    for layer in range(LAYERS):
        for name, data in _layer(tensors, f"model.layers.{layer}."):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ascontiguousarray(data))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _layer(tensors: Any, at: str) -> Iterator[tuple[str, Any]]:
    for name, heads in (("q", HEADS), ("k", KEYS)):
        data = tensors[f"{at}self_attn.{name}_proj.weight"]
        # llama.cpp keeps the two numbers that a rotation turns side by side.
        turned = data.reshape(heads, 2, -1, data.shape[1]).swapaxes(1, 2)
        yield f"attn_{name}", turned.reshape(data.shape)
    for theirs, ours in NAMES.items():
        yield ours, tensors[f"{at}{theirs}.weight"]


def _tokens(writer: Any) -> None:
    """The vocabulary with its scores, from the file that the model was published with."""
    data = (FOLDER.parent / "tok512.bin").read_bytes()
    found, at = [], 4
    while at < len(data):
        score, size = struct.unpack_from("<fi", data, at)
        found.append((data[at + 8 : at + 8 + size].replace(b" ", "\u2581".encode()), score))
        at += 8 + size
    for number, text in enumerate((b"<unk>", b"<s>", b"</s>")):
        found[number] = (text, 0.0)
    for byte in range(256):
        found[3 + byte] = (b"<0x%02X>" % byte, 0.0)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _ in found])
    writer.add_token_scores([score for _, score in found])
    writer.add_token_types([2, 3, 3, *[6] * 256, *[1] * (len(found) - 259)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(True)


@contextlib.contextmanager
def llama_cpp(path: Path, key: str = "") -> Iterator[str]:
    """The address of llama.cpp's server of a file, until the end of the block."""
    xllamacpp = pytest.importorskip("xllamacpp")
    given = xllamacpp.CommonParams()
    given.model.path = str(path)
    given.n_ctx, given.n_parallel, given.warmup, given.port = 512, 1, False, 0
    given.cpuparams.n_threads = 1
    given.api_keys = [key] if key else []
    server = xllamacpp.Server(given)
    yield f"{server.listening_address}/v1"
    del server
