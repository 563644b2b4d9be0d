"""Fixtures of the tests of served models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from adapters.openai.stories import local


@pytest.fixture(scope="session")
def stories() -> tuple[Any, Any]:
    """The model stories260K and its tokenizer, in this process."""
    return local()


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No key, address or proxy from the machine that runs the tests."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return
