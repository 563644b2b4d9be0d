"""Holds the kernels: weights of concepts and pairs from the bags' counts and labels.

A kernel turns frequencies `(b, p)` (counts over the bag's normaliser) and labels into weights
`(p, c)` in count units, so that a bag's margin is `frequencies @ weights`. It does not know what
is counted, nor how the weights become a map.
"""

from __future__ import annotations

from whence.errors import InputError
from whence.prospectors._elastic import ElasticNet, PaperElasticNet
from whence.prospectors._paper import Paper
from whence.prospectors._ratios import Dirichlet, FoldChange
from whence.prospectors._resampling import bootstrapped
from whence.prospectors._ridge import Ridge
from whence.prospectors._weights import Kernel, Weights
from whence.prospectors._welch import Welch

__all__ = [
    "KERNELS",
    "Dirichlet",
    "ElasticNet",
    "FoldChange",
    "Kernel",
    "Paper",
    "PaperElasticNet",
    "Ridge",
    "Weights",
    "Welch",
    "bootstrapped",
    "named",
]

#: The kernels by name, with their defaults; `KERNELS["welch"]` is `Welch()`.
KERNELS: dict[str, Kernel] = {
    "welch": Welch(),
    "ridge": Ridge(),
    "dirichlet": Dirichlet(),
    "fold-change": FoldChange(),
    "elastic-net": ElasticNet(),
    "paper": Paper(),
    "paper-elastic-net": PaperElasticNet(),
}


def named(kernel: str | Kernel) -> Kernel:
    """The kernel of that name, or the kernel itself.

    Raises:
        InputError: a name that `KERNELS` does not have, or something that cannot be called.
    """
    if isinstance(kernel, str) and kernel in KERNELS:
        return KERNELS[kernel]
    if isinstance(kernel, str) or not callable(kernel):
        raise InputError(
            f"kernel={kernel!r} came; it is one of {', '.join(map(repr, KERNELS))}, or a callable "
            "of frequencies (b, p) and targets (b, c) that returns Weights."
        )
    return kernel
