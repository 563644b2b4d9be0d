"""Facts about ONNX models of rows, as the converters of scikit-learn and of boosted trees write."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper

from whence.adapters.onnx import load_table, opened
from whence.adapters.options import Options
from whence.errors import InputError
from whence.lenses.inputs.table import TableReader, table_game
from whence.scoring import Scorer

graphs = importlib.import_module("adapters.onnx_graphs")
ADULT = Path(__file__).parents[3] / "shared" / "data" / "adult" / "adult.data"
SLOPES = np.array([[1.0, -2.0], [0.5, 0.25], [-1.0, 3.0]], dtype=np.float32)


def linear(path, *, width=3, batch="rows", end="Identity", name="out", columns=2):
    """Writes a graph: a matrix (rows, 3) times SLOPES, then `end`."""
    nodes = [
        helper.make_node("MatMul", ["x", "slopes"], ["raw"]),
        helper.make_node(end, ["raw"], [name]),
    ]
    io = (
        [("x", TensorProto.FLOAT, [batch, width])],
        [(name, TensorProto.FLOAT, [batch, columns])],
    )
    graphs.save(path, nodes, *io, {"slopes": SLOPES[:, :columns]})
    return path


def by_column(path, kinds):
    """Writes a graph that reads an input (rows, 1) to each column, and adds their numbers."""
    nodes, names = [], []
    for name, kind in kinds.items():
        names.append(f"{name}_number")
        made = {"keys_strings": ["a", "b"], "values_floats": [10.0, 20.0], "default_float": -1.0}
        nodes.append(
            helper.make_node("LabelEncoder", [name], names[-1:], domain="ai.onnx.ml", **made)
            if kind == TensorProto.STRING
            else helper.make_node("Cast", [name], names[-1:], to=TensorProto.FLOAT)
        )
    nodes.append(helper.make_node("Sum", names, ["variable"]))
    inputs = [(name, kind, ["rows", 1]) for name, kind in kinds.items()]
    graphs.save(path, nodes, inputs, [("variable", TensorProto.FLOAT, ["rows", 1])], {})
    return path


MIXED = {"age": TensorProto.INT64, "size": TensorProto.FLOAT, "job": TensorProto.STRING}


@settings(max_examples=25)
@given(st.lists(st.lists(st.floats(-9, 9, width=32), min_size=3, max_size=3), max_size=20))
def test_a_matrix_is_scored_as_by_hand(tmp_path_factory, rows):
    """Scores of any rows are those of the graph, in the order of the rows, also for none."""
    path = tmp_path_factory.getbasetemp() / "linear.onnx"
    model = load_table(path if path.exists() else linear(path))
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 3)
    assert model(table).shape[0] == len(rows)
    if rows:
        np.testing.assert_allclose(model(table), table @ SLOPES, atol=1e-4)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_fixed_batch_is_run_as_often_as_needed(tmp_path, batch):
    """Ten rows through a graph that takes one, or four, at a time."""
    model = load_table(linear(tmp_path / "m.onnx", batch=batch))
    rows = np.random.default_rng(0).normal(size=(10, 3))
    np.testing.assert_allclose(model(rows), rows @ SLOPES, atol=1e-5)


def test_it_is_what_the_table_lens_reads(tmp_path):
    """The model is a Scorer of rows that knows its columns, and a game of it is additive."""
    model = load_table(linear(tmp_path / "m.onnx", columns=1), columns=("a", "b", "c"))
    assert isinstance(model, Scorer)
    assert isinstance(model, TableReader)
    table = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    game = table_game(model, 0, table=table[:1], background=table[1:])
    whole = game(np.array([[True] * 3, [True, False, False]]))
    np.testing.assert_allclose(whole, [-1.0, 1.0], atol=1e-6)
    assert model.identity in (game.identity or "")


def test_inputs_name_the_columns(tmp_path):
    """One input to a column: rows are read by name, in the model's types, whatever their order."""
    pandas = pytest.importorskip("pandas")
    model = load_table(by_column(tmp_path / "m.onnx", MIXED))
    assert model.names == ("age", "size", "job")
    frame = pandas.DataFrame({"job": ["b", "z"], "size": [0.5, 1.5], "age": [30, 40]})
    ordered = frame[list(model.reads(tuple(frame.columns)))]
    assert model(ordered).tolist() == [50.5, 40.5]
    game = table_game(model, 0, table=frame)
    np.testing.assert_allclose(game(np.array([[True] * 3])), [50.5])


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"age": ["old"]}, "'age' holds 'old', and the model reads numbers"),
        ({"age": [1.5]}, "'age' holds fractions, and the model reads whole numbers"),
        ({"age": [None]}, "'age' holds a missing value"),
        ({"job": [3]}, "'job' holds numbers, and the model reads text"),
        ({"job": [None]}, "'job' holds a missing value, and the model reads text"),
    ],
    ids=str,
)
def test_values_of_another_kind_are_refused_by_column(tmp_path, cells, says):
    """A text for a number, a number for a text, a gap where none can be: the column is named."""
    pandas = pytest.importorskip("pandas")
    model = load_table(by_column(tmp_path / "m.onnx", MIXED))
    frame = pandas.DataFrame({"age": [30], "size": [1.0], "job": ["a"]} | cells)
    with pytest.raises(InputError, match=says):
        model(frame)


