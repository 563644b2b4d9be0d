"""Holds the table of masked evaluations per second of a language model, beside peers and a loop.

    python benchmarks/throughput.py --model FOLDER [--quick] [--json FILE]

One model, one prompt of 32 words, one continuation, and masks that drop words. An evaluation is the
log-probability of the whole continuation after one masked prompt. Every player runs in this process
on one thread; rates are evaluations per processor second, so that they can be compared. Peers are
skipped, by name, where they are not installed: captum, shap and inseq.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import common  # before numpy: it holds numerical libraries to one thread
import numpy as np

os.environ.setdefault("HF_HUB_OFFLINE", "1")

PROMPT = (
    "Once upon a time there was a little girl named Lily. She loved to play outside in the park "
    "with her big red ball. One day her ball rolled away and she was"
)
WORDS = PROMPT.split()[:32]
TARGET = " very sad."
DOCUMENTS = [
    f"{name} had a {colour} {thing}. {name} liked to play with it in the {place} every day."
    for name, colour, thing, place in (
        ("Tom", "red", "ball", "park"),
        ("Lily", "blue", "kite", "garden"),
        ("Ben", "green", "car", "house"),
        ("Mia", "pink", "doll", "room"),
        ("Sam", "big", "dog", "yard"),
        ("Anna", "small", "cat", "tree"),
        ("Max", "old", "boat", "lake"),
        ("Sue", "new", "bike", "street"),
    )
]


def rate(evaluations: int, action: Callable[[], Any], repeats: int) -> tuple[float, float, float]:
    """The median rate in evaluations per processor second, with the lowest and the highest."""
    action()
    rates = []
    for _ in range(repeats):
        started = time.process_time()
        action()
        rates.append(evaluations / (time.process_time() - started))
    return float(np.median(rates)), min(rates), max(rates)


def loop(model: Any, tokenizer: Any, texts: Sequence[str], target: str, batch: int = 64) -> Any:
    """What one writes by hand: sorted by length, padded on the left, batches, all logits."""
    import torch

    ids = [tokenizer(text)["input_ids"] for text in texts]
    tail = tokenizer("a" + target, add_special_tokens=False)["input_ids"]
    tail = tail[len(tokenizer("a", add_special_tokens=False)["input_ids"]) :]
    order = np.argsort([len(row) for row in ids], kind="stable")
    out = np.empty((len(ids), len(tail)))
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        width = max(len(ids[i]) for i in rows) + len(tail)
        tokens = torch.zeros((len(rows), width), dtype=torch.long)
        seen = torch.zeros_like(tokens)
        for r, i in enumerate(rows):
            whole = ids[i] + tail
            tokens[r, width - len(whole) :] = torch.tensor(whole)
            seen[r, width - len(whole) :] = 1
        places = (seen.cumsum(1) - 1).clamp(min=0)
        with torch.inference_mode():
            logits = model(input_ids=tokens, attention_mask=seen, position_ids=places).logits
        logp = logits[:, -len(tail) - 1 : -1].float().log_softmax(-1)
        wanted = tokens[:, -len(tail) :]
        out[rows] = logp.gather(2, wanted[:, :, None])[:, :, 0].numpy()
    return out


def texts_of(masks: np.ndarray, words: Sequence[str]) -> list[str]:
    """The words that each mask leaves, with spaces between."""
    return [" ".join(w for w, here in zip(words, row, strict=True) if here) for row in masks]


def ours(model: Any, tokenizer: Any, count: int, repeats: int) -> list[common.Row]:
    """Ours beside the loop on the same masks, and how far their values are apart."""
    from whence.adapters.transformers.causal import scorer

    masks = np.random.default_rng(0).random((count, len(WORDS))) < 0.5
    texts = texts_of(masks, WORDS)
    mine = scorer(model, tokenizer, target=TARGET)
    apart = float(np.abs(np.asarray(mine(texts)) - loop(model, tokenizer, texts, TARGET)).max())
    rows = []
    for name, action in (
        ("whence", lambda: mine(texts)),
        ("a loop by hand", lambda: loop(model, tokenizer, texts, TARGET)),
    ):
        middle, low, high = rate(count, action, repeats)
        rows.append(
            common.row("32 words", name, "evaluations/s", middle, low=low, high=high, calls=count)
        )
    return [*rows, common.row("32 words", "whence", "largest difference (nats)", apart)]


def shared(model: Any, tokenizer: Any, count: int, repeats: int) -> list[common.Row]:
    """The gain of computing shared prefixes once: a pinned beginning, and documents."""
    from whence.adapters.transformers.causal import scorer

    rng = np.random.default_rng(1)
    pinned = " ".join(DOCUMENTS) + " "
    tasks = {
        "a pinned beginning and 32 words": [
            pinned + text for text in texts_of(rng.random((count, 32)) < 0.5, WORDS)
        ],
        "8 documents": texts_of(rng.random((count, 8)) < 0.5, DOCUMENTS),
    }
    rows = []
    for task, texts in tasks.items():
        with_, without = (
            scorer(model, tokenizer, target=TARGET),
            scorer(model, tokenizer, target=TARGET, share=False),
        )
        different = len(set(texts))
        apart = float(np.abs(np.asarray(with_(texts)) - np.asarray(without(texts))).max())
        for name, one in (("shared prefixes", with_), ("each alone", without)):
            unique = sorted(set(texts))
            middle, low, high = rate(different, lambda one=one, u=unique: one(u), repeats)
            rows.append(common.row(task, name, "evaluations/s", middle, low=low, high=high))
        rows.append(common.row(task, "shared prefixes", "largest difference (nats)", apart))
    return rows


def peers(model: Any, tokenizer: Any, samples: int) -> list[common.Row]:
    """The peers that are installed, each at its own masks of the same words."""
    rows = []
    for name, play in (
        ("captum LLMAttribution, KernelShap", _captum),
        ("shap Partition", partial(_shap, batch="auto")),
        ("shap Partition, batches of 64", partial(_shap, batch=64)),
        ("inseq LIME", _inseq),
    ):
        if common.version(name.split()[0]) is None:
            print(f"{name}: skipped, not installed")
            continue
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            action, counted = play(model, tokenizer, samples)
            action()
            before, started = counted(), time.process_time()
            action()
            seconds, done = time.process_time() - started, counted() - before
        rows.append(
            common.row("32 words", name, "evaluations/s", done / seconds, calls=int(done),
                       cpu_seconds=seconds)
        )  # fmt: skip
    return rows


class Counted:
    """A model's forward, counting the rows it is asked."""

    def __init__(self, model: Any) -> None:
        self.rows, self.kept = 0, model.forward
        self.__signature__ = inspect.signature(model.forward)  # shap asks which inputs it takes
        model.forward = self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the model answers; the rows of its first tensor are counted."""
        import torch

        tensors = [x for x in (*args, *kwargs.values()) if torch.is_tensor(x)]
        self.rows += len(tensors[0])
        return self.kept(*args, **kwargs)


Play = tuple[Callable[[], Any], Callable[[], float]]


def _captum(model: Any, tokenizer: Any, samples: int) -> Play:
    from captum.attr import KernelShap, LLMAttribution, TextTemplateInput

    given = TextTemplateInput(" ".join(["{}"] * len(WORDS)), values=WORDS)
    method = LLMAttribution(KernelShap(model), tokenizer)
    done = [0]

    def action() -> None:
        # The faster of its two ways: one forward for the whole continuation.
        method.attribute(given, target=TARGET, n_samples=samples, forward_in_tokens=False)
        done[0] += samples

    return action, lambda: done[0]


def _shap(model: Any, tokenizer: Any, samples: int, batch: int | str) -> Play:
    import shap

    model.config.is_decoder = True
    model.config.task_specific_params = {
        "text-generation": {"do_sample": False, "max_new_tokens": 4}
    }
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    masker = shap.maskers.Text(tokenizer, mask_token="...", collapse_mask_token=True)
    explainer = shap.Explainer(shap.models.TeacherForcing(model, tokenizer), masker)
    counted = Counted(model)

    def action() -> None:
        explainer([" ".join(WORDS)], [TARGET], max_evals=samples, batch_size=batch, silent=True)

    return action, lambda: counted.rows


def _inseq(model: Any, tokenizer: Any, samples: int) -> Play:
    import inseq

    explained = inseq.load_model(model, "lime", tokenizer=tokenizer)
    prompt = " ".join(WORDS)
    done = [0]

    def action() -> None:
        explained.attribute(prompt, prompt + TARGET, n_samples=samples // 4, show_progress=False)
        done[0] += samples // 4

    return action, lambda: done[0]


def duplicates(model: Any, tokenizer: Any) -> list[common.Row]:
    """Prompts asked twice in a run of ours: texts with repeated words make equal masked prompts."""
    import whence
    from whence.adapters.transformers.causal import scorer

    asked: list[str] = []
    mine = scorer(model, tokenizer, target=TARGET)

    def score(texts: Sequence[str]) -> Any:
        asked.extend(texts)
        return np.asarray(mine(texts)).sum(axis=1)

    game = whence.text_game(score, "very very very very big big big red red ball", scores="values")
    whence.explain(game, budget=512, repeats=0)
    return [common.row("10 words, 4 of them different", "whence", "prompts sent", len(asked)),
            common.row("10 words, 4 of them different", "whence", "of them different",
                       len(set(asked)))]  # fmt: skip


def main() -> None:
    """Run it all, print the table, write the rows."""
    parser = common.arguments(__doc__.split("\n")[0])
    parser.add_argument(
        "--model", type=Path, required=True, help="a causal language model's folder"
    )
    given = parser.parse_args()

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(given.model)
    tokenizer = AutoTokenizer.from_pretrained(given.model)
    count, repeats, samples = (256, 3, 64) if given.quick else (1024, 5, 256)
    rows = [
        *ours(model, tokenizer, count, repeats),
        *shared(model, tokenizer, count // 4, repeats),
        *duplicates(model, tokenizer),
        *peers(model, tokenizer, samples),
    ]
    told = common.machine("torch", "transformers", "captum", "shap", "inseq")
    print(told)
    common.show(
        ["task", "method", "metric", "value", "low", "high"],
        [
            [r["task"], r["method"], r["metric"], *(common.number(r[k]) for k in
             ("value", "low", "high"))]
            for r in rows
        ],
    )  # fmt: skip
    common.write(given.json, rows, told)


if __name__ == "__main__":
    main()
