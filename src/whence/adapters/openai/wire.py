"""Holds Wire: how an item is written as a request, for each of the ways to get a value.

It does not know how requests travel, nor how their answers are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from whence.adapters.openai.client import Ask
from whence.errors import InputError
from whence.scoring import HiddenText, Message

#: Ways to ask. "prompt_logprobs" is vLLM's, of completions and of chats; "echo" that of older
#: completions; "top" asks for the likeliest first tokens; "text" for words alone.
FORMS = ("prompt_logprobs", "echo", "top", "text")
#: Tier -> its forms.
TIERS: Mapping[str, tuple[str, ...]] = {
    "prompt": ("prompt_logprobs", "echo"),
    "first-token": ("top",),
    "text": ("text",),
}


@dataclass(frozen=True)
class Wire:
    """How items become requests. Greedy: temperature 0, and a seed for servers that read one.

    Attributes:
        model: the name that the server knows the model by.
        form: one of `FORMS`.
        chat: whether items are conversations; a text is then one user turn.
        system: a system turn that is always there.
        extra: more fields of the request; a field that is None is left out.
        limit: what the server calls the most tokens it may write.
        top: how many of the likeliest tokens are asked for.
    """

    model: str
    form: str = "text"
    chat: bool = False
    system: str | None = None
    extra: Mapping[str, Any] = field(default_factory=lambda: dict[str, Any]())
    limit: str = "max_tokens"
    top: int = 20

    def ask(self, item: Any, tail: str = "", most: int = 1) -> Ask:
        """The request for an item that has been checked.

        Args:
            item: a text, or Messages.
            tail: what the model is made to say after it; only where the form reads it back.
            most: tokens it may write.
        """
        body: dict[str, Any] = {"model": self.model, "temperature": 0, "seed": 0, self.limit: most}
        body |= self._said(item, tail) | self._form() | dict(self.extra)
        path = "chat/completions" if self.chat else "completions"
        return Ask(path, {name: value for name, value in body.items() if value is not None})

    @property
    def listed(self) -> int:
        """How many of the likeliest tokens are asked for, by `extra` if it says so."""
        said = self.extra.get("top_logprobs" if self.chat else "logprobs")
        return said if isinstance(said, int) and not isinstance(said, bool) else self.top

    def check(self, item: Any) -> None:
        """Nothing, if the item is of a kind that is read.

        Raises:
            InputError: it is not.
        """
        if isinstance(item, HiddenText):
            raise InputError(
                "a text with hidden spans came; a server cannot be told what not to attend to. "
                "Use an absent policy that changes the text, such as 'drop'."
            )
        turns = isinstance(item, tuple) and all(isinstance(one, Message) for one in item)
        if turns and not self.chat:
            raise InputError("a conversation came for a server of texts; open it with chat=True.")
        if not turns and not isinstance(item, str):
            raise InputError(
                f"an item of type {type(item).__name__} came; a text"
                f"{' or a conversation' if self.chat else ''} is needed."
            )

    def _said(self, item: Any, tail: str) -> dict[str, Any]:
        if not self.chat:
            return {"prompt": item + tail}
        turns = [Message("user", item)] if isinstance(item, str) else list(item)
        if self.system is not None:
            turns.insert(0, Message("system", self.system))
        if tail and turns and turns[-1].role == "assistant":
            turns[-1] = Message("assistant", turns[-1].content + tail)  # gone on with, not anew
        elif tail:
            turns.append(Message("assistant", tail))
        return {"messages": [{"role": one.role, "content": one.content} for one in turns]}

    def _form(self) -> dict[str, Any]:
        if self.form == "prompt_logprobs":
            open_end = {"add_generation_prompt": False, "continue_final_message": True}
            return {"prompt_logprobs": 0} | (open_end if self.chat else {})
        if self.form == "echo":
            return {"echo": True, "logprobs": 1}
        if self.form == "top":
            asked = {"logprobs": True, "top_logprobs": self.top}
            return asked if self.chat else {"logprobs": self.top}
        return {}


def length(item: Any) -> int:
    """Characters of a text, or of all turns of a conversation."""
    return len(item) if isinstance(item, str) else sum(len(one.content) for one in item)
