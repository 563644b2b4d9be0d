"""Holds scorer: a scikit-learn estimator or pipeline, or a boosted model, as a scorer of rows.

It knows what the scores are and in which unit, never by guess: what it cannot name it calls
"decision function" or "margin". It does not know masks, units or what stands in for an absent
column (lenses).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from whence.adapters.boosters import FILES, TARGET, Boosted, boosted, is_booster, load_booster
from whence.adapters.frames import as_array, as_frame, read_table
from whence.adapters.options import Options
from whence.adapters.rows import TableScorer, row_facts
from whence.errors import InputError, MissingExtra
from whence.lenses.inputs.frames import listed
from whence.scoring import Facts

__all__ = ["TableScorer", "load", "opened", "read_table", "scorer"]

#: The methods of an estimator, the preferred first.
METHODS = ("predict_proba", "decision_function", "predict")
#: Estimators whose decision function is the log-odds of two classes, or of more the logits.
LOG_ODDS = frozenset({
    "LogisticRegression", "LogisticRegressionCV", "LinearDiscriminantAnalysis",
    "QuadraticDiscriminantAnalysis", "GradientBoostingClassifier",
    "HistGradientBoostingClassifier", "SGDClassifier",
})  # fmt: skip
#: Of those, the ones for which it depends on a loss, and which.
LOSSES = {
    "SGDClassifier": frozenset({"log_loss"}),
    "GradientBoostingClassifier": frozenset({"log_loss"}),
    "HistGradientBoostingClassifier": frozenset({"log_loss"}),
}
#: Of those, the ones whose several classes are each against the rest: no logits.
ONE_AGAINST_REST = frozenset({"SGDClassifier"})
#: Files that run code when they are opened.
PICKLES = frozenset({".joblib", ".pkl", ".pickle", ".sav", ".p"})


def scorer(
    estimator: Any,
    *,
    method: str = "",
    labels: Sequence[str] = (),
    columns: Sequence[str] = (),
    unit: str = "",
    identity: str | None = None,
    name: str = "",
) -> TableScorer:
    """A scorer of an estimator's rows.

    Args:
        estimator: fitted: a scikit-learn estimator or pipeline, anything with its methods, or a
            LightGBM, XGBoost or CatBoost model (wrapper or booster).
        method: "predict_proba", "decision_function" (of a booster: its margins) or "predict"; ""
            takes the first there is.
        labels: the classes' names; () takes the estimator's own.
        columns: the columns it reads, in its order, when it does not know their names.
        unit: of plain numbers, when it can be said better.
        identity: a string equal only for estimators that score alike; None forbids a journal on
            disk. `load` sets it.
        name: for people; "" takes the estimator's class.

    Raises:
        InputError: an estimator that is not fitted, has not the method, has several targets, or
            answers with labels only.
    """
    found = _get(estimator, "best_estimator_", estimator)  # of a search
    if is_booster(found):
        made = _of_booster(boosted(found), method)
    else:
        made = _of_estimator(found, method)
    facts = replace(
        made.facts,
        name=name or made.facts.name,
        labels=_names(labels, made.facts.labels),
        unit=unit or made.facts.unit,
        identity=identity,
    )
    return replace(made, facts=facts, names=tuple(columns) or made.names)


def _names(said: Sequence[str], own: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(said, str):
        raise InputError(f"labels={said!r} came; a sequence is needed, one label per class.")
    if said and len(own) == 1 and len(said) == 2:
        return (said[1],)  # one margin of two classes speaks for the second
    if said and own and len(said) != len(own):
        raise InputError(
            f"labels= names {len(said)} classes ({listed(list(said))}); the model has {len(own)}: "
            f"{listed(own)}. Give one to each, in that order."
        )
    return tuple(said) or own


# --- boosters -----------------------------------------------------------------------------------


def _of_booster(model: Boosted, method: str) -> TableScorer:
    _check_method(method, model.name, METHODS)
    if method == "predict" and model.kind != "values":
        raise _only_labels(model.name)
    if method == "predict_proba" and model.kind == "values":
        raise InputError(
            f"method='predict_proba' came, and {model.name} has no classes; use 'predict'."
        )
    margins = method == "decision_function"
    facts = _booster_margins(model) if margins else _booster_answers(model)
    answer = model.margins if margins else model.predicted
    two = facts.scores == "probabilities" and model.kind == "binary"
    ask = _both(answer) if two else answer
    return TableScorer(facts, model.names, model.width, ask, model.ready)


def _booster_answers(model: Boosted) -> Facts:
    if model.kind == "values":
        return row_facts(model.name, "values", unit=model.unit)
    return row_facts(model.name, "probabilities", model.labels or _two(model))


def _booster_margins(model: Boosted) -> Facts:
    if model.kind == "softmax":
        return row_facts(model.name, "logits", model.labels)
    labels = (model.labels or _two(model))[-1:] if model.kind == "binary" else model.labels
    return row_facts(model.name, "values", labels, model.margin_unit)


def _two(model: Boosted) -> tuple[str, ...]:
    return ("0", "1") if model.kind == "binary" else ()


def _both(answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Probabilities of the second class `(b,)` -> of both `(b, 2)`."""

    def ask(rows: Any) -> Any:
        second = np.asarray(answer(rows), dtype=np.float64)
        return np.column_stack([1.0 - second, second])

    return ask


