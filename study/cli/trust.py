"""The command `trust`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from study.cli.app import (
    Cache,
    Channels,
    Format,
    Quiet,
    Size,
    Weights,
    app,
    check_picture,
    print_table,
    watcher,
)
from study.cli.streams import print_data
from study.spec.embedder_info import EMBEDDERS, embedder_info
from study.spec.errors import UserError
from study.spec.names import DATASETS


@app.command()
def trust(
    dataset: Annotated[
        str,
        typer.Argument(
            help=f"A data set by name ({', '.join(DATASETS)}), or the path of a folder of "
            "pictures, an .npy or an .npz file.",
            show_default=False,
        ),
    ],
    embedder: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=f"{', '.join(EMBEDDERS)}, or an import path (package.module:Name); may be "
            "repeated.",
            show_default="vae, pixels, lenet if there are labels, inception on a GPU",
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="DATASET",
            help="The set whose images invade, by name or path.",
            show_default="photo_patches among digits, else mnist5k",
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            help="N, the images in every set that is scored.",
            show_default="half the images / repeats, at most 1000",
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(help="Sets scored at each level, 2 or more.")] = 5,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Decides everything random.")] = 0,
    size: Size = None,
    channels: Channels = None,
    metric: Annotated[
        Literal["fd", "kid"], typer.Option(help="Fréchet distance, or kernel distance.")
    ] = "fd",
    output: Annotated[
        Path | None,
        typer.Option("-o", metavar="PNG", help="Draw examples and curves.", show_default=False),
    ] = None,
    weights: Weights = None,
    cache: Cache = None,
    format_: Format = "table",
    quiet: Quiet = False,
) -> None:
    """Is a metric to be trusted on these images? Harm real ones by degrees, and score them.

    Does the score rise at each step, and from which level is it told from that of clean images?
    """
    if output is not None:
        check_picture("-o", output)
    if weights is not None and not any(embedder_info(name).weights_file for name in embedder or ()):
        raise UserError(f"--weights {weights}: no --embedder asks for inception's weights")
    import torch

    from study.data import Preparation, load_images
    from study.results.json_text import json_text
    from study.trust.assessment import assess_metrics
    from study.trust.assessment_report import assessment_json, assessment_table
    from study.trust.foreign_images import load_foreign_images, shape_of

    images = load_images(dataset, Preparation(size=size, channels=channels))
    assessment = assess_metrics(
        images,
        foreign=None if by is None else load_foreign_images(by, shape_of(images)),
        embedders=embedder,
        metric=metric,
        samples=samples,
        repeats=repeats,
        seed=seed,
        cache_folder=cache,
        device="cuda" if torch.cuda.is_available() else "cpu",
        weights=weights,
        watch=watcher(quiet, " ..."),
    )
    if format_ == "json":
        print_data(json_text(assessment_json(assessment)))
    else:
        print_table(assessment_table(assessment))
    if output is not None:
        from study.trust.assessment_figure import assessment_figure

        try:
            assessment_figure(assessment).savefig(output, format="png", dpi=110)
        except OSError as error:
            raise UserError(f"-o {output}: cannot be written ({error.strerror or error})") from None
        watcher(quiet)(f"picture in {output}")
