"""Facts about table games: what a mask is worth, what is asked for it, what is refused."""

import datetime
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import whence
from whence import masks as mask
from whence.errors import GameError, InputError, ModelError, ShapeError
from whence.lenses.inputs.background import Baseline
from whence.lenses.inputs.columns import grouped, label, said
from whence.lenses.inputs.conditional import as_policy
from whence.lenses.inputs.frames import as_table
from whence.lenses.inputs.table import different, table_game
from whence.scoring import Facts
from whence.testing import check_game

POLICIES = ["marginal", "neighbours:7", "gaussian", "copula", "baseline"]


def smooth(rows):
    """A score with interactions, row by row: `(b,)`."""
    x = np.asarray(rows, dtype=np.float64)
    return np.sin(x[:, 0]) + x[:, 1] * x[:, -1] - (x[:, 0] > 0) * x[:, 2]


def numbers(seed=0, rows=40, columns=5):
    """Correlated rows."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, columns)) @ rng.normal(size=(columns, columns)) / 2


def by_hand(score, row, background, masks):
    """The mean over background rows of the score of the row mixed with them: the definition."""
    return np.array([
        np.mean([score(np.where(m, row, b)[None])[0] for b in background]) for m in masks
    ])  # fmt: skip


class Asked:
    """A score that remembers how many rows came at once."""

    def __init__(self, score):
        self.score, self.rows = score, []

    def __call__(self, rows):
        self.rows.append(len(rows))
        return self.score(rows)


# --- what a mask is worth -------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30))
def test_marginal_value_is_the_mean_over_the_background(seed, rows):
    """A mask's value is the mean score of the row with absent columns from each background row."""
    background, row = numbers(seed, rows), numbers(seed + 1, 1)[0]
    masks = mask.every(5)
    game = table_game(smooth, row, background=background)
    assert game(masks) == pytest.approx(by_hand(smooth, row, background, masks), abs=1e-12)


def test_pinned_columns_and_groups_come_and_go_as_said():
    """A group's columns are absent together, and a pinned column never is."""
    background, row = numbers(), numbers(1)[0]
    game = table_game(smooth, row, background=background, units={"pair": ["x1", "x4"]}, pin=["x3"])
    assert [name.split()[0] for name in game.units.labels] == ["x0", "pair", "x2"]
    masks = mask.every(3)
    columns = masks[:, [0, 1, 2, 0, 1]]
    columns[:, 3] = True
    assert game(masks) == pytest.approx(by_hand(smooth, row, background, columns), abs=1e-12)


def test_background_is_drawn_by_the_seed():
    """Of a larger background `size` rows are drawn without repeats, by the seed alone."""
    background = numbers(rows=300)
    games = [
        table_game(smooth, background[0], background=background, size=20, rng=seed)
        for seed in (3, 3, 4)
    ]
    nothing = [float(game([[False] * 5])[0]) for game in games]
    assert nothing[0] == nothing[1] != nothing[2]
    drawn = np.sort(np.random.default_rng(3).choice(300, 20, replace=False))
    assert nothing[0] == pytest.approx(smooth(background[drawn]).mean(), abs=1e-12)


def test_a_generator_gives_the_seed():
    """A generator in place of a seed gives equal games when its state is equal."""
    rows = numbers(rows=300)
    games = [
        table_game(smooth, 0, table=rows, size=9, rng=np.random.default_rng(5), identity="m")
        for _ in range(2)
    ]
    assert games[0].identity == games[1].identity


def test_a_baseline_row_stands_in_for_what_is_absent():
    """With a baseline row a mask is one row of the model: the row's values, else the baseline's."""
    row, other = numbers(1)[0], numbers(2)[0]
    asked = Asked(smooth)
    game = table_game(asked, row, background=numbers(), absent=Baseline(other))
    masks = mask.every(5)
    asked.rows.clear()
    assert game(masks) == pytest.approx(smooth(np.where(masks, row, other)), abs=1e-12)
    assert sum(asked.rows) == 32


def test_a_baseline_row_needs_no_background():
    """A row and a baseline row, as dicts, arrays or frames, are enough."""
    row, other = {"a": 1.0, "b": 2.0, "c": 5.0}, {"c": 1.0, "b": 0.0, "a": 0.0}
    game = table_game(smooth, row, absent=Baseline(other))
    assert game([[True, True, False]])[0] == smooth(np.array([[1.0, 2.0, 1.0]]))[0]
    bare = table_game(smooth, np.array([1.0, 2.0, 5.0]), absent=Baseline([0.0, 0.0, 1.0]))
    assert bare(mask.every(3)) == pytest.approx(game(mask.every(3)))


