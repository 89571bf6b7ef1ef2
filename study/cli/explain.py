"""The command `explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.cli.app import (
    Format,
    Name,
    Quiet,
    StorageOption,
    Trial,
    app,
    open_storage,
    print_table,
    resolve_study,
    watcher,
)
from study.cli.streams import print_data
from study.diagnostics.descriptions import DESCRIPTIONS, FEWEST_SAMPLES, MOST_SAMPLES, SAMPLES
from study.spec.errors import UserError

if TYPE_CHECKING:
    from study.trained.compare import Comparison

_DIAGNOSTICS = "\n".join(
    [
        "The diagnostics:",
        *(f"  [bold]{name:<12}[/bold] {about}" for name, about in DESCRIPTIONS.items()),
    ]
)


@app.command(epilog=_DIAGNOSTICS)
def explain(
    name: Name = None,
    trial: Trial = None,
    beside: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[STUDY:]TRIAL",
            help="Instead, show the trial side by side with this one; may be repeated.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="DIAGNOSTIC", help="Only this one; may be repeated."),
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="Every term of the bound, on more images: slow."),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            metavar="FOLDER",
            help="Where the pictures go.",
            show_default="<storage>/<study>/explain/...",
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            help=f"How many images to generate, {FEWEST_SAMPLES} to {MOST_SAMPLES}.",
            show_default=str(SAMPLES),
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides everything random.")] = 0,
    format_: Format = "table",
    quiet: Quiet = False,
    storage: StorageOption = None,
) -> None:
    """Look into a trained trial: pictures and diagnostics, to a folder and to the ledger.

    With --beside, pictures of several trials side by side: samples, denoising paths, scores.
    """
    place, watch = open_storage(storage), watcher(quiet, " ...")
    name = resolve_study(place, name, quiet)
    if beside:
        theirs = (("--only", only), ("--full", full), ("--samples", samples is not None))
        for option, is_set in theirs:
            if is_set:
                raise UserError(f"{option} is of the diagnostics, and --beside runs none of them")
        from study.trained.compare import compare_trials

        _print_comparison(
            compare_trials(place, name, trial, beside, folder=output, seed=seed, watch=watch),
            format_,
        )
        return
    from study.trained.explain import explain_trial, explanation_table

    explanation = explain_trial(
        place,
        name,
        trial,
        only=only or (),
        folder=output,
        samples=SAMPLES if samples is None else samples,
        seed=seed,
        full=full,
        watch=watch,
    )
    if format_ == "json":
        from study.results.json_text import json_text

        print_data(json_text(explanation))
        return
    print(f"trial {explanation.trial} of {name} ({explanation.family}), epoch {explanation.epoch}")
    print_table(explanation_table(explanation))
    if explanation.skipped:
        print(f"do not apply to it: {', '.join(explanation.skipped)}")
    print(f"pictures in {explanation.folder}")


def _print_comparison(comparison: Comparison, format_: str) -> None:
    if format_ == "json":
        from study.results.json_text import json_text

        print_data(json_text(comparison))
        return
    print("\n".join(comparison.lines))
    if comparison.note:
        print(comparison.note)
    print(f"{', '.join(comparison.files)} in {comparison.folder}")