def test_missing_numbers_and_truths_are_numbers(tmp_path):
    """A nan stays a nan in a float column; True is 1."""
    kinds = {"a": TensorProto.FLOAT, "b": TensorProto.FLOAT}
    model = load_table(by_column(tmp_path / "m.onnx", kinds))
    rows = np.array([[True, 2.0], [False, np.nan]], dtype=object)
    scores = model(model.ready(rows))
    assert scores[0] == 3.0
    assert np.isnan(scores[1])


def test_columns_that_do_not_fit_are_refused(tmp_path):
    """Too few columns, names that are not one to each, and a missing name are refused."""
    path = linear(tmp_path / "m.onnx")
    with pytest.raises(InputError, match=r"2 columns came .* reads 3"):
        load_table(path, columns=("a", "b"))
    with pytest.raises(InputError, match="reads 3 columns, and does not know their names; 2 came"):
        load_table(path).reads(("a", "b"))
    with pytest.raises(InputError, match="reads 'c'; the table lacks"):
        load_table(path, columns=("a", "b", "c")).reads(("a", "b"))
    with pytest.raises(InputError, match=r"reads 3 columns; an array of shape \(1, 4\)"):
        load_table(path)(np.ones((1, 4)))


@pytest.mark.parametrize(
    ("how", "told", "scores", "note"),
    [
        ({"end": "Softmax", "name": "probabilities"}, {}, "probabilities", ""),
        ({"end": "Softmax"}, {}, "probabilities", "rows sum to 1"),
        ({"name": "probabilities"}, {}, "logits", "do not sum to 1"),
        ({"name": "logits"}, {}, "logits", ""),
        ({}, {"labels": ("a", "b")}, "logits", ""),
        ({}, {}, "values", "plain numbers"),
        ({}, {"scores": "logits"}, "logits", ""),
        ({"columns": 1, "name": "variable"}, {}, "values", ""),
    ],
    ids=str,
)
def test_what_the_numbers_are_is_told_or_said(tmp_path, how, told, scores, note):
    """What is plain from the model is taken; what is found out, or falls short, is in the notes."""
    facts = load_table(linear(tmp_path / "m.onnx", **how), **told).facts
    assert facts.scores == scores
    assert [note in one for one in facts.notes] == ([True] if note else [])


def test_labels_that_do_not_fit_are_refused(tmp_path):
    """Three labels for two columns are refused."""
    with pytest.raises(InputError, match=r"3 labels came \(a, b, c\)"):
        load_table(linear(tmp_path / "m.onnx"), labels=("a", "b", "c"))