def test_columns_choose_and_order_what_the_model_reads():
    """With columns= the model is given those, in that order."""
    frame = pytest.importorskip("pandas").DataFrame(numbers(), columns=list("abcde"))
    game = table_game(
        lambda rows: rows["d"].to_numpy() - rows["a"].to_numpy(), 0, table=frame,
        columns=["d", "a"],
    )  # fmt: skip
    assert game.units.labels[0].startswith("d = ")
    assert game([[True, True]])[0] == pytest.approx(frame["d"][0] - frame["a"][0])
    assert "'b', 'c', 'e'" in " ".join(game.notes())


# --- what is asked --------------------------------------------------------------------------------


@pytest.mark.parametrize("absent", POLICIES)
def test_a_mask_has_one_value_in_any_batch(absent):
    """A mask's value is the same to the last bit alone, in any order and in any batch."""
    row, background = numbers(1)[0], numbers(rows=60)
    masks = mask.every(5)
    games = [
        table_game(smooth, row, background=background, absent=absent, size=21, batch=batch)
        for batch in (10**6, 64, 21)
    ]
    together = games[0](masks)
    alone = np.concatenate([games[0](m[None]) for m in masks])
    backwards = games[1].value(masks[::-1].copy())[::-1]
    assert (together == alone).all()
    assert (together == backwards).all()
    assert (together == games[2](masks)).all()


@pytest.mark.parametrize("absent", POLICIES)
def test_the_full_mask_is_the_row_itself(absent):
    """With all present the model is asked the row alone, once, and nothing is averaged."""
    asked = Asked(smooth)
    background, row = numbers(rows=30), numbers(1)[0]
    game = table_game(asked, row, background=background, absent=absent)
    asked.rows.clear()
    assert game([[True] * 5])[0] == smooth(row[None])[0]
    assert asked.rows == [1]


def test_rows_that_are_the_same_are_asked_once():
    """Of a background with few different values, each different row goes to the model once."""
    rng = np.random.default_rng(0)
    background = rng.integers(0, 2, (100, 3)).astype(float)
    asked = Asked(smooth)
    game = table_game(asked, [0.0, 1.0, 0.0], background=background)
    asked.rows.clear()
    masks = mask.every(3)
    values = game(masks)
    assert sum(asked.rows) <= 8
    assert values == pytest.approx(by_hand(smooth, [0.0, 1.0, 0.0], background, masks))


