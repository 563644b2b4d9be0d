"""Facts about your own Python function as a model."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import whence
from whence import Journal, explain, text_game
from whence.adapters.function import Function, as_scorer, opened
from whence.adapters.options import Options
from whence.errors import InputError, WhenceError
from whence.scoring import Facts, Scorer, facts_of

SOURCE = """
from dataclasses import dataclass

from {helper} import POINTS
from whence.scoring import Facts

def score(texts):
    assert isinstance(texts, list)
    return [sum(POINTS.get(word, 0.0) for word in text.split()) for text in texts]

def classes(texts):
    return [[-value, value] for value in score(texts)]

@dataclass
class Said:
    facts: Facts = Facts(name="said", identity="said-1", scores="values")

    def __call__(self, texts):
        return score(texts)

said = Said()
number = 3

def broken():
    raise RuntimeError("no weights here")
"""


@pytest.fixture
def module(tmp_path, monkeypatch, request):
    """A module in the working directory that imports another beside it; its name."""
    name = f"mine_{abs(hash(request.node.nodeid))}"
    (tmp_path / f"{name}.py").write_text(SOURCE.format(helper=f"{name}_points"), encoding="utf-8")
    (tmp_path / f"{name}_points.py").write_text("POINTS = {'good': 1.0, 'bad': -1.0}\n")
    monkeypatch.chdir(tmp_path)
    return name


@pytest.mark.parametrize("form", ["{0}:score", "{0}.py:score", "./{0}.py:score"])
def test_a_function_is_found_by_module_or_file(module, form):
    """A module in the working directory and a file both give the function, as plain numbers."""
    model = opened(form.format(module), Options())
    assert model(("good good", "bad")) == [2.0, -1.0]
    assert model.facts.scores == "values"
    assert "row" in model.facts.reads


def test_the_path_of_imports_is_put_back(module):
    """The working directory is looked in for that import only, also when the import fails."""
    before = list(sys.path)
    opened(f"{module}:score", Options())
    with pytest.raises(InputError):
        opened(f"{module}_nowhere:score", Options())
    assert sys.path == before


def test_installed_packages_come_before_the_working_directory(module, tmp_path):
    """A file that happens to have a package's name does not take its place."""
    (tmp_path / "colorsys.py").write_text("def rgb_to_hsv(texts): return [0.0] * len(texts)\n")
    sys.modules.pop("colorsys", None)
    made = opened("colorsys:rgb_to_hsv", Options())
    assert isinstance(made, Function)
    assert made.call(1.0, 0.0, 0.0) == (0.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("options", "scores"),
    [
        (Options(), "values"),
        (Options(labels=("no", "yes")), "logits"),
        (Options(labels=("no", "yes"), scores="probabilities"), "probabilities"),
        (Options(labels=("no", "yes"), scores="values"), "values"),
    ],
)
def test_labels_make_class_scores_of_numbers(module, options, scores):
    """Without labels numbers are plain; with labels logits, unless it is said otherwise."""
    facts = opened(f"{module}:classes", options).facts
    assert (facts.scores, facts.labels) == (scores, options.labels)


def test_a_scorer_stays_what_it_is(module):
    """An object with facts is used as it is; saying more of it is refused."""
    model = opened(f"{module}:said", Options())
    assert (model.facts.name, model.facts.identity) == ("said", "said-1")
    with pytest.raises(InputError, match="says so itself"):
        opened(f"{module}:said", Options(labels=("a", "b")))


def test_brackets_call_what_makes_the_model(module):
    """`name()` is called with nothing, for what it makes; a class without them is refused."""
    assert opened(f"{module}:Said()", Options()).facts.name == "said"
    with pytest.raises(InputError, match=r"is a class; .* python:module:Said\(\)"):
        opened(f"{module}:Said", Options())
    with pytest.raises(InputError, match=r"failed when it was called: RuntimeError: no weights"):
        opened(f"{module}:broken()", Options())


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        ("score", "needed is python:"),
        (":score", "needed is python:"),
        ("{0}:", "needed is python:"),
        ("not a module:score", "is no module's name"),
        ("{0}_gone:score", "_gone cannot be imported: ModuleNotFoundError"),
        ("{0}_gone.py:score", "there is no such file"),
        ("{0}:scores", r"has no 'scores'. It has: .*score"),
        ("{0}:number", "is a int; needed is a function"),
        ("{0}:number()", "is a int, which cannot be"),
    ],
)
def test_what_is_not_there_is_refused_by_name(module, rest, says):
    """A missing module, file or name, and what is no function, are each named."""
    with pytest.raises(InputError, match=says):
        opened(rest.format(module), Options())


@pytest.mark.parametrize("line", ["1/0", "raise SystemExit(2)", "def (:"])
def test_a_module_that_fails_is_refused_with_its_error(tmp_path, monkeypatch, line):
    """A failing, ending or broken module is told as such, and is not left half imported."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "failing.py").write_text(line)
    before = set(sys.modules)
    for form in ("failing:score", "failing.py:score"):
        with pytest.raises(InputError, match=r"failing.* cannot be imported: "):
            opened(form, Options())
    assert not {name for name in set(sys.modules) - before if name.startswith("failing")}


def test_options_of_other_adapters_are_refused(module):
    """A server's address means nothing to a function."""
    with pytest.raises(InputError, match="base_url= came for a Python function"):
        opened(f"{module}:score", Options(base_url="http://localhost"))


def test_nothing_is_evaluated():
    """Words that would be code are looked up as names, and found to be none."""
    with pytest.raises(InputError, match=r"has no \"__import__"):
        opened("math:__import__('os').getcwd()", Options())


def test_a_function_without_identity_is_not_journalled(module, tmp_path):
    """What a bare function computes may change, so a journal on disk refuses it."""
    game = text_game(opened(f"{module}:score", Options()), "a good film", scores="values")
    with Journal(tmp_path / "answers.db") as journal, pytest.raises(WhenceError, match="identity"):
        journal.remember(game)


def test_a_game_of_a_named_function_is_explained(module):
    """The words that the function counts are found, from its name alone."""
    e = explain(text_game(opened(f"{module}:score", Options()), "good film bad plot"), budget=16)
    np.testing.assert_allclose(e.f(np.array([[True] * 4, [True] * 3 + [False]])), [0, 0], atol=1e-9)
    assert e.f(np.array([[True, True, False, True]]))[0] == pytest.approx(1)


def test_a_file_is_imported_in_a_fresh_process(module, tmp_path):
    """The command line's form works where nothing was imported before, from another folder."""
    code = f"""
        import sys
        sys.path.insert(0, {str(Path(whence.__file__).parents[1])!r})
        from whence.adapters.function import opened
        from whence.adapters.options import Options
        print(opened({str(tmp_path / f"{module}.py")!r} + ":score", Options())(["good"]))
    """
    made = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path.parent,
    )
    assert made.stdout.strip() == "[1.0]"


def test_as_scorer_gives_a_function_facts():
    """In Python: a lambda with labels is a scorer of logits, and keeps its numbers."""
    made = as_scorer(lambda items: [[0.0, len(one)] for one in items], labels=("short", "long"))
    assert isinstance(made, Scorer)
    assert made(["abc"]) == [[0.0, 3]]
    assert facts_of(made) == Facts(
        scores="logits", labels=("short", "long"), reads=made.facts.reads
    )
    with pytest.raises(InputError, match="'odds' came"):
        as_scorer(len, scores="odds")
