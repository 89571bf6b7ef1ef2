"""The finalists of a study as a table for the terminal, and what their seeds say of the noise."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from rich.console import RenderableType
from rich.text import Text

from study.results.collapsed import collapsed_notes
from study.results.finalists import Finalist, Finals
from study.results.identity import in_words
from study.results.intervals import VarianceSplit
from study.results.render import cell
from study.results.tables import ConfigValue
from study.results.trial_table import decimals_for, trial_table, with_spread


def finals_table(finals: Finals, width: int | None = None) -> RenderableType:
    """Finalists with interval and ties, and what the variance of their scores comes from.

    Args:
        finals: The finalists.
        width: Characters a line; those of the terminal by default.
    """
    each = finals.finalists
    if not each:
        return Text(f"finalists are being trained again: {_missing(finals) or 'no score yet'}")
    shown = [_mean_and_interval(row) for row in each]
    columns = {
        "rank": [f"{row.standing.rank}{'=' * row.standing.tied}" for row in each],
        "trial": [str(row.trial) for row in each],
        "mean": [mean for mean, _ in shown],
        "interval": [interval for _, interval in shown],
        "seeds": [_seeds(row) for row in each],
        "search": [
            "" if row.search_value is None else with_spread(row.search_value, row.search_spread)
            for row in each
        ],
    }
    assert finals.measured is not None  # finalists have scores
    title = f"finalists, trained again with fresh seeds: {in_words(finals.measured)}"
    configs = [_still_true(row.picks or row.config, finals.overridden) for row in each]
    return trial_table(columns, configs, width, title, list(_final_notes(finals)))


def _still_true(
    chosen: Mapping[str, ConfigValue], overridden: Collection[str]
) -> Mapping[str, ConfigValue]:
    """What the search chose, less what final runs have otherwise."""
    return {
        name: value
        for name, value in chosen.items()
        if not (name.startswith("score.") and name.split(".")[1] in overridden)
    }


def _mean_and_interval(row: Finalist) -> tuple[str, str]:
    standing = row.standing
    if standing.low is None or standing.high is None:
        return cell(standing.mean), ""
    decimals = decimals_for((standing.high - standing.low) / 2)
    mean, low, high = (
        f"{value:.{decimals}f}" for value in (standing.mean, standing.low, standing.high)
    )
    return mean, f"{low} .. {high}"


def _seeds(row: Finalist) -> str:
    """Training seeds x sampling seeds."""
    counts = sorted({len(run.scores) for run in row.runs})
    each = str(counts[0]) if len(counts) == 1 else f"{counts[0]}-{counts[-1]}"
    return f"{len(row.runs)} x {each}"


def _final_notes(finals: Finals) -> Iterable[str]:
    standings = [row.standing for row in finals.finalists]
    if any(row.low is not None for row in standings):
        yield ("interval: of the mean over training seeds, 95 %; seeds: training x sampling")
    elif standings:
        yield "no interval: that takes a finalist with two training seeds"
    if any(row.tied for row in standings):
        yield "= is not told apart from the first of its rank (Tukey-Kramer, 95 %)"
    yield from collapsed_notes((row.trial, row.collapsed) for row in finals.finalists)
    unclear = [str(row.candidate) for row in standings if row.contends and row.rank > 1]
    if unclear:
        trials = "trial" if len(unclear) == 1 else "trials"
        yield f"too few seeds to tell {trials} {', '.join(unclear)} apart from the best"
    if finals.split is not None:
        yield from _split_note(finals.split)
    if finals.agreement is not None:
        yield f"search and final score agree on the order by {finals.agreement}"
    if missing := _missing(finals):
        yield f"final runs that do not count: {missing}"


def _missing(finals: Finals) -> str:
    counts = {"not finished": finals.unfinished, "failed": finals.failed}
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def _split_note(split: VarianceSplit) -> Iterable[str]:
    def shown(deviation: float) -> str:
        return f"{100 * deviation:.2g} %" if split.relative else cell(deviation)

    parts = []
    if split.training is not None:
        parts.append(f"training {shown(split.training)} (df {split.training_freedom})")
    elif split.total is not None:
        parts.append(
            f"training and sampling together {shown(split.total)} (df {split.training_freedom})"
        )
    if split.sampling is not None:
        parts.append(f"sampling {shown(split.sampling)} (df {split.sampling_freedom})")
    if parts:
        unit = " of the score" if split.relative else ""
        yield f"standard deviation{unit} over seeds: {', '.join(parts)}"