@pytest.mark.parametrize("absent", POLICIES)
def test_the_model_is_never_given_more_rows_than_the_batch(absent):
    """No call has more rows than `batch`, also when one mask alone needs more."""
    asked = Asked(smooth)
    game = table_game(
        asked, numbers(1)[0], background=numbers(rows=60), absent=absent, size=50, batch=16
    )
    asked.rows.clear()
    game(mask.every(5))
    assert max(asked.rows) <= 16


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 40), st.sampled_from([1, 3, 80]))
def test_different_rows_are_found_exactly(seed, rows, columns):
    """`different` gives a first place for each different row, and for each row which it is."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, rng.choice([2, 10**6]), (rows, columns))
    codes = codes[rng.integers(0, max(rows, 1), rows)] if rows else codes
    first, same = different(codes)
    assert (codes[first][same] == codes).all()
    assert len(first) == len(np.unique(codes, axis=0))


def test_a_game_of_a_table_keeps_the_contract():
    """`check_game` finds no fault in a table game, whatever the policy."""
    for absent in POLICIES:
        check_game(table_game(smooth, numbers(1)[0], background=numbers(), absent=absent))


# --- the libraries of tables ----------------------------------------------------------------------


def people(rows=30):
    """Columns of every common kind, with holes: name -> values."""
    rng = np.random.default_rng(7)
    return {
        "age": rng.integers(20, 60, rows).tolist(),
        "pay": [None if i % 7 == 3 else float(v) for i, v in enumerate(rng.normal(size=rows))],
        "job": [None if i % 9 == 5 else ("cook", "smith")[i % 2] for i in range(rows)],
        "old": [bool(v) for v in rng.integers(0, 2, rows)],
    }  # fmt: skip


def frames():
    """The same table in every library that is installed."""
    made = {}
    for library, make in (
        ("pandas", lambda p: p.DataFrame(people())),
        ("polars", lambda p: p.DataFrame(people())),
        ("pyarrow", lambda p: p.table(people())),
    ):
        made[library] = make(pytest.importorskip(library))
    return made


def spoken(rows):
    """A score of any frame that sees kinds, holes and texts."""
    columns = as_table(rows).columns()
    parts = []
    for column in columns:
        values = column.values
        if not column.numeric:
            values = np.array(
                [np.nan if np.isnan(v) else len(str(column.words[int(v)])) for v in values]
            )
        parts.append(np.where(np.isnan(values), -3.0, values))
    age, pay, job, old = parts
    return age * 0.1 + pay * job + (old == 4) * age * 0.2


def test_every_library_of_tables_gives_the_same_game():
    """pandas, polars and Arrow tables give equal labels, values and identities."""
    pytest.importorskip("narwhals")
    games = [
        table_game(spoken, 3, table=frame, absent=absent, identity="m", size=12)
        for absent in ("marginal", "neighbours:5", "baseline")
        for frame in frames().values()
    ]
    masks = mask.every(4)
    for first, *others in (games[i : i + 3] for i in (0, 3, 6)):
        assert first.units.labels == others[0].units.labels == others[1].units.labels
        assert first.units.labels[1:3] == ("pay = missing", "job = smith")
        for other in others:
            assert first.identity == other.identity
            assert (first(masks) == other(masks)).all()


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_types_survive_the_mixing(library):
    """The model is given the columns in the background's own types, categories included."""
    pytest.importorskip("narwhals")
    frame = pytest.importorskip(library)
    table = frames()[library]
    if library == "pandas":
        table = table.assign(job=table["job"].astype("category"))
    if library == "polars":
        table = table.with_columns(frame.col("job").cast(frame.Enum(["cook", "smith"])))
    seen = []

    def score(rows):
        seen.append(rows)
        return np.zeros(len(rows))

    game = table_game(score, 0, table=table)
    game(mask.every(4))
    for rows in seen:
        assert type(rows) is type(table)
        if library == "pyarrow":
            assert rows.schema.types == table.schema.types
        else:
            assert list(rows.dtypes) == list(table.dtypes)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_less_common_types_survive_too(library):
    """Dates, large whole numbers, small floats and whole numbers with holes are kept exactly."""
    pytest.importorskip("narwhals")
    package, pandas = pytest.importorskip(library), pytest.importorskip("pandas")
    columns = {
        "day": [datetime.datetime(2020, 1, 1 + i) for i in range(8)],
        "id": [2**60 + i for i in range(8)],
        "share": np.arange(8, dtype=np.float32),
        "count": [i if i % 3 else None for i in range(8)],
    }
    table = package.table(columns) if library == "pyarrow" else package.DataFrame(columns)
    if library == "pandas":
        table = table.astype({"count": "Int64"}).assign(on=pandas.array([True, None] * 4))
    seen = []

    def score(rows):
        seen.append(rows)
        return [float(one - 2**60) for one in as_table(rows).frame["id"].to_list()]

    game = table_game(score, 3, table=table, absent="neighbours:2")
    assert game.units.labels[:2] == ("day = 2020-01-04 00:00:00", f"id = {2**60 + 3}")
    assert game([[True] * game.n])[0] == 3.0
    schemas = [r.schema if library == "pyarrow" else list(r.dtypes) for r in [table, *seen]]
    assert all(schema == schemas[0] for schema in schemas)


@pytest.mark.parametrize(
    "make",
    [
        lambda f: f.iloc[3],
        lambda f: f.iloc[[3]],
        lambda f: f.iloc[3].to_dict(),
        lambda f: f.iloc[3].tolist(),
        lambda f: np.int64(3),
    ],
    ids=["series", "frame", "dict", "list", "index"],
)
def test_a_row_may_come_in_many_forms(make):
    """A Series, a one-row frame, a dict, a list and a row's number are the same row."""
    pytest.importorskip("narwhals")
    pytest.importorskip("pandas")
    frame = frames()["pandas"]
    game = table_game(spoken, make(frame), table=frame, background=frame, identity="m")
    same = table_game(spoken, 3, table=frame, identity="m")
    assert game.units.labels == same.units.labels
    assert (game(mask.every(4)) == same(mask.every(4))).all()


