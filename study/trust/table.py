"""What `study trust` found, as tables for people and as plain values for programs."""

from __future__ import annotations

import math
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from study.trust.corruptions import Corruption
from study.trust.dose_response import LevelScores, Response
from study.trust.experiment import MetricTrust, Trust

_DISTANCES = {"fd": "Fréchet distance", "kid": "Kernel distance"}
_COLUMNS_AT_ONCE = 3  # metrics beside each other: what fits 80 characters
_DIGITS = 7


def trust_table(trust: Trust) -> RenderableType:
    """Scores by level for each corruption, then a verdict on each metric, then notes."""
    parts: list[RenderableType] = [Text(headline(trust))]
    for index in range(len(trust.corruptions)):
        for start in range(0, len(trust.metrics), _COLUMNS_AT_ONCE):
            kind = trust.corruptions[index]
            parts.append(Text(f"\n{kind.title}: {kind.unit}", "bold"))
            shown = trust.metrics[start : start + _COLUMNS_AT_ONCE]
            parts.append(_scores(kind, index, shown))
    parts.append(
        Text("* told apart from clean images, and called worse, by one score (95%)\n", "dim")
    )
    parts += [_verdicts(trust), *(Text(sentence) for sentence in sentences(trust))]
    return Group(*parts)


def headline(trust: Trust) -> str:
    """What was scored, in a line or two."""
    channels, height, width = trust.shape
    return (
        f"{_DISTANCES[trust.measure]} of harmed images of {trust.dataset} "
        f"({height}x{width}, {'grey' if channels == 1 else f'{channels} channels'}) to "
        f"{trust.reference} others:\n{trust.repeats} sets of N = {trust.samples} at each level"
    )


def sentences(trust: Trust) -> list[str]:
    """What the scores come to, and what a reader should know, a sentence each."""
    least = ", ".join(f"{each.metric} {each.smallest_difference:.2g}" for each in trust.metrics)
    told = [
        f"Two scores of N = {trust.samples} are told apart (95%) if they differ by more than: "
        f"{least}."
    ]
    first = [_first(trust, index) for index in range(len(trust.corruptions))]
    if len(trust.metrics) > 1 and any(first):
        told.append(f"First to notice: {', '.join(filter(None, first))}.")
    invasion = f"The set that invades is {trust.invaders}."
    return [*told, invasion, *trust.notes]


def _first(trust: Trust, index: int) -> str:
    """Which metrics notice a corruption at the lowest level, if any does."""
    starts = [
        (each.responses[index].told_from, each.metric)
        for each in trust.metrics
        if each.responses[index].fall is None
    ]
    noticed = [(level, name) for level, name in starts if level is not None]
    if not noticed:
        return ""
    names = [name for level, name in noticed if level == min(noticed)[0]]
    return f"{_short(trust.corruptions[index])} by {' and '.join(names)}"


def told_from(response: Response, kind: Corruption) -> str:
    """The smallest level that is told apart from clean images, for people."""
    level = response.told_from
    if level is None:
        return "none"
    return f"{'<= ' if response.bounded else ''}{kind.told(level)}"


def trust_json(trust: Trust) -> dict[str, Any]:
    """All that was found, as JSON can say it; shares are in 0..1."""
    return {
        "dataset": trust.dataset,
        "invaders": trust.invaders,
        "shape": list(trust.shape),
        "measure": trust.measure,
        "samples": trust.samples,
        "repeats": trust.repeats,
        "overlapping": trust.overlapping,
        "reference_images": trust.reference,
        "seed": trust.seed,
        "metrics": [
            {
                "metric": each.metric,
                "embedder": each.embedder,
                "embedder_digest": each.embedder_digest,
                "smallest_difference": each.smallest_difference,
                "corruptions": [
                    _response(response, kind)
                    for kind, response in zip(trust.corruptions, each.responses, strict=True)
                ],
            }
            for each in trust.metrics
        ],
        "notes": list(trust.notes),
    }


def _short(kind: Corruption) -> str:
    return kind.title.removesuffix(" by another set")


def _response(response: Response, kind: Corruption) -> dict[str, Any]:
    return {
        "corruption": kind.name,
        "unit": kind.unit,
        "verdict": response.kind,
        "told": response.verdict(kind.told),
        "rank_correlation": response.rank_correlation,
        "told_apart_from": response.told_from,
        "told_apart_from_is_an_upper_bound": response.bounded,
        "not_told_apart": [list(each) for each in response.ties],
        "falls": response.fall and list(response.fall),
        "levels": [
            {
                "level": each.level,
                "mean": each.mean,
                "spread": each.spread,
                "scores": list(each.values),
                "told_apart": apart,
            }
            for each, apart in zip(response.scores, response.told_apart, strict=True)
        ],
    }


def _scores(kind: Corruption, index: int, metrics: tuple[MetricTrust, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("level", justify="right", no_wrap=True)
    for each in metrics:
        table.add_column(Text(each.metric), justify="right", no_wrap=True)
    responses = [each.responses[index] for each in metrics]
    for row, level in enumerate(kind.levels):
        cells = (
            _cell(response.scores[row], response.told_apart[row], response.scores[0])
            for response in responses
        )
        table.add_row(kind.told(level), *map(Text, cells))
    table.add_section()
    table.add_row("told from", *(Text(f"{told_from(each, kind)}  ") for each in responses))
    return table


def _cell(scores: LevelScores, apart: bool, clean: LevelScores) -> str:
    """`0.298 ± 0.046 *`: two digits of the clean images' spread, the same ones in every row."""
    digits = 1 - math.floor(math.log10(clean.spread)) if clean.spread > 0 else _DIGITS
    digits = min(max(digits, 0), _DIGITS)
    return f"{scores.mean:.{digits}f} ± {scores.spread:.{digits}f}{' *' if apart else '  '}"


def _verdicts(trust: Trust) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("metric", overflow="fold")
    table.add_column("corruption", no_wrap=True)
    table.add_column("rank corr.", justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for each in trust.metrics:
        for row, (kind, response) in enumerate(zip(trust.corruptions, each.responses, strict=True)):
            correlation = response.rank_correlation
            table.add_row(
                Text("" if row else each.metric),
                Text(_short(kind)),
                "" if correlation is None else f"{correlation:.2f}",
                Text(response.verdict(kind.told)),
            )
        table.add_section()
    return table
