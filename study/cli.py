"""The command line: parse, call, print."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from study.diagnostics.names import ABOUT, FEWEST_SAMPLES, MOST_SAMPLES, SAMPLES
from study.spec.errors import UserError

if TYPE_CHECKING:
    from study.execution.run import RunResult
    from study.results.storage import Storage
    from study.spec import StudyFile

app = typer.Typer(
    name="study",
    help="Hyperparameter studies of small generative image models, on Ray.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

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


@app.command()
def run(
    file: File,
    set_: Set = None,
    trials: Trials = None,
    storage: StorageOption = None,
    name: As = None,
    smoke: Smoke = False,
    variant: Variant = None,
    address: Address = None,
) -> None:
    """Run a study: search, train, score, and write everything to the ledger."""
    study_file = _read(file, set_, trials, name, smoke, variant)
    place = _storage(storage)
    from study.execution.run import run_study

    _print_result(run_study(study_file, place, address), storage)


@app.command()
def resume(
    name: Name,
    storage: StorageOption = None,
    address: Address = None,
) -> None:
    """Go on with a study that was interrupted, from its last checkpoints."""
    from study.execution.run import resume_study

    _print_result(resume_study(name, _storage(storage), address), storage)


@app.command()
def check(
    file: File,
    set_: Set = None,
    trials: Trials = None,
    name: As = None,
    smoke: Smoke = False,
    variant: Variant = None,
) -> None:
    """Validate a study file, every branch of it, and say what it would cost here. Needs no Ray."""
    from study.execution.checking import check_study

    check_study(_read(file, set_, trials, name, smoke, variant))


@app.command("list")
def list_(storage: StorageOption = None) -> None:
    """The studies in the storage."""
    from study.results.leaderboard import study_summary, summary_table

    place = _storage(storage)
    summaries = study_summary(place)
    if summaries:
        _print(summary_table(summaries))
    else:
        print(f"no studies in {place.uri}")


@app.command()
def status(name: Name, storage: StorageOption = None) -> None:
    """How far a study is: trials by state, the best so far, times."""
    from study.results.leaderboard import status, summary_table

    _print(summary_table([status(_storage(storage), name)]))


@app.command()
def best(
    name: Name,
    top: Annotated[int, typer.Option(min=1, help="How many trials to show.")] = 10,
    storage: StorageOption = None,
) -> None:
    """The best trials of a study."""
    _print_best(_storage(storage), name, top)


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

    sys.stdout.write(render(query(_storage(storage), sql), format_).rstrip("\n") + "\n")


@app.command()
def sample(
    name: Name,
    trial: Annotated[int, typer.Argument(min=0, help="The trial's number.")],
    count: Annotated[int, typer.Option("-n", min=1, max=10_000, help="How many images.")] = 64,
    output: Annotated[Path, typer.Option("-o", help="The PNG file to write.")] = Path("grid.png"),
    seed: Annotated[int, typer.Option(min=0, help="Chooses the images.")] = 0,
    storage: StorageOption = None,
) -> None:
    """Generate images with a trial's weights, as a PNG grid."""
    if not output.absolute().parent.is_dir():
        raise UserError(f"-o {output}: the folder {output.absolute().parent} does not exist")
    from study.execution.sample import sample_trial
    from study.results.grids import image_grid

    images = sample_trial(_storage(storage), name, trial, count, seed)
    picture = image_grid(images, scale=max(1, 48 // images.shape[-1]))
    try:
        picture.save(output, format="PNG")
    except OSError as error:
        raise UserError(f"-o {output}: cannot be written ({error.strerror or error})") from None
    print(f"{count} images of trial {trial}: {output}")


_DIAGNOSTICS = "\n".join(
    ["The diagnostics:", *(f"  [bold]{name:<12}[/bold] {about}" for name, about in ABOUT.items())]
)


@app.command(epilog=_DIAGNOSTICS)
def explain(
    name: Name,
    trial: Annotated[
        int | None,
        typer.Argument(min=0, help="The trial's number; the best by default.", show_default=False),
    ] = None,
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
    place = _storage(storage)
    place.require(name)
    if beside:
        theirs = (("--only", only), ("--full", full), ("--samples", samples is not None))
        for option, given in theirs:
            if given:
                raise UserError(f"{option} is of the diagnostics, and --beside runs none of them")
        _compare(place, name, trial, beside, output, seed)
        return
    from study.execution.explain import explain_trial, explanation_table

    found = explain_trial(
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
    print(f"trial {found.trial} of {name} ({found.family}), epoch {found.epoch}")
    _print(explanation_table(found))
    if found.skipped:
        print(f"do not apply to it: {', '.join(found.skipped)}")
    print(f"pictures in {found.folder}")


@app.command()
def schema() -> None:
    """JSON Schema of the study file, for editors."""
    from study.spec.schema import study_schema

    print(json.dumps(study_schema(), indent=2))


@app.command()
def submit(
    file: File,
    address: Annotated[str, typer.Option(help="The cluster's dashboard, http://HOST:8265.")],
    set_: Set = None,
    trials: Trials = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Folder or s3:// address that the cluster can write; else its STUDY_STORAGE."
        ),
    ] = None,
    name: As = None,
    smoke: Smoke = False,
    variant: Variant = None,
    detach: Annotated[bool, typer.Option(help="Do not follow the job's log.")] = False,
) -> None:
    """Submit a study to a Ray cluster as a job, and follow its log."""
    study_file = _read(file, set_, trials, name, smoke, variant)
    from study.execution.submit import follow_job, submit_study

    job = submit_study(study_file, address, storage)
    print(f"job {job} on {address}", flush=True)
    if detach:
        print(f"follow it with:\n  ray job logs --address {address} --follow {job}")
        return
    try:
        succeeded = follow_job(address, job, lambda text: print(text, end="", flush=True))
    except KeyboardInterrupt:
        print(f"\nthe job goes on; stop it with:\n  ray job stop --address {address} {job}")
        raise typer.Exit(130) from None
    if not succeeded:
        raise typer.Exit(1)


def main() -> None:
    """The entry point: a user's mistake is one line on stderr and exit code 2."""
    if os.getcwd() not in sys.path:  # where networks named by import path may lie
        sys.path.append(os.getcwd())
    try:
        app()
    except UserError as error:
        print(f"study: {error}", file=sys.stderr)
        sys.exit(2)


def _compare(
    place: Storage,
    name: str,
    trial: int | None,
    beside: list[str],
    output: Path | None,
    seed: int,
) -> None:
    from study.execution.beside import compare_trials

    found = compare_trials(place, name, trial, beside, folder=output, seed=seed, watch=_watch)
    print("\n".join(found.told))
    if found.note:
        print(found.note)
    print(f"{', '.join(found.files)} in {found.folder}")


def _watch(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


def _read(
    file: Path,
    overrides: list[str] | None,
    trials: int | None,
    name: str | None,
    smoke: bool,
    variant: str | None,
) -> StudyFile:
    from study.spec import read_study_file

    changes = [*(overrides or [])]
    if trials is not None:
        changes.append(f"search.trials={trials}")
    return read_study_file(file, changes, name, smoke=smoke, variant=variant)


def _storage(uri: str | None) -> Storage:
    from study.results.storage import Storage, default_storage

    return Storage.from_uri(uri or default_storage())


def _print_result(result: RunResult, storage: str | None) -> None:
    place, name = result.storage, result.study
    where = "" if storage is None else f" --storage {storage}"
    _print_best(place, name, 10)
    if result.picture is not None:
        print(f"\nsamples of the best trial  {place.locate(result.picture)}")
    print(f"tables (Parquet)           {place.locate(name)}")
    if result.interrupted:
        print("\ninterrupted; what was done is kept. To continue:")
        print(f"  study resume {name}{where}")
        raise typer.Exit(130)
    print("\nnext:")
    print(f"  study best {name}{where}")
    if result.best_trial is not None:
        print(f"  study sample {name} {result.best_trial} -n 64 -o grid.png{where}")
    print(f'  study query "select trial, state, value, epoch from trials order by value"{where}')


def _print_best(storage: Storage, name: str, top: int) -> None:
    from study.results.leaderboard import best, leaderboard_table

    storage.require(name)
    ranked = best(storage, name, top)
    if ranked:
        _print(leaderboard_table(ranked))
    else:
        print(f"no trial of {name} has a score yet")


def _print(table: object) -> None:
    from rich.console import Console

    Console().print(table)