def test_an_array_of_objects_keeps_its_texts():
    """Texts and numbers in one array of objects, or in lists, reach the model as they came."""
    table = [["a", 1.0], ["bb", 2.0], ["a", 4.0]]
    game = table_game(lambda rows: [len(t) * v for t, v in rows], 1, table=table)
    assert game.units.labels == ("x0 = bb", "x1 = 2")
    assert game([[True, True], [False, True]]) == pytest.approx([4.0, 2 * 4 / 3])


# --- what scores are ------------------------------------------------------------------------------


def likely(rows):
    """Probabilities of three classes."""
    z = np.asarray(rows, dtype=np.float64)[:, :3]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("output", [None, "predicted"])
def test_the_predicted_class_is_explained_by_default(output):
    """Without output=, or by name, the class that the model predicts for the row is explained."""
    row = np.array([0.0, 3.0, 1.0])
    game = table_game(
        likely, row, background=numbers(columns=3), scores="probabilities", labels=list("abc"),
        output=output,
    )  # fmt: skip
    p = likely(row[None])[0, 1]
    assert (game.outputs, game.unit) == (("b",), "log-odds")
    assert game([[True] * 3])[0] == pytest.approx(np.log(p / (1 - p)))


def test_a_link_is_read_off_the_mean_probability():
    """A link is of the mean probability: its log-odds, or the probability itself."""
    background, row = numbers(columns=3), np.array([0.0, 3.0, 1.0])
    game = table_game(
        likely, row, background=background, scores="probabilities", output=2, link="log-odds"
    )
    p = likely(background)[:, 2].mean()
    assert game([[False] * 3])[0] == pytest.approx(np.log(p / (1 - p)))
    plain = table_game(
        likely, row, background=background, scores="probabilities", output=2, link="probability"
    )
    assert plain([[False] * 3])[0] == pytest.approx(p)
    assert (game.unit, plain.unit) == ("log-odds", "probability")


def test_several_outputs_are_averaged_each():
    """Plain numbers of several columns are several outputs."""
    game = table_game(
        lambda rows: np.asarray(rows)[:, :2], 0, table=numbers(), scores="values",
        labels=["first", "second"], unit="metres",
    )  # fmt: skip
    assert game.outputs == ("first", "second")
    assert game.unit == "metres"
    assert game([[False] * 5])[0] == pytest.approx(numbers()[:, :2].mean(axis=0))


def test_scores_of_classes_must_be_said():
    """A bare callable with several numbers to a row is not guessed at."""
    with pytest.raises(InputError, match="scores= does not say"):
        table_game(likely, 0, table=numbers())


def test_numbers_that_are_no_probabilities_are_refused_at_once():
    """scores="probabilities" of other numbers is refused when the game is made."""
    with pytest.raises(GameError, match="between 0 and 1"):
        table_game(
            lambda rows: np.asarray(rows)[:, :2] * 9, 0, table=numbers(), scores="probabilities"
        )


# --- what is recorded -----------------------------------------------------------------------------


def test_identity_tells_games_apart():
    """Row, background, units, policy, size, seed and model each change the identity."""
    base = {"table": numbers(rows=90), "identity": "m", "size": 30}
    variants = [
        {}, {"row": 1}, {"table": numbers(3, 90)}, {"units": {"g": ["x0", "x1"]}}, {"pin": ["x0"]},
        {"absent": "gaussian"}, {"absent": "neighbours:3"}, {"absent": "neighbours:4"},
        {"size": 31}, {"rng": 1}, {"identity": "other"}, {"columns": ["x0", "x1", "x4"]},
    ]  # fmt: skip
    score = lambda rows: np.asarray(rows)[:, 0]  # noqa: E731
    made = [table_game(score, **{"row": 0} | base | one).identity for one in variants]
    assert len(set(made)) == len(variants)
    assert json.loads(made[0])["size"] == 30
    assert (json.loads(made[0])["rows"], json.loads(made[9])["seed"]) == (90, 1)
    assert table_game(smooth, 0, table=numbers()).identity is None


def test_notes_say_what_stands_in():
    """An explanation's notes say the background's size and seed, and what is averaged."""
    table = numbers(rows=90)
    game = table_game(smooth, 0, table=table, size=30, rng=4)
    assert (
        "each of 30 background rows (of 90, drawn with seed 4); the scores are averaged"
        in game.notes()[0]
    )
    e = whence.explain(game, budget=32)
    assert e.provenance.notes == game.notes()


