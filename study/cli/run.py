"""Commands on study files: run, resume, check, schema, submit."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.cli.app import (
    Address,
    As,
    File,
    Format,
    Name,
    Quiet,
    Set,
    Smoke,
    StorageOption,
    Trials,
    Variant,
    app,
    check_picture,
    open_storage,
    print_leaderboard,
    program,
    resolve_study,
)
from study.cli.progress import progress_line
from study.cli.streams import print_data

if TYPE_CHECKING:
    from study.driver.display import Display
    from study.lanes.run import RunResult
    from study.spec import FindTrial, StudyFile, TrainedTrial


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
    quiet: Quiet = False,
) -> None:
    """Run a study: search, train, score, and write everything to the ledger."""
    study_file = _read(file, set_, trials, name, smoke, variant, _trained_in(storage))
    place = open_storage(storage)
    from study.lanes.run import run_study

    print_result(run_study(study_file, place, address, _display(quiet)), storage, quiet)


@app.command()
def resume(
    name: Name = None,
    storage: StorageOption = None,
    address: Address = None,
    takeover: Annotated[
        bool, typer.Option("--takeover", help="Even if another process seems to be running it.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a study that was interrupted, from its last checkpoints."""
    from study.lanes.run import resume_study

    place = open_storage(storage)
    name = resolve_study(place, name, quiet)
    result = resume_study(name, place, address, _display(quiet), takeover=takeover)
    if result.was_over and not quiet:
        print(f"study {name} has ended: there is nothing to go on with\n")
    print_result(result, storage, quiet)


@app.command()
def check(
    file: File,
    set_: Set = None,
    trials: Trials = None,
    name: As = None,
    smoke: Smoke = False,
    variant: Variant = None,
    storage: StorageOption = None,
    format_: Format = "table",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            metavar="PNG",
            help="Draw images as they will be trained on: a contact sheet.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Validate a study file, every branch of it, and say what it would cost here. Needs no Ray.

    Shows the images as they will be trained on: how many, of what size, and what is left out.
    """
    if output is not None:
        check_picture("-o", output)
    study_file = _read(file, set_, trials, name, smoke, variant, _trained_in(storage))
    place = open_storage(storage)
    if format_ == "json":
        from study.check.report_json import check_json
        from study.results.json_text import json_text

        with progress_line() as watch:
            report = check_json(study_file, place, output, watch)
        print_data(json_text(report))
    else:
        from study.check.report import check_study

        with progress_line() as watch:
            check_study(study_file, storage=place, picture=output, watch=watch)


@app.command()
def schema(
    path: Annotated[
        str | None,
        typer.Argument(metavar="SECTION", help="One section or key, as train.optimizer."),
    ] = None,
) -> None:
    """JSON Schema of the study file, for editors, or of one section of it."""
    from study.spec.schema import study_schema
    from study.spec.schema_section import section_schema

    print(json.dumps(study_schema() if path is None else section_schema(path), indent=2))


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
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the job's id alone, and no log.")
    ] = False,
) -> None:
    """Submit a study to a Ray cluster as a job, and follow its log."""
    # Without --storage only the cluster knows where its studies are.
    find_trial = None if storage is None else _trained_in(storage)
    study_file = _read(file, set_, trials, name, smoke, variant, find_trial)
    from study.lanes.submit import follow_job, submit_study

    job = submit_study(study_file, address, storage)
    print(job if quiet else f"job {job} on {address}", flush=True)
    if detach:
        if not quiet:
            print(f"follow it with:\n  ray job logs --address {address} --follow {job}")
        return

    def show(text: str) -> None:
        if not quiet:
            print(text, end="", flush=True)

    try:
        succeeded = follow_job(address, job, show)
    except KeyboardInterrupt:
        print(f"\nthe job goes on; stop it with:\n  ray job stop --address {address} {job}")
        raise typer.Exit(130) from None
    if not succeeded:
        if quiet:
            line = f"job {job} has failed: ray job logs --address {address} {job}"
            print(line, file=sys.stderr)
        raise typer.Exit(1)


def _display(quiet: bool) -> Display | None:
    """What shows a run: nothing, or what suits where the output goes."""
    from study.driver.display import SilentDisplay

    return SilentDisplay() if quiet else None


def _read(
    file: str,
    overrides: list[str] | None,
    trials: int | None,
    name: str | None,
    smoke: bool,
    variant: str | None,
    find_trial: FindTrial | None,
) -> StudyFile:
    from study.spec import read_study_file

    changes = [*(overrides or [])]
    if trials is not None:
        changes.append(f"search.trials={trials}")
    return read_study_file(file, changes, name, smoke=smoke, variant=variant, find_trial=find_trial)


def _trained_in(storage: str | None) -> FindTrial:
    """`trial_weights.trained_in`, loaded where a study file has `weights:`, which few have."""

    def find(study: str, trial: int) -> TrainedTrial:
        from study.driver.trial_weights import trained_in

        return trained_in(storage)(study, trial)

    return find


def print_result(result: RunResult, storage: str | None, quiet: bool = False) -> None:
    """Print what a run came to, and what can be done next.

    Args:
        result: How the run ended.
        storage: The storage as the command named it, for the commands that are shown.
        quiet: Print what it came to alone.
    """
    from study.results.failures import have_all_failed

    place, name = result.storage, result.study
    where = "" if storage is None else f" --storage {storage}"
    study = program()
    print_leaderboard(result.board, 10)
    failed = have_all_failed(result.board.rows.trials)
    if quiet:
        if result.interrupted or failed:
            raise typer.Exit(130 if result.interrupted else 1)
        return
    if result.picture is not None:
        print(f"\nsamples of the best trial  {place.locate(result.picture)}")
    print(f"tables (Parquet)           {place.locate(name)}")
    if result.interrupted:
        print("\ninterrupted; what was done is kept. To continue:")
        print(f"  {study} resume {name}{where}")
        raise typer.Exit(130)
    if failed:
        raise typer.Exit(1)
    print("\nnext:")
    print(f"  {study} best {name}{where}")
    if result.board.leader is not None:
        print(f"  {study} sample {name} {result.board.leader.run} -n 64 -o grid.png{where}")
        print(f"  {study} explain {name}{where}")
    complete = "stage = 'search' and state = 'complete'"
    sql = f"select trial, value, epoch from trials where {complete} order by value"
    print(f'  {study} query "{sql}"{where}')
