"""Facts about servers that others wrote: llama.cpp's, and that of transformers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest

from adapters.openai.llama_cpp import llama_cpp, written
from adapters.openai.stories import FOLDER, truth
from whence.adapters.openai import scorer
from whence.errors import InputError

START = "Once upon a time, there was a little girl named"
ITEMS = [START, "there was a girl named", "a little dog named"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The model in llama.cpp's form."""
    pytest.importorskip("openai")
    pytest.importorskip("xllamacpp")
    return written(tmp_path_factory.mktemp("llama") / "stories.gguf")


def test_llama_cpp_gives_the_likeliest_first_tokens(file, stories):
    """llama.cpp's server is found to serve first tokens, with the values of a forward pass."""
    with llama_cpp(file) as url:
        made = scorer("stories", base_url=url, target=" Lily", contrast=" Sue")
        rows = made(ITEMS)
    assert made.tier == "first-token"
    tokens = [{" Lily", " L", " Li"}, {" S", " Su", " Sue"}]
    for row, item in zip(rows, ITEMS, strict=True):
        for value, known in zip(row, tokens, strict=True):
            parts = [truth(*stories, item, token)[0] for token in sorted(known)]
            assert max(parts) - 0.01 <= value <= np.logaddexp.reduce(parts) + 0.01


def test_llama_cpp_writes_the_same_greedy_text(file, stories):
    """The continuation that llama.cpp writes is that of the model itself."""
    import torch

    model, tokenizer = stories
    ids = tokenizer(START).input_ids
    with torch.inference_mode():
        for _ in range(8):
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    with llama_cpp(file) as url:
        made = scorer("stories", base_url=url, tier="text").continuing(START, 8)
        values = made([START])
    assert tokenizer.decode(ids, skip_special_tokens=True) == START + made.target
    np.testing.assert_array_equal(values, [1.0])


def test_llama_cpp_chats(file):
    """A chat with a system turn gets values; with 20 tokens listed most are found."""
    with llama_cpp(file) as url:
        made = scorer("stories", base_url=url, target="The", chat=True, system="Be kind.")
        rows = made(["Who is she?", "", "Tell me a story."])
    assert made.tier == "first-token"
    assert (rows < 0).all()


def test_llama_cpp_refuses_a_long_text_and_a_wrong_key(file, monkeypatch):
    """Its own errors are passed on by name."""
    monkeypatch.setenv("RIGHT", "sk-right-271828")
    monkeypatch.setenv("WRONG", "sk-wrong-314159")
    with llama_cpp(file, "sk-right-271828") as url:
        made = scorer("stories", base_url=url, target=" Lily", key_variable="RIGHT", retries=0)
        with pytest.raises(InputError, match=r"answered 400.*context"):
            made([START * 60])
        with pytest.raises(InputError, match="refused the key in the environment variable WRONG"):
            scorer("stories", base_url=url, target=" Lily", key_variable="WRONG", retries=0)


@pytest.mark.slow
def test_transformers_serves_texts(stories, tmp_path):
    """The server of transformers serves written answers: the model's own is worth 1."""
    for needed in ("accelerate", "fastapi", "uvicorn"):
        pytest.importorskip(needed)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(FOLDER)]
    settings = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--host", "127.0.0.1", "--device", "cpu"],
            env=settings,
            stdout=log,
            stderr=log,
        )
        try:
            _awaited(f"{where}/health", process, tmp_path / "log")
            made = scorer(str(FOLDER), base_url=f"{where}/v1", max_answer=8)
            assert made.tier == "text"
            values = made.continuing(START, 8)([START, "a little dog named"])
        finally:
            process.terminate()
            process.wait()
    assert values[0] == 1.0
    assert 0 <= values[1] < 1


def _awaited(url, process, log):
    for _ in range(600):
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("the server did not start")