def test_a_journal_serves_another_output(tmp_path):
    """Values that a journal knows are not asked again, for another class and link too."""
    table, asked = numbers(columns=3), Asked(likely)
    made = {"table": table, "scores": "probabilities", "identity": "m"}
    with whence.Journal(tmp_path / "j") as journal:
        journal.remember(table_game(asked, 0, **made))(mask.every(3))
        other = journal.remember(table_game(asked, 0, output=2, link="log-odds", **made))
        asked.rows.clear()
        other(mask.every(3))
    assert asked.rows == []


# --- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (39, "39"), (39.0, "39"), (8.32521, "8.325"), (215646.0, "215646"),
        (-0.00001234, "-1.23e-05"),
        (123456.78, "123456.8"), (None, "missing"), (float("nan"), "missing"), ("a  b\n", "a b"),
        (True, "True"), (np.float64(2.5), "2.5"), (1e20, "1e+20"),
    ],
)  # fmt: skip
def test_cells_are_said_shortly(value, text):
    """Whole numbers are whole, others have four figures, and a hole is "missing"."""
    assert said(value) == text


def test_a_group_says_its_columns_or_the_one_that_is_on():
    """A group of 0/1 columns shows the one that is 1; another group its columns and values."""
    hot = {"job_cook": 0, "job_smith": 1, "job_clerk": 0.0}
    assert label("job", hot) == "job = smith"
    assert label("place", {"lat": 1.5, "long": 2.0}) == "place (lat = 1.5, long = 2)"
    assert label("lat", {"lat": 1.5}) == "lat = 1.5"
    assert (
        label("capital", {"capital-gain": 0, "capital-loss": 0}) == "capital (gain = 0, loss = 0)"
    )
    assert label("g", {"x1": 3, "x11": 4}) == "g (x1 = 3, x11 = 4)"
    assert label("g", {"a_": 3, "a_b": 4}) == "g (a_ = 3, a_b = 4)"
    assert len(label("all", {f"column {i}": i for i in range(40)})) < 50


def test_a_group_may_have_the_name_of_its_own_column():
    """A group called as one of its columns is one unit, not two."""
    made = grouped(["a", "b", "c"], {"a": 1, "b": 2, "c": 3}, {"a": ["a", "b"]})
    assert made.names == ("a", "c")
    assert made.unit_of.tolist() == [0, 0, 1]


# --- bad input ------------------------------------------------------------------------------------


