"""Facts about opening a model that is named in words, and about adapters of other packages."""

import ast
import importlib.util
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from whence.adapters import opening
from whence.adapters.opening import BUILT_IN, Adapter, adapters, open_model
from whence.adapters.options import Options
from whence.errors import InputError
from whence.models import sentiment
from whence.scoring import Scorer

PLUGIN = """
from dataclasses import dataclass

from whence.errors import InputError
from whence.scoring import Facts

@dataclass
class Counting:
    facts: Facts

    def __call__(self, texts):
        return [float(len(text)) for text in texts]

def opened(rest, options):
    if rest == "bad":
        raise InputError("bad came; anything else is needed.")
    return Counting(Facts(name=f"{rest} of {options.task}", scores="values"))

def broken(rest, options):
    raise KeyError(rest)

def nothing(rest, options):
    return 3

NUMBER = 3
"""
ENTRIES = """[whence.adapters]
counting = plugin_of_a_test:opened
broken = plugin_of_a_test:broken
nothing = plugin_of_a_test:nothing
number = plugin_of_a_test:NUMBER
absent = plugin_of_a_test:absent
lost = a_module_that_is_nowhere:opened
onnx = plugin_of_a_test:opened
"""


def distribution(folder, name, entries):
    """An installed distribution: its metadata and its module, in a folder for the path."""
    info = folder / f"{name.replace('-', '_')}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(entries)
    (folder / "plugin_of_a_test.py").write_text(PLUGIN)


