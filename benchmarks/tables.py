"""Holds the table of tabular attributions: ours beside SHAP's, same model, rows and budget.

    python benchmarks/tables.py [--quick] [--json FILE] [--data FOLDER]

Every method explains the same rows of the same model against the same 100 background rows. Truth
is every mask of the row, valued. `error` is the root mean square error of the Shapley values over
the root mean square of the true ones. `rows` is how many rows the model was asked for: the
masks times the background for SHAP, fewer for ours, which never asks the same row twice in one
call. Times are CPU seconds of one explanation, the model's own included. Never imported by the
package.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common
import numpy as np
from numpy.typing import NDArray

import whence
from whence.adapters import sklearn as adapter
from whence.lenses.inputs.table import table_game

NAMES = [
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation",
    "relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week",
    "native-country", "income",
]  # fmt: skip
SIZE = 100


@dataclass
class Task:
    """A model of numbers (words by their place), its background and the rows to explain."""

    name: str
    score: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    background: NDArray[np.float64]
    rows: NDArray[np.float64]
    asked: int = 0

    def __call__(self, rows: Any) -> NDArray[np.float64]:
        """Scores `(b,)`, counted."""
        self.asked += len(rows)
        return self.score(np.asarray(rows, dtype=np.float64))


def adult(data: Path, count: int) -> list[Task]:
    import pandas
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    path = data / "adult" / "adult.data"
    frame = pandas.read_csv(path, header=None, names=NAMES, nrows=12000, skipinitialspace=True)
    income = (frame.pop("income") == ">50K").to_numpy()
    words = [name for name in frame if frame[name].dtype.kind not in "if"]
    codes = frame.assign(**{name: pandas.factorize(frame[name])[0] for name in words})
    table = codes.to_numpy(float)

    from lightgbm import LGBMClassifier

    trees = LGBMClassifier(n_estimators=50, verbose=-1, n_jobs=1, random_state=0)
    trees.fit(table[:8000], income[:8000])
    at = [codes.columns.get_loc(name) for name in words]
    encode = ColumnTransformer(
        [("w", OneHotEncoder(handle_unknown="ignore"), at)], remainder=StandardScaler()
    )
    pipe = make_pipeline(encode, LogisticRegression(max_iter=300)).fit(table[:8000], income[:8000])
    margins = adapter.scorer(trees, method="decision_function")
    rows = table[9000 : 9000 + count]
    return [
        Task("adult, LightGBM, log-odds", margins, table[:SIZE], rows),
        Task(
            "adult, one-hot + logistic, probability",
            lambda x: pipe.predict_proba(x)[:, 1], table[:SIZE], rows,
        ),
    ]  # fmt: skip


def housing(data: Path, count: int) -> list[Task]:
    from sklearn.ensemble import HistGradientBoostingRegressor

    table = adapter.read_table(data / "shapiq_tabular" / "california_housing.csv").to_numpy(float)
    x, y = table[:, :-1], table[:, -1]
    model = HistGradientBoostingRegressor(random_state=0).fit(x[:10000], y[:10000])
    return [
        Task("housing, boosted trees, value", model.predict, x[:SIZE], x[15000 : 15000 + count])
    ]


# --- methods: task, row, budget -> Shapley values -----------------------------------------------


def ours(name: str | None) -> Callable[[Task, NDArray[np.float64], int, int], NDArray[np.float64]]:
    def method(task: Task, row: Any, budget: int, seed: int) -> NDArray[np.float64]:
        game = table_game(task, row, background=task.background, size=SIZE)
        return whence.explain(game, name, budget=budget, rng=seed).attributions().values

    return method


def shap_permutation(task: Task, row: Any, budget: int, seed: int) -> NDArray[np.float64]:
    import shap

    masker = shap.maskers.Independent(task.background, max_samples=SIZE)
    made = shap.explainers.Permutation(task, masker, seed=seed)
    return made(row[None], max_evals=budget, silent=True).values[0]


def shap_kernel(task: Task, row: Any, budget: int, seed: int) -> NDArray[np.float64]:
    import shap

    np.random.seed(seed)  # noqa: NPY002  its only knob
    made = shap.KernelExplainer(task, task.background)
    return made.shap_values(row[None], nsamples=budget, l1_reg=0, silent=True)[0]


def methods() -> dict[str, Callable[[Task, NDArray[np.float64], int, int], NDArray[np.float64]]]:
    found = {"whence, default": ours(None), "whence, shapley": ours("shapley")}
    if common.version("shap") is None:
        print("shap is not installed: left out")
        return found
    return {**found, "SHAP Permutation": shap_permutation, "SHAP Kernel": shap_kernel}


def measure(task: Task, budgets: list[int], seeds: int) -> list[common.Row]:
    n = task.background.shape[1]
    truth = []
    for row in task.rows:
        game = table_game(task, row, background=task.background, size=SIZE)
        e = whence.explain(game, "exact", budget=2**n, repeats=0)
        truth.append(e.attributions().values)
    for method in methods().values():
        method(task, task.rows[0], budgets[0], 0)  # untimed: the first call imports and compiles
    rows = []
    for budget in budgets:
        for name, method in methods().items():
            errors, seconds, asked = [], [], []
            for row, known in zip(task.rows, truth, strict=True):
                for seed in range(seeds):
                    task.asked = 0
                    found: list[Any] = []
                    seconds.append(
                        common.cpu(lambda: found.append(method(task, row, budget, seed)))  # noqa: B023
                    )
                    asked.append(task.asked)
                    errors.append(np.sqrt(np.mean((found[0] - known) ** 2) / np.mean(known**2)))
            shared = {"seeds": seeds, "calls": budget, "cpu_seconds": float(np.sum(seconds))}
            for metric, values in (("error", errors), ("cpu_s", seconds), ("rows", asked)):
                value, low, high = common.interval(values, np.mean)
                rows.append(
                    common.row(task.name, name, metric, value, low=low, high=high, **shared)
                )
    return rows


def show(rows: list[common.Row]) -> None:
    for task in dict.fromkeys(r["task"] for r in rows):
        print(f"\n{task}\n")
        body = []
        mine = [r for r in rows if r["task"] == task]
        for calls in dict.fromkeys(r["calls"] for r in mine):
            for name in dict.fromkeys(r["method"] for r in mine):
                got = {r["metric"]: r for r in mine if (r["method"], r["calls"]) == (name, calls)}
                error = got["error"]
                spread = f"{common.number(error['low'])} to {common.number(error['high'])}"
                body.append([
                    name, calls, common.number(error["value"]), spread,
                    common.number(got["rows"]["value"]), common.number(got["cpu_s"]["value"]),
                ])  # fmt: skip
        common.show(["method", "masks", "error", "95 %", "rows", "CPU s"], body)


def main() -> None:
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), metavar="FOLDER")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # SHAP's own, about feature names
    if not (given.data / "adult").exists():
        print(f"{given.data} has no adult data: nothing to measure")
        return
    count, seeds = (2, 2) if given.quick else (6, 2)
    tasks = [*adult(given.data, count), *housing(given.data, count)]
    budgets = {14: [100, 500] if given.quick else [100, 300, 1000], 8: [50, 100]}
    rows = [r for task in tasks for r in measure(task, budgets[task.background.shape[1]], seeds)]
    show(rows)
    common.write(given.json, rows, common.machine("shap", "lightgbm"))


if __name__ == "__main__":
    main()
