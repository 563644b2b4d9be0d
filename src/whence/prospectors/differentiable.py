"""Holds the map as a torch function: of codes, of weights and of what the codes are made from.

It computes what `counting.token_map` computes, on the device and in the precision of its input,
and everything has a gradient. It does not know how weights are fitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from whence.errors import InputError
from whence.prospectors.layouts import Layout

if TYPE_CHECKING:
    import torch


def reach_tensor(layout: Layout, size: int, r: int, like: torch.Tensor) -> torch.Tensor:
    """N_r as a sparse tensor `(size, size)`, on the device and in the precision of `like`.

    Make it once per bag, and use it in as many maps as there are steps. All of N_r is in memory:
    24 bytes an entry in double precision.

    Raises:
        InputError: a layout of another size, or r that is negative or not whole.
    """
    import torch

    reach = layout.reach(size, r).tocoo()
    places = torch.from_numpy(np.stack(reach.coords).astype(np.int64))
    values = torch.from_numpy(reach.data).to(like.dtype)
    # A reach is sorted and has every entry once, so there is nothing to check or to add up.
    made = torch.sparse_coo_tensor(
        places, values, (size, size), check_invariants=False, is_coalesced=True
    )
    return made.to(like.device)


def soft_codes(
    embeddings: torch.Tensor, centers: torch.Tensor, gap: float, softness: float = 1.0
) -> torch.Tensor:
    """Codes `(N, k)` of embeddings `(N, d)` for centers `(k, d)`: shares that sum to 1.

    `C_vc ∝ exp(-(d²_vc - min_c d²_vc) / (softness · gap))`, the soft codes of `KMeans` with its
    `centers_` and `gap_`.

    Args:
        gap: a squared distance, larger than 0.
        softness: a temperature, larger than 0: one-hot codes have no gradient.

    Raises:
        InputError: embeddings and centers of different dimensions, or gap or softness not
            larger than 0.
    """
    import torch

    if embeddings.ndim != 2 or centers.ndim != 2 or embeddings.shape[1] != centers.shape[1]:
        raise InputError(
            f"embeddings {tuple(embeddings.shape)} and centers {tuple(centers.shape)} came; they "
            "must be (tokens, d) and (concepts, d)."
        )
    if not gap > 0 or not softness > 0:
        raise InputError(
            f"gap={gap} and softness={softness} came; both must be larger than 0 for codes with "
            "a gradient."
        )
    # |e|² is the same for every concept of a token and drops out of the softmax.
    distance = (centers * centers).sum(1) - 2 * embeddings @ centers.T
    return torch.softmax(-distance / (softness * gap), dim=1)


def token_map(
    codes: torch.Tensor, reach: torch.Tensor, w: torch.Tensor, W: torch.Tensor
) -> torch.Tensor:
    """`P = C w + rowsum((C W) ∘ (N_r C))`, `(N,)`, or `(N, c)` for weights of c classes.

    Args:
        codes: C `(N, k)`.
        reach: N_r, a tensor `(N, N)`, sparse (`reach_tensor`) or dense.
        w: `(k,)` or `(k, c)`, as `counting.weights` gives them.
        W: `(k, k)` or `(k, k, c)`, symmetric.

    Raises:
        InputError: shapes that do not belong together.
    """
    import torch

    _check_shapes(codes, reach, w, W)
    around = torch.sparse.mm(reach, codes) if reach.is_sparse else reach @ codes
    if w.ndim == 1:
        return codes @ w + ((codes @ W) * around).sum(1)
    pairs = [((codes @ W[:, :, c]) * around).sum(1) for c in range(w.shape[1])]
    return codes @ w + torch.stack(pairs, dim=1)


def _check_shapes(
    codes: torch.Tensor, reach: torch.Tensor, w: torch.Tensor, W: torch.Tensor
) -> None:
    """They are of N tokens, k concepts and, if there are several, c classes."""
    size, k = codes.shape if codes.ndim == 2 else (-1, -1)
    fits = w.ndim in (1, 2) and len(w) == k and tuple(W.shape) == (k, *w.shape)
    if codes.ndim != 2 or not fits or tuple(reach.shape) != (size, size):
        raise InputError(
            f"codes {tuple(codes.shape)}, reach {tuple(reach.shape)}, w {tuple(w.shape)} and W "
            f"{tuple(W.shape)} came; they must be (N, k), (N, N), (k,) and (k, k), the last two "
            "with one more axis for several classes."
        )
