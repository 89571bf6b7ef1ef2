"""An assessment as tables for people, and as JSON."""

from __future__ import annotations

import math
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from study.trust.assessment import Assessment, MetricAssessment
from study.trust.corruptions import Corruption
from study.trust.dose_response import LevelScores, Response

_DISTANCES = {"fd": "Fréchet distance", "kid": "Kernel distance"}
_COLUMNS_AT_ONCE = 3  # metrics beside each other: what fits 80 characters
_DIGITS = 7


def assessment_table(assessment: Assessment) -> RenderableType:
    """Scores by level for each corruption, then a verdict on each metric, then notes."""
    parts: list[RenderableType] = [Text(headline(assessment))]
    for index in range(len(assessment.corruptions)):
        for start in range(0, len(assessment.metrics), _COLUMNS_AT_ONCE):
            kind = assessment.corruptions[index]
            parts.append(Text(f"\n{kind.title}: {kind.unit}", "bold"))
            shown = assessment.metrics[start : start + _COLUMNS_AT_ONCE]
            parts.append(_scores(kind, index, shown))
    parts.append(
        Text("* told apart from clean images, and called worse, by one score (95%)\n", "dim")
    )
    parts += [_verdicts(assessment), *(Text(sentence) for sentence in sentences(assessment))]
    return Group(*parts)


def headline(assessment: Assessment) -> str:
    """What was scored, in a line or two."""
    channels, height, width = assessment.shape
    return (
        f"{_DISTANCES[assessment.measure]} of harmed images of {assessment.dataset} "
        f"({height}x{width}, {'grey' if channels == 1 else f'{channels} channels'}) to "
        f"{assessment.reference} others:\n"
        f"{assessment.repeats} sets of N = {assessment.samples} at each level"
    )


def sentences(assessment: Assessment) -> list[str]:
    """Smallest differences, which metric detects first, and notes, a sentence each."""
    least = ", ".join(
        f"{each.metric} {each.smallest_difference:.2g}" for each in assessment.metrics
    )
    lines = [
        f"Two scores of N = {assessment.samples} are told apart (95%) if they differ by more than: "
        f"{least}."
    ]
    first = [_first(assessment, index) for index in range(len(assessment.corruptions))]
    if len(assessment.metrics) > 1 and any(first):
        lines.append(f"First to notice: {', '.join(filter(None, first))}.")
    invasion = f"The set that invades is {assessment.foreign}."
    return [*lines, invasion, *assessment.notes]


def _first(assessment: Assessment, index: int) -> str:
    """Which metrics detect a corruption at the lowest level, if any does."""
    limits = [
        (each.responses[index].detection_limit, each.metric)
        for each in assessment.metrics
        if each.responses[index].fall is None
    ]
    detected = [(level, name) for level, name in limits if level is not None]
    if not detected:
        return ""
    names = [name for level, name in detected if level == min(detected)[0]]
    return f"{_short(assessment.corruptions[index])} by {' and '.join(names)}"


def limit_text(response: Response, kind: Corruption) -> str:
    """The smallest level that is detected, for people."""
    level = response.detection_limit
    if level is None:
        return "none"
    return f"{'<= ' if response.limit_is_bound else ''}{kind.level_text(level)}"


def assessment_json(assessment: Assessment) -> dict[str, Any]:
    """The whole assessment as JSON-ready values; shares are in 0..1."""
    return {
        "dataset": assessment.dataset,
        "invaders": assessment.foreign,
        "shape": list(assessment.shape),
        "measure": assessment.measure,
        "samples": assessment.samples,
        "repeats": assessment.repeats,
        "overlapping": assessment.overlapping,
        "reference_images": assessment.reference,
        "seed": assessment.seed,
        "metrics": [
            {
                "metric": each.metric,
                "embedder": each.embedder,
                "embedder_digest": each.embedder_digest,
                "smallest_difference": each.smallest_difference,
                "corruptions": [
                    _response(response, kind)
                    for kind, response in zip(assessment.corruptions, each.responses, strict=True)
                ],
            }
            for each in assessment.metrics
        ],
        "notes": list(assessment.notes),
    }


def _short(kind: Corruption) -> str:
    return kind.title.removesuffix(" by another set")


def _response(response: Response, kind: Corruption) -> dict[str, Any]:
    return {
        "corruption": kind.name,
        "unit": kind.unit,
        "verdict": response.kind,
        "told": response.verdict(kind.level_text),
        "rank_correlation": response.rank_correlation,
        "told_apart_from": response.detection_limit,
        "told_apart_from_is_an_upper_bound": response.limit_is_bound,
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
            for each, apart in zip(response.scores, response.detected, strict=True)
        ],
    }


def _scores(kind: Corruption, index: int, metrics: tuple[MetricAssessment, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("level", justify="right", no_wrap=True)
    for each in metrics:
        table.add_column(Text(each.metric), justify="right", no_wrap=True)
    responses = [each.responses[index] for each in metrics]
    for row, level in enumerate(kind.levels):
        cells = (
            _cell(response.scores[row], response.detected[row], response.scores[0])
            for response in responses
        )
        table.add_row(kind.level_text(level), *map(Text, cells))
    table.add_section()
    table.add_row("told from", *(Text(f"{limit_text(each, kind)}  ") for each in responses))
    return table


def _cell(scores: LevelScores, apart: bool, clean: LevelScores) -> str:
    """`0.298 ± 0.046 *`: two digits of the clean images' spread, the same ones in every row."""
    digits = 1 - math.floor(math.log10(clean.spread)) if clean.spread > 0 else _DIGITS
    digits = min(max(digits, 0), _DIGITS)
    return f"{scores.mean:.{digits}f} ± {scores.spread:.{digits}f}{' *' if apart else '  '}"


def _verdicts(assessment: Assessment) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("metric", overflow="fold")
    table.add_column("corruption", no_wrap=True)
    table.add_column("rank corr.", justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for each in assessment.metrics:
        for row, (kind, response) in enumerate(
            zip(assessment.corruptions, each.responses, strict=True)
        ):
            correlation = response.rank_correlation
            table.add_row(
                Text("" if row else each.metric),
                Text(_short(kind)),
                "" if correlation is None else f"{correlation:.2f}",
                Text(response.verdict(kind.level_text)),
            )
        table.add_section()
    return table
