"""Facts about the scikit-learn adapter: what an estimator is said to score, and what is refused."""

import pickle

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import whence
from whence import masks as mask
from whence.adapters import sklearn as adapter
from whence.adapters.options import Options
from whence.errors import InputError
from whence.lenses.inputs.table import table_game
from whence.scoring import Scorer

COLUMNS = ("a", "b", "c", "d")


def numbers(rows=120, seed=0):
    """Rows of four columns."""
    return np.random.default_rng(seed).normal(size=(rows, 4))


def classes(count=2):
    """A class for each row, by name."""
    score = numbers() @ [1.0, -1.0, 0.5, 0.0] + np.random.default_rng(1).normal(size=120)
    return np.array(["no", "perhaps", "yes"] if count == 3 else ["no", "yes"])[
        np.digitize(score, [-0.5, 0.5] if count == 3 else [0.0])
    ]


def table():
    """Rows with words among the columns, as a pandas frame, and whether each was hired."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    x = numbers()
    frame = pandas.DataFrame(
        {
            "age": (x[:, 0] * 10 + 40).round(),
            "job": np.array(["cook", "smith", "clerk"])[np.digitize(x[:, 1], [-0.5, 0.5])],
            "pay": x[:, 2],
        }
    )
    return frame, np.where(x[:, 0] + x[:, 1] + x[:, 2] > 0, "hired", "sent home")


def pipeline():
    """A pipeline that reads that frame by its columns' names."""
    frame, hired = table()
    encode = ColumnTransformer([("words", OneHotEncoder(), ["job"])], remainder=StandardScaler())
    return make_pipeline(encode, LogisticRegression()).fit(frame, hired)


# --- what it says of itself ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimator", "method", "count", "scores", "labels", "unit"),
    [
        (LogisticRegression(), "", 2, "probabilities", ("no", "yes"), ""),
        (LogisticRegression(), "decision_function", 2, "values", ("yes",), "log-odds"),
        (LogisticRegression(), "decision_function", 3, "logits", ("no", "perhaps", "yes"), ""),
        (LinearSVC(), "", 2, "values", ("yes",), "decision function"),
        (LinearSVC(), "", 3, "values", ("no", "perhaps", "yes"), "decision function"),
        (SGDClassifier(), "decision_function", 2, "values", ("yes",), "decision function"),
        (IsolationForest(random_state=0), "", 2, "values", (), "decision function"),
        (LinearRegression(), "", 0, "values", (), "target's units"),
        (GridSearchCV(LogisticRegression(), {"C": [1.0, 2.0]}, cv=2), "decision_function", 2,
         "values", ("yes",), "log-odds"),
        (make_pipeline(StandardScaler(), DecisionTreeClassifier()), "", 3, "probabilities",
         ("no", "perhaps", "yes"), ""),
    ],
)  # fmt: skip
def test_scores_are_named(estimator, method, count, scores, labels, unit):
    """An estimator's scores, their classes and their unit are said, never guessed."""
    target = classes(count) if count else numbers()[:, 0]
    made = adapter.scorer(estimator.fit(numbers(), target), method=method)
    assert isinstance(made, Scorer)
    assert (made.facts.scores, made.facts.labels, made.facts.unit) == (scores, labels, unit)
    assert made.facts.reads == {"row"}
    assert len(made(numbers())) == 120


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(), LogisticRegressionCV(cv=2),
        SGDClassifier(loss="log_loss", random_state=0), LinearDiscriminantAnalysis(),
        QuadraticDiscriminantAnalysis(), GradientBoostingClassifier(n_estimators=5),
        HistGradientBoostingClassifier(max_iter=5),
    ],
    ids=lambda e: type(e).__name__,
)  # fmt: skip
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.filterwarnings("ignore::FutureWarning")  # of LogisticRegressionCV's defaults
def test_what_is_called_log_odds_is(estimator, count):
    """Where the unit is log-odds, or scores are logits, the probabilities follow from them."""
    estimator.fit(numbers(), classes(count))
    made = adapter.scorer(estimator, method="decision_function")
    given, wanted = made(numbers()), estimator.predict_proba(numbers())
    if count == 2:
        assert made.facts.unit == "log-odds"
        assert 1 / (1 + np.exp(-given)) == pytest.approx(wanted[:, 1], abs=1e-9)
    elif made.facts.scores == "logits":
        shares = np.exp(given - given.max(axis=1, keepdims=True))
        assert shares / shares.sum(axis=1, keepdims=True) == pytest.approx(wanted, abs=1e-9)
    else:
        assert isinstance(estimator, SGDClassifier)
        assert made.facts.unit == "decision function"


