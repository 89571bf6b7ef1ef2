"""The command `explain`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.cli.app import (
    Name,
    StorageOption,
    Trial,
    app,
    open_storage,
    print_table,
    resolve_study,
)
from study.diagnostics.descriptions import DESCRIPTIONS, FEWEST_SAMPLES, MOST_SAMPLES, SAMPLES
from study.spec.errors import UserError

if TYPE_CHECKING:
    from study.results.storage import Storage

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
    storage: StorageOption = None,
) -> None:
    """Look into a trained trial: pictures and diagnostics, to a folder and to the ledger.

    With --beside, pictures of several trials side by side: samples, denoising paths, scores.
    """
    place = open_storage(storage)
    name = resolve_study(place, name)
    if beside:
        theirs = (("--only", only), ("--full", full), ("--samples", samples is not None))
        for option, is_set in theirs:
            if is_set:
                raise UserError(f"{option} is of the diagnostics, and --beside runs none of them")
        _compare(place, name, trial, beside, output, seed)
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
        watch=_watch,
    )
    print(f"trial {explanation.trial} of {name} ({explanation.family}), epoch {explanation.epoch}")
    print_table(explanation_table(explanation))
    if explanation.skipped:
        print(f"do not apply to it: {', '.join(explanation.skipped)}")
    print(f"pictures in {explanation.folder}")


def _compare(
    place: Storage,
    name: str,
    trial: int | None,
    beside: list[str],
    output: Path | None,
    seed: int,
) -> None:
    from study.trained.compare import compare_trials

    comparison = compare_trials(place, name, trial, beside, folder=output, seed=seed, watch=_watch)
    print("\n".join(comparison.lines))
    if comparison.note:
        print(comparison.note)
    print(f"{', '.join(comparison.files)} in {comparison.folder}")


def _watch(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)
