"""What the commands share: the application, their common options, reading and printing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from study.spec.errors import UserError

if TYPE_CHECKING:
    from study.results.leaderboard import Leaderboard
    from study.results.storage import Storage

app = typer.Typer(
    name="study",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
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


def complete_study(context: typer.Context, incomplete: str) -> list[str]:
    """Names of studies that begin so, for the shell."""
    from study.results.storage import Storage, default_storage

    with suppress(UserError, OSError):
        storage = Storage.from_uri(context.params.get("storage") or default_storage())
        return [name for name in storage.studies() if name.startswith(incomplete)]
    return []


def complete_recipe(incomplete: str) -> list[str]:
    """Names of recipes that begin so, for the shell."""
    from study.spec.recipes import recipe_names

    return [name for name in recipe_names() if name.startswith(incomplete)]


def complete_file(incomplete: str) -> list[str]:
    """Study files, folders on the way to them, and recipes that begin so, for the shell."""
    above = Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent
    names = []
    with suppress(OSError):
        for path in sorted(above.iterdir()):
            text = f"{path}/" if path.is_dir() else str(path)
            if text.endswith(("/", ".yaml", ".yml")) and text.startswith(incomplete):
                names.append(text)
    return [*names, *complete_recipe(incomplete)]


File = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="The study file (YAML), or a recipe's name (see `study recipes`).",
        show_default=False,
        autocompletion=complete_file,
    ),
]
Format = Annotated[Literal["table", "json"], typer.Option("--format", help="How to print it.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print what comes out, and not what goes on.")
]
Name = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]",
        help="The study's name; without one, or as 'newest', the study that was begun last.",
        show_default=False,
        autocompletion=complete_study,
    ),
]
Trial = Annotated[
    int | None,
    typer.Argument(min=0, help="The trial's number; the best by default.", show_default=False),
]
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


def resolve_study(storage: Storage, name: str | None, quiet: bool = False) -> str:
    """The name of the study that a command is about.

    It says on stderr which one that is if nobody named it, unless it is to be quiet.

    Raises:
        UserError: There is no such study, or none at all.
    """
    from study.results.study_names import resolve_study

    resolved = resolve_study(storage, name)
    if resolved != name and not quiet:
        print(f"the newest study: {resolved}", file=sys.stderr)
    return resolved


def program() -> str:
    """How this program is called from here: `study` on the PATH, or a path such as .venv/bin/study.

    For commands that are shown, to be copied.
    """
    called = Path(sys.argv[0])
    on_path = shutil.which("study")
    if called.name != "study" or not called.is_file():  # `python -m study`, or no command line
        return "study" if on_path else "python -m study"
    if on_path and os.path.samefile(on_path, called):
        return "study"
    return min(os.path.relpath(called), str(called.absolute()), key=len)


def print_leaderboard(board: Leaderboard, top: int) -> None:
    """Print what a study has shown: its finalists, its front, its ranked trials."""
    from study.results.failures import failure_lines, have_all_failed
    from study.results.leaderboard_tables import leaderboard_tables

    tables = leaderboard_tables(board, top)
    for table in tables:
        print_table(table)
    for line in failure_lines(board.rows.trials):
        print(line)
    if not tables and not have_all_failed(board.rows.trials):
        print(f"no trial of {board.rows.study} has a score yet")


def print_table(table: object) -> None:
    """Print a table of rich, as wide as the terminal."""
    from rich.console import Console

    Console().print(table)


def watcher(quiet: bool, after: str = "") -> Callable[[str], None]:
    """Prints on stderr what is about to be done, or nothing.

    Args:
        quiet: Whether to print nothing.
        after: Put behind each line.
    """

    def watch(what: str) -> None:
        if not quiet:
            print(f"{what}{after}", file=sys.stderr, flush=True)

    return watch


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