def test_an_estimator_of_ones_own_is_called_a_decision_function():
    """A class that only has a known name, or one with a method, is not taken for scikit-learn's."""

    class LogisticRegression:
        classes_ = np.array([0, 1])

        def decision_function(self, rows):
            return np.asarray(rows)[:, 0]

    made = adapter.scorer(LogisticRegression())
    assert (made.facts.unit, made.facts.labels) == ("decision function", ("1",))


def test_names_units_and_labels_may_be_said():
    """What is said of an estimator is used in place of what it says."""
    fitted = LinearRegression().fit(numbers(), numbers()[:, 0])
    facts = adapter.scorer(fitted, unit="dollars", identity="v1", name="prices").facts
    assert (facts.unit, facts.identity, facts.name) == ("dollars", "v1", "prices")
    named = LogisticRegression().fit(numbers(), classes() == "yes")
    assert adapter.scorer(named, labels=["stays", "goes"]).facts.labels == ("stays", "goes")
    margin = adapter.scorer(named, method="decision_function", labels=["stays", "goes"])
    assert margin.facts.labels == ("goes",)


# --- games --------------------------------------------------------------------------------------


def test_a_pipeline_gives_the_same_game_from_every_library():
    """A pipeline fitted on pandas gives equal values for pandas, polars and Arrow tables."""
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    frame, _ = table()
    score = adapter.scorer(pipeline(), identity="p")
    whole = pyarrow.Table.from_pandas(frame, preserve_index=False)
    games = [
        table_game(score, 5, table=one, size=40) for one in (frame, polars.DataFrame(whole), whole)
    ]
    masks = mask.every(3)
    assert games[0].units.labels == games[1].units.labels == games[2].units.labels
    assert games[0].identity == games[1].identity == games[2].identity
    for other in games[1:]:
        assert other(masks) == pytest.approx(games[0](masks), abs=1e-12)


def test_a_pipelines_game_is_the_mean_of_its_probabilities():
    """The value of a mask is the mean of predict_proba over the mixed rows, by hand."""
    frame, _ = table()
    fitted = pipeline()
    score = adapter.scorer(fitted)
    game = table_game(score, 5, table=frame, size=1000, output="hired", link="probability")
    mixed = frame.assign(job=frame["job"][5])
    wanted = fitted.predict_proba(mixed)[:, 0].mean()
    assert game([[False, True, False]])[0] == pytest.approx(wanted, abs=1e-12)
    assert (game.outputs, game.unit) == (("hired",), "probability")