def elsewhere(folder, code):
    """What a fresh process prints as JSON, with the distributions of a folder on its path."""
    path = f"import sys; sys.path[:0] = [{str(folder)!r}]\n"
    made = subprocess.run(
        [sys.executable, "-c", path + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(made.stdout)


def refusals(folder, *specs):
    """The messages with which a fresh process refuses some names."""
    return elsewhere(
        folder,
        f"""
        import json
        from whence.adapters.opening import open_model
        from whence.errors import InputError
        said = []
        for spec in {specs!r}:
            try:
                open_model(spec)
                said.append("opened")
            except InputError as error:
                said.append(str(error))
        print(json.dumps(said))
        """,
    )


# --- adapters of other packages -----------------------------------------------------------------


def test_another_package_registers_an_adapter(tmp_path):
    """A distribution's entry point opens `counting:rest`, with the options it was given."""
    distribution(tmp_path, "whence-counting", ENTRIES)
    made = elsewhere(
        tmp_path,
        """
        import json
        from whence.adapters.opening import open_model
        from whence.adapters.options import Options
        model = open_model("counting:a:b", Options(task="letters"))
        print(json.dumps([model.facts.name, model(["four"])]))
        """,
    )
    assert made == ["a:b of letters", [4.0]]


def test_registered_adapters_are_listed_without_importing_them(tmp_path):
    """The list says where each comes from, and which are not taken; no module is loaded."""
    distribution(tmp_path, "whence-counting", ENTRIES)
    found, loaded = elsewhere(
        tmp_path,
        """
        import json, sys
        from whence.adapters.opening import adapters
        found = {one.at: [one.scheme, one.source, one.opens] for one in adapters()}
        print(json.dumps([found, "plugin_of_a_test" in sys.modules]))
        """,
    )
    assert not loaded
    assert found["plugin_of_a_test:broken"][:2] == ["broken", "whence-counting 1.2"]
    assert found["whence.adapters.onnx:opened"][:2] == ["onnx", "whence"]
    assert "lost" in {scheme for scheme, _, _ in found.values()}


def test_a_name_that_whence_has_is_its_own(tmp_path):
    """An entry point cannot take the place of a built-in adapter, and the list says so."""
    distribution(tmp_path, "whence-counting", ENTRIES)
    assert "came as the model; there is no such file" in refusals(tmp_path, "onnx:missing.onnx")[0]
    notes = elsewhere(
        tmp_path,
        """
        import json
        from whence.adapters.opening import adapters
        print(json.dumps([one.opens for one in adapters() if one.scheme == "onnx"]))
        """,
    )
    assert "not taken" not in notes[0]
    assert "not taken: onnx: is one of whence's own" in notes[1]


def test_faults_of_registered_adapters_are_named(tmp_path):
    """One that cannot be loaded, fails, or returns no scorer is refused with its package's name."""
    distribution(tmp_path, "whence-counting", ENTRIES)
    specs = ("lost:x", "absent:x", "number:x", "broken:x", "nothing:x", "counting:bad")
    lost, absent, number, broken, nothing, bad = refusals(tmp_path, *specs)
    for said in (lost, absent, number, broken, nothing):
        assert "of whence-counting 1.2 (" in said
    assert "cannot be loaded: ModuleNotFoundError" in lost
    assert "cannot be loaded: AttributeError" in absent
    assert "is a int; needed is a function" in number
    assert "cannot open 'x': KeyError" in broken
    assert "returned a int; needed is a Scorer" in nothing
    assert bad == "bad came; anything else is needed."


def test_two_packages_with_one_name_are_refused(tmp_path):
    """Where two distributions register a scheme, nothing is chosen, and both are named."""
    entries = "[whence.adapters]\ncounting = plugin_of_a_test:opened\n"
    distribution(tmp_path, "first-one", entries)
    distribution(tmp_path, "second-one", entries.replace(":opened", ":nothing"))
    (said,) = refusals(tmp_path, "counting:x")
    assert "registered 2 times" in said
    assert "first-one 1.2" in said
    assert "second-one 1.2" in said


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["", "embedded", "embedded:"])
def test_no_name_is_the_embedded_model(spec):
    """Without a name, and as "embedded", the model that ships is opened."""
    pytest.importorskip("onnxruntime")
    model = open_model(spec)
    assert isinstance(model, Scorer)
    assert model.facts.name == sentiment.NAME


@pytest.mark.parametrize("adapter", BUILT_IN.values(), ids=lambda one: one.scheme)
def test_every_built_in_adapter_is_there(adapter):
    """Each scheme's module has the function that opens, which takes (rest, options)."""
    module, name = adapter.at.split(":")
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    made = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    bound = {one.name for one in ast.walk(made) if isinstance(one, ast.FunctionDef | ast.alias)}
    assert name in bound


@pytest.mark.parametrize(
    ("spec", "scheme", "rest"),
    [
        ("openai:org/name:tag", "openai", "org/name:tag"),
        ("transformers:gpt2", "transformers", "gpt2"),
        ("python:pack.module:make()", "python", "pack.module:make()"),
        ("my-own.scheme:x", "my-own.scheme", "x"),
        ("distilgpt2", "transformers", "distilgpt2"),
        ("org/name-v1.5", "transformers", "org/name-v1.5"),
    ],
)
def test_a_name_says_who_opens_it(spec, scheme, rest):
    """What stands before the first colon is the scheme; without one a name is a hub's."""
    assert opening._parted(spec) == (scheme, rest)


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("m.onnx", "onnx"),
        ("M.ONNX", "onnx"),
        ("p.skops", "sklearn"),
        ("p.cbm", "sklearn"),
        ("p.ubj", "sklearn"),
        ("p.json", "sklearn"),
        ("p.txt", "sklearn"),
        ("p.pt2", "torch"),
        ("p.pth", "torch"),
        ("odd:name.onnx", "onnx"),
    ],
)
def test_a_file_is_opened_by_its_suffix(tmp_path, monkeypatch, name, scheme):
    """A file that is there is opened by its suffix, though its name look like a scheme."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(b"x")
    assert opening._parted(name) == (scheme, name)
    assert opening._parted(str(tmp_path / name)) == (scheme, str(tmp_path / name))


def test_a_folder_is_opened_by_what_is_in_it(tmp_path):
    """A folder is a Hugging Face one, unless one .onnx file is all the weights it has."""
    assert opening._parted(str(tmp_path)) == ("transformers", str(tmp_path))
    (tmp_path / "model.onnx").write_bytes(b"x")
    assert opening._parted(str(tmp_path)) == ("onnx", str(tmp_path / "model.onnx"))
    (tmp_path / "model.safetensors").write_bytes(b"x")
    assert opening._parted(str(tmp_path)) == ("transformers", str(tmp_path))


@pytest.mark.parametrize("suffix", [".pkl", ".pickle", ".joblib", ".PKL"])
def test_a_pickle_is_refused_unopened(tmp_path, suffix):
    """A pickle is never opened, whatever it holds; the message says what to save instead."""
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(InputError, match=r"runs code when it is opened .* \.skops"):
        open_model(str(path))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("m.gguf", "openai:NAME --base-url"),
        ("m.safetensors", r"the folder that also holds config\.json"),
        ("m.h5", r"suffix '\.h5' says nothing .* onnx:m\.h5"),
        ("m", r"suffix '' says nothing"),
    ],
)
def test_a_file_that_no_adapter_opens_is_refused(tmp_path, name, says):
    """The message says what to do with such a file."""
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=says):
        open_model(str(tmp_path / name))


@pytest.mark.parametrize(
    "spec",
    [
        "missing.onnx",
        "missing/model.skops",
        "./folder",
        "../folder/model",
        "a/b/c",
        "C:\\models\\m.onnx",
        "C:model.onnx",
        "~nobody-of-that-name/m.onnx",
        "a sentence, by mistake. " * 40,
        "zero\0byte",
    ],
)
def test_a_file_that_is_not_there_is_refused(spec):
    """A path without a file, also one with a drive letter, is a missing file and no scheme."""
    with pytest.raises(InputError, match="there is no such file or folder"):
        open_model(spec)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("opnai:gpt", r"opnai: is no scheme.*There are: embedded:, onnx:, .*python:"),
        ("llama3:8b", r"openai:llama3:8b with --base-url URL"),
        ("http://localhost:8000/v1", r"openai:NAME with --base-url http://localhost:8000/v1"),
    ],
)
def test_an_unknown_scheme_is_refused_with_those_there_are(spec, says):
    """A misspelt scheme, a served model's tag and an address are no schemes; each gets a hint."""
    with pytest.raises(InputError, match=says):
        open_model(spec)


def test_a_built_in_adapter_gets_the_options(tmp_path):
    """Options reach the adapter, which refuses those it does not read."""
    with pytest.raises(InputError, match="labels= came for the embedded model"):
        open_model("embedded", Options(labels=("a",)))
    with pytest.raises(InputError, match="base_url= came for a Python function"):
        open_model("python:math:sqrt", Options(base_url="x"))


def test_what_an_adapter_returns_is_checked():
    """Something with facts that are no Facts is no scorer."""

    class Odd:
        facts = "many"

        def __call__(self, items):
            return items

    with pytest.raises(InputError, match="returned a Odd; needed is a Scorer"):
        opening._checked(Odd(), Adapter("odd", "", "a test", "here:odd"))


def test_listing_adapters_imports_no_framework():
    """Naming every adapter there is loads none of them, nor what they run on."""
    code = (
        "import sys; from whence.adapters.opening import adapters; adapters(); "
        "sys.exit(bool({'torch', 'transformers', 'onnxruntime', 'openai', 'sklearn'}"
        " & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert [one.scheme for one in adapters()][: len(BUILT_IN)] == list(BUILT_IN)
