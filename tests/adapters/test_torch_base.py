"""Facts about what every adapter of a torch module needs: fingerprints, devices and modes."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

torch = pytest.importorskip("torch")

from whence.adapters import _torch  # noqa: E402
from whence.adapters._torch import (  # noqa: E402
    device_of,
    evaluating,
    fingerprint,
    out_of_memory,
    require,
)
from whence.errors import MissingExtra  # noqa: E402


def module(*tensors: Any) -> Any:
    """A module whose buffers are some tensors."""
    made = torch.nn.Module()
    for i, one in enumerate(tensors):
        made.register_buffer(f"b{i}", torch.as_tensor(one))
    return made


def net() -> Any:
    """A small net with layers that know modes, the same every time."""
    made = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 2)
    )
    with torch.no_grad():
        for one in made.parameters():
            one.copy_(torch.linspace(-1, 1, one.numel()).reshape(one.shape))
    return made


def test_equal_modules_have_one_fingerprint() -> None:
    """A copy has the same fingerprint, whatever its mode and its gradients."""
    first, again = net(), copy.deepcopy(net())
    again.eval()
    for one in again.parameters():
        one.requires_grad_(False)
    assert fingerprint(first) == fingerprint(again)
    assert len(fingerprint(first) or "") == 64


@given(
    arrays.arrays(np.uint8, st.integers(1, 70)),
    st.data(),
)
def test_every_byte_counts(values: np.ndarray, data: st.DataObject) -> None:
    """Another value of any one byte gives another fingerprint."""
    other = values.copy()
    at = data.draw(st.integers(0, len(values) - 1))
    other[at] ^= data.draw(st.integers(1, 255))
    assert fingerprint(module(values)) != fingerprint(module(other))


@given(st.permutations(range(12)))
def test_the_order_of_values_counts(order: list[int]) -> None:
    """The same values in another order, within a tensor or between two, are another module."""
    values = torch.arange(12.0)
    moved = values[order]
    same = order == list(range(12))
    assert (fingerprint(module(values)) == fingerprint(module(moved))) == same
    halves = fingerprint(module(values[:6], values[6:]))
    assert (halves == fingerprint(module(moved[:6], moved[6:]))) == same


def test_changes_that_leave_plain_sums_alone_count() -> None:
    """A change that neither a sum nor a sum weighted by place would see is seen."""
    before = torch.tensor([5, 5, 5, 5], dtype=torch.int64)
    after = torch.tensor([6, 3, 6, 5], dtype=torch.int64)
    assert fingerprint(module(before)) != fingerprint(module(after))


def test_names_types_shapes_classes_and_configurations_count() -> None:
    """Tensors of the same bytes differ by name, type and shape, modules by class and words."""
    zeros = torch.zeros(8, dtype=torch.int32)
    named = torch.nn.Module()
    named.register_buffer("other", zeros)
    parameter = torch.nn.Module()
    parameter.weight = torch.nn.Parameter(torch.zeros(8))
    made = [
        fingerprint(module(zeros)),
        fingerprint(module(zeros.float())),
        fingerprint(module(zeros.reshape(2, 4))),
        fingerprint(module(zeros.reshape(4, 2))),
        fingerprint(module(zeros[:4], zeros[4:])),
        fingerprint(module(zeros), "theta=1"),
        fingerprint(named),
        fingerprint(parameter),
        fingerprint(torch.nn.Linear(1, 1, bias=False)),
    ]
    assert len(set(made)) == len(made)


def test_a_fingerprint_does_not_depend_on_how_memory_is_laid_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Strides, offsets and the size of the pieces that are summed do not count."""
    values = torch.arange(60.0).reshape(6, 10)
    needed = fingerprint(module(values))
    assert fingerprint(module(values.T.contiguous().T)) == needed
    shifted = torch.cat([torch.zeros(1), values.flatten()])[1:].reshape(6, 10)
    assert fingerprint(module(shifted)) == needed
    monkeypatch.setattr(_torch, "CHUNK", 16)
    assert fingerprint(module(values)) == needed


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "float16", "int8", "bool", "complex64"])
def test_tensors_of_all_types_are_read(kind: str) -> None:
    """Every type of number has a fingerprint, of scalars and of nothing too."""
    dtype = getattr(torch, kind)
    ones, none = torch.ones(3, dtype=dtype), torch.ones(0, dtype=dtype)
    made = {fingerprint(module(one)) for one in (ones, ones[0], none, torch.zeros_like(ones))}
    assert len(made) == 4
    assert None not in made


