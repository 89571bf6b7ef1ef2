"""What a study has shown: the finalists, the search's ranking, the front, and who leads."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from study.results.finalists import Finals, finals_of, identity_of
from study.results.identity import identity, objectives
from study.results.pareto import Front, front, objective_value
from study.results.ranking import Ranked, Ranking, rank_trials, trials_and_scores
from study.results.storage import Storage


@dataclass(frozen=True)
class Verdict:
    """What `study best` shows.

    Attributes:
        study: The study's name.
        ranking: Of the search.
        finals: None if there are no final runs.
        front: None if the study has one objective.
    """

    study: str
    ranking: Ranking
    finals: Finals | None
    front: Front | None


@dataclass(frozen=True)
class Leader:
    """Who leads a study.

    Attributes:
        trial: Its number in the search.
        run: The trial whose weights to take: its best final run, or itself.
        epoch: Of those weights; None if unknown.
        value: The mean of its final scores, or its score in the search.
        final: Whether it was found among the finalists.
    """

    trial: int
    run: int
    epoch: int | None
    value: float
    final: bool


def verdict(storage: Storage, study: str) -> Verdict:
    """What a study has shown so far, from one look at its ledger.

    Raises:
        UserError: There is no such study, or its scores cannot be compared.
    """
    trials, scores = trials_and_scores(storage, study)
    ranking = rank_trials(trials, scores)
    several = objectives(trials)
    return Verdict(
        study=study,
        ranking=ranking,
        finals=finals_of(trials, scores),
        front=front(ranking.ranked, several) if len(several) > 1 else None,
    )


def leader(storage: Storage, study: str) -> Leader | None:
    """Who leads: the best finalist, else the best of the search; None while there is no score.

    Of several objectives, it is the best score on the front.

    Raises:
        UserError: There is no such study, or its scores cannot be compared.
    """
    found = verdict(storage, study)
    if found.finals is not None and found.finals.finalists:
        first = found.finals.finalists[0]
        run = first.runs[0]
        return Leader(first.trial, run.trial, run.epoch, first.standing.mean, final=True)
    ranked = found.ranking.ranked
    if found.front is not None and found.front.members:
        ranked = found.front.members
    if not ranked:
        return None
    return Leader(ranked[0].trial, ranked[0].trial, ranked[0].epoch, ranked[0].value, final=False)


def to_json(found: Verdict, top: int | None = None) -> str:
    """A verdict as JSON, with the first `top` trials of the search; what is not known is null."""
    told: dict[str, Any] = {"study": found.study, "finals": None, "front": None}
    if found.finals is not None:
        told["finals"] = {
            **_plain(found.finals, "measured", "overridden"),
            "measured": identity_of(found.finals),
        }
    if found.front is not None:
        told["front"] = {
            "objectives": found.front.objectives,
            "members": [
                _ranked(row)
                | {"objectives": {n: objective_value(row, n) for n in found.front.objectives}}
                for row in found.front.members
            ],
            "dominated": len(found.front.dominated),
        }
    told["search"] = [_ranked(row) for row in found.ranking.ranked[:top]]
    told["aside"] = [_plain(row) for row in found.ranking.aside]
    return json.dumps(told, indent=2, ensure_ascii=False)


def _ranked(row: Ranked) -> dict[str, Any]:
    return {**_plain(row, "measured"), "measured": identity(row.measured)}


def _plain(row: Any, *without: str) -> dict[str, Any]:
    fields = dataclasses.asdict(row)
    return {name: value for name, value in fields.items() if name not in without}