def test_a_model_of_images_is_refused_by_name(tmp_path):
    """An input of four axes is no table."""
    nodes = [helper.make_node("Flatten", ["pixels"], ["out"])]
    io = (
        [("pixels", TensorProto.FLOAT, ["b", 3, 2, 2])],
        [("out", TensorProto.FLOAT, ["b", 12])],
    )
    graphs.save(tmp_path / "m.onnx", nodes, *io, {})
    with pytest.raises(InputError, match=r"reads pixels tensor\(float\).*matrix"):
        opened(str(tmp_path / "m.onnx"), Options())


def test_labels_alone_are_no_head(tmp_path):
    """A model that gives nothing but the predicted label has no score to explain."""
    nodes = [helper.make_node("Cast", ["x"], ["label"], to=TensorProto.INT64)]
    io = ([("x", TensorProto.FLOAT, ["b", 3])], [("label", TensorProto.INT64, ["b", 3])])
    graphs.save(tmp_path / "m.onnx", nodes, *io, {})
    with pytest.raises(InputError, match="no usable head: the model gives label"):
        load_table(tmp_path / "m.onnx")


def test_an_option_of_texts_is_refused(tmp_path):
    """A tokenizer for a model of rows is refused, not left unread."""
    with pytest.raises(InputError, match="tokenizer= came for an ONNX model without tokens"):
        opened(str(linear(tmp_path / "m.onnx")), Options(tokenizer=tmp_path))


# --- what converters write --------------------------------------------------------------------


def converted(path, model, inputs, **options):
    """Writes a scikit-learn model as skl2onnx does, and opens it as the command line does."""
    skl2onnx = pytest.importorskip("skl2onnx")
    made = skl2onnx.to_onnx(
        model, initial_types=inputs, options={id(model): options}, target_opset=18
    )
    path.write_bytes(made.SerializeToString())
    return opened(str(path), Options())


def floats(width):
    """One matrix of floats."""
    kinds = pytest.importorskip("skl2onnx.common.data_types")
    return [("x", kinds.FloatTensorType([None, width]))]


def rows_of(count=200, seed=0):
    """Rows `(count, 4)` of numbers in single precision."""
    return np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("kind", ["LogisticRegression", "RandomForestClassifier"])
def test_converted_classifiers_give_the_probabilities_of_their_classes(tmp_path, kind, zipmap):
    """With and without maps, skl2onnx classifiers score as predict_proba, labels included."""
    rows = rows_of()
    kinds = {
        **vars(importlib.import_module("sklearn.linear_model")),
        **vars(importlib.import_module("sklearn.ensemble")),
    }
    fitted = kinds[kind](random_state=0).fit(rows, np.where(rows[:, 0] > 0, "yes", "no"))
    model = converted(tmp_path / "m.onnx", fitted, floats(4), zipmap=zipmap)
    np.testing.assert_allclose(model(rows), fitted.predict_proba(rows), atol=1e-5)
    assert (model.facts.scores, model.facts.notes) == ("probabilities", ())
    assert model.facts.labels == (("no", "yes") if zipmap else ("0", "1"))


def test_raw_scores_are_not_taken_for_probabilities(tmp_path):
    """skl2onnx names raw scores "probabilities" too; they are logits, and the notes say why."""
    linear_model = importlib.import_module("sklearn.linear_model")
    rows = rows_of()
    fitted = linear_model.LogisticRegression().fit(rows, rows[:, :3].argmax(axis=1))
    model = converted(tmp_path / "m.onnx", fitted, floats(4), zipmap=False, raw_scores=True)
    assert model.facts.scores == "logits"
    assert "do not sum to 1" in model.facts.notes[0]
    np.testing.assert_allclose(model(rows), fitted.decision_function(rows), atol=1e-5)


