"""Commands on study files: run, resume, check, schema, submit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.cli.app import (
    Address,
    As,
    File,
    Name,
    Set,
    Smoke,
    StorageOption,
    Trials,
    Variant,
    app,
    open_storage,
    print_leaderboard,
)

if TYPE_CHECKING:
    from study.lanes.run import RunResult
    from study.spec import FindTrial, StudyFile


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
    from study.driver.trial_weights import trained_in

    study_file = _read(file, set_, trials, name, smoke, variant, trained_in(storage))
    place = open_storage(storage)
    from study.lanes.run import run_study

    print_result(run_study(study_file, place, address), storage)


@app.command()
def resume(
    name: Name,
    storage: StorageOption = None,
    address: Address = None,
) -> None:
    """Go on with a study that was interrupted, from its last checkpoints."""
    from study.lanes.run import resume_study

    print_result(resume_study(name, open_storage(storage), address), storage)


@app.command()
def check(
    file: File,
    set_: Set = None,
    trials: Trials = None,
    name: As = None,
    smoke: Smoke = False,
    variant: Variant = None,
    storage: StorageOption = None,
) -> None:
    """Validate a study file, every branch of it, and say what it would cost here. Needs no Ray."""
    from study.check.report import check_study
    from study.driver.trial_weights import trained_in

    study_file = _read(file, set_, trials, name, smoke, variant, trained_in(storage))
    check_study(study_file, storage=open_storage(storage))


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
) -> None:
    """Submit a study to a Ray cluster as a job, and follow its log."""
    from study.driver.trial_weights import trained_in

    # Without --storage only the cluster knows where its studies are.
    find_trial = None if storage is None else trained_in(storage)
    study_file = _read(file, set_, trials, name, smoke, variant, find_trial)
    from study.lanes.submit import follow_job, submit_study

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


def _read(
    file: Path,
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


def print_result(result: RunResult, storage: str | None) -> None:
    """Print what a run came to, and what can be done next.

    Args:
        result: How the run ended.
        storage: The storage as the command named it, for the commands that are shown.
    """
    place, name = result.storage, result.study
    where = "" if storage is None else f" --storage {storage}"
    print_leaderboard(result.board, 10)
    if result.picture is not None:
        print(f"\nsamples of the best trial  {place.locate(result.picture)}")
    print(f"tables (Parquet)           {place.locate(name)}")
    if result.interrupted:
        print("\ninterrupted; what was done is kept. To continue:")
        print(f"  study resume {name}{where}")
        raise typer.Exit(130)
    print("\nnext:")
    print(f"  study best {name}{where}")
    if result.board.leader is not None:
        print(f"  study sample {name} {result.board.leader.run} -n 64 -o grid.png{where}")
        print(f"  study explain {name}{where}")
    complete = "stage = 'search' and state = 'complete'"
    sql = f"select trial, value, epoch from trials where {complete} order by value"
    print(f'  study query "{sql}"{where}')
