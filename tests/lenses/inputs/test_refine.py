"""Holds tests of coarse-to-fine runs: what is opened, what it costs, and that the ends stay."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from whence.errors import BudgetError, InputError, Interrupted
from whence.journal import Journal
from whence.lenses.inputs.refine import refine
from whence.scoring import Facts

DATA = Path(__file__).parents[4] / "shared" / "data"

#: Ten documents of three sentences, two of which hold what the reader looks for.
DOCUMENTS = "Answer.\n\n" + "\n".join(
    f"Document [{i}](Title: T{i}) First of {i}. {'The key' if i in (3, 7) else 'Some word'} {i}. "
    f"Last of {i}."
    for i in range(10)
) + "\n\nQuestion: which key?"  # fmt: skip
FOUND = ("The key 3.", "The key 7.")


class Reader:
    """A scorer that wants both keys, and counts the texts it reads."""

    def __init__(self, values=None):
        self.read = []
        self.values = values or self.both

    @staticmethod
    def both(text):
        """One for the first key, half for the second, four for both."""
        a, b = (found in text for found in FOUND)
        return -2.0 + a + 0.5 * b + 4.0 * (a and b)

    def __call__(self, texts):
        """A value per text."""
        self.read += texts
        return [self.values(text) for text in texts]


def run(reader, text=DOCUMENTS, budget=200, **options):
    """Documents, then sentences."""
    given = {"coarse": "document", "fine": "sentence", "scores": "values", **options}
    return refine(reader, text, budget=budget, **given)


@cache
def usual():
    """A run that several tests look at."""
    return run(Reader())


def test_evidence_in_two_of_ten_documents_is_found():
    """Both documents are opened, and inside them the two sentences that act together."""
    found = usual()
    assert found.opened == (3, 7)
    assert found.fine.units.kind == "part"
    strongest = found.best.interactions().of_order(2).top(1)
    assert [found.fine.units[i] for i in strongest.sets[0]] == list(FOUND)
    assert found.best.fidelity.r2 > 0.99


def test_a_journal_serves_a_model_of_classes(tmp_path):
    """With a journal before it, a run of raw class scores goes through; a second one is free."""

    class Classes(Reader):
        facts = Facts(name="m", identity="m", scores="logits", labels=("no", "yes"))

        def __call__(self, texts):
            return [[0.0, value] for value in super().__call__(texts)]

    found = []
    for _ in range(2):
        reader = Classes()
        with Journal(tmp_path / "j") as journal:
            one = run(reader, scores=None, output="yes", remember=journal.remember)
        found.append((one, len(reader.read)))
    assert found[0][0].opened == found[1][0].opened == usual().opened
    assert found[1][1] == 0 < found[0][1]


def test_one_pin_may_come_without_brackets():
    """A pin that is one text is that text, not its letters."""
    one, same = run(Reader(), pin="The key 3."), run(Reader(), pin=["The key 3."])
    assert one.coarse.units == same.coarse.units
    assert 8 <= len(one.coarse.units) < len(usual().coarse.units)


def test_both_explanations_are_between_the_same_two_ends():
    """So attributions of either sum to the same difference."""
    found = usual()
    assert (found.coarse.full, found.coarse.empty) == (found.fine.full, found.fine.empty)
    for e in (found.coarse, found.fine):
        assert np.isclose(e.attributions().values.sum(), 5.5)


@pytest.mark.parametrize("absent", ["drop", "mask:..."])
@pytest.mark.parametrize("budget", [90, 200])
def test_the_budget_is_exact_and_the_ends_are_paid_for_once(absent, budget):
    """Both runs together value at most the budget; repeats for noise are counted apart."""
    reader = Reader()
    found = run(reader, budget=budget, absent=absent)
    repeats = found.coarse.cost.repeats + found.fine.cost.repeats
    assert len(reader.read) == found.calls + repeats
    assert found.calls == budget
    shared = 2 if absent == "drop" else 1
    assert found.calls == found.coarse.cost.calls + found.fine.cost.calls - shared


def test_a_small_document_game_is_exact_and_leaves_the_rest_to_the_insides():
    """Where all masks of the coarse units fit in their share, the rest of the budget is finer's."""
    text = "\n\n".join(f"Word {i}. The key {i}. End {i}." for i in (3, 4, 7))
    found = run(Reader(), text, budget=60, coarse="paragraph")
    assert found.coarse.fidelity.exhaustive
    assert found.coarse.cost.calls == 8
    assert found.opened == (0, 2)
    assert found.calls == 60


