"""What the commands share: the application, their common options, reading and printing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.spec.errors import UserError

if TYPE_CHECKING:
    from study.results.leaderboard import Leaderboard
    from study.results.storage import Storage

app = typer.Typer(
    name="study",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"fidtune {version('fidtune')}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Hyperparameter studies of small generative image models, on Ray."""


File = Annotated[Path, typer.Argument(help="The study file (YAML).", show_default=False)]
Name = Annotated[str, typer.Argument(help="The study's name.", show_default=False)]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Change a value of the file, as in train.epochs=5."
    ),
]
Trials = Annotated[
    int | None, typer.Option(min=1, help="Number of trials, in place of the file's.")
]
As = Annotated[
    str | None, typer.Option("--name", help="Name of the study, in place of the file's.")
]
Smoke = Annotated[
    bool,
    typer.Option("--smoke", help="Merge in the file's `smoke:`, which makes it end soon."),
]
Variant = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Merge in this one of the file's `variants:`."),
]
StorageOption = Annotated[
    str | None,
    typer.Option(
        help="Folder or s3:// address of the results.",
        envvar="STUDY_STORAGE",
        show_default="./studies",
    ),
]

Address = Annotated[
    str | None,
    typer.Option(help="Ray cluster to join (HOST:PORT); else this machine's, or one is started."),
]


Size = Annotated[
    int | None,
    typer.Option(help="Bring all images to this side in pixels.", show_default="as they are"),
]
Channels = Annotated[
    int | None,
    typer.Option(help="Bring all images to 1 (grey) or 3 (RGB).", show_default="as they are"),
]
Levels = Annotated[
    int | None,
    typer.Option(
        help="The level of white in images of 16 bits, as 4095 where they have 12.",
        show_default="65535",
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Inception's weights, where they are not to be found."),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Where embedders and statistics of references are kept.",
        show_default="~/.cache/fidtune",
    ),
]


def open_storage(uri: str | None) -> Storage:
    """The storage at an address, or where studies go by default."""
    from study.results.storage import Storage, default_storage

    return Storage.from_uri(uri or default_storage())


def print_leaderboard(board: Leaderboard, top: int) -> None:
    """Print what a study has shown: its finalists, its front, its ranked trials."""
    from study.results.leaderboard_tables import leaderboard_tables

    tables = leaderboard_tables(board, top)
    for table in tables:
        print_table(table)
    if not tables:
        print(f"no trial of {board.rows.study} has a score yet")


def print_table(table: object) -> None:
    """Print a table of rich, as wide as the terminal."""
    from rich.console import Console

    Console().print(table)


def check_picture(option: str, path: Path) -> None:
    """Check, before the work begins, that a picture can be put there.

    Raises:
        UserError: If it is a folder, or in none.
    """
    folder = path.absolute().parent
    try:
        if not folder.is_dir():
            raise UserError(f"{option} {path}: the folder {folder} does not exist")
        if path.is_dir():
            raise UserError(f"{option} {path}: a folder, but must be a file to write")
    except OSError as error:  # a name too long
        raise UserError(f"{option} {path}: cannot be written ({error.strerror})") from None
