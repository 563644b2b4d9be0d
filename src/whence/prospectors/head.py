"""Holds Prospector and ProspectorRegressor: heads that learn a map from bags and coarse labels.

They follow scikit-learn's conventions, over bags in place of rows. They do not know how bags were
encoded, nor how maps are drawn.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin

from whence.errors import InputError
from whence.prospectors._base import Head
from whence.prospectors._fitting import Progress
from whence.prospectors._training import train
from whence.prospectors.bags import Bag, as_bags

Floats = NDArray[np.float64]


class Prospector(ClassifierMixin, Head):
    """Where in a bag is what marks its class; learned from the bags' labels alone.

    Every token gets codes of k concepts; concepts and pairs of concepts within r hops are counted
    per bag; a kernel weighs the counts by what tells the classes apart. The map of a token is the
    weight of its concepts plus that of its pairs, `P = C w + rowsum((C W) ∘ (N_r C))`, and the
    bag's margin is the sum of the map over Z, its tokens and ordered pairs.

    Nothing depends on the order of the bags but the draws of folds, resamples and a quantizer's
    sample, which are seeded. The concepts are learned from all training tokens, without labels,
    once; left-out bags are left out of the weights.

    Args:
        k: concepts, when `quantizer` is None and tokens are embeddings.
        r: hops within which two tokens make a pair; 0 has no pairs.
        kernel: a name in `whence.prospectors.kernels.KERNELS`, or a Kernel; None takes "ridge"
            for embeddings and "welch" for names, which did best on ours.
        softness: of the concepts, see `KMeans`; 0 is one nearest concept per token.
        quantizer: learns the concepts; None takes KMeans for embeddings, Categories for names. A
            fitted one is used as it is (wrap it in scikit-learn's `FrozenEstimator` to keep it
            fitted through `clone`), any other is cloned first.
        linear: None, or a linear term on the embeddings beside the concepts: "token", "bag" or
            "instance" (see `whence.prospectors.linear`), or "auto" for all three (of numbers, the
            second). Terms and concepts are weighed by left-out maps, see `shares_`; weights are
            then per spread of each member's map. "auto" leaves names without one.
        smoothing: hops over which `Map.smoothed` averages, or "cv": 0 or 1, whichever left-out
            maps tell bags apart better by their largest tenth.
        bootstrap: resamples of the training bags (of groups, where given) for standard errors,
            with the concepts held fixed; 0 gives none.
        cv: folds of the performance that is shown beside every map, and of the margins that
            probabilities are calibrated on; 0 leaves both out.
        seed: of the concepts, folds and resamples.

    Attributes:
        classes_: the labels, sorted. The others are those of `whence.prospectors._base.Head`.

    Source:
        Machiraju et al., Prospector Heads (ICML 2024). Departures: soft concepts, other kernels,
        calibration, errors; kernel "paper" with softness=0 is the published one.
    """

    def fit(self, bags: Any, y: Any, groups: Any = None, progress: Progress | None = None) -> Self:
        """Learn from bags (see `as_bags`) and one label each.

        Args:
            bags: a list, an object array, or any object whose `__iter__` yields one bag at a time
                anew each time; of a stream only counts are kept in memory.
            y: `(b,)` labels of at least two classes.
            groups: one per bag: bags of a group (a patient, a protein family) stay in one fold
                and are resampled together.
            progress: called as `progress(done, total)`, bags read over all passes.

        Raises:
            InputError: one class only, a bag with no tokens, bags and labels of different
                lengths, nan in an embedding, or more concepts than distinct tokens.
        """
        found = train(self._settings(numbers=False), as_bags(bags), y, groups, progress)
        self.classes_ = found.classes
        self._take(found)
        return self

    def decision_function(self, bags: Any) -> Floats:
        """Margins `(b,)` for two classes, `(b, classes)` for more, per unit of Z.

        A margin has no threshold of its own: `predict` decides by calibrated probabilities.
        """
        margins = self._margins(bags)
        return margins[:, 0] if margins.shape[1] == 1 else margins

    def predict_proba(self, bags: Any) -> Floats:
        """Probabilities `(b, classes)`, calibrated on out-of-fold margins.

        A logistic line per column whose slope is never negative; it is 0, and all bags get the
        same answer, where the left-out margins hold no signal. With cv=0 it rests on the margins
        of the training bags themselves, and is too sure.
        """
        margins = self._margins(bags)
        return self.calibration_.probabilities(margins)

    def predict(self, bags: Any) -> NDArray[Any]:
        """The likeliest class of every bag `(b,)`."""
        likeliest = self.predict_proba(bags).argmax(axis=1)
        return self.classes_[likeliest]

    def _output(self, output: Any, bag: Bag | None) -> tuple[int, float, str]:
        classes = self.classes_.tolist()
        if output is None and len(classes) > 2 and bag is None:
            raise InputError(f"more than two classes: give output, one of {classes}.")
        if output is None:
            output = classes[1] if len(classes) == 2 or bag is None else self.predict([bag])[0]
        if output not in classes:
            raise InputError(f"output={output!r} came; the classes are {classes}.")
        place = classes.index(output)
        if len(classes) > 2:
            return place, 1.0, str(output)
        return 0, 1.0 if place else -1.0, str(output)

    def _probability(self, bag: Bag, column: int, sign: float, margin: float) -> float | None:
        if len(self.classes_) > 2:
            return float(self.predict_proba([bag])[0, column])
        both = self.calibration_.probabilities(np.array([[sign * margin]]))[0]
        return float(both[int(sign > 0)])


class ProspectorRegressor(RegressorMixin, Head):
    """`Prospector` for continuous labels; kernels "welch" (the t of a slope) and "ridge".

    Args:
        k, r, kernel, softness, quantizer, linear, smoothing, bootstrap, cv, seed: as there; the
            folds are not stratified.
    """

    def fit(self, bags: Any, y: Any, groups: Any = None, progress: Progress | None = None) -> Self:
        """Learn from bags and one number each; see `Prospector.fit`.

        Raises:
            InputError: as there; labels that are not finite numbers, or all the same.
        """
        self._take(train(self._settings(numbers=True), as_bags(bags), y, groups, progress))
        return self

    def decision_function(self, bags: Any) -> Floats:
        """Margins `(b,)`, per unit of Z; they rank bags, and have no unit."""
        return self._margins(bags)[:, 0]

    def predict(self, bags: Any) -> Floats:
        """Numbers `(b,)` in the labels' units: a line through out-of-fold margins, never falling.

        Where the left-out margins hold no signal it is flat, at the mean label.
        """
        margins = self._margins(bags)
        return self.calibration_.line(margins)[:, 0]

    def _output(self, output: Any, bag: Bag | None) -> tuple[int, float, str]:
        if output is not None:
            raise InputError(f"output={output!r} came; a regressor has one: leave it out.")
        return 0, 1.0, "number"

    def _probability(self, bag: Bag, column: int, sign: float, margin: float) -> float | None:
        return None
