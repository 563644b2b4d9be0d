"""The torch map: equal to the numpy one, with gradients that finite differences confirm."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prospectors.test_layouts import layouts
from whence.errors import InputError
from whence.prospectors import counting
from whence.prospectors.layouts import Grid, Sequence

torch = pytest.importorskip("torch")
from whence.prospectors import differentiable  # noqa: E402  it is of use only with torch

K = 3


def tensors(layout, size, r, seed, classes=()):
    """Codes, N_r, w, W as double tensors, and the flat weights they come from."""
    rng = np.random.default_rng(seed)
    codes = torch.from_numpy(rng.dirichlet(np.ones(K), size))
    flat = rng.normal(size=(counting.width(K, 1), *classes))
    w, W = map(torch.from_numpy, counting.weights(flat, K))
    return codes, differentiable.reach_tensor(layout, size, r, codes), w, W, flat


@given(layouts, st.integers(1, 3), st.integers(0, 2**32 - 1), st.sampled_from([(), (2,)]))
@settings(max_examples=40)
def test_torch_and_numpy_maps_are_equal(laid, r, seed, classes):
    """In double precision both maps agree to 1e-10, for one class and for several."""
    layout, size = laid
    codes, reach, w, W, flat = tensors(layout, size, r, seed, classes)
    got = differentiable.token_map(codes, reach, w, W).numpy()
    wanted = counting.token_map(codes.numpy(), layout, r, flat)
    np.testing.assert_allclose(got, wanted, atol=1e-10)


@pytest.mark.parametrize("classes", [(), (2,)])
def test_gradients_of_the_map_are_right(classes):
    """The map's gradients by codes and by both weights equal finite differences."""
    codes, reach, w, W, _ = tensors(Grid(3, 3), 9, 1, 0, classes)
    for part in (codes, w, W):
        part.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda c, a, b: differentiable.token_map(c, reach, a, b), (codes, w, W)
    )


def test_gradients_reach_the_embeddings():
    """Through soft codes the map's gradients by embeddings and centers equal differences."""
    rng = np.random.default_rng(1)
    _, reach, w, W, _ = tensors(Sequence(2), 6, 1, 1)
    embeddings = torch.from_numpy(rng.normal(size=(6, 4))).requires_grad_()
    centers = torch.from_numpy(rng.normal(size=(K, 4))).requires_grad_()

    def mapped(e, c):
        return differentiable.token_map(differentiable.soft_codes(e, c, 1.5, 0.7), reach, w, W)

    assert torch.autograd.gradcheck(mapped, (embeddings, centers))


def test_soft_codes_are_the_formula():
    """Shares fall off with the squared distance over the nearest center's, and sum to 1."""
    rng = np.random.default_rng(2)
    e, c = rng.normal(size=(7, 4)), rng.normal(size=(K, 4))
    squared = ((e[:, None] - c[None]) ** 2).sum(2)
    wanted = np.exp(-(squared - squared.min(1, keepdims=True)) / (0.5 * 2.0))
    wanted /= wanted.sum(1, keepdims=True)
    got = differentiable.soft_codes(torch.from_numpy(e), torch.from_numpy(c), 2.0, 0.5)
    np.testing.assert_allclose(got.numpy(), wanted, atol=1e-12)


def test_the_map_keeps_precision_and_leaves_no_trace():
    """Single precision stays single, and torch's global random state is not touched."""
    state = torch.random.get_rng_state()
    codes = torch.full((4, K), 1 / K)
    reach = differentiable.reach_tensor(Sequence(), 4, 1, codes)
    got = differentiable.token_map(codes, reach, torch.ones(K), torch.zeros(K, K))
    assert (reach.dtype, got.dtype) == (torch.float32, torch.float32)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_dense_reach_does_too():
    """N_r may be a dense tensor."""
    codes, reach, w, W, _ = tensors(Grid(2, 3), 6, 1, 3)
    got = differentiable.token_map(codes, reach.to_dense(), w, W)
    torch.testing.assert_close(got, differentiable.token_map(codes, reach, w, W))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_map_is_made_where_its_codes_are():
    """On a GPU the map equals the one made on the CPU."""
    codes, reach, w, W, _ = tensors(Grid(5, 5), 25, 2, 4)
    there = codes.cuda().requires_grad_()
    far = differentiable.reach_tensor(Grid(5, 5), 25, 2, there)
    got = differentiable.token_map(there, far, w.cuda(), W.cuda())
    got.sum().backward()
    assert (got.is_cuda, there.grad.is_cuda) == (True, True)
    torch.testing.assert_close(got.detach().cpu(), differentiable.token_map(codes, reach, w, W))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda e: differentiable.soft_codes(e, e[:, :2], 1.0), r"\(5, 3\) and centers \(5, 2\)"),
        (lambda e: differentiable.soft_codes(e, e, 0.0), "gap=0.0"),
        (lambda e: differentiable.soft_codes(e, e, 1.0, 0.0), "softness=0.0"),
        (lambda e: differentiable.token_map(e, e, e[0], e), r"reach \(5, 3\)"),
        (lambda e: differentiable.reach_tensor(Grid(2, 2), 5, 1, e), "5 tokens"),
    ],
)
def test_tensors_that_do_not_belong_together_are_refused(call, said):
    """Shapes that do not fit, and codes without a gradient, are refused by name."""
    with pytest.raises(InputError, match=said):
        call(torch.ones(5, 3))
