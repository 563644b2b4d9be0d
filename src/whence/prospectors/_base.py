"""Holds Head: what a classifying and a numbering head share, arguments and being read.

It does not know how a head is fitted, nor how maps are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from whence.dictionaries.quantizer import Quantizer
from whence.errors import InputError
from whence.explanation import Explanation
from whence.prospectors import explanation, tables
from whence.prospectors._fitting import counted, first_of
from whence.prospectors._members import margins
from whence.prospectors._reading import Reader, mapped
from whence.prospectors._training import Settings, Trained
from whence.prospectors.bags import Bag, as_bags
from whence.prospectors.calibration import Calibration
from whence.prospectors.folds import Performance
from whence.prospectors.kernels import Kernel
from whence.prospectors.maps import Map
from whence.prospectors.tables import Column, Entry, Exemplar
from whence.setfunction import SetFunction

Floats = NDArray[np.float64]

#: Arrays by name and plain JSON.
Extra = tuple[dict[str, NDArray[Any]], dict[str, Any]]

#: Said beside every map of a head whose performance was not measured.
UNMEASURED = "bag performance was not measured (cv=0), so nothing says that the map can be trusted"


class Head(BaseEstimator):
    """Abstract: the fitted attributes and the reading methods, which no head overrides.

    Attributes:
        quantizer_: fitted.
        kernel_: the kernel that was used, a name or a Kernel.
        kind_: what tokens must be, see `Bag.kind`.
        r_: the hops it was fitted with.
        weights_: `(p, c)` of the k concepts, then of the pairs, in count units; one column for
            two classes (the second against the first) and for numbers, else one per class.
        spread_: `(p,)` standard deviation of the frequencies over the training bags.
        errors_: `(p, c)` standard errors over resampled bags, the concepts held fixed, or None.
        p_values_: `(p, c)` of the kernel; None where it has none, and where groups have several
            bags, for its tests take bags as independent.
        q_values_: `(p, c)` adjusted for how many features were tested, or None.
        draws_: `(R, p, c)` weights from resampled bags, or None.
        beta_: `(d, c)` of the linear term, per unit of the embedding less `centre_`; of no length
            without one.
        beta_draws_: `(R, d, c)` the same from resampled bags, or None.
        centre_: `(d,)` the mean of the training tokens.
        shares_: how much each member of the stack counts, `(c,)` by name; {} without a linear
            term.
        calibration_: margins to log-odds, or to the labels' units.
        performance_: cross-validated, of bags; None when cv=0.
        hops_: of smoothing.
        n_bags_: bags in training.
        extra: arrays by name and plain JSON that `save` writes along, for whoever put them there.
    """

    extra: Extra

    def __init__(
        self,
        k: int = 50,
        r: int = 1,
        *,
        kernel: str | Kernel | None = None,
        softness: float = 1.0,
        quantizer: Quantizer | None = None,
        linear: str | None = None,
        smoothing: int | str = 0,
        bootstrap: int = 0,
        cv: int = 5,
        seed: int = 0,
    ) -> None:
        self.k = k
        self.r = r
        self.kernel = kernel
        self.softness = softness
        self.quantizer = quantizer
        self.linear = linear
        self.smoothing = smoothing
        self.bootstrap = bootstrap
        self.cv = cv
        self.seed = seed

    @property
    def words(self) -> str:
        """The head's own performance, to be read before any map."""
        check_is_fitted(self)
        return UNMEASURED if self.performance_ is None else self.performance_.words

    def attribute(self, bag: Any, output: Any = None) -> Map:
        """The map of one bag, for one class (None: the second of two, else the predicted one).

        Raises:
            InputError: a bag that `as_bags` refuses, or of another encoder; no such class.
            NotFittedError: before `fit`.
        """
        one = self._bag(bag)
        column, sign, name = self._output(output, one)
        reader = self._reader(column, sign, name)
        made = mapped(reader, one, self.hops_)
        return replace(made, probability=self._probability(one, column, sign, made.margin))

    def set_function(
        self, bag: Any, output: Any = None, *, over: explanation.Over = "tokens"
    ) -> SetFunction:
        """The sum of a bag's map as a function of which tokens, or concepts, are present.

        See `whence.prospectors.explanation.set_function`. Where neighbours are mutual its Shapley
        values are the map.
        """
        one = self._bag(bag)
        return explanation.set_function(self._reader(*self._output(output, one)), one, over)

    def explain(
        self, bag: Any, output: Any = None, *, over: explanation.Over = "tokens", seed: int = 0
    ) -> Explanation:
        """The map as an Explanation, as of any other model: shown, saved and checked alike.

        The game is the head's own: the sum of its map (the margin times Z) when tokens are masked
        and their neighbours stay where they are. Its fit is exact, because the head is such a
        function; whether the head knows anything is `performance_`, which is among the notes.

        Raises:
            InputError: as `attribute`; fewer than two tokens, more than 5,000, or too many pairs.
        """
        one = self._bag(bag)
        return explanation.explain(self._reader(*self._output(output, one)), one, over, seed)

    def concepts(self, output: Any = None) -> tuple[Entry, ...]:
        """The weight of every concept, with what is known of it; None as in `attribute`.

        Raises:
            InputError: None with more than two classes, or no such class.
        """
        return tables.concepts(self._column(output), self.quantizer_.names)

    def bigrams(self, top: int = 10, output: Any = None) -> tuple[Entry, ...]:
        """The pairs of concepts that move margins most, by `Entry.effect`, strongest first.

        Raises:
            InputError: as `concepts`.
        """
        return tables.bigrams(self._column(output), self.quantizer_.names, top)

    def exemplars(
        self, which: int | tuple[int, ...], bags: Any, top: int = 5
    ) -> tuple[Exemplar, ...]:
        """Tokens that show what a concept, or a pair `(a, b)`, is; best first.

        Raises:
            InputError: no such concept, a pair at r = 0, or bags of another encoder.
        """
        check_is_fitted(self)
        wanted = tuple(which) if isinstance(which, tuple) else (which,)
        return tables.exemplars(self.quantizer_, self.r_, self._bags(bags), wanted, top)

    def save(self, path: str | Path, extra: Extra | None = None) -> Path:
        """Write the fitted head to one `.npz` file (arrays and versioned JSON, never pickle).

        Args:
            path: a missing suffix becomes `.npz`.
            extra: arrays by name and plain JSON to keep with the head, an encoder's state for
                instance; None keeps those it was loaded with. `load` gives them as `head.extra`.

        Returns:
            The path written, with its suffix.

        Raises:
            InputError: a quantizer or kernel that is not of whence, or a path that cannot be
                written.
        """
        from whence.prospectors import saving

        return saving.save(self, Path(path), self.extra if extra is None else extra)

    def _take(self, found: Trained) -> None:
        """The fitted attributes."""
        self.kind_, self.kernel_ = found.kind, found.kernel
        self.n_bags_ = found.bags
        self.r_ = found.r
        self.quantizer_: Quantizer = found.quantizer
        self.weights_ = found.weights.values
        self.spread_ = found.spread
        self.p_values_ = found.weights.p_values
        self.q_values_ = found.weights.adjusted
        self.beta_, self.centre_, self.shares_ = found.beta, found.centre, found.shares
        self.draws_, self.beta_draws_ = (None, None) if found.draws is None else found.draws
        self.errors_ = None if self.draws_ is None else self.draws_.std(axis=0, ddof=1)
        self.calibration_: Calibration = found.calibration
        self.performance_: Performance | None = found.performance
        self.hops_ = found.hops
        self.extra = ({}, {})

    def _settings(self, *, numbers: bool) -> Settings:
        return Settings(
            self.k,
            self.r,
            self.kernel,
            self.softness,
            self.quantizer,
            self.linear,
            self.smoothing,
            self.bootstrap,
            self.cv,
            self.seed,
            numbers,
        )

    def _margins(self, bags: Any) -> Floats:
        """`(b, c)`."""
        check_is_fitted(self)
        made = self._bags(bags)
        data = counted(made, self.quantizer_, self.r_, means=len(self.beta_) > 0)
        return margins(data, self.centre_, self.weights_, self.beta_)

    def _bags(self, bags: Any) -> Iterable[Bag]:
        """Bags of the encoder that the head was fitted with."""
        made = as_bags(bags)
        kind = first_of(made).kind
        if kind != self.kind_:
            raise InputError(
                f"bags of {kind} came; this head was fitted to {self.kind_}. Encode them as in "
                "training."
            )
        return made

    def _bag(self, bag: Any) -> Bag:
        check_is_fitted(self)
        return first_of(self._bags([bag]))

    def _output(self, output: Any, bag: Bag | None) -> tuple[int, float, str]:
        """Column of the weights, sign, and name of an output; see the two heads."""
        raise NotImplementedError

    def _probability(self, bag: Bag, column: int, sign: float, margin: float) -> float | None:
        """Of an output whose margin is known, or None; see the two heads."""
        raise NotImplementedError

    def _reader(self, column: int, sign: float, name: str) -> Reader:
        draws = None
        if self.draws_ is not None and self.beta_draws_ is not None:
            draws = sign * self.draws_[:, :, column], sign * self.beta_draws_[:, :, column]
        return Reader(
            self.quantizer_,
            self.r_,
            sign * self.weights_[:, column],
            draws,
            sign * self.beta_[:, column],
            self.centre_,
            name,
            self.words,
        )

    def _column(self, output: Any) -> Column:
        check_is_fitted(self)
        at, sign, _ = self._output(output, None)
        known = [
            None if table is None else table[:, at]
            for table in (self.errors_, self.p_values_, self.q_values_)
        ]
        return Column(sign * self.weights_[:, at], self.spread_, *known)