# --- estimators ---------------------------------------------------------------------------------


def _of_estimator(estimator: Any, method: str) -> TableScorer:
    name = _name(estimator)
    _check_fitted(estimator, name)
    there = tuple(one for one in METHODS if _has(estimator, one))
    if not there:
        raise InputError(
            f"the model came as {type(estimator).__name__}, which has none of "
            f"{', '.join(METHODS)}. Give a fitted estimator, or a function of rows to table_game."
        )
    last = _last(estimator)
    ends = _get(estimator, "_final_estimator", None) is last and is_booster(last)
    margins = ends and method == "decision_function"
    _check_method(method, name, (*there, "decision_function") if margins else there)
    columns = tuple(str(one) for one in _get(estimator, "feature_names_in_", ()))
    width = int(_get(estimator, "n_features_in_", 0) or 0)
    form: Callable[[Any], Any] = (lambda rows: as_frame(rows, columns)) if columns else as_array
    if margins:
        inner = _of_booster(boosted(last), method)
        classes = _classes(estimator)
        labels = classes[-len(inner.facts.labels) :] if inner.facts.labels else ()
        facts = replace(inner.facts, name=name, labels=labels or inner.facts.labels)
        return TableScorer(facts, columns, width, _through(estimator, inner), form)
    chosen = method or there[0]
    facts = _estimator_facts(estimator, last, chosen, name)
    return TableScorer(facts, columns, width, attrgetter(chosen)(estimator), form)


def _through(pipeline: Any, inner: TableScorer) -> Callable[[Any], Any]:
    """What the last step of a pipeline answers to what its other steps make of rows."""
    before = pipeline[:-1]
    return lambda rows: inner.ask(before.transform(rows))


def _estimator_facts(estimator: Any, last: Any, method: str, name: str) -> Facts:
    classes = _classes(estimator)
    if method == "predict_proba":
        return row_facts(name, "probabilities", classes)
    if method == "predict":
        if classes:
            raise _only_labels(name)
        return row_facts(name, "values", unit=TARGET)
    kind = type(last).__name__
    losses = LOSSES.get(kind)
    odds = (
        type(last).__module__.startswith("sklearn.")
        and kind in LOG_ODDS
        and (losses is None or _get(last, "loss", "") in losses)
    )
    if len(classes) == 2:
        return row_facts(name, "values", classes[1:], "log-odds" if odds else "decision function")
    if odds and classes and kind not in ONE_AGAINST_REST:
        return row_facts(name, "logits", classes)
    return row_facts(name, "values", classes, "decision function")


def _classes(estimator: Any) -> tuple[str, ...]:
    classes = _get(estimator, "classes_", ())
    if isinstance(classes, list) and classes and isinstance(classes[0], np.ndarray):
        raise InputError(
            f"{_name(estimator)} has {len(classes)} targets; explain them one by one: give one of "
            "its estimators_."
        )
    return tuple(str(one) for one in classes)