def test_an_estimator_fitted_on_names_reads_arrays_and_frames_without_a_warning():
    """Columns' names are passed on where the estimator knows them, and left out where not."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    frame = pandas.DataFrame(numbers(), columns=list(COLUMNS))
    masks = mask.every(4)
    named = adapter.scorer(LogisticRegression().fit(frame, classes()))
    bare = adapter.scorer(LogisticRegression().fit(numbers(), classes()))
    values = [
        table_game(score, 0, table=rows)(masks)
        for score in (named, bare)
        for rows in (frame, numbers())
    ]
    for other in values[1:]:
        assert other == pytest.approx(values[0], abs=1e-12)


def test_columns_are_found_by_name_in_any_order():
    """A table with its columns in another order, and more of them, gives the same game."""
    frame, _ = table()
    score = adapter.scorer(pipeline(), identity="p")
    mixed = frame[["pay", "job", "age"]].assign(hired="yes")
    game, same = table_game(score, 3, table=mixed), table_game(score, 3, table=frame)
    assert game.identity == same.identity
    assert (game(mask.every(3)) == same(mask.every(3))).all()
    assert any("'hired'" in note for note in game.notes())


def test_the_model_and_the_table_are_left_as_they_were():
    """Making and playing a game changes neither the estimator nor the user's frame."""
    frame, _ = table()
    fitted, kept = pipeline(), frame.copy(deep=True)
    before = pickle.dumps(fitted)
    table_game(adapter.scorer(fitted), 5, table=frame, absent="neighbours:5")(mask.every(3))
    assert pickle.dumps(fitted) == before
    assert frame.equals(kept)


def test_default_explainer_recovers_exact_shapley_values_of_a_linear_model():
    """Shapley values of a linear model are each column's weight times its distance to the mean."""
    fitted = LinearRegression().fit(numbers(), numbers() @ [1.0, 2.0, 0.0, -1.0])
    rows = numbers()
    e = whence.explain(table_game(adapter.scorer(fitted), 7, table=rows, size=1000), budget=16)
    wanted = fitted.coef_ * (rows[7] - rows.mean(axis=0))
    assert e.attributions().values == pytest.approx(wanted, abs=1e-9)
    assert e.unit == "target's units"


# --- bad input ----------------------------------------------------------------------------------


def test_estimators_that_cannot_be_asked_are_refused():
    """No fit, no method, a method it lacks, labels only, and several targets: each by name."""
    fitted = LogisticRegression().fit(numbers(), classes())
    several = MultiOutputClassifier(fitted).fit(numbers(), np.column_stack([classes()] * 2))
    for given, told in (
        ((LogisticRegression(), ""), "LogisticRegression came and is not fitted"),
        ((pipeline()[0], ""), "has none of predict_proba"),
        ((fitted, "score"), "method='score' came; LogisticRegression has"),
        ((fitted, "predict"), "predicts labels"),
        ((LinearSVC().fit(numbers(), classes()), "predict_proba"), "LinearSVC has decision_f"),
        ((several, ""), "has 2 targets"),
    ):
        with pytest.raises(InputError, match=told):
            adapter.scorer(given[0], method=given[1])
    with pytest.raises(InputError, match="the model has 2"):
        adapter.scorer(fitted, labels=["a", "b", "c"])
    with pytest.raises(InputError, match="a sequence is needed"):
        adapter.scorer(fitted, labels="yes")


def test_columns_that_are_missing_or_too_many_are_refused():
    """A missing column is named; a model without names takes exactly its number of columns."""
    frame, _ = table()
    with pytest.raises(InputError, match="lacks 'pay', which LogisticRegression reads"):
        table_game(adapter.scorer(pipeline()), 0, table=frame[["age", "job"]])
    bare = adapter.scorer(RandomForestClassifier(3).fit(numbers(), classes()))
    with pytest.raises(InputError, match=r"reads 4 columns and knows no names; 5 came"):
        table_game(bare, 0, table=np.column_stack([numbers(), numbers()[:, 0]]))


def test_a_category_the_encoder_has_not_seen_is_named():
    """The column and the category are named before anything is spent."""
    frame, _ = table()
    with pytest.raises(
        InputError, match=r"job = baker in the row, where a row that it takes has job"
    ):
        table_game(
            adapter.scorer(pipeline()), frame.iloc[0].to_dict() | {"job": "baker"}, background=frame
        )


