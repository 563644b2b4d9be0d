"""Facts about table games on real data: adult, California housing and bike sharing, beside SHAP."""

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import whence
from tools.tree import ROOT
from whence.adapters import sklearn as adapter
from whence.lenses.inputs.table import table_game

DATA = ROOT.parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not (DATA / "adult").exists(), reason="needs ../shared/data")

ADULT = [
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation",
    "relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week",
    "native-country", "income",
]  # fmt: skip


def adult(rows=3000):
    """Rows of the adult census and whether each earns more than 50,000."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    path = DATA / "adult" / "adult.data"
    table = pandas.read_csv(path, header=None, names=ADULT, nrows=rows, skipinitialspace=True)
    return table.drop(columns="income"), table["income"].to_numpy()


def words_of(table):
    """The columns of a frame that hold words."""
    return [name for name in table if table[name].dtype.kind not in "if"]


def housing(rows=3000):
    """Eight columns of California housing and the price."""
    table = adapter.read_table(DATA / "shapiq_tabular" / "california_housing.csv").iloc[:rows]
    return table.iloc[:, :-1], table.iloc[:, -1].to_numpy()


def exact(game, order=1):
    """Every mask, and the exact Shapley values."""
    return whence.explain(game, budget=2**game.n, repeats=0).attributions().values


@pytest.mark.slow
@pytest.mark.parametrize("linear", [True, False])
def test_a_pipeline_on_adult_agrees_with_shap_exactly(linear):
    """On a pipeline of words and numbers our exact Shapley values are those of SHAP's Exact."""
    shap = pytest.importorskip("shap")
    table, income = adult()
    table = table[["age", "workclass", "education-num", "marital-status", "sex", "hours-per-week"]]
    encode = ColumnTransformer(
        [("w", OneHotEncoder() if linear else OrdinalEncoder(), words_of(table))],
        remainder=StandardScaler(),
    )
    model = (
        LogisticRegression(max_iter=500) if linear else HistGradientBoostingClassifier(max_iter=20)
    )
    pipe = make_pipeline(encode, model).fit(table, income)
    background = table.iloc[100:140]
    game = table_game(
        adapter.scorer(pipe), 7, table=table, background=background, output=">50K",
        link="probability",
    )  # fmt: skip
    words = {name: sorted(set(table[name])) for name in words_of(table)}
    coded = table.assign(**{n: table[n].map(known.index) for n, known in words.items()})

    def probability(rows):
        """Of SHAP's rows, which are numbers only."""
        made = table.__class__(rows, columns=table.columns)
        known = {n: [words[n][int(at)] for at in made[n]] for n in words}
        return pipe.predict_proba(made.assign(**known))[:, 1]

    masker = shap.maskers.Independent(coded.to_numpy(float)[100:140], max_samples=40)
    theirs = shap.explainers.Exact(probability, masker)(coded.to_numpy(float)[7:8])
    assert exact(game) == pytest.approx(theirs.values[0], abs=1e-9)
    assert game([[False] * 6])[0] == pytest.approx(theirs.base_values[0], abs=1e-9)


@pytest.mark.slow
def test_lightgbm_margins_on_adult_agree_with_tree_shap():
    """On LightGBM's log-odds our exact Shapley values are those of interventional tree SHAP."""
    shap, lightgbm = pytest.importorskip("shap"), pytest.importorskip("lightgbm")
    table, income = adult()
    numeric = table.drop(columns=words_of(table))
    model = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1).fit(numeric, income)
    background = numeric.iloc[:50]
    score = adapter.scorer(model, method="decision_function")
    game = table_game(score, 60, table=numeric, background=background)
    tree = shap.TreeExplainer(model, background, feature_perturbation="interventional")
    theirs = tree.shap_values(numeric.iloc[60:61])[0]
    assert (game.unit, game.outputs) == ("log-odds", (">50K",))
    assert exact(game) == pytest.approx(theirs, abs=1e-6)


@pytest.mark.slow
def test_a_regressor_on_housing_agrees_with_shap_exactly():
    """On a boosted regressor our exact Shapley values are those of SHAP's Exact."""
    shap = pytest.importorskip("shap")
    table, price = housing()
    model = HistGradientBoostingRegressor(max_iter=20, random_state=0).fit(table, price)
    game = table_game(adapter.scorer(model), 11, table=table, background=table.iloc[:60])
    masker = shap.maskers.Independent(table.to_numpy()[:60], max_samples=60)

    def priced(rows):
        return model.predict(table.__class__(rows, columns=table.columns))

    theirs = shap.explainers.Exact(priced, masker)(table.to_numpy()[11:12])
    assert exact(game) == pytest.approx(theirs.values[0], abs=1e-9)


def test_a_group_is_one_player_of_the_same_game():
    """Latitude and longitude as one unit: its value is that of both columns in the plain game."""
    table, price = housing()
    model = HistGradientBoostingRegressor(max_iter=20, random_state=0).fit(table, price)
    score = adapter.scorer(model)
    place = [name for name in table if name.lower().startswith(("lat", "long"))]
    assert len(place) == 2
    game = table_game(score, 11, table=table, units={"place": place})
    plain = table_game(score, 11, table=table)
    masks = np.random.default_rng(0).random((40, 7)) < 0.5
    names = [label.split()[0] for label in game.units.labels]
    columns = [names.index("place" if name in place else name) for name in table]
    assert (game(masks) == plain(masks[:, columns])).all()


def test_conditional_values_on_housing_differ_and_are_repeatable():
    """Every policy gives finite, repeatable values on real columns, not all the same."""
    table, price = housing()
    model = HistGradientBoostingRegressor(max_iter=20, random_state=0).fit(table, price)
    masks = np.random.default_rng(0).random((20, 8)) < 0.5
    values = {}
    for absent in ("marginal", "neighbours:30", "gaussian", "copula", "baseline"):
        games = [
            table_game(adapter.scorer(model), 11, table=table, absent=absent) for _ in range(2)
        ]
        values[absent] = games[0](masks)
        assert (values[absent] == games[1](masks)).all()
        alone = np.concatenate([games[1](one[None]) for one in masks])
        assert alone == pytest.approx(values[absent], abs=1e-12)
    assert len({v.tobytes() for v in values.values()}) == 5


def test_bike_rentals_are_explained_with_a_good_fit():
    """The default explainer accounts for a boosted model of bike rentals at 200 masks."""
    table = adapter.read_table(DATA / "shapiq_tabular" / "bike.csv").iloc[:3000]
    columns, rented = table.iloc[:, :-1], table.iloc[:, -1]
    encode = ColumnTransformer(
        [("w", OrdinalEncoder(), words_of(columns))], remainder="passthrough"
    )
    model = make_pipeline(encode, HistGradientBoostingRegressor(max_iter=30, random_state=0))
    model.fit(columns, rented)
    e = whence.explain(table_game(adapter.scorer(model), 100, table=columns), budget=200)
    assert e.fidelity.r2 > 0.9
    assert e.cost.calls <= 200


def test_the_default_explainer_finds_exact_values_of_an_adult_row():
    """At 500 masks of 14 columns the default's Shapley values are near the exact ones."""
    lightgbm = pytest.importorskip("lightgbm")
    table, income = adult()
    words = words_of(table)
    table[words] = table[words].astype("category")
    model = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1).fit(table, income)
    score = adapter.scorer(model, method="decision_function")
    game = table_game(score, 7, table=table, size=20)
    known = exact(game)
    e = whence.explain(game, budget=500)
    assert e.fidelity.r2 > 0.95
    assert np.abs(e.attributions().values - known).max() < 0.1 * np.abs(known).max()
