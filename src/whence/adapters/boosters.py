"""Holds Boosted: a LightGBM, XGBoost or CatBoost model, its objects and its files, as one thing.

Wrappers in the manner of scikit-learn and raw boosters are asked through the booster itself, so
that margins are at hand for both. It does not know tables (frames) nor games.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.adapters.frames import as_matrix, as_pandas, refuse_unseen
from whence.errors import InputError, MissingExtra
from whence.lenses.inputs.frames import as_table

TARGET = "target's units"
LOG_TARGET = "log of the target's units"


@dataclass(frozen=True)
class Boosted:
    """A boosted model.

    Attributes:
        name: the library's, and what the model is.
        kind: what it answers: "binary" and "softmax", classes; "classes", classes whose margins
            are no logits; or "values".
        predicted: rows in its form -> probabilities `(b,)` or `(b, classes)`, or values.
        margins: rows in its form -> sums of trees `(b,)` or `(b, classes)`.
        unit: of values.
        margin_unit: of margins.
        names: the columns; () when it was fitted on an array.
        width: how many columns.
        labels: the classes' names; () when it does not know them.
        ready: rows -> its form.
    """

    name: str
    kind: str
    predicted: Callable[[Any], Any]
    margins: Callable[[Any], Any]
    unit: str
    margin_unit: str
    names: tuple[str, ...]
    width: int
    labels: tuple[str, ...]
    ready: Callable[[Any], Any]


def is_booster(model: object) -> bool:
    """Whether it is a model of one of the three libraries; imports none of them."""
    return _maker(model) is not None


def boosted(model: Any) -> Boosted:
    """A boosted model from one of the three libraries' objects.

    Raises:
        InputError: it is not fitted.
    """
    make = _maker(model)
    assert make is not None
    return make(model)


def _maker(model: object) -> Callable[[Any], Boosted] | None:
    for kind in type(model).__mro__:
        make = _MAKERS.get((kind.__module__.partition(".")[0], kind.__name__))
        if make is not None:
            return make
    return None


# --- LightGBM -----------------------------------------------------------------------------------


def _lightgbm_model(model: Any) -> Boosted:
    try:
        core = model.booster_
    except Exception as error:
        raise _unfitted(model) from error
    try:
        labels = tuple(str(label) for label in model.classes_)
    except AttributeError:
        labels = ()
    return _lightgbm(core, labels)


def _lightgbm(core: Any, labels: tuple[str, ...] = ()) -> Boosted:
    told = re.search(r"^objective=(.*)$", core.model_to_string(num_iteration=1), re.MULTILINE)
    words = told.group(1).split() if told else ["custom"]
    kind = {"binary": "binary", "multiclass": "softmax", "multiclassova": "classes"}.get(words[0])
    slope = next((float(word[8:]) for word in words if word.startswith("sigmoid:")), 1.0)
    margin = "log-odds" if slope == 1.0 else f"log-odds / {slope:g}"
    if kind is None:
        margin = _LIGHTGBM_MARGINS.get(words[0], TARGET)
    categories: Sequence[Sequence[Any]] = core.pandas_categorical or ()
    names = tuple(core.feature_name())
    unnamed = all(re.fullmatch(r"Column_\d+", name) for name in names)
    return Boosted(
        name=f"LightGBM ({words[0]})",
        kind=kind or "values",
        predicted=core.predict,
        margins=lambda rows: core.predict(rows, raw_score=True),
        unit="raw score" if words[0] in ("custom", "lambdarank", "rank_xendcg") else TARGET,
        margin_unit=margin,
        names=() if unnamed else names,
        width=len(names),
        labels=labels,
        ready=lambda rows: as_matrix(rows, names, categories),
    )


_LIGHTGBM_MARGINS = {
    "poisson": LOG_TARGET, "gamma": LOG_TARGET, "tweedie": LOG_TARGET,
    "cross_entropy": "log-odds", "cross_entropy_lambda": "raw score",
    "custom": "raw score", "lambdarank": "raw score", "rank_xendcg": "raw score",
}  # fmt: skip


# --- XGBoost ------------------------------------------------------------------------------------


def _xgboost_model(model: Any) -> Boosted:
    try:
        core = model.get_booster()
    except Exception as error:
        raise _unfitted(model) from error
    try:
        labels = tuple(str(label) for label in model.classes_)
    except AttributeError:
        labels = ()
    # As the wrapper answers: the trees up to the best round of an early stop.
    best = core.attr("best_iteration")
    return _xgboost(core, labels, 0 if best is None else int(best) + 1)


def _xgboost(core: Any, labels: tuple[str, ...] = (), rounds: int = 0) -> Boosted:
    learner = json.loads(core.save_config())["learner"]
    objective = learner["objective"]["name"]
    kind, unit, margin = _XGBOOST.get(objective, ("values", "prediction", "margin"))
    names = tuple(core.feature_names or ())
    width = core.num_features()
    asked = _DMatrices(core, names, tuple(core.feature_types or ()), rounds)

    def margins(rows: Any) -> Any:
        return asked(rows, margins=True)

    def predicted(rows: Any) -> Any:
        # multi:softmax itself answers with a class's number.
        return _softmax(margins(rows)) if kind == "softmax" else asked(rows, margins=False)

    return Boosted(
        name=f"XGBoost ({objective})",
        kind=kind,
        predicted=predicted,
        margins=margins,
        unit=unit,
        margin_unit=margin,
        names=names,
        width=width,
        labels=labels,
        ready=asked.ready,
    )


#: Objective -> what it answers, its unit, its margins' unit.
_XGBOOST = {
    "binary:logistic": ("binary", "", "log-odds"),
    "binary:logitraw": ("values", "log-odds", "log-odds"),
    "multi:softprob": ("softmax", "", ""),
    "multi:softmax": ("softmax", "", ""),
    "reg:logistic": ("values", TARGET, "log-odds"),
    "count:poisson": ("values", TARGET, LOG_TARGET),
    "reg:gamma": ("values", TARGET, LOG_TARGET),
    "reg:tweedie": ("values", TARGET, LOG_TARGET),
    **{
        f"reg:{loss}": ("values", TARGET, TARGET)
        for loss in (
            "squarederror", "linear", "absoluteerror", "pseudohubererror", "quantileerror",
            "squaredlogerror", "expectileerror",
        )
    },
}  # fmt: skip


@dataclass(frozen=True)
class _DMatrices:
    """An XGBoost booster asked for rows.

    Attributes:
        core: the booster.
        names, types: of its columns; () when it does not know.
        rounds: trees' rounds used; 0 uses all.
    """

    core: Any
    names: tuple[str, ...]
    types: tuple[str, ...]
    rounds: int

    def ready(self, rows: Any) -> Any:
        """Numbers `(rows, columns)`, or a pandas frame where there are categories."""
        if "c" not in self.types:
            return as_matrix(rows, self.names)
        frame = as_pandas(rows, self.names)
        known = self._categories()
        for name, kind in zip(self.names, self.types, strict=True):
            if kind == "c":
                frame = frame.assign(**{name: _categorical(frame[name], known.get(name))})
        return frame

    def _categories(self) -> dict[str, list[Any]]:
        """Of each column of categories, those that the model knows, if its version says."""
        try:
            told = self.core.get_categories(export_to_arrow=True).to_arrow()
        except (AttributeError, ImportError):  # before XGBoost 3.1, or without pyarrow
            return {}
        return {name: held.to_pylist() for name, held in told if held is not None}

    def __call__(self, rows: Any, *, margins: bool) -> Any:
        import xgboost

        bare = isinstance(rows, np.ndarray) or type(rows).__module__.startswith("scipy")
        data = xgboost.DMatrix(
            rows,
            feature_names=list(self.names) if bare and self.names else None,
            feature_types=list(self.types) if bare and self.types else None,
            enable_categorical="c" in self.types,
        )
        return self.core.predict(data, output_margin=margins, iteration_range=(0, self.rounds))


def _categorical(series: Any, known: list[Any] | None) -> Any:
    if known is None:
        return series.astype("category")
    refuse_unseen(as_table(series.to_frame()).columns()[0], known)
    return series.astype(type(series.astype("category").dtype)(known))


def _softmax(margins: Any) -> NDArray[np.float64]:
    z = np.asarray(margins, dtype=np.float64)
    shares = np.exp(z - z.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


# --- CatBoost -----------------------------------------------------------------------------------


def _catboost(model: Any) -> Boosted:
    if not model.is_fitted():
        raise _unfitted(model)
    loss = str(model.get_all_params().get("loss_function", "")).partition(":")[0]
    kind, unit, margin = _CATBOOST.get(loss, ("values", "prediction", "margin"))
    names = tuple(str(name) for name in model.feature_names_)
    unnamed = names == tuple(str(j) for j in range(len(names)))
    coded = bool(model.get_cat_feature_indices()) or bool(model.get_text_feature_indices())
    how = {"binary": "Probability", "softmax": "Probability", "classes": "Probability"}.get(
        kind, "Exponent" if margin == LOG_TARGET else "RawFormulaVal"
    )

    def predicted(rows: Any) -> Any:
        answer = model.predict(rows, prediction_type=how)
        return answer[:, 1] if kind == "binary" else answer

    return Boosted(
        name=f"CatBoost ({loss})",
        kind=kind,
        predicted=predicted,
        margins=lambda rows: model.predict(rows, prediction_type="RawFormulaVal"),
        unit=unit,
        margin_unit=margin,
        names=() if unnamed else names,
        width=len(names),
        labels=tuple(str(label) for label in model.classes_) if kind != "values" else (),
        ready=lambda rows: as_pandas(rows, names) if coded else as_matrix(rows, names),
    )


#: Loss -> what it answers, its unit, its margins' unit.
_CATBOOST = {
    "Logloss": ("binary", "", "log-odds"),
    "CrossEntropy": ("binary", "", "log-odds"),
    "MultiClass": ("softmax", "", ""),
    "MultiClassOneVsAll": ("classes", "", "log-odds"),
    "Poisson": ("values", TARGET, LOG_TARGET),
    "Tweedie": ("values", TARGET, LOG_TARGET),
    **{
        loss: ("values", TARGET, TARGET)
        for loss in ("RMSE", "MAE", "Quantile", "Huber", "Expectile", "MAPE", "LogCosh")
    },
}


_MAKERS: dict[tuple[str, str], Callable[[Any], Boosted]] = {
    ("lightgbm", "Booster"): _lightgbm,
    ("lightgbm", "LGBMModel"): _lightgbm_model,
    ("xgboost", "Booster"): _xgboost,
    ("xgboost", "XGBModel"): _xgboost_model,
    ("catboost", "CatBoost"): _catboost,
}


def _unfitted(model: object) -> InputError:
    return InputError(f"{type(model).__name__} came and is not fitted; fit it first.")


# --- files --------------------------------------------------------------------------------------


def load_booster(path: Path) -> Any:
    """A booster from its own file: LightGBM's .txt, XGBoost's .json or .ubj, CatBoost's .cbm.

    Raises:
        InputError: a file that its library cannot read.
        MissingExtra: the library is not installed.
    """
    package, load = _LOADERS[path.suffix]
    try:
        return load(str(path))
    except ImportError as error:
        raise MissingExtra(
            f"{package} is not installed, and {path.name} needs it: pip install {package}"
        ) from error
    except Exception as error:  # each library has its own
        raise InputError(
            f"{path.name} cannot be read as a model of {package}: "
            f"{' '.join(str(error).split())[:200]}"
        ) from error


def _load_lightgbm(path: str) -> Any:
    import lightgbm

    return lightgbm.Booster(model_file=path)


def _load_xgboost(path: str) -> Any:
    import xgboost

    return xgboost.Booster(model_file=path)


def _load_catboost(path: str) -> Any:
    import catboost

    return catboost.CatBoost().load_model(path)


_LOADERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    ".txt": ("lightgbm", _load_lightgbm),
    ".json": ("xgboost", _load_xgboost),
    ".ubj": ("xgboost", _load_xgboost),
    ".cbm": ("catboost", _load_catboost),
}
FILES = tuple(_LOADERS)