def test_a_hole_that_the_model_refuses_is_named():
    """A missing value in a column that the model cannot take is named, wherever it is."""
    score = adapter.scorer(LogisticRegression().fit(numbers(), classes()))
    row, background = numbers()[0], numbers(30, 2)
    row[2] = np.nan
    with pytest.raises(InputError, match="x2 = missing in the row"):
        table_game(score, row, background=background)
    background[17, 1] = np.nan
    with pytest.raises(InputError, match="x1 = missing in row 17 of the background"):
        table_game(score, numbers()[0], background=background)


# --- files --------------------------------------------------------------------------------------


def test_a_pipeline_in_a_skops_file_comes_back(tmp_path):
    """A pipeline saved with skops and opened as the command line does gives the same game."""
    io = pytest.importorskip("skops.io")
    frame, _ = table()
    io.dump(pipeline(), tmp_path / "model.skops")
    score = adapter.opened(str(tmp_path / "model.skops"), Options(method="decision_function"))
    assert (score.facts.unit, score.facts.labels) == ("log-odds", ("sent home",))
    assert score.facts.identity.startswith("sha256:")
    game = table_game(score, 3, table=frame)
    direct = table_game(adapter.scorer(pipeline(), method="decision_function"), 3, table=frame)
    assert game(mask.every(3)) == pytest.approx(direct(mask.every(3)), abs=1e-12)


def test_types_that_are_not_trusted_are_listed(tmp_path):
    """A skops file with types of another package is refused with their names, unless trusted."""
    io = pytest.importorskip("skops.io")
    lightgbm = pytest.importorskip("lightgbm")
    fitted = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(numbers(), classes())
    path = tmp_path / "model.skops"
    io.dump(fitted, path)
    with pytest.raises(InputError, match=r"'lightgbm\.basic\.Booster', 'lightgbm\.sklearn\.LGBM"):
        adapter.opened(str(path), Options())
    score = adapter.load(path, trusted=io.get_untrusted_types(file=path))
    assert score(numbers()) == pytest.approx(adapter.scorer(fitted)(numbers()))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("model.joblib", "save_model|skops.io.dump"), ("model.pkl", "runs whatever code"),
        ("model.h5", "must end in .skops"), ("none.skops", "no such file"),
        ("broken.skops", "cannot be read as a skops file"),
        ("broken.txt", "cannot be read as a model of lightgbm"),
    ],
)  # fmt: skip
def test_files_that_are_not_opened(name, told, tmp_path):
    """Pickles, other files, missing and broken ones are refused by name."""
    if name.endswith("skops"):
        pytest.importorskip("skops")
    if not name.startswith("none"):
        (tmp_path / name).write_bytes(b"not a model")
    with pytest.raises(InputError, match=told):
        adapter.opened(str(tmp_path / name), Options())


def test_options_that_tables_do_not_read_are_refused():
    """An option of another adapter is refused, not ignored."""
    with pytest.raises(InputError, match="device= came for a model of tables"):
        adapter.opened("model.skops", Options(device="cuda"))


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".feather"])
def test_tables_are_read_from_files(suffix, tmp_path):
    """A table's file gives back its columns and rows, by its suffix."""
    frame, _ = table()
    if suffix in (".parquet", ".feather"):
        pytest.importorskip("pyarrow")
    path = tmp_path / f"rows{suffix}"
    {
        ".csv": lambda: frame.to_csv(path, index=False),
        ".tsv": lambda: frame.to_csv(path, index=False, sep="\t"),
        ".parquet": lambda: frame.to_parquet(path),
        ".feather": lambda: frame.to_feather(path),
    }[suffix]()
    assert adapter.read_table(path).equals(frame)


def test_tables_that_cannot_be_read_are_refused(tmp_path):
    """A missing file, another suffix and a broken file are refused by name."""
    pytest.importorskip("pandas")
    (tmp_path / "rows.xlsx").write_bytes(b"")
    (tmp_path / "rows.csv").write_bytes(b"")
    for name, told in (
        ("none.csv", "no such file"), ("rows.xlsx", "must end in .csv"),
        ("rows.csv", "rows.csv cannot be read as a .csv table"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=told):
            adapter.read_table(tmp_path / name)