def test_a_converted_regression_gives_plain_numbers(tmp_path):
    """A regressor's (b, 1) comes as (b,), with no labels and no notes."""
    linear_model = importlib.import_module("sklearn.linear_model")
    rows = rows_of()
    fitted = linear_model.Ridge().fit(rows, rows @ np.array([1, 2, 3, 4]))
    model = converted(tmp_path / "m.onnx", fitted, floats(4))
    np.testing.assert_allclose(model(rows), fitted.predict(rows), atol=1e-4)
    assert (model.facts.scores, model.facts.labels, model.facts.notes) == ("values", (), ())


def test_a_text_pipeline_reads_texts(tmp_path):
    """A converted vectorizer and classifier is a scorer of texts, and scores as the pipeline."""
    kinds = pytest.importorskip("skl2onnx.common.data_types")
    text = importlib.import_module("sklearn.feature_extraction.text")
    pipeline = importlib.import_module("sklearn.pipeline")
    linear_model = importlib.import_module("sklearn.linear_model")
    docs = ["good film", "bad film", "not good", "fine good one", "awful", "bad"]
    fitted = pipeline.make_pipeline(
        text.CountVectorizer(lowercase=False), linear_model.LogisticRegression()
    ).fit(docs, [1, 0, 0, 1, 0, 0])
    model = converted(tmp_path / "m.onnx", fitted, [("text", kinds.StringTensorType([None, 1]))])
    assert model.facts.reads == {"text"}
    np.testing.assert_allclose(model(docs), fitted.predict_proba(docs), atol=1e-5)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost", "catboost"])
def test_boosted_trees_score_as_their_library(tmp_path, library):
    """LightGBM, XGBoost and CatBoost classifiers, converted, give their own probabilities."""
    rows, path = rows_of(), tmp_path / "m.onnx"
    kind = (rows[:, 0] * rows[:, 1] > 0).astype(int)
    fitted = graphs.boosted(pytest, library, rows, kind, path)
    model = opened(str(path), Options())
    assert model.facts.scores == "probabilities"
    np.testing.assert_allclose(model(rows), fitted.predict_proba(rows), atol=1e-5)


@pytest.mark.skipif(not ADULT.exists(), reason="needs ../shared/data/adult")
def test_a_pipeline_on_real_columns_is_explained_as_the_estimator_is(tmp_path):
    """On adult, the ONNX file and the pipeline it came from give the same game."""
    pandas, compose = pytest.importorskip("pandas"), importlib.import_module("sklearn.compose")
    kinds = pytest.importorskip("skl2onnx.common.data_types")
    prepare = importlib.import_module("sklearn.preprocessing")
    pipeline = importlib.import_module("sklearn.pipeline")
    linear_model = importlib.import_module("sklearn.linear_model")
    table = pandas.read_csv(ADULT, header=None, skipinitialspace=True, nrows=2000)
    wealthy, table = table[14] == ">50K", table[[0, 4, 12, 5, 6]]
    table.columns = ["age", "schooling", "hours", "marriage", "job"]
    numbers, words = ["age", "schooling", "hours"], ["marriage", "job"]
    table = table.astype(dict.fromkeys(numbers, float) | dict.fromkeys(words, object))
    fitted = pipeline.make_pipeline(
        compose.make_column_transformer(
            (prepare.StandardScaler(), numbers),
            (prepare.OneHotEncoder(handle_unknown="ignore"), words),
        ),
        linear_model.LogisticRegression(max_iter=500),
    ).fit(table, wealthy)
    inputs = [(name, kinds.FloatTensorType([None, 1])) for name in numbers]
    inputs += [(name, kinds.StringTensorType([None, 1])) for name in words]
    model = converted(tmp_path / "adult.onnx", fitted, inputs)
    plain = {"scores": "probabilities", "labels": ("False", "True")}
    made = [
        table_game(score, 7, table=table, size=30, rng=1, output=1, **named)
        for score, named in ((model, {}), (fitted.predict_proba, plain))
    ]
    masks = np.random.default_rng(0).random((32, 5)) < 0.5
    np.testing.assert_allclose(made[0](masks), made[1](masks), atol=1e-5)
