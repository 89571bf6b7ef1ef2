"""`study check`: what a study file holds, where it fits, and what it would cost."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from study.check.estimate import Estimate, estimate
from study.check.preflight import preflight
from study.driver.placement import place, this_machine
from study.results.storage import Storage, default_storage
from study.search import Search
from study.spec import StudyFile
from study.spec.tree import leaves


def check_study(
    study_file: StudyFile, console: Console | None = None, storage: Storage | None = None
) -> None:
    """Print a valid study file's dimensions, branches, lanes on this machine, and cost.

    Args:
        study_file: The study.
        console: Where to print.
        storage: Where it would run; by default where studies go by default.

    Raises:
        UserError: One trial's workers do not fit this machine, or preflight finds a mistake.
    """
    console = console or Console()
    spec = study_file.study
    preflight(study_file, storage or Storage.from_uri(default_storage()))
    trials = Search(study_file).planned
    placement = place(spec.scale, (this_machine(),), trials)
    dimensions = study_file.space.dimensions()
    table = Table(
        "dimension",
        "values",
        title=f"{spec.name}: {_count(len(dimensions), 'dimension')}",
        title_justify="left",
    )
    for dimension in dimensions:
        table.add_row(Text(dimension.name), Text(str(dimension.hole)))
    console.print(table)
    for note in study_file.reach_notes():
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    branches = study_file.branches()
    console.print(f"\n{_count(len(branches), 'branch')}, each valid; filled, one of each:")
    for branch in branches:
        shown = leaves(branch.study.trial_config(), branch.picks)
        values = ", ".join(
            f"{name}={value}" for name, value in shown.items() if name.startswith("model.")
        )
        console.print(f"  {values}", markup=False, highlight=False)
    console.print(f"\nfits this machine: {placement}")
    _print_cost(estimate(study_file, placement, trials), trials, console)


def _print_cost(cost: Estimate, trials: int, console: Console) -> None:
    table = Table(
        "branch",
        "parameters",
        "full trial",
        "training",
        "scoring",
        title="cost, measured here"
        + (", for the longest training and the most steps" if cost.at_most else ""),
        title_justify="left",
    )
    for branch in cost.branches:
        labels = [str(label) for name, label in branch.picks.items() if isinstance(label, str)]
        table.add_row(
            Text(", ".join(labels) or "the only one"),
            f"{branch.parameters:,}",
            _duration(branch.seconds),
            _duration(branch.train_seconds),
            _duration(branch.score_seconds),
        )
    console.print(table)
    finals = f", {cost.final_runs} trainings of finalists" if cost.final_runs else ""
    console.print(
        f"{_count(trials, 'trial')}{finals}: at most {cost.images:,} training images and "
        f"{cost.evaluations:,} network evaluations in sampling"
    )
    pruned = "" if cost.pruned is None else f"; about {_duration(cost.pruned)} with the pruner"
    most = "at most " if cost.at_most else ""
    console.print(f"time: {most}{_duration(cost.unpruned)} if no trial is pruned{pruned}")


def _count(number: int, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
