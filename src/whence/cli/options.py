"""Holds the options of `whence explain` that say which model is asked, and of what.

It does not know what becomes of them: games makes games, opening opens models.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="The model: a Hugging Face folder or name, model.onnx, pipeline.skops, openai:NAME, "
        "python:module:function; `whence adapters` lists the kinds.  [default: the embedded "
        "sentiment model]",
        show_default=False,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help='Of a language model: the continuation that is explained, such as " Paris".  '
        "[default: what the model itself would write]",
    ),
]
Contrast = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Another continuation: why --target rather than this?"),
]
Write = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Tokens the model may write without --target.  [default: 16]"
    ),
]
Asked = Annotated[
    str,
    typer.Option(
        "--question",
        metavar="TEXT",
        help="What a question answerer is asked of TEXT.",
        show_default=False,
    ),
]
Chat = Annotated[
    bool,
    typer.Option(
        "--chat",
        help="TEXT is what a user says to a chat model. A --file of messages (JSON with role and "
        "content) is a conversation.",
    ),
]
System = Annotated[
    str | None, typer.Option(metavar="TEXT", help="A system message that is always there.")
]
Image = Annotated[
    Path | None, typer.Option(metavar="PATH", help="Explain what the model says of this picture.")
]
Table = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Explain a row of this table: .csv, .parquet or .feather."),
]
Row = Annotated[
    int | None, typer.Option(min=0, metavar="N", help="Which row, counted from 0.  [default: 0]")
]
Background = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="Rows that stand in for absent columns.  [default: the rows of --table]",
    ),
]
Size = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="How many background rows, drawn by --seed.  [default: 100]"
    ),
]
Group = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=COLUMN,COLUMN",
        help="Columns that come and go together, as one unit. Repeatable.",
    ),
]
Task = Annotated[
    str,
    typer.Option(
        metavar="TASK",
        help="What the model does, where it does not say, such as text-classification.",
        show_default=False,
    ),
]
Labels = Annotated[
    str,
    typer.Option(
        metavar="A,B", help="The classes' names, where the model has none.", show_default=False
    ),
]
Scores = Annotated[
    str,
    typer.Option(
        metavar="KIND",
        help="What the model's numbers are, where it does not say: logits, "
        "probabilities or values.",
        show_default=False,
    ),
]
Method = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Of an estimator: predict_proba, decision_function or predict.",
        show_default=False,
    ),
]
Trust = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TYPE",
        help="A type that a .skops file may hold beyond the common ones: the refusal lists them. "
        "Repeatable.",
    ),
]
Tokenizer = Annotated[
    Path | None, typer.Option(metavar="PATH", help="A tokenizer that is not beside its model.")
]
Device = Annotated[
    str,
    typer.Option(metavar="NAME", help="Where the model runs, such as cuda:0.", show_default=False),
]
Dtype = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Its precision: float32, bfloat16 or float16.",
        show_default=False,
    ),
]
BaseUrl = Annotated[
    str,
    typer.Option(
        "--base-url",
        metavar="URL",
        help="Where the server of openai:NAME listens, such as http://localhost:8000/v1.",
        show_default=False,
    ),
]
KeyVariable = Annotated[
    str,
    typer.Option(
        "--key-variable",
        metavar="NAME",
        help="The environment variable that holds the server's key.  [default: OPENAI_API_KEY]",
        show_default=False,
    ),
]
Concurrency = Annotated[
    int, typer.Option(min=0, metavar="N", help="Requests in flight at most.", show_default=False)
]
Timeout = Annotated[
    float,
    typer.Option(min=0, metavar="S", help="Seconds one request may take.", show_default=False),
]
Tier = Annotated[
    str,
    typer.Option(
        metavar="prompt|first-token|text",
        help="How a server's answers become values.  [default: the best it offers]",
        show_default=False,
    ),
]
Workers = Annotated[
    str,
    typer.Option(
        metavar="KIND:N",
        help="Who shares the work: threads:8, or ray:4 for replicas on a Ray cluster.",
        show_default=False,
    ),
]
Refine = Annotated[
    str | None,
    typer.Option(
        metavar="KIND",
        help="Then look inside the units that matter, in units of this kind, within one budget: "
        "--units document --refine sentence.",
    ),
]
Price = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="AMOUNT",
        help="With --dry-run: what a million tokens cost, to say what the run would.",
    ),
]
