"""Commands on results: list, status, best, query, sample."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from study.cli.app import (
    Format,
    Name,
    StorageOption,
    Trial,
    app,
    check_picture,
    open_storage,
    print_leaderboard,
    print_table,
    resolve_study,
)
from study.cli.streams import print_data
from study.spec.errors import UserError


@app.command("list")
def list_(format_: Format = "table", storage: StorageOption = None) -> None:
    """The studies in the storage: whether they run, how far they are, the best so far."""
    from study.results.summary import study_summary
    from study.results.summary_table import summary_table

    place = open_storage(storage)
    summaries = study_summary(place)
    if format_ == "json":
        print(json.dumps([summary.to_dict() for summary in summaries], indent=2))
    elif summaries:
        print_table(summary_table(summaries))
    else:
        print(f"no studies in {place.uri}")


@app.command()
def status(name: Name = None, format_: Format = "table", storage: StorageOption = None) -> None:
    """Where a study stands: whether it runs, trials by state, the best so far, failures, times."""
    from study.results.summary import summarise_study
    from study.results.summary_table import summary_text

    place = open_storage(storage)
    summary = summarise_study(place, resolve_study(place, name))
    if format_ == "json":
        print(json.dumps(summary.to_dict(), indent=2))
    else:
        print_table(summary_text(summary))


@app.command()
def best(
    name: Name = None,
    top: Annotated[int, typer.Option(min=1, help="How many trials to show.")] = 10,
    format_: Format = "table",
    storage: StorageOption = None,
) -> None:
    """The best of a study: its finalists, its Pareto front, its ranked trials."""
    from study.results.leaderboard import read_leaderboard, to_json

    place = open_storage(storage)
    board = read_leaderboard(place, resolve_study(place, name))
    if format_ == "json":
        print_data(to_json(board, top))
    else:
        print_leaderboard(board, top)


@app.command()
def query(
    sql: Annotated[
        str, typer.Argument(help="SQL over trials, reports, scores, artifacts and diagnostics.")
    ],
    format_: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="How to print the answer.")
    ] = "table",
    storage: StorageOption = None,
) -> None:
    """Ask the ledger of all studies in SQL (DuckDB's)."""
    from study.results.query import query
    from study.results.render import render

    text = render(query(open_storage(storage), sql), format_).rstrip("\n")
    print(text) if format_ == "table" else print_data(text)


@app.command()
def sample(
    name: Name = None,
    trial: Trial = None,
    count: Annotated[int, typer.Option("-n", min=1, max=10_000, help="How many images.")] = 64,
    output: Annotated[Path, typer.Option("-o", help="The PNG file to write.")] = Path("grid.png"),
    seed: Annotated[int, typer.Option(min=0, help="Chooses the images.")] = 0,
    storage: StorageOption = None,
) -> None:
    """Generate images with a trial's weights, as a PNG grid."""
    check_picture("-o", output)
    from study.trained.load import best_trial, sample_picture

    place = open_storage(storage)
    name = resolve_study(place, name)
    trial = best_trial(place, name) if trial is None else trial
    picture = sample_picture(place, name, trial, count, seed)
    try:
        picture.save(output, format="PNG")
    except OSError as error:
        raise UserError(f"-o {output}: cannot be written ({error.strerror or error})") from None
    print(f"{count} images of trial {trial} of {name}: {output}")
