"""Holds the named explainers, each a line and a citation, and the default choice."""

from __future__ import annotations

from collections.abc import Callable

from whence.adaptive import Adaptive
from whence.errors import InputError
from whence.explainer import Choice, Explainer, Paired, Tuned
from whence.samplers.chains import Chains
from whence.samplers.every import Every
from whence.samplers.sizes import EvenSizes
from whence.samplers.spread import Spread
from whence.samplers.uniform import Uniform
from whence.shapley import ShapleyValues
from whence.solvers.flow import ShapleyFlow
from whence.solvers.lasso import Lasso
from whence.solvers.low_degree import LowDegree
from whence.solvers.proxyspex import ProxySpex
from whence.solvers.ridge import Ridge
from whence.solvers.tree_ridge import TreeRidge
from whence.solvers.walsh import Walsh
from whence.solvers.walsh_process import WalshProcess
from whence.spex import Spex
from whence.surrogate import Surrogate


def exact(max_units: int = 20) -> Explainer:
    """Every mask is valued; nothing is estimated. The fast Walsh transform, up to 20 units."""
    return Paired(Every(max_units), Walsh())


def kernel_shap() -> Explainer:
    """Shapley values by weighted regression: Lundberg and Lee (2017).

    With the leverage-score sizes, pairs and sampling without replacement of Musco and Witter
    (2025).
    """
    return Paired(EvenSizes(), LowDegree(1, "shapley"))


def faith_shap(degree: int = 2) -> Explainer:
    """Faith-Shap interactions by regression: Tsai, Yeh and Ravikumar (2023), masks as above."""
    return Paired(EvenSizes(), LowDegree(degree, "shapley"))


def lime() -> Explainer:
    """LIME for text: Ribeiro, Singh and Guestrin (2016); sizes even, exponential kernel, ridge."""
    return Paired(EvenSizes(), LowDegree(1, "lime", ridge=1.0))


def banzhaf() -> Explainer:
    """Banzhaf values by least squares on uniform masks: Hammer and Holzman (1992)."""
    return Paired(Uniform(), LowDegree(1))


def faith(degree: int = 2) -> Explainer:
    """Faith-Banzhaf interactions by least squares: Tsai, Yeh and Ravikumar (2023)."""
    return Paired(Uniform(), LowDegree(degree))


def permutation() -> Explainer:
    """Shapley values from antithetic random orders: Castro, Gomez and Tejada (2009)."""
    return Paired(Chains(), ShapleyFlow())


def lasso(degree: int = 2) -> Explainer:
    """A sparse polynomial by the lasso: Tibshirani (1996), pairs screened when they are many."""
    return Tuned(Uniform(), Lasso(degree))


def ridge(degree: int = 2) -> Explainer:
    """A dense, shrunken polynomial: Hoerl and Kennard (1970), less variance at each degree."""
    return Tuned(Uniform(), Ridge(degree))


def regression() -> Explainer:
    """Exact when the budget covers every mask, else the regression that predicts best.

    Judged by cross-validation on the fitting samples. Lighter than the default and seldom better.
    Not among the candidates: `permutation`, whose chains of masks cannot serve the others, and
    Shapley weights, which fitted uniform masks better in 9 of 399 runs only.
    """
    return Choice(
        Uniform(),
        exact(),
        (LowDegree(1), LowDegree(1, "lime", ridge=4.0), LowDegree(2), LowDegree(3)),
        (
            Ridge(1),
            Lasso(2),
            Ridge(2, decay=0.1),
            Lasso(3),
            Ridge(3, decay=0.1),
            Ridge(3, decay=0.4),
        ),
    )


def process() -> Explainer:
    """The Walsh-kernel Gaussian process alone: every term at once, larger sets smaller."""
    return Paired(Spread(), WalshProcess())


def tree_ridge() -> Explainer:
    """A ridge on the Fourier spectrum of boosted trees, which sets the prior."""
    return Paired(Spread(), TreeRidge())


def proxyspex() -> Explainer:
    """ProxySPEX, boosted trees read as a sparse Fourier function: Butler and others (2025)."""
    return Paired(Uniform(), ProxySpex())


def spex() -> Explainer:
    """SPEX, coded masks decoded as an error-correcting code: Kang and others (2025)."""
    return Spex()


def default() -> Explainer:
    """Exact when the budget covers every mask, else a blend of fits that predicts best.

    Additive and polynomial fits, the Walsh-kernel Gaussian process with and without a learned
    link, and a ridge on a tree spectrum, each judged by cross-validation; see `whence.surrogate`.
    """
    return Surrogate()


def adaptive() -> Explainer:
    """The default asked in rounds: the last half of the masks where the fit is least sure."""
    return Adaptive()


def shapley() -> Explainer:
    """Shapley values in few masks: the blend on masks of even sizes, corrected by Kernel SHAP.

    Read the values held to the two ends, as `Explanation.attributions` gives them. For the fit
    under uniform masks the default is better.
    """
    return ShapleyValues()


def lean() -> Explainer:
    """Single units only, with a small ridge: the fit for when there is no time for another."""
    return Paired(Uniform(), LowDegree(1, ridge=4.0))


#: Name -> maker, as the command line and `explain(explainer="name")` know them.
RECIPES: dict[str, Callable[[], Explainer]] = {
    "default": default,
    "exact": exact,
    "kernel_shap": kernel_shap,
    "faith_shap": faith_shap,
    "lime": lime,
    "banzhaf": banzhaf,
    "faith": faith,
    "permutation": permutation,
    "lasso": lasso,
    "ridge": ridge,
    "regression": regression,
    "adaptive": adaptive,
    "shapley": shapley,
    "process": process,
    "tree_ridge": tree_ridge,
    "proxyspex": proxyspex,
    "spex": spex,
}


def named(name: str) -> Explainer:
    """The explainer of that name; a degree may follow: "faith:3", "lasso:3", "faith_shap:1".

    Raises:
        InputError: no such explainer, or a degree that is no number or not taken.
    """
    key, _, degree = name.lower().replace("-", "_").partition(":")
    if key not in RECIPES:
        raise InputError(f"explainer {name!r} came; there are {', '.join(RECIPES)}.")
    if not degree:
        return RECIPES[key]()
    graded: dict[str, Callable[[int], Explainer]] = {
        "faith": faith,
        "faith_shap": faith_shap,
        "lasso": lasso,
        "ridge": ridge,
    }
    if key not in graded or not degree.isdigit():
        raise InputError(
            f"explainer {name!r} came; a degree follows only {', '.join(graded)}, as in 'faith:3'."
        )
    return graded[key](int(degree))