def test_nothing_is_opened_when_nothing_is_told_from_zero():
    """Then the coarse explanation is the answer, and it is said."""
    found = run(Reader(lambda text: 0.0), budget=90)
    assert (found.fine, found.opened, found.closed) == (None, (), ())
    assert found.best is found.coarse
    assert found.calls == found.coarse.cost.calls == 30
    assert "none, at level 0.95" in repr(found)


def test_with_little_budget_only_the_strongest_are_opened():
    """The others that matter are named; the strongest is opened whatever it costs."""
    weights = {f"The key {i}." if i in (3, 7) else f"Some word {i}.": 1.0 + i for i in range(10)}
    reader = Reader(lambda text: sum(w for piece, w in weights.items() if piece in text))
    found = run(reader, budget=100)
    assert found.opened == (6, 7, 8, 9)
    assert found.closed == tuple(range(6))
    assert "Told from zero and not opened" in repr(found)


def test_a_document_of_one_sentence_stays_closed():
    """There is nothing to open in it, however much it matters."""
    text = "<doc>The key 3.</doc> <doc>One. The key 7. Two.</doc> <doc>Three. Four.</doc>"
    found = run(Reader(), text, budget=60)
    assert (found.opened, found.closed) == ((1,), (0,))


def test_units_that_matter_only_together_are_opened():
    """A pair is told from zero though neither of its documents is alone."""
    turned = Reader(lambda text: float((FOUND[0] in text) != (FOUND[1] in text)))
    found = run(turned, budget=240)
    assert {3, 7} <= set(found.opened)


def test_several_outputs_open_what_matters_to_any():
    """Each output's units are tested, at a rate divided by their number."""

    def values(text):
        return [2.0 * (FOUND[0] in text), 0.0, -1.0 * (FOUND[1] in text)]

    assert run(Reader(values)).opened == (3, 7)


def test_the_predicted_class_is_asked_once():
    """Its answer is the full end of both runs."""
    classes = Reader(lambda text: [0.0, Reader.both(text)])
    found = run(classes, scores="logits", output="predicted", labels=["no", "yes"])
    assert found.fine.outputs == ("yes",)
    repeats = found.coarse.cost.repeats + found.fine.cost.repeats
    assert len(classes.read) == found.calls + repeats


def test_a_run_repeats_itself():
    """Equal seeds give equal results, whatever the batch."""
    one, two = usual(), run(Reader(), batch=7)
    assert one.opened == two.opened
    assert np.array_equal(one.best.attributions().values, two.best.attributions().values)


def test_a_journal_pays_for_nothing_twice(tmp_path):
    """Two games of two identities; a second run finds every value, repeats included."""
    path = tmp_path / "answers.db"
    with Journal(path) as journal:
        first = run(Reader(), identity="reader", remember=journal.remember)
        assert len(journal.games()) >= 2
    reader = Reader()
    with Journal(path) as journal:
        second = run(reader, identity="reader", remember=journal.remember)
    assert reader.read == []
    assert np.array_equal(first.best.attributions().values, second.best.attributions().values)


