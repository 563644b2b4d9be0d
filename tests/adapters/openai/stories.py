"""Holds a small OpenAI-compatible server of stories260K, in the dialects of several servers.

It runs the model through transformers, one request at a time.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from adapters.openai.loopback import Reply, error
from tools.tree import ROOT

FOLDER = ROOT.parent / "shared" / "data" / "stories260K" / "hf"
NAME = "stories260K"
CONTEXT = 512


def local(folder: Path = FOLDER) -> tuple[Any, Any]:
    """The model and its tokenizer, in this process; skips the test where they are absent."""
    if not folder.exists():
        pytest.skip("needs ../shared/data/stories260K")
    pytest.importorskip("openai")
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    transformers.utils.logging.set_verbosity_error()
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    return model, transformers.AutoTokenizer.from_pretrained(folder)


class Stories:
    """Answers requests.

    Args:
        dialect: "vllm" reads prompt_logprobs, "echo" echo with logprobs, "llama.cpp" gives
            log-probs of what is written and ignores both, "hosted" refuses fields that it does
            not know and offers five likeliest tokens, "plain" gives no log-probs.
        key: what it asks for, or "".
    """

    def __init__(self, model: Any, tokenizer: Any, dialect: str = "vllm", key: str = "") -> None:
        self.model, self.tokenizer, self.dialect, self.key = model, tokenizer, dialect, key
        self.lock = threading.Lock()

    def __call__(self, path: str, body: dict[str, Any], number: int) -> Reply:
        if path == "/v1/models":
            return Reply({"object": "list", "data": [{"id": NAME, "object": "model"}]})
        if path not in ("/v1/completions", "/v1/chat/completions"):
            return error(404, "Not Found")
        if body.get("model") != NAME:
            return error(404, f"The model {body.get('model')} does not exist.")
        if self.dialect == "hosted":
            if "prompt_logprobs" in body or body.get("echo"):
                return error(400, "Unrecognized request argument supplied.")
            if body.get("logprobs", 0) > 5 or body.get("top_logprobs", 0) > 5:
                return error(400, "Invalid value for 'logprobs': at most 5.")
        with self.lock:
            return self.answer("chat" in path, body)

    def answer(self, chat: bool, body: dict[str, Any]) -> Reply:
        text = self.template(body) if chat else body["prompt"]
        ids = self.tokenizer(text).input_ids
        most = body.get("max_tokens", 16)
        if len(ids) + most > CONTEXT:
            return error(
                400,
                f"This model's maximum context length is {CONTEXT} tokens, but the request has "
                f"{len(ids) + most}.",
            )
        logs, written = self.forward(ids, most)
        choice = self.choice(chat, body, ids, logs, written)
        return Reply(
            {
                "id": "x",
                "object": "chat.completion" if chat else "text_completion",
                "model": NAME,
                "choices": [choice],
                "usage": {
                    "prompt_tokens": len(ids),
                    "completion_tokens": len(written),
                    "total_tokens": len(ids) + len(written),
                },
            }
        )

    def template(self, body: dict[str, Any]) -> str:
        """A chat template with names before turns; the answer's begins with a space."""
        turns = [f"{one['role']}: {one['content'].strip()}" for one in body["messages"]]
        text = "\n".join(turns)
        if body.get("add_generation_prompt", True) and not body.get("continue_final_message"):
            text += "\nassistant:"
        return text

    def forward(self, ids: list[int], most: int) -> tuple[Any, list[int]]:
        """Log-probabilities (tokens, vocabulary) of all positions, and what is written."""
        import torch

        ids = list(ids)
        start = len(ids)
        with torch.inference_mode():
            while True:
                logits = self.model(torch.tensor([ids])).logits[0]
                if len(ids) - start == most:
                    break
                ids.append(int(logits[-1].argmax()))
                if ids[-1] == self.tokenizer.eos_token_id:
                    break
        return torch.log_softmax(logits.double(), dim=-1), ids[start:]

    def shown(self, one: int) -> str:
        """A token as llama.cpp shows it, with its leading space."""
        return self.tokenizer.convert_ids_to_tokens(one).replace("\u2581", " ")

    def choice(self, chat: bool, body: Any, ids: list[int], logs: Any, written: list[int]) -> Any:
        text = self.tokenizer.decode(ids + written, skip_special_tokens=True)
        before = self.tokenizer.decode(ids, skip_special_tokens=True)
        said, prompt = text[len(before) :], None if chat else body["prompt"]
        one: dict[str, Any] = {"index": 0, "finish_reason": "length", "logprobs": None}
        one |= {"message": {"role": "assistant", "content": said}} if chat else {"text": said}
        if self.dialect == "vllm" and body.get("prompt_logprobs") is not None:
            one["prompt_logprobs"] = [
                None,
                *(self.entry(logs[i - 1], ids[i]) for i in range(1, len(ids))),
            ]
        asked = body.get("top_logprobs", 0) if chat else body.get("logprobs")
        if self.dialect == "plain" or not body.get("logprobs") or not written:
            return one
        if self.dialect == "echo" and body.get("echo"):
            one["text"] = prompt + said
            whole = ids + written
            one["logprobs"] = {
                "tokens": [self.shown(i) for i in whole],
                "token_logprobs": [None]
                + [float(logs[i - 1, whole[i]]) for i in range(1, len(whole))],
                "top_logprobs": None,
                "text_offset": [-1] * len(whole),
            }
            return one
        top = logs[len(ids) - 1].topk(asked)
        likeliest = [
            (self.shown(i), v) for v, i in zip(*map(lambda x: x.tolist(), top), strict=True)
        ]
        first = (self.shown(written[0]), float(logs[len(ids) - 1, written[0]]))
        if chat:
            listed = [{"token": t, "logprob": v, "bytes": None} for t, v in likeliest]
            content = {"token": first[0], "logprob": first[1], "top_logprobs": listed}
            one["logprobs"] = {"content": [content]}
        else:
            one["logprobs"] = {
                "tokens": [first[0]],
                "token_logprobs": [first[1]],
                "top_logprobs": [dict(likeliest)],
            }
        return one

    def entry(self, logs: Any, one: int) -> dict[str, Any]:
        """A table of vLLM: the token itself, shown without its leading space."""
        rank = int((logs > logs[one]).sum()) + 1
        shown = {
            "logprob": float(logs[one]),
            "rank": rank,
            "decoded_token": self.tokenizer.decode([one]),
        }
        return {str(one): shown}


def truth(model: Any, tokenizer: Any, prompt: str, target: str) -> list[float]:
    """Log-probabilities of the target's tokens by a forward pass of our own.

    Source:
        The definition: the log-softmax of the logits before each token whose characters end in
        the target.
    """
    import torch

    encoded = tokenizer(prompt + target, return_offsets_mapping=True)
    with torch.inference_mode():
        logits = model(torch.tensor([encoded.input_ids])).logits[0].double()
    logs = torch.log_softmax(logits, dim=-1)
    spans = encoded.offset_mapping
    where = [i for i, (start, end) in enumerate(spans) if start >= len(prompt) and end > start]
    return [float(logs[i - 1, encoded.input_ids[i]]) for i in where]