def test_tied_weights_count_under_both_names() -> None:
    """A module whose two layers are one tensor has a fingerprint unlike one with a single layer."""
    first, second = torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 2, bias=False)
    second.weight = first.weight
    tied = torch.nn.Sequential(first, second)
    apart = copy.deepcopy(tied)
    apart[1].weight = torch.nn.Parameter(first.weight.detach().clone())
    assert fingerprint(tied) == fingerprint(apart)
    assert fingerprint(tied) != fingerprint(torch.nn.Sequential(first))


def test_weights_that_are_not_in_memory_have_no_fingerprint() -> None:
    """A module on torch's meta device, as offloaded ones are, is known by none."""
    assert fingerprint(torch.nn.Linear(2, 2, device="meta")) is None


def test_a_fingerprint_changes_nothing() -> None:
    """The tensors, their gradients and the random state are as before."""
    made = net()
    made(torch.ones(5, 3)).sum().backward()
    before = copy.deepcopy([(one, one.grad) for one in made.parameters()])
    drawn = torch.random.get_rng_state()
    fingerprint(made)
    for (one, grad), now in zip(before, made.parameters(), strict=True):
        assert torch.equal(one, now)
        assert torch.equal(grad, now.grad)
    assert torch.equal(drawn, torch.random.get_rng_state())


def test_modes_are_restored_module_by_module() -> None:
    """Inside everything evaluates without gradients; after, each has its own mode again."""
    made = net()
    made.train()
    made[1].eval()
    modes = [part.training for part in made.modules()]
    with evaluating(made):
        assert not any(part.training for part in made.modules())
        assert torch.is_inference_mode_enabled()
        assert not made(torch.ones(2, 3)).requires_grad
    assert [part.training for part in made.modules()] == modes
    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()


def test_modes_are_restored_when_an_exception_passes() -> None:
    """An error inside leaves each mode as it was found."""
    made = net()
    made[2].eval()
    modes = [part.training for part in made.modules()]
    with pytest.raises(ZeroDivisionError), evaluating(made):
        raise ZeroDivisionError
    assert [part.training for part in made.modules()] == modes
    assert not torch.is_inference_mode_enabled()


def test_modes_come_back_when_the_last_of_several_lets_go() -> None:
    """Held twice, as by two threads, a module evaluates until neither holds it."""
    made = net().train()
    with evaluating(made):
        with evaluating(made):
            assert not made.training
        assert not made.training
    assert all(part.training for part in made.modules())


def test_evaluating_does_not_count_a_batch() -> None:
    """A batch norm's statistics are those it had before."""
    made = net().train()
    before = fingerprint(made)
    with evaluating(made):
        made(torch.ones(4, 3) * 9)
    assert fingerprint(made) == before


def test_the_device_is_that_of_the_first_tensor() -> None:
    """Of parameters before buffers, in memory before meta, and the processor for none."""
    assert device_of(net()).type == "cpu"
    assert device_of(torch.nn.Identity()).type == "cpu"
    spread = torch.nn.Sequential(torch.nn.Linear(2, 2, device="meta"), torch.nn.Linear(2, 2))
    assert device_of(spread).type == "cpu"


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate"), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_says_that_memory_is_full(error: Exception, is_one: bool) -> None:
    """Errors of devices and of the processor's allocator are known, others are not taken for it."""
    assert out_of_memory(error) == is_one


def test_the_processors_allocator_says_so_indeed() -> None:
    """A tensor that no machine can hold raises an error that is known."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 58, dtype=torch.float64)
    assert out_of_memory(caught.value)


def test_a_missing_torch_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch the error says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(MissingExtra, match=r'pip install "whence\[torch\]"'):
        require()
