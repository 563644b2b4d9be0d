"""Holds scorer and opened: a served model by its name, asked once what it can say.

It does not know how requests are written, sent or read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from whence.adapters.openai.client import Server, at
from whence.adapters.openai.counting import Counting, tokenizer_of
from whence.adapters.openai.measures import Judge, Similarity, measure
from whence.adapters.openai.probe import TEXT, probed
from whence.adapters.openai.served import ServedScorer
from whence.adapters.openai.spending import Tally
from whence.adapters.openai.wire import TIERS, Wire
from whence.adapters.options import Options
from whence.errors import InputError


def scorer(
    model: str,
    *,
    base_url: str = "",
    target: str | None = None,
    contrast: str | None = None,
    tier: str = "",
    chat: bool = False,
    system: str | None = None,
    concurrency: int = 16,
    timeout: float = 60.0,
    retries: int = 6,
    key_variable: str = "OPENAI_API_KEY",
    similarity: Similarity | str | None = None,
    judge: Judge | None = None,
    judged_by: str = "",
    max_answer: int = 64,
    tokenizer: Path | str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> ServedScorer:
    """A model behind an OpenAI-compatible server, asked here once for what it can say.

    Values are of three tiers. "prompt": log-probabilities of the target's tokens after the text.
    "first-token": log-probability that the first token written begins the target, from the
    likeliest 20. "text": what a whole written answer is worth, beside the target or to a judge.
    The facts' notes say which it is.

    The key comes from the environment, is read anew for every run, and is kept nowhere.

    Args:
        model: the name that the server knows it by.
        base_url: where the server listens, often ending in /v1; "" reads OPENAI_BASE_URL, and
            without it takes the hosted service.
        target: the continuation, or for tier "text" the reference answer; None leaves it to
            `continuing`. A space belongs to it where the text does not end in one: " Paris".
        contrast: another; the value is then the target's less this one's.
        tier: "prompt", "first-token", "text", or "" for the first of them that is served.
        chat: whether a text is one user turn; conversations are read as well then.
        system: a system turn that is always there, with chat.
        concurrency: requests in flight at most.
        timeout: seconds that one request may take.
        retries: how often a request is sent again after 408, 409, 429, 5xx, a broken connection
            or a timeout; waits grow from 0.5 to 8 s, or are what Retry-After says, up to 120 s.
            Where nothing listens when the model is opened, that is tried once more only.
        key_variable: the environment variable that holds the key.
        similarity: "word overlap" (the default of tier "text"), "exact match", or a function of
            the reference and the answer.
        judge: a function of the item and the answer; no target is needed then.
        judged_by: a name that is equal only for functions that value alike; without one, a run
            with a function of your own has no journal on disk. It names the unit too.
        max_answer: tokens that an answer may have, for tier "text".
        tokenizer: the model's tokenizer.json or its folder, to count tokens exactly.
        extra: more fields of every request, such as {"top_k": 1}; None leaves a field out.

    Raises:
        InputError: an argument that cannot be used, a wrong key, an unknown model, or a tier that
            is not served.
        ModelError: the server is down, too slow, or answers with something else.
        MissingExtra: when openai is not installed.
    """
    asked_tier = "text" if (similarity is not None or judge is not None) and not tier else tier
    _check(asked_tier, target, contrast, chat, system)
    if tier not in ("", "text") and (similarity is not None or judge is not None):
        raise InputError(f"similarity= or judge= came with tier={tier!r}; they are for 'text'.")
    valued = measure(similarity, judge, judged_by)
    server = Server(at(base_url), key_variable, concurrency, timeout, retries)
    wire = Wire(model, chat=chat, system=system, extra=_plain(extra))
    opened_tokenizer, tally = tokenizer_of(tokenizer), Tally()
    found = probed(server, wire, asked_tier, target, tally)
    counting = Counting(found.letters, opened_tokenizer, fixed=len(system or ""), chat=chat)
    made = ServedScorer(
        server,
        found.wire,
        found.tier,
        counting,
        tally,
        contrast=contrast,
        measure=valued if found.tier == "text" else None,
        max_answer=max_answer,
    )
    return made if target is None else made.aimed(TEXT, target, found.answer)


def opened(rest: str, options: Options) -> ServedScorer:
    """What `--model openai:NAME` opens.

    Args:
        rest: the model's name, all that stands after "openai:".
        options: what else was said.

    Raises:
        InputError, ModelError, MissingExtra: as `scorer`.
    """
    read = (
        "target", "contrast", "chat", "system", "tokenizer", "base_url", "key_variable",
        "concurrency", "timeout", "tier",
    )  # fmt: skip
    options.only("an OpenAI-compatible server", *read)
    if not rest:
        raise InputError("openai: came without a model; its name is needed: openai:NAME.")
    return scorer(
        rest,
        base_url=options.base_url,
        target=options.target,
        contrast=options.contrast,
        tier=options.tier,
        chat=options.chat,
        system=options.system,
        concurrency=options.concurrency or 16,
        timeout=options.timeout or 60.0,
        key_variable=options.key_variable or "OPENAI_API_KEY",
        tokenizer=options.tokenizer,
    )


def _check(
    tier: str, target: str | None, contrast: str | None, chat: bool, system: str | None
) -> None:
    if tier not in ("", *TIERS):
        raise InputError(f"tier={tier!r} came; it must be one of {', '.join(TIERS)}, or ''.")
    for name, text in (("target", target), ("contrast", contrast)):
        if text is not None and not text.strip():
            raise InputError(f"{name}={text!r} came; a text with at least one letter is needed.")
    if system is not None and not chat:
        raise InputError("system= came without chat=True; only conversations have a system turn.")
    if contrast is not None and target is not None and target.strip() == contrast.strip():
        raise InputError(
            f"target={target!r} and contrast={contrast!r} came; their difference is always 0."
        )


def _plain(extra: Mapping[str, Any] | None) -> dict[str, Any]:
    try:
        return json.loads(json.dumps(dict(extra or {})))
    except (TypeError, ValueError) as error:
        raise InputError(f"extra= came with something that JSON cannot hold ({error}).") from error
