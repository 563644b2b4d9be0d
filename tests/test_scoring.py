"""Facts about scoring: how masks become items, and how answers arrive."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import whence
from recorder import same
from whence.errors import ModelError, NotFinite, ShapeError
from whence.game import InParts
from whence.masks import every
from whence.scoring import (
    Facts,
    InProcess,
    Scored,
    Scorer,
    as_executor,
    facts_of,
    in_order,
)


class Backwards:
    """Scores texts by their length, the last first, one at a time; keeps what it was asked."""

    facts = Facts(name="backwards", identity="backwards:1", scores="values", batch=5)

    def __init__(self):
        self.asked = []

    def __call__(self, items):
        return in_order(self.stream(items))

    def stream(self, items):
        for at in reversed(range(len(items))):
            self.asked.append(items[at])
            yield np.array([at]), np.array([float(len(items[at]))])


def test_a_bare_callable_says_nothing():
    """What has no facts is known by the facts of nobody."""
    assert facts_of(len) == Facts()
    assert not isinstance(len, Scorer)


def test_what_streams_is_its_own_executor():
    """A callable with a stream is asked through it; another one batch by batch."""
    one = Backwards()
    assert as_executor(one, 3) is one
    assert as_executor(len, 3) == InProcess(len, 3)


@given(st.lists(st.booleans(), min_size=4, max_size=4), st.integers(1, 40))
def test_values_stand_in_the_order_of_the_masks(first, window):
    """However answers arrive, and however many masks are taken at a time, each keeps its own."""
    masks = np.concatenate([every(4), [first]])
    scored = Scored(
        Backwards(), lambda rows: ["x" * int(r @ [1, 2, 4, 8]) for r in rows], str, window
    )
    np.testing.assert_array_equal(scored(masks), masks @ [1, 2, 4, 8])


def test_equal_items_are_asked_once():
    """Masks that make the same text are one question, and all of them get the answer."""
    model = Backwards()
    scored = Scored(model, lambda rows: ["x" * int(r.sum()) for r in rows], str)
    np.testing.assert_array_equal(scored(every(3)), every(3).sum(axis=1))
    assert sorted(map(len, model.asked)) == [0, 1, 2, 3]


def test_equal_items_of_different_windows_are_asked_once():
    """A text that comes again, however many masks later, is not asked again."""
    model = Backwards()
    scored = Scored(model, lambda rows: ["x" * int(r.sum()) for r in rows], str, window=3)
    np.testing.assert_array_equal(scored(every(5)), every(5).sum(axis=1))
    assert sorted(map(len, model.asked)) == [0, 1, 2, 3, 4, 5]


def test_a_wrong_number_of_scores_is_refused():
    """An answer that is not one score per item is refused, with both numbers."""
    with pytest.raises(ShapeError, match=r"shape \(2,\) for 4 inputs"):
        Scored(InProcess(lambda items: [1.0, 2.0], 8), lambda rows: list(range(len(rows))))(
            every(2)
        )


# --- games that stream ----------------------------------------------------------------------------


def streaming(order, n=5, fail_after=None):
    """A game of n units whose values arrive one by one in an order, and what it was asked."""
    asked = []

    def value(masks):
        return masks @ np.arange(1.0, n + 1)

    def stream(masks):
        for at in order(len(masks)):
            if fail_after is not None and len(asked) == fail_after:
                raise RuntimeError("the line went dead")
            asked.append(masks[at].tobytes())
            yield np.array([at]), value(masks[at : at + 1])

    return whence.Game(InParts(stream), n, identity="streaming"), asked


def mixed(count):
    """Positions in an order that is neither forwards nor backwards."""
    return np.random.default_rng(count).permutation(count).tolist()


def test_an_explanation_does_not_depend_on_the_order_of_arrival():
    """Parts in any order give the same explanation as one answer, noise and all."""
    straight, _ = streaming(range, n=12)
    shuffled, _ = streaming(mixed, n=12)
    plain = whence.Game(lambda masks: masks @ np.arange(1.0, 13), 12)
    runs = [whence.explain(game, budget=200) for game in (plain, straight, shuffled)]
    same(runs[0], runs[1])
    same(runs[0], runs[2])
    assert all(np.array_equal(r.judged.masks, runs[0].judged.masks) for r in runs)


def test_the_masks_that_are_repeated_do_not_depend_on_the_order_of_arrival():
    """Noise is looked for at the same masks, whoever answered first."""
    told = []
    for order in (range, mixed):
        game, _ = streaming(order, n=12)
        noisy = replace(game, again=lambda m: m @ np.arange(1.0, 13) + m @ 2.0 ** np.arange(12))
        told.append(float(whence.explain(noisy, budget=200).fidelity.noise))
    assert told[0] == told[1] > 0


def test_what_arrived_before_an_error_is_kept(tmp_path):
    """A journal holds every part that came before the line went dead, and the rest is asked."""
    broken, asked = streaming(mixed, n=8, fail_after=40)
    with whence.Journal(tmp_path / "j.db") as journal:
        with pytest.raises(ModelError, match="the line went dead"):
            whence.explain(journal.remember(broken), budget=100, repeats=0)
        assert journal.paid == len(asked) == 40
        whole, more = streaming(mixed, n=8)
        whence.explain(journal.remember(whole), budget=100, repeats=0)
        assert len(more) == 60
        assert not set(more) & set(asked)


@pytest.mark.parametrize(
    ("stream", "error", "message"),
    [
        (lambda m: iter([]), ShapeError, "2 of 2 masks unanswered"),
        (lambda m: iter([([0], [1.0]), ([0], [1.0])]), ShapeError, r"rows \[0\]"),
        (lambda m: iter([([7], [1.0])]), ShapeError, r"rows \[7\]"),
        (lambda m: iter([([0, 1], [1.0])]), ShapeError, r"shape \(1,\) for 2"),
        (lambda m: iter([([0, 1], [1.0, np.nan])]), NotFinite, "nan or inf"),
    ],
)
def test_a_stream_that_breaks_its_contract_is_refused(stream, error, message):
    """Rows that are missing, doubled or unknown, and answers of wrong shape, are named."""
    game = whence.Game(InParts(stream), 3)
    with pytest.raises(error, match=message):
        whence.explain(game, budget=8)


def test_notes_are_asked_when_the_run_ends():
    """What a game notes while it is played is in the explanation, and on the screen."""
    seen = []
    game = whence.Game(
        lambda m: [seen.append(1) or row.sum() for row in m],
        3,
        model="a toy",
        notes=lambda: [f"{len(seen)} answers were toys"],
    )
    e = whence.explain(game, budget=8, repeats=0)
    assert e.provenance.notes == ("8 answers were toys",)
    assert e.provenance.model == "a toy"
    assert "8 answers were toys" in str(e._repr_html_())


def test_notes_are_saved(tmp_path):
    """The model's name and the notes come back from a file."""
    game = whence.Game(lambda m: m.sum(axis=1), 3, model="a toy", notes=lambda: ["it is a toy"])
    e = whence.explain(game, budget=8)
    back = whence.Explanation.load(e.save(tmp_path / "e.npz"))
    assert back.provenance == e.provenance


