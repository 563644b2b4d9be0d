"""Holds samplers of uniform masks: independent, or in pairs with their complements.

They do not know what will be fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whence import masks
from whence.masks import Masks
from whence.samples import Samples


@dataclass(frozen=True)
class Uniform:
    """Distinct masks, uniform over all masks not seen yet.

    Under uniform masks the Fourier terms are orthonormal, which is what the held-out R² of an
    Explanation is measured with.
    """

    def __call__(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """At most `budget` new masks `(b, n)`."""
        return masks.uniform(n, budget, rng, avoid=seen.masks)


@dataclass(frozen=True)
class Antithetic:
    """Distinct masks in pairs: each with its complement, as far as neither was seen.

    Pairing cancels every term of even size in differences between the two, so it serves odd
    targets: Shapley and Banzhaf values. It is neutral for the fit itself.

    Source:
        Covert and Lee (2021), paired sampling.
    """

    def __call__(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """At most `budget` new masks `(b, n)`, a mask next to its complement."""
        avoid = np.concatenate([seen.masks, ~seen.masks, masks.ends(n)])
        # One unit is held present, so that each pair {S, complement of S} is drawn once.
        half = masks.uniform(n - 1, budget // 2 + len(avoid), rng)
        half = np.concatenate([np.ones((len(half), 1), dtype=np.bool_), half], axis=1)
        half = half[~masks.among(half, avoid)][: budget // 2]
        flip = rng.random(len(half)) < 0.5
        half = half ^ flip[:, None]
        return np.stack([half, ~half], axis=1).reshape(-1, n)
