"""Holds what every adapter of a torch module needs: its fingerprint, its device, and its quiet.

It does not know what a module computes, nor what an item is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator
from contextlib import contextmanager
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from whence.errors import MissingExtra

CHUNK = 1 << 24
"""Bytes of a tensor that are summed at a time."""

# Odd 64-bit constants, as signed integers: those of splitmix64, whose mixing is used below.
STEP, FIRST, SECOND = -7046029254386353131, -4658895280553007687, -7723592293110705685

# Of each module that is held still: how many hold it, and which of its parts were in training.
_STILL: WeakKeyDictionary[Any, tuple[int, list[Any]]] = WeakKeyDictionary()
_LOCK = Lock()


def require() -> Any:
    """The torch module.

    Raises:
        MissingExtra: torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtra(
            'torch is not installed, and this adapter needs it: pip install "whence[torch]"'
        ) from error
    return torch


def device_of(module: Any) -> Any:
    """Where a module reads its input: the device of its first parameter or buffer in memory.

    Of a model spread over devices, give the input embeddings.
    """
    torch = require()
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.device.type != "meta":
            return tensor.device
    return torch.device("cpu")


@contextmanager
def evaluating(module: Any) -> Generator[None]:
    """Within, nothing drops out and nothing is differentiated; after, all is as it was found.

    Every submodule's own mode is put back, also when an exception passes; where several threads
    hold a module, when the last lets go. Not to be held over a `yield`: what a caller does
    meanwhile would run in inference mode too.
    """
    torch = require()
    _hold(module)
    try:
        with torch.inference_mode():
            yield
    finally:
        _let_go(module)


def _hold(module: Any) -> None:
    with _LOCK:
        holders, found = _STILL.get(module, (0, []))
        if not holders:
            found = [part for part in module.modules() if part.training]
        for part in found:
            part.training = False
        _STILL[module] = (holders + 1, found)


def _let_go(module: Any) -> None:
    with _LOCK:
        holders, found = _STILL.pop(module)
        if holders > 1:
            _STILL[module] = (holders - 1, found)
            return
        for part in found:
            part.training = True


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that a device, or the machine, has no memory left."""
    if isinstance(error, MemoryError | require().OutOfMemoryError):
        return True
    told = str(error)
    return isinstance(error, RuntimeError) and (
        "out of memory" in told.lower() or "DefaultCPUAllocator" in told
    )


def fingerprint(module: Any, *said: str) -> str | None:
    """A hash of all that a module has learned, the same on every device.

    Every byte of every parameter and buffer counts, with its place, as do names, types and
    shapes. The tensors are read where they are; only two numbers of each are copied.

    Args:
        module: the module; it is not changed.
        said: what else tells it from others, such as its configuration.

    Returns:
        64 hexadecimal digits, equal only for modules of one class with equal tensors; None where
        a tensor is not in memory (on torch's "meta" device, as offloaded weights are).
    """
    named = [
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ]
    if any(tensor.device.type == "meta" for _, tensor in named):
        return None
    known: dict[int, list[int]] = {}
    tensors: list[tuple[str, str, list[int], list[int]]] = []
    for name, tensor in named:
        if id(tensor) not in known:
            known[id(tensor)] = _sums(tensor)
        tensors.append((name, str(tensor.dtype), list(tensor.shape), known[id(tensor)]))
    kind = f"{type(module).__module__}.{type(module).__qualname__}"
    told = json.dumps([kind, list(said), tensors])
    return hashlib.sha256(told.encode("utf-8")).hexdigest()


def _sums(tensor: Any) -> list[int]:
    """Two 64-bit sums over a tensor's words of eight bytes, each mixed with its place.

    Source: the mixing is the finaliser of splitmix64 (Steele, Lea and Flood, 2014), with
    arithmetic shifts. Sums wrap around, so that their order does not matter.
    """
    torch = require()
    with torch.inference_mode():
        data = tensor.detach().reshape(-1).contiguous().view(torch.uint8)
        plain, weighted = 0, 0
        for start in range(0, data.numel(), CHUNK):
            piece = data[start : start + CHUNK]
            words = torch.zeros(-(-piece.numel() // 8), dtype=torch.int64, device=data.device)
            words.view(torch.uint8)[: piece.numel()] = piece
            place = torch.arange(words.numel(), device=data.device) + (start // 8 + 1)
            words += place * STEP
            words.bitwise_xor_(words >> 30).mul_(FIRST)
            words.bitwise_xor_(words >> 27).mul_(SECOND)
            plain += int(words.sum())
            weighted += int((words * place).sum())
    return [plain % 2**64, weighted % 2**64]