def test_the_predicted_class_is_asked_for_once():
    """output="predicted" explains the class of the whole text, which is scored once in all."""
    asked = []

    def score(texts):
        asked.extend(texts)
        return [[0.0, float("good" in t), float("bad" in t)] for t in texts]

    text = "a good film"
    game = whence.text_game(score, text, output="predicted", labels=("meh", "up", "down"))
    assert game.outputs == ("up",)
    whence.explain(game, budget=8, repeats=0)
    assert asked.count(text) == 1


def test_what_a_model_cannot_read_is_refused():
    """A conversation for a model of texts is refused by name, before it is asked."""
    model = Backwards()
    with pytest.raises(whence.errors.InputError, match="backwards reads text"):
        whence.conversation_game(model, [("user", "one"), ("user", "two")])
    assert model.asked == []


def test_a_text_longer_than_the_model_reads_is_refused():
    """Its tokens and the most that the model reads are named, and nothing is asked."""

    class Short(Backwards):
        facts = Facts(
            name="short",
            scores="values",
            max_tokens=3,
            count_tokens=lambda texts: np.array([len(t.split()) for t in texts]),
        )

    model = Short()
    with pytest.raises(whence.errors.InputError, match="4 tokens long; short reads at most 3"):
        whence.text_game(model, "one two three four")
    assert model.asked == []


def test_where_scores_are_read_is_pinned():
    """What the scorer reads its scores at is always present, and no unit."""

    class Reading(Backwards):
        facts = Facts(scores="values", pins=("[MASK]", "elsewhere"))

    model = Reading()
    game = whence.text_game(model, "a [MASK] film of note")
    assert tuple(game.units) == ("a", "film", "of", "note")
    game.value(every(4))
    assert all("[MASK]" in text for text in model.asked)


def test_a_baseline_that_makes_longer_texts_is_measured_too():
    """Where words and what stands in for them mix, the longest mix is what must fit."""

    class Short(Backwards):
        facts = Facts(
            name="short",
            scores="values",
            max_tokens=6,
            count_tokens=lambda texts: np.array([len(t) for t in texts]),
        )

    with pytest.raises(whence.errors.InputError, match="9 tokens long; short reads at most 6"):
        whence.text_game(Short(), "a bbbb", absent="baseline:cccc d")
