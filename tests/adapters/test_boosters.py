"""Facts about boosted models: wrappers, raw boosters and their files, through one door."""

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from whence import masks as mask
from whence.adapters import sklearn as adapter
from whence.adapters.options import Options
from whence.errors import InputError
from whence.lenses.inputs.table import table_game

LIBRARIES = ["lightgbm", "xgboost", "catboost"]
JOBS = ("cook", "smith", "clerk")
FILES = {"lightgbm": "model.txt", "xgboost": "model.ubj", "catboost": "model.cbm"}


def numbers(rows=150, seed=0):
    """Rows of four columns."""
    return np.random.default_rng(seed).normal(size=(rows, 4))


def target(count):
    """Numbers (count 0), or so many classes."""
    score = numbers() @ [1.0, -1.0, 0.5, 0.0] + numbers()[:, 0] * numbers()[:, 1]
    return score if count == 0 else np.digitize(score, [0.0] if count == 2 else [-0.7, 0.7])


def blank(library, kind, **more):
    """A wrapper in the manner of scikit-learn: "Classifier" or "Regressor", small and quiet."""
    package = pytest.importorskip(library)
    name, quiet = {
        "lightgbm": ("LGBM", {"n_estimators": 8, "verbose": -1, "n_jobs": 1}),
        "xgboost": ("XGB", {"n_estimators": 8, "n_jobs": 1}),
        "catboost": ("CatBoost", {"iterations": 8, "verbose": 0, "allow_writing_files": False}),
    }[library]
    return getattr(package, name + kind)(**quiet, **more)


def fitted(library, count=2, rows=None, **more):
    """A wrapper fitted on an array or a frame."""
    model = blank(library, "Classifier" if count else "Regressor", **more)
    return model.fit(numbers() if rows is None else rows, target(count))


def raw(library, model):
    """The booster inside a wrapper."""
    if library == "catboost":
        return model
    return model.booster_ if library == "lightgbm" else model.get_booster()


def save(library, model, folder):
    """The booster's own file."""
    path = folder / FILES[library]
    raw(library, model).save_model(str(path))
    return path


def frame():
    """A frame with a column of categories, and holes in one of numbers."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    x = numbers()
    return pandas.DataFrame({
        "age": np.where(x[:, 2] > 1.5, np.nan, x[:, 0]),
        "job": pandas.Categorical(np.array(JOBS)[np.digitize(x[:, 1], [-0.5, 0.5])]),
        "pay": x[:, 3],
    })  # fmt: skip


CATEGORIES = {
    "lightgbm": {},
    "xgboost": {"enable_categorical": True},
    "catboost": {"cat_features": ["job"]},
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("count", [2, 3])
def test_probabilities_are_the_librarys(library, count):
    """By default a classifier scores as its predict_proba does, wrapper and booster alike."""
    model = fitted(library, count)
    for one in (model, raw(library, model)):
        score = adapter.scorer(one)
        assert score.facts.scores == "probabilities"
        assert score(numbers()) == pytest.approx(model.predict_proba(numbers()), abs=1e-6)
    assert adapter.scorer(model).facts.labels == tuple("012"[:count])


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("count", [2, 3])
def test_margins_are_log_odds_or_logits(library, count):
    """decision_function gives margins from which the probabilities follow, and names their unit."""
    model = fitted(library, count)
    score = adapter.scorer(model, method="decision_function")
    given, wanted = np.asarray(score(numbers())), model.predict_proba(numbers())
    if count == 2:
        assert (score.facts.scores, score.facts.unit, score.facts.labels) == (
            "values", "log-odds", ("1",)
        )  # fmt: skip
        assert 1 / (1 + np.exp(-given)) == pytest.approx(wanted[:, 1], abs=1e-6)
    else:
        assert (score.facts.scores, score.facts.unit) == ("logits", "")
        shares = np.exp(given - given.max(axis=1, keepdims=True))
        assert shares / shares.sum(axis=1, keepdims=True) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_regressors_numbers_are_in_the_targets_units(library):
    """A regressor scores as its predict does, and says in whose units."""
    model = fitted(library, 0)
    for one in (model, raw(library, model)):
        score = adapter.scorer(one)
        assert (score.facts.scores, score.facts.unit) == ("values", "target's units")
        assert score(numbers()) == pytest.approx(model.predict(numbers()), abs=1e-5)


@pytest.mark.parametrize(
    ("library", "objective"),
    [("lightgbm", {"objective": "poisson"}), ("xgboost", {"objective": "count:poisson"}),
     ("catboost", {"loss_function": "Poisson"})],
)  # fmt: skip
def test_margins_of_a_log_link_are_named(library, objective):
    """Margins of a model of counts are the logarithm of what it predicts, and so called."""
    model = blank(library, "Regressor", **objective)
    model.fit(numbers(), np.random.default_rng(0).poisson(3.0, 150))
    score, margin = adapter.scorer(model), adapter.scorer(model, method="decision_function")
    assert (score.facts.unit, margin.facts.unit) == ("target's units", "log of the target's units")
    assert np.exp(margin(numbers())) == pytest.approx(score(numbers()), rel=1e-5)


@pytest.mark.parametrize("library", LIBRARIES)
def test_files_come_back(library, tmp_path):
    """A booster's own file, opened as the command line does, scores as the model that made it."""
    model = fitted(library, 2)
    score = adapter.opened(str(save(library, model, tmp_path)), Options())
    assert score(numbers()) == pytest.approx(model.predict_proba(numbers()), abs=1e-6)
    assert score.facts.identity.startswith("sha256:")


