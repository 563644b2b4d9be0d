"""Facts about the JSON document."""

import json
from dataclasses import replace

import numpy as np
import pytest

import whence
from views import games
from whence.views.document import SCHEMA, document

KEYS = [
    "schema",
    "kind",
    "text",
    "units",
    "output",
    "fidelity",
    "cost",
    "function",
    "attributions",
    "findings",
    "terms",
    "index",
    "order",
    "basis",
    "provenance",
]


@pytest.mark.parametrize("make", [games.sentiment, games.constant, games.hard, games.classes])
def test_document_is_strict_json(make):
    """It passes strict JSON and comes back equal: no nan, no tuples, no numpy numbers."""
    found = document(make())
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert list(found) == KEYS
    assert found["schema"] == SCHEMA == "whence-explanation/1"


@pytest.mark.parametrize(("make", "count"), [(games.sentiment, 1), (games.classes, 10)])
def test_numbers_of_outputs_are_lists(make, count):
    """Whatever belongs to an output is a list with one entry per output."""
    found = document(make())
    lists = [found["output"][k] for k in ("name", "value_all", "value_none")]
    lists += [found["fidelity"][k] for k in ("r2", "low", "high", "constant", "noise")]
    for terms in (found["terms"], found["function"]["terms"], found["attributions"]["terms"]):
        lists += [term["value"] for term in terms]
        lists += [term["se"] for term in terms if term["se"] is not None]
    assert {len(numbers) for numbers in lists} == {count}


def test_undefined_numbers_are_null():
    """A constant game has no R²."""
    fit = document(games.constant())["fidelity"]
    assert (fit["r2"], fit["low"], fit["high"], fit["constant"]) == ([None], [None], [None], [True])


def test_function_gives_back_the_values():
    """The terms of `function` are the set function: it can be built again from them."""
    e = games.sentiment()
    found = document(e)["function"]
    sets = [term["units"] for term in found["terms"]]
    again = whence.set_function(
        e.n, (sets, [term["value"][0] for term in found["terms"]]), found["basis"]
    )
    masks = np.eye(e.n, dtype=bool)
    np.testing.assert_allclose(again(masks), e.predict(masks))


def test_findings_are_the_index_that_was_asked_for():
    """`terms`, `index` and `order` are those of `findings`; every set is listed."""
    e = games.sentiment()
    found = document(e, index="banzhaf", interaction="stii", order=3)
    assert found["attributions"]["index"] == "banzhaf"
    assert (found["index"], found["order"]) == ("shapley_taylor", 3)
    assert found["terms"] == found["findings"]["terms"]
    assert len(found["terms"]) == len(e.interactions("stii", 3))
    joint = next(term for term in found["terms"] if term["units"] == [2, 3])
    assert joint["value"] == [pytest.approx(4.0)]


def test_units_have_their_places():
    """Units of a text have offsets into `text`; others have null."""
    found = document(games.sentiment())
    cut = [found["text"][u["start"] : u["end"]] for u in found["units"]]
    assert cut == [u["label"] for u in found["units"]] == games.SENTENCE.split()
    other = document(games.table(["a", "b", "c"]))
    assert (other["text"], other["units"][0]) == (None, {"label": "a", "start": None, "end": None})


def test_cost_and_provenance_are_whole():
    """Every field of Cost and Provenance is there."""
    e = games.sentiment()
    e = replace(e, cost=replace(e.cost, tokens=1203))
    found = document(e)
    assert found["cost"]["tokens"] == 1203
    assert set(found["cost"]) == set(e.cost.__dataclass_fields__)
    assert set(found["provenance"]) == set(e.provenance.__dataclass_fields__)


def test_unknown_index_is_refused():
    """An index that does not exist is refused by name."""
    with pytest.raises(whence.errors.InputError, match="nonsense"):
        document(games.sentiment(), interaction="nonsense")