def test_conversations_are_refined_too():
    """Turns first, then sentences inside those that matter."""

    class Listener:
        facts = Facts("listener", "1", "values", reads=frozenset({"messages"}))

        def __call__(self, items):
            return [Reader.both(" ".join(m.content for m in item)) for item in items]

    spoken = [("system", "Be kind.")]
    spoken += [("user", f"Say {i}. The key {i}. And {i}.") for i in range(8)]
    found = refine(Listener(), spoken, budget=200, coarse="turn", fine="sentence")
    assert found.opened == (3, 7)
    strongest = found.best.interactions().of_order(2).top(1)
    assert [found.fine.units[i] for i in strongest.sets[0]] == list(FOUND)


def test_hidden_units_are_refined_too():
    """A model that may be told what not to read answers as if it were not there."""

    class Attentive:
        facts = Facts("attentive", "1", "values", reads=frozenset({"hidden"}))

        def __call__(self, items):
            return [Reader.both(self.seen(*item)) for item in items]

        @staticmethod
        def seen(text, hidden):
            for start, end in reversed(hidden):
                text = text[:start] + text[end:]
            return text

    found = refine(Attentive(), DOCUMENTS, budget=120, coarse="document", absent="hide")
    assert found.opened == (3, 7)
    assert found.calls == 120
    assert found.coarse.full == found.fine.full == 3.5


def test_ctrl_c_inside_keeps_what_can_be_said():
    """During the second run the interruption carries an explanation, and all calls."""

    class Tired(Reader):
        def __call__(self, texts):
            if len(self.read) > 120:
                raise KeyboardInterrupt
            return super().__call__(texts)

    with pytest.raises(Interrupted) as stopped:
        run(Tired(), batch=10)
    assert stopped.value.explanation is not None
    assert stopped.value.calls > 100


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"coarse": "json"}, InputError, "coarse='json' came; what can be opened"),
        ({"coarse": "word"}, InputError, "coarse='word' came"),
        ({"fine": "document"}, InputError, "fine='document' came inside"),
        ({"coarse": "sentence", "fine": "sentence"}, InputError, "must be a finer one"),
        ({"coarse": "line", "fine": "paragraph"}, InputError, "no line .* holds two paragraphs"),
        ({"share": 1.0}, InputError, "share=1.0"),
        ({"level": 0.0}, InputError, "level=0.0"),
        ({"absent": "baseline:x"}, InputError, "does not cut into two kinds"),
        ({"pin": [3]}, InputError, "numbers are those of messages"),
        ({"budget": 6}, BudgetError, "budget=6 came; it is the masks of both runs"),
        ({"budget": 50.0}, BudgetError, "budget=50.0 came"),
        ({"budget": 12}, BudgetError, "budget=4"),
        ({"text": "No documents."}, InputError, "no document that can be recognised"),
        ({"output": "a"}, InputError, "output='a'"),
    ],
)
def test_what_cannot_be_refined_is_refused_before_a_call(options, error, message):
    """The message names the argument."""
    reader = Reader()
    with pytest.raises(error, match=message):
        run(reader, **options)
    assert reader.read == []


def test_gold_documents_of_natural_questions():
    """Of "lost in the middle": the document with the answer is opened, and its place found."""
    path = DATA / "lost_in_middle" / "qa_data" / "nq-open-oracle.jsonl.gz"
    if not path.exists():
        pytest.skip("shared/data/lost_in_middle is not here")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(next(lines)) for _ in range(30)]
    held = 0
    for start in range(0, 30, 10):
        gold = [row["ctxs"][0] for row in rows[start : start + 10]]
        asked = rows[start + 4]
        text = "\n".join(
            f"Document [{i}](Title: {doc['title']}) {doc['text']}" for i, doc in enumerate(gold, 1)
        )
        answer = asked["answers"][0]
        text = f"Use these.\n\n{text}\n\nQuestion: {asked['question']}\nAnswer:"
        found = run(Reader(lambda t, a=answer: float(t.count(a) > 0)), text, budget=120)
        assert 4 in found.opened
        best = found.fine.attributions().top(1).sets[0][0]
        held += answer in found.fine.units[best]
    assert held == 3