def _last(estimator: Any) -> Any:
    """The estimator that answers in the end, under pipelines and searches."""
    for step in ("best_estimator_", "_final_estimator"):
        inner = _get(estimator, step, None)
        if inner is not None:
            return _last(inner)
    return estimator


def _name(estimator: Any) -> str:
    return type(_last(estimator)).__name__


def _get(estimator: Any, name: str, otherwise: Any) -> Any:
    """A fitted attribute that scikit-learn's conventions name, if the estimator has it."""
    try:
        return attrgetter(name)(estimator)
    except AttributeError:
        return otherwise


def _has(estimator: Any, method: str) -> bool:
    return callable(_get(estimator, method, None))


def _check_method(method: str, name: str, there: Sequence[str]) -> None:
    if method and method not in there:
        raise InputError(f"method={method!r} came; {name} has {', '.join(there)}.")


def _check_fitted(estimator: Any, name: str) -> None:
    from sklearn.base import BaseEstimator
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    if not isinstance(estimator, BaseEstimator):
        return
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise InputError(f"{name} came and is not fitted; fit it first.") from error


def _only_labels(name: str) -> InputError:
    return InputError(
        f"method='predict' came, and {name} predicts labels, which are no numbers to explain. Use "
        "'predict_proba' or 'decision_function'."
    )


# --- files --------------------------------------------------------------------------------------


def opened(rest: str, options: Options) -> TableScorer:
    """The model of a file, for `--model`: see `load`.

    Raises:
        InputError, MissingExtra: as `load`; an option that tables do not read.
    """
    options.only("a model of tables", "method", "labels", "trusted")
    return load(rest, trusted=options.trusted, method=options.method, labels=options.labels)


def load(
    path: str | Path,
    *,
    trusted: Sequence[str] = (),
    method: str = "",
    labels: Sequence[str] = (),
    columns: Sequence[str] = (),
    unit: str = "",
) -> TableScorer:
    """A scorer from a file: .skops, LightGBM's .txt, XGBoost's .json or .ubj, CatBoost's .cbm.

    Nothing that runs code when it is opened is opened: no pickle, no joblib.

    Args:
        path: the file.
        trusted: types that a .skops file holds beside scikit-learn's own, and that may be made.
        method, labels, columns, unit: as `scorer`.

    Raises:
        InputError: no such file, one that is not of these, or a .skops file that holds types
            which are not trusted: they are listed.
        MissingExtra: the library of the file is not installed.
    """
    path = Path(path)
    if path.suffix in PICKLES:
        raise InputError(
            f"{path.name} came; such a file runs whatever code it holds when it is opened, so it "
            "is not. Save the model with skops: skops.io.dump(model, 'model.skops'). A booster: "
            "with its own save_model."
        )
    known = (".skops", *FILES)
    if path.suffix not in known:
        raise InputError(f"{path.name} came as the model; it must end in {', '.join(known)}.")
    if not path.is_file():
        raise InputError(f"{path} came as the model; there is no such file. Give its path.")
    model = _skops(path, trusted) if path.suffix == ".skops" else load_booster(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    made = scorer(model, method=method, labels=labels, columns=columns, unit=unit)
    return replace(made, facts=replace(made.facts, identity=f"sha256:{digest}:{method}"))


def _skops(path: Path, trusted: Sequence[str]) -> Any:
    try:
        from skops import io
    except ImportError as error:
        raise MissingExtra(
            f'skops is not installed, and {path.name} needs it: pip install "whence[sklearn]"'
        ) from error
    try:
        unknown = sorted(set(io.get_untrusted_types(file=path)) - set(trusted))
    except Exception as error:  # a broken archive, or one of another kind
        raise InputError(
            f"{path.name} cannot be read as a skops file: {' '.join(str(error).split())[:200]}"
        ) from error
    if unknown:
        raise InputError(
            f"{path.name} holds types that are not known to be safe: {listed(unknown, 50)}. If you "
            "know where the file comes from and trust them, name them: --trust TYPE for each, or "
            f"whence.load({path.name!r}, trusted=(...)) in Python."
        )
    return io.load(path, trusted=list(trusted))
