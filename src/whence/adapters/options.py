"""Holds Options: what a user may say of a model when it is opened by name.

It does not know which adapter reads which option; an adapter refuses what it cannot honour.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from whence.errors import InputError


@dataclass(frozen=True)
class Options:
    """What a user may say of a model. None, "" or () leaves the choice to the adapter.

    Attributes:
        task: what the model is asked, in the adapter's words, such as "sequence-classification".
        target: the continuation whose log-probability is the value.
        contrast: another continuation; the value is the target's log-probability less this one's.
        question: what a question answerer is asked.
        chat: whether a text is one user turn of a conversation.
        system: a system turn that is always there.
        tokenizer: a tokenizer's file or folder, where it is not beside the model.
        labels: the classes' names, in the order of the scores.
        scores: what the model's numbers are: "logits", "probabilities" or "values".
        trusted: types beyond the common ones that a skops file may hold, by their full names.
        method: which method of an estimator is asked: predict_proba, decision_function, predict.
        device: where the model runs, such as "cuda:1"; "" leaves it where it is.
        dtype: the precision it runs in, such as "bfloat16".
        base_url: where a server listens.
        key_variable: the environment variable that holds the server's key; never the key.
        concurrency: requests in flight at most; 0 leaves the choice to the adapter.
        timeout: seconds that one request may take; 0 leaves the choice to the adapter.
        tier: how a server's answers become values: "prompt", "first-token", "text" or "" to find
            out.
    """

    task: str = ""
    target: str | None = None
    contrast: str | None = None
    question: str = ""
    chat: bool = False
    system: str | None = None
    tokenizer: Path | None = None
    labels: tuple[str, ...] = ()
    scores: str = ""
    trusted: tuple[str, ...] = ()
    method: str = ""
    device: str = ""
    dtype: str = ""
    base_url: str = ""
    key_variable: str = ""
    concurrency: int = 0
    timeout: float = 0.0
    tier: str = ""

    def only(self, who: str, *names: str) -> None:
        """Nothing, if all that was said is among `names`.

        Raises:
            InputError: an option that `who` does not read was set.
        """
        default = Options()
        for one in fields(self):
            if one.name not in names and getattr(self, one.name) != getattr(default, one.name):
                readable = f"It reads {', '.join(f'{n}=' for n in names)}." if names else ""
                raise InputError(
                    f"{one.name}= came for {who}, which does not read it. Leave it out. {readable}"
                )