@pytest.mark.parametrize("library", LIBRARIES)
def test_frames_with_categories_and_holes_are_scored_as_by_the_library(library):
    """Categories and missing values reach the booster as they do through its own wrapper."""
    rows = frame()
    more = CATEGORIES[library]
    model = fitted(library, 2, rows, **more)
    score = adapter.scorer(model)
    assert score.names == ("age", "job", "pay")
    assert score(rows) == pytest.approx(model.predict_proba(rows), abs=1e-6)
    game = table_game(score, 4, table=rows, size=1000, output="1", link="probability")
    mixed = rows.assign(job=rows["job"].iloc[[4] * 150].array)
    wanted = model.predict_proba(mixed)[:, 1].mean()
    assert game([[False, True, False]])[0] == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("library", LIBRARIES)
def test_texts_from_a_file_are_the_models_categories(library, tmp_path):
    """A table of texts, as a .csv gives it, is read by a saved model fitted on categories."""
    rows = frame()
    more = CATEGORIES[library]
    model = fitted(library, 2, rows, **more)
    score = adapter.load(save(library, model, tmp_path))
    texts = rows.assign(job=rows["job"].astype(str))
    assert score(texts) == pytest.approx(model.predict_proba(rows), abs=1e-6)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_an_unseen_category_is_refused(library):
    """A category the booster has not seen is refused by name: the library itself is silent."""
    if library == "xgboost":
        pytest.importorskip("pyarrow")
    rows = frame()
    more = CATEGORIES[library]
    score = adapter.scorer(fitted(library, 2, rows, **more))
    texts = rows.assign(job=rows["job"].astype(object))
    with pytest.raises(InputError, match=r"job holds 'baker', which the model has not seen"):
        table_game(score, texts.iloc[0].to_dict() | {"job": "baker"}, background=texts)


@pytest.mark.parametrize("library", LIBRARIES)
def test_polars_and_arrow_tables_give_the_same_game(library):
    """A booster's game is the same from pandas, polars and Arrow."""
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    rows = frame()
    more = CATEGORIES[library]
    score = adapter.scorer(fitted(library, 2, rows, **more), identity="m")
    texts = rows.assign(job=rows["job"].astype(str))
    whole = pyarrow.Table.from_pandas(texts, preserve_index=False)
    games = [
        table_game(score, 4, table=one, size=50) for one in (texts, polars.DataFrame(whole), whole)
    ]
    for other in games[1:]:
        assert other.identity == games[0].identity
        assert other(mask.every(3)) == pytest.approx(games[0](mask.every(3)), abs=1e-9)


def test_texts_for_a_model_of_numbers_are_refused():
    """A column of words for a booster that was fitted on numbers is named."""
    rows = frame()
    score = adapter.scorer(fitted("lightgbm", 2, rows[["age", "pay"]]))
    with pytest.raises(InputError, match="'pay' came without numbers"):
        table_game(score, 0, table=rows.assign(pay="much"))


def test_names_with_a_space_are_found():
    """LightGBM writes "_" for a space in a name; the column is found all the same."""
    rows = frame().rename(columns={"pay": "last pay"})[["age", "last pay"]]
    score = adapter.scorer(fitted("lightgbm", 2, rows))
    assert table_game(score, 4, table=rows).units.labels[1].startswith("last pay = ")


def test_a_pipelines_last_booster_gives_margins():
    """decision_function of a pipeline that ends in a booster is the booster's margin."""
    rows = frame().assign(job=lambda f: f["job"].astype(object))
    for encoder in (OneHotEncoder(), OrdinalEncoder()):
        encode = ColumnTransformer([("c", encoder, ["job"])], remainder="passthrough")
        encode.set_output(transform="default")
        model = blank("lightgbm", "Classifier")
        pipe = make_pipeline(encode, model).fit(rows, np.where(target(2), "yes", "no"))
        score = adapter.scorer(pipe, method="decision_function")
        assert (score.facts.unit, score.facts.labels) == ("log-odds", ("yes",))
        odds = np.asarray(score(rows))
        assert 1 / (1 + np.exp(-odds)) == pytest.approx(pipe.predict_proba(rows)[:, 1], abs=1e-9)


def test_a_search_is_its_best_estimator():
    """A grid search over a booster gives the margins of the best one it found."""
    search = GridSearchCV(blank("lightgbm", "Classifier"), {"num_leaves": [3, 7]}, cv=2)
    search.fit(numbers(), target(2))
    score = adapter.scorer(search, method="decision_function")
    wanted = search.best_estimator_.booster_.predict(numbers(), raw_score=True)
    assert score.facts.unit == "log-odds"
    assert score(numbers()) == pytest.approx(wanted)


def test_an_early_stop_is_kept():
    """An XGBoost wrapper that stopped early is asked up to its best round, as it answers itself."""
    model = fitted("xgboost", 2)
    stopped = model.__class__(n_estimators=60, early_stopping_rounds=2, n_jobs=1, learning_rate=1.0)
    rng = np.random.default_rng(3)
    stopped.fit(
        numbers(), target(2), eval_set=[(numbers(seed=5), rng.integers(0, 2, 150))], verbose=False
    )
    assert stopped.best_iteration < stopped.get_booster().num_boosted_rounds() - 1
    assert adapter.scorer(stopped)(numbers()) == pytest.approx(
        stopped.predict_proba(numbers()), abs=1e-6
    )


@pytest.mark.parametrize("library", LIBRARIES)
def test_boosters_that_cannot_be_asked_are_refused(library):
    """No fit, labels only, and probabilities of a regressor are refused by name."""
    with pytest.raises(InputError, match="not fitted"):
        adapter.scorer(blank(library, "Classifier"))
    with pytest.raises(InputError, match="predicts labels"):
        adapter.scorer(fitted(library, 2), method="predict")
    with pytest.raises(InputError, match="has no classes"):
        adapter.scorer(fitted(library, 0), method="predict_proba")
