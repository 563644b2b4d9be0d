"""Holds refused: a failed request as an error that says what to do, and never holds the key.

It does not know how requests are sent or repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from whence.errors import InputError, ModelError, WhenceError

if TYPE_CHECKING:
    from whence.adapters.openai.client import Ask, Server

#: The longest part of a server's own words that is passed on.
WORDS = 400


class Refusal(InputError):
    """A request that the server will not answer as it came, whoever asks: another form may do.

    Attributes:
        status: the HTTP status, 400 and the like.
    """

    status: int = 400


def scrubbed(text: str, key: str) -> str:
    """The text without the key, wherever a server may have put it."""
    return text.replace(key, "[key]") if len(key) > 4 else text


def refused(error: Exception, server: Server, ask: Ask, known: Sequence[str] | None) -> WhenceError:
    """What to raise for a request that failed for good.

    Args:
        error: what the official client raised, or TimeoutError.
        server: who was asked.
        ask: what was asked.
        known: the models that the server says it has, where that was looked up.
    """
    from openai import APIConnectionError, APIStatusError, APITimeoutError

    if isinstance(error, APITimeoutError | TimeoutError):
        return ModelError(
            f"{server.base_url} gave no whole answer within {server.timeout:g} s"
            f"{_tries(server)}. Raise timeout=, or ask less at once with concurrency=."
        )
    if isinstance(error, APIConnectionError):
        return unreached(error.__cause__ or error, server, server.retries + 1)
    if isinstance(error, APIStatusError):
        return _by_status(error, server, ask, known)
    return ModelError(f"asking {server.base_url} failed: {_words(error, server)}.")


def unreached(error: BaseException, server: Server, tries: int) -> ModelError:
    """What to raise where no connection was made, or none held, however often it was tried."""
    return ModelError(
        f"{server.base_url} cannot be reached, or broke off{_times(tries)}: "
        f"{_words(error, server)}. Start the server, or correct base_url=."
    )


def _tries(server: Server) -> str:
    return _times(server.retries + 1)


def _times(tries: int) -> str:
    return f", asked {tries} times" if tries > 1 else ""


def _words(error: BaseException, server: Server) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return scrubbed(text, server.key())[:WORDS]


def _by_status(error: Any, server: Server, ask: Ask, known: Sequence[str] | None) -> WhenceError:
    status, model = int(error.status_code), str(ask.body["model"])
    said = f"{server.base_url} answered {status}: {_words(error, server)}."
    if status in (401, 403):
        return _by_key(status, server, model)
    if status == 404 and known and model not in known:
        more = ", ..." if len(known) > 20 else ""
        return InputError(
            f"{server.base_url} has no model {model!r}; it has {', '.join(known[:20])}{more}."
        )
    if status == 429:
        return ModelError(
            f"{said} That is its rate limit{_tries(server)}{_wait(error)}. Lower concurrency=, "
            "raise retries=, or go on later: what a journal holds is not asked again."
        )
    if status >= 500 and status != 501:
        return ModelError(f"{said} It failed{_tries(server)}. See the server's own log.")
    return _refusal(status, said, ask.path)


def _by_key(status: int, server: Server, model: str) -> InputError:
    named = f"the environment variable {server.key_variable}"
    came = f"{server.base_url} refused the key in {named} ({status})."
    if not server.keyed:
        came = (
            f"{server.base_url} refused a request without a key ({status}): {named} is not set, "
            "or is empty."
        )
    return InputError(
        f"{came} Set it to a key that may use {model!r}, or name another variable with "
        "key_variable=."
    )


def _wait(error: Any) -> str:
    asked = error.response.headers.get("retry-after")
    return f"; it asks to wait {asked[:40]} (seconds, or until then)" if asked else ""


def _refusal(status: int, said: str, path: str) -> Refusal:
    hint = (
        "Shorten the text if it is too long for the model (nothing is ever cut here), or correct "
        "the request with extra=; a field set to None there is left out."
    )
    if status in (404, 405):
        hint = (
            f"There may be no /{path} there: base_url= often ends in /v1, and a model that only "
            "chats needs chat=."
        )
    made = Refusal(f"{said} {hint}")
    made.status = status
    return made
