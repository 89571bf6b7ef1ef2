"""The command `score`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from study.cli.app import (
    Cache,
    Channels,
    Format,
    Levels,
    Quiet,
    Size,
    Weights,
    app,
    check_picture,
)
from study.cli.streams import print_data
from study.spec.embedder_info import EMBEDDERS
from study.spec.errors import UserError
from study.spec.measure_info import MEASURES

if TYPE_CHECKING:
    from study.data.streams import ImageStream
    from study.scoring import Scores

_SHOWN = 5  # nearest real images to each generated one


@app.command()
def score(
    generated: Annotated[
        str,
        typer.Argument(
            help="Generated images: a folder of pictures, an .npy or .npz of uint8 images, or a "
            "data set's name, with :train or :held_out for a part.",
            show_default=False,
        ),
    ],
    against: Annotated[
        str,
        typer.Option(
            help="The real images, given alike, always taken whole; or an .npz of mean `mu` and "
            "covariance `sigma` of their features.",
            show_default=False,
        ),
    ],
    embedder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"{', '.join(EMBEDDERS)}, or an import path (package.module:Name).",
            show_default="inception, or what an .npz of mu and sigma names",
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help=f"What to measure, with commas between: {', '.join(MEASURES)}.",
            show_default="fd,kid,precision,recall,density,coverage; with labels modes too",
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(help="Take so many of the generated images, at random.", show_default="all"),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=2**63 - 1,
            help="Of that choice, and of an embedder's training (KID's subsets are fixed).",
        ),
    ] = 0,
    size: Size = None,
    channels: Channels = None,
    levels: Levels = None,
    kid_subset_size: Annotated[
        int | None,
        typer.Option(help="Images in each of KID's subsets.", show_default="1000, or all if fewer"),
    ] = None,
    nearest: Annotated[
        Path | None,
        typer.Option(
            metavar="PNG", help="Draw generated images, each with the real ones nearest to it."
        ),
    ] = None,
    weights: Weights = None,
    cache: Cache = None,
    format_: Format = "table",
    quiet: Quiet = False,
) -> None:
    """Measure how generated images differ from real ones."""
    if nearest is not None:
        check_picture("--nearest", nearest)
    from rich.console import Console

    from study.data.loading import locate
    from study.data.opening import open_images
    from study.scoring import score_images
    from study.scoring.score_table import score_table
    from study.scoring.stored_moments import StoredMoments, read_moments

    settings = {"size": size, "channels": channels, "levels": levels}
    theirs = open_images(generated, **settings)
    real = read_moments(locate(against)) or open_images(against, **settings)
    if samples is not None:
        theirs = theirs.some(samples, seed)
    if isinstance(real, StoredMoments):
        embedder, shown = embedder or real.embedder, _SHOWN
    else:
        shown = min(_SHOWN, len(real))
    with _progress(quiet) as watch:
        scores = score_images(
            theirs,
            real,
            embedder=embedder or "inception",
            metrics=None if metrics is None else [one.strip() for one in metrics.split(",")],
            seed=seed,
            kid_subset_size=kid_subset_size,
            neighbours=0 if nearest is None else shown,
            weights=weights,
            cache_folder=cache,
            watch=watch,
        )
    if nearest is not None and not isinstance(real, StoredMoments):
        _draw(nearest, theirs, real, scores, seed)
    if format_ == "json":
        from study.results.json_text import json_text

        sources = {"generated": generated, "reference": against, "seed": seed}
        print_data(json_text(as_json(scores, sources)))
        return
    console = Console()
    whole = "the moments in" if isinstance(real, StoredMoments) else f"{scores.reference} of"
    print(f"{scores.generated} images of {generated} against {whole} {against}")
    console.print(score_table(scores, console.width))
    print(f"embedder {scores.embedder} {scores.embedder_digest[:12]}, ", end="")
    print(f"reference {scores.reference_digest[:12]}, {scores.seconds:.1f} s")
    for note in scores.notes:
        print(f"note: {note}")
    if nearest is not None:
        print(f"nearest real images: {nearest}")


def as_json(scores: Scores, settings: dict[str, Any]) -> dict[str, Any]:
    """All that is known of the scores, as plain values."""
    return {
        **settings,
        "generated_images": scores.generated,
        "reference_images": scores.reference,
        "embedder": scores.embedder,
        "embedder_digest": scores.embedder_digest,
        "dim": scores.dim,
        "reference_digest": scores.reference_digest,
        "metrics": {
            result.metric: {
                "measure": measure,
                "value": result.value,
                "spread": result.spread,
                "better": MEASURES[measure].better,
            }
            for measure, result in scores.measured.items()
        },
        "kid_subset_size": scores.kid_subset_size,
        "notes": list(scores.notes),
        "seconds": scores.seconds,
    }


def _draw(path: Path, generated: ImageStream, real: ImageStream, scores: Scores, seed: int) -> None:
    from study.diagnostics.nearest_figure import nearest_figure

    assert scores.nearest is not None
    figure = nearest_figure(generated, real, scores.nearest, scores.embedder, seed)
    try:
        figure.savefig(path, format="png", dpi=100)
    except OSError as error:
        raise UserError(
            f"--nearest {path}: cannot be written ({error.strerror or error})"
        ) from None


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Bars of what is being embedded, on a terminal and if it is not quiet; else nothing."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    console = Console(stderr=True)
    with Progress(
        console=console, transient=True, disable=quiet or not console.is_terminal
    ) as progress:
        tasks: dict[str, TaskID] = {}

        def watch(side: str, done: int, total: int) -> None:
            if side not in tasks:
                tasks[side] = progress.add_task(f"{side} images", total=total)
            progress.update(tasks[side], completed=done)

        yield watch