def bad(**given):
    """A table game of plain numbers with something wrong in it."""
    return table_game(smooth, **({"row": 0, "table": numbers()} | given))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"row": 40}, "counted from 0 to 39"),
        ({"row": -1}, "counted from 0 to 39"),
        ({"row": 3, "table": None, "background": numbers()}, "without table="),
        ({"row": [1.0, 2.0]}, "one value to each of the 5 columns"),
        ({"row": numbers()}, "one value to each of the 5 columns"),
        ({"row": {"x0": 1.0}}, "the row lacks 'x1', 'x2', 'x3', 'x4'"),
        ({"row": ["a", 1.0, 1.0, 1.0, 1.0]}, "x0 = 'a' came"),
        ({"table": None, "row": [1.0, 2.0, 3.0]}, "neither background= nor table="),
        ({"table": numbers()[0]}, r"shape \(5,\)"),
        ({"table": np.zeros((0, 3))}, r"shape \(0, 3\)"),
        ({"columns": ["x0", "y"]}, "the table lacks 'y'"),
        ({"columns": ["x1"]}, "has 1 unit"),
        ({"units": {"g": ["x0", "y"]}}, "'g' names 'y'"),
        ({"units": {"g": []}}, "no column at all"),
        ({"units": {"g": "x0"}}, "Put it in brackets"),
        ({"units": {"g": ["x0"], "h": ["x1", "x0"]}}, "'x0' is in 'h' and in 'g'"),
        ({"units": {"g": ["x0", "x0"]}}, "'x0' is in 'g' and in 'g'"),
        ({"units": {"g": ["x0", "x1"]}, "pin": ["x0"]}, "'pin='"),
        ({"units": {"x3": ["x0", "x1"]}}, "the name of a column that is not in it"),
        ({"units": {"g": ["x0", "x1", "x2", "x3", "x4"]}}, "has 1 unit"),
        ({"pin": ["y"]}, "pin names 'y'"),
        ({"pin": ["x0", "x1", "x2", "x3"]}, "has 1 unit beside 4 pinned"),
        ({"size": 0}, "size=0"),
        ({"batch": 0}, "batch=0"),
        ({"rng": -1}, "rng=-1"),
        ({"row": None}, "row=None came"),
        ({"row": 3.0}, "row=3.0 came"),
        ({"row": "3"}, "row='3' came"),
        ({"units": ["x0", "x1"]}, "units came as list"),
        ({"absent": "mean"}, "absent='mean'"),
        ({"absent": "neighbours:"}, "absent='neighbours:'"),
        ({"absent": "neighbours:0"}, "at least 1"),
        ({"absent": "neighbours:41"}, "the background has 40 rows"),
        ({"absent": Baseline([1.0])}, "the baseline row came with shape"),
        ({"output": 1}, "output=1"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_by_name(given, told):
    """What cannot be used is refused with its name, before the model is asked anything."""
    with pytest.raises(InputError, match=told):
        bad(**given)


def test_only_functions_that_read_rows_are_taken():
    """Something that is no function, or a scorer of texts, is refused."""

    class Texts:
        facts = Facts(name="a text model")

        def __call__(self, items):
            return np.zeros(len(items))

    with pytest.raises(InputError, match="score came as int"):
        table_game(3, 0, table=numbers())
    with pytest.raises(InputError, match="a text model reads text"):
        table_game(Texts(), 0, table=numbers())


def test_a_wrong_number_of_scores_is_refused():
    """A score that does not answer row by row is refused."""
    with pytest.raises(ShapeError, match="for 41 inputs"):
        table_game(lambda rows: np.zeros(3), 0, table=numbers())


def picky(rows):
    """A score that refuses what it has not seen, as an encoder does."""
    for job in np.asarray(rows)[:, 1]:
        if job not in ("cook", "smith"):
            raise ValueError(f"Found unknown categories [{job!r}] in column 0 during transform")
    return np.ones(len(rows))


def jobs(*more):
    """Rows of an age and a job."""
    return np.array([[30, "cook"], [40, "smith"], *more] * 3, dtype=object)


def test_an_unseen_category_is_named():
    """The column and value that the model refuses are named, in the row as in the background."""
    with pytest.raises(
        InputError, match="x1 = baker in the row, where a row that it takes has x1 = cook"
    ):
        table_game(picky, [20, "baker"], background=jobs())
    with pytest.raises(InputError, match="x1 = baker in row 2 of the background"):
        table_game(picky, [20, "cook"], background=jobs([50, "baker"]))


def test_every_cell_that_spoils_a_row_is_named():
    """Two cells that the model refuses are both named at once."""

    def strict(rows):
        picky(rows)
        if not np.isfinite(np.asarray(rows)[:, 0].astype(float)).all():
            raise ValueError("Input contains NaN")
        return np.ones(len(rows))

    with pytest.raises(InputError, match="x0 = missing, x1 = baker in the row"):
        table_game(strict, [np.nan, "baker"], background=jobs())


def test_a_model_that_takes_no_row_is_said_to():
    """When no single cell is to blame, the model's own error is passed on with the columns."""

    def broken(rows):
        raise RuntimeError("no such file")

    with pytest.raises(ModelError, match=r"no one column is to blame.*no such file"):
        table_game(broken, 0, table=numbers())


def test_values_that_do_not_fit_the_background_are_refused():
    """A text in a column of numbers, or a category that does not exist, is refused by column."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    frame = frames()["pandas"].assign(job=lambda f: f["job"].astype("category"))
    good = frame.iloc[0].to_dict()
    for change, told in (
        ({"age": "old"}, "age = 'old' came"),
        ({"age": 30.5}, "age = 30.5 came"),
        ({"job": "baker"}, "none but the categories 'cook', 'smith'"),
    ):
        with pytest.raises(InputError, match=told):
            table_game(spoken, good | change, background=frame)
    twice = pandas.concat([frame, frame[["age"]]], axis=1)
    with pytest.raises(InputError, match="'age' more than once"):
        table_game(spoken, good, background=twice)
    with pytest.raises(InputError, match="one row is needed"):
        table_game(spoken, frame, background=frame)
    with pytest.raises(InputError, match="in memory"):
        table_game(spoken, good, background=pandas)


def test_policies_are_known_by_name():
    """Every policy's name gives a policy that describes itself by it."""
    assert [as_policy(name).describe() for name in POLICIES] == POLICIES
