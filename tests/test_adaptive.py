"""Facts about the adaptive explainer, which is asked in rounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from whence import masks
from whence.adaptive import Adaptive
from whence.errors import InputError
from whence.explain import explain
from whence.explainer import Staged
from whence.explanation import Explanation
from whence.game import Game
from whence.samples import Samples
from whence.testing import planted


@pytest.mark.parametrize("aim", ["fit", "shapley"])
def test_it_is_asked_in_rounds_within_the_budget(aim: str) -> None:
    """All rounds together ask for the budget's distinct masks, and none of them twice."""
    p = planted.hierarchical(12, 0)
    asked: list[np.ndarray] = []

    def value(rows: np.ndarray) -> np.ndarray:
        asked.append(rows)
        return p.game(rows)

    e = explain(Game(value, 12), Adaptive(aim), budget=150, repeats=0)  # type: ignore[arg-type]
    rows = np.concatenate(asked)
    assert e.cost.calls == len(rows) == len(np.unique(rows, axis=0)) == 150
    assert isinstance(Adaptive(), Staged)


def test_what_it_asks_later_depends_on_the_values() -> None:
    """Two games that differ are asked for the same masks at first and for others later."""
    one, two = planted.hierarchical(12, 0).game, planted.additive(12, 1).game
    first = [explain(g, Adaptive(), budget=150, repeats=0).fitted.masks for g in (one, two)]
    shared = len({m.tobytes() for m in first[0]} & {m.tobytes() for m in first[1]})
    assert 50 < shared < 110


@pytest.mark.slow
def test_a_function_without_hierarchy_is_decoded() -> None:
    """Large parities, which no other fit can find, are found by coded masks in a later round."""
    p = planted.peak(32, 0)
    e = explain(p.game, Adaptive(), budget=9000, repeats=0)
    assert float(e.fidelity.r2) > 0.95
    assert "decoded" in e.provenance.fitted_by


def test_an_unknown_aim_is_refused() -> None:
    """The message names the aims there are."""
    with pytest.raises(InputError, match="'fit' or 'shapley'"):
        Adaptive("banzhaf")  # type: ignore[arg-type]


def seen_by(value: object, n: int, count: int) -> Samples:
    """The ends and uniform masks with their values."""
    rows = np.concatenate(
        [masks.ends(n), masks.uniform(n, count, np.random.default_rng(0), avoid=masks.ends(n))]
    )
    return Samples(rows, value(rows))  # type: ignore[operator]


@pytest.mark.parametrize("aim", ["fit", "shapley"])
@pytest.mark.parametrize("seed", range(3))
def test_later_rounds_ask_new_masks_only(aim: str, seed: int) -> None:
    """Whatever is seen, exactly the budget of distinct masks is asked, none of them seen."""
    seen = seen_by(planted.hierarchical(13, seed).game, 13, 60)
    rng = np.random.default_rng(seed)
    asked = Adaptive(aim).ask(13, 90, rng, seen)  # type: ignore[arg-type]
    assert len(asked) == len(np.unique(asked, axis=0)) == 90
    assert not masks.among(asked, seen.masks).any()


def test_shapley_masks_have_even_sizes_in_large_rounds_too() -> None:
    """Beyond the 300 masks that are chosen, the rest is drawn with sizes as even as before."""
    seen = seen_by(planted.additive(40, 0).game, 40, 120)
    asked = Adaptive("shapley").ask(40, 600, np.random.default_rng(0), seen)
    size = asked[300:].sum(axis=1)
    assert len(asked) == 600
    assert ((size < 10) | (size > 30)).mean() > 0.2


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_a_constant_game_is_a_constant(value: float) -> None:
    """Where no mask changes anything, the run ends in that constant."""
    game = Game(lambda rows: np.full(len(rows), value), 10)
    e = explain(game, Adaptive(), budget=100, repeats=0)
    assert e.f.degree == 0
    assert np.allclose(e.f.values, value)


def test_what_is_asked_does_not_depend_on_units_of_value() -> None:
    """Noise in one of two outputs calls for coded masks no sooner when its numbers are larger."""
    rows = seen_by(planted.additive(24, 0).game, 24, 100)
    noise = np.random.default_rng(0).normal(size=len(rows))
    asked = [
        Adaptive().ask(
            24,
            2000,
            np.random.default_rng(1),
            Samples(rows.masks, np.stack([rows.values, scale * noise], axis=1)),
        )
        for scale in (1e-3, 1e3)
    ]
    assert np.array_equal(asked[0], asked[1])


NAMES = ["adaptive", "shapley", "process", "tree_ridge"]


@pytest.mark.parametrize("name", [*NAMES, pytest.param("proxyspex", marks=pytest.mark.slow)])
def test_named_explainers_run_from_masks_to_page(name: str, tmp_path: Path) -> None:
    """On a planted game each explains over 0.8, is checked, saved, loaded and shown."""
    game = planted.hierarchical(10, 0).game
    e = explain(game, name, budget=300, repeats=0)
    assert float(e.fidelity.r2) > 0.8
    assert e.check().passed
    again = Explanation.load(e.save(tmp_path / "run"))
    assert np.array_equal(again.f.values, e.f.values)
    assert again._repr_html_() == e._repr_html_()
    assert f"{float(e.fidelity.r2):.2f}" in str(e)
