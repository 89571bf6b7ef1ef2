"""The command `rescore`."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

import typer

from study.cli.app import (
    Format,
    Name,
    Quiet,
    StorageOption,
    app,
    open_storage,
    print_table,
    resolve_study,
    watcher,
)
from study.cli.streams import print_data


@app.command()
def rescore(
    name: Name = None,
    top: Annotated[int, typer.Option(min=1, help="How many of the search's best.")] = 5,
    trial: Annotated[
        list[int] | None,
        typer.Option(min=0, metavar="N", help="Instead, this trial; may be repeated."),
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="As score.sampler in a study file: ddim, or '{kind: ddim, eta: 0.5}'.",
        ),
    ] = None,
    steps: Annotated[
        str | None, typer.Option(metavar="N", help="Network evaluations for each image.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(metavar="N", help="How many images to generate.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="As score.metric in a study file.")] = None,
    embedder: Annotated[
        str | None, typer.Option(help="As score.embedder, for --metric fd.")
    ] = None,
    also: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Measured beside it, as precision,recall."),
    ] = None,
    ema: Annotated[
        Literal["on", "off"],
        typer.Option(help="Score the averaged weights, or those that training ended with."),
    ] = "on",
    seeds: Annotated[
        int, typer.Option(min=1, max=100, help="Score so often, by images of other seeds.")
    ] = 1,
    again: Annotated[
        bool, typer.Option("--again", help="Also where the ledger has the score already.")
    ] = False,
    format_: Format = "table",
    quiet: Quiet = False,
    storage: StorageOption = None,
) -> None:
    """Score trials again from their checkpoints, without training, on this machine.

    What is not given is as it was in the search. The scores go to the ledger, one by one: Ctrl-C
    keeps what is done, and the same command goes on from there.
    """
    from study.spec.yaml_file import parse_yaml

    plain = {"samples": samples, "metric": metric, "embedder": embedder}
    changes: dict[str, Any] = {key: value for key, value in plain.items() if value is not None}
    for key, text in (("sampler", sampler), ("steps", steps)):
        if text is not None:
            changes[key] = parse_yaml(text, f"--{key}").tree
    if also is not None:
        changes["also"] = [part.strip() for part in also.split(",") if part.strip()]
    place = open_storage(storage)
    name = resolve_study(place, name, quiet)
    from study.results.reader import read_study
    from study.results.rescored import rescored
    from study.results.rescored_table import rescore_table
    from study.trained.rescore import rescore, setup_from_identity

    try:
        done = rescore(
            place,
            name,
            top=top,
            trials=trial or (),
            changes=changes,
            averaged=ema == "on",
            seeds=seeds,
            again=again,
            watch=watcher(quiet),
        )
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from what is done", file=sys.stderr)
        raise typer.Exit(130) from None
    groups = [
        group
        for group in rescored(read_study(place, name), done.metric)
        # A group may be of trials that each chose a sampler of their own.
        if any(setup_from_identity(row.measured) in done.setups for row in group.trials)
    ]
    if format_ == "json":
        from study.results.json_text import json_text

        tree = {"study": name, "measured": done.measured, "kept": done.kept, "rescored": groups}
        print_data(json_text(tree))
        return
    for group in groups:
        print_table(rescore_table(group))
    if not quiet:
        there = f", {done.kept} were there already (--again makes them anew)" if done.kept else ""
        print(f"{done.measured} scores made{there}")
