"""`study check`: what a study file holds, where it fits, and what it would cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from study.check.estimate import Estimate
from study.check.examination import examine
from study.check.forecast import Forecast
from study.check.preflight import Watch
from study.results.storage import Storage, default_storage
from study.spec import StudyFile
from study.spec.tree import leaves


def check_study(
    study_file: StudyFile,
    console: Console | None = None,
    storage: Storage | None = None,
    picture: Path | None = None,
    watch: Watch = lambda what: None,
) -> None:
    """Print a valid study file's images, dimensions, branches, lanes on this machine, and cost.

    Args:
        study_file: The study.
        console: Where to print.
        storage: Where it would run; by default where studies go by default.
        picture: Where to write a contact sheet of the images, a PNG, if anywhere.
        watch: Told what is about to be read or measured, as it may take a while.

    Raises:
        UserError: One trial's workers do not fit this machine, preflight finds a mistake, or the
            picture cannot be written.
    """
    console = console or Console()
    spec = study_file.study
    storage = storage or Storage.from_uri(default_storage())
    examination = examine(study_file, storage, picture, watch)
    for line in examination.data.lines():
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if picture is not None:
        console.print(f"  contact sheet: {picture}", markup=False, highlight=False, soft_wrap=True)
    console.print()
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
    console.print(f"\nfits this machine: {examination.placement}")
    _print_cost(examination.estimate(watch), examination.trials, console)


def _print_cost(cost: Estimate, trials: int, console: Console) -> None:
    table = Table(
        "network",
        "trials",
        "parameters",
        "full trial",
        "training",
        "scoring",
        title="cost, measured here",
        title_justify="left",
    )
    for network in cost.networks:
        table.add_row(
            Text(network.name),
            f"{network.share:.0%}",
            f"{network.cost.parameters:,}" if network.cost.parameters else "",
            _duration(network.seconds),
            _duration(network.train_seconds),
            _duration(network.score_seconds),
        )
    console.print(table)
    for note in _notes(cost):
        console.print(note, markup=False, highlight=False)
    finals = f", {cost.final_runs} trainings of finalists" if cost.final_runs else ""
    console.print(
        f"{_count(trials, 'trial')}{finals}: at most {cost.images:,} training images and "
        f"{cost.evaluations:,} network evaluations in sampling"
    )
    most, least = ("at most " if cost.at_most else ""), ("at least " if cost.at_least else "")
    start = f"of which {_duration(cost.time.starting)} until the first trial trains"
    if cost.unpruned is None:
        console.print(f"time: {least or most}{_range(cost.time, cost.at_least)}, {start}")
        return
    console.print(
        f"time: {least or most}{_range(cost.time, cost.at_least)} with the pruner, {start}; "
        f"{_range(cost.unpruned, cost.at_least)} if it stops no trial"
    )


def _notes(cost: Estimate) -> Iterator[str]:
    if cost.unmeasured:
        networks = "network that was" if cost.unmeasured == 1 else "networks that were"
        yield (
            f"{cost.unmeasured} more {networks} not measured: they are taken to cost what the "
            "most similar one does"
        )
    for network in cost.networks:
        if not network.cost.complete:
            yield f"{network.name}: too large or slow to be tried here; it takes more than is said"
    if cost.memory > cost.free_memory:
        yield (
            f"training takes about {_gibibytes(cost.memory)} of memory on all lanes together, but "
            f"{_gibibytes(cost.free_memory)} are free here: take smaller batches or networks, "
            "or fewer `scale.lanes`"
        )


def _gibibytes(count: float) -> str:
    return f"{count / 2**30:.3g} GiB"


def _range(time: Forecast, at_least: bool) -> str:
    """Seconds from the lower to the upper end, in one unit; the lower end alone of what is more."""
    seconds, unit = _unit(time.low if at_least else time.high)
    low, high = (_in(value, seconds) for value in (time.low, time.high))
    return f"{low} {unit}" if at_least or low == high else f"{low} to {high} {unit}"


def _count(number: int, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


UNITS = ((1, "s"), (60, "min"), (3600, "h"), (86_400, "days"))
MOST = 120
"""From so many of a unit on, the next one is taken."""


def _duration(value: float) -> str:
    seconds, unit = _unit(value)
    return f"{_in(value, seconds)} {unit}"


def _unit(value: float) -> tuple[int, str]:
    return next((unit for unit in UNITS if value < MOST * unit[0]), UNITS[-1])


def _in(value: float, seconds: int) -> str:
    """Seconds in a unit: below ten of it with a decimal, of seconds without."""
    count = value / seconds
    return f"{count:.1f}" if count < 10 and seconds > 1 else f"{count:,.0f}"
