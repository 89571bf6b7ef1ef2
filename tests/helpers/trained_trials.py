"""Trials that were trained without Ray, in the ledger as the conductor leaves them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import torch
from specs import study

from models.training import Step
from study.driver.messages import Assignment
from study.results.ledger import Ledger
from study.results.storage import Storage
from study.results.tables import ArtifactRow, ReportRow, ScoreRow, TrialRow
from study.worker.team import Team
from study.worker.trial import TrialRun
from study.worker.workbench import Workbench

MODELS: dict[str, dict[str, Any]] = {
    "ddpm": {},
    "morphing": {
        "family": "morphing",
        "towards": {"dataset": "digits", "count": 100},
        "timesteps": 50,
        "schedule": {"kind": "cosine"},
        "network": {"kind": "unet", "channels": [4, 8]},
    },
    "gan": {
        "family": "gan",
        "latent": 8,
        "generator": {"kind": "dcgan", "channels": [8]},
        "discriminator": {"kind": "dcgan", "channels": [8]},
    },
}
NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)


def never() -> bool:
    return False


def ignore(step: Step) -> None:
    pass


def trained(
    storage: Storage,
    number: int = 0,
    kind: str = "ddpm",
    value: float = 2.0,
    *,
    name: str = "small",
    picks: dict[str, Any] | None = None,
    **sections: dict[str, Any],
) -> float:
    """A trial in the ledger, as the conductor leaves it after an epoch; answers its true score."""
    spec = study(**{"train": {"epochs": 1}, **sections})
    if MODELS[kind]:
        spec = type(spec).model_validate({**spec.model_dump(mode="json"), "model": MODELS[kind]})
    bench = Workbench(storage, torch.device("cpu"))
    trial = TrialRun(Assignment(name, number, number, spec, None), bench, Team())
    report = trial.advance(never, ignore)
    score, samples, checkpoint = report.score, report.samples, report.checkpoint
    assert checkpoint is not None
    assert score is not None
    assert samples is not None
    with Ledger(storage, name) as ledger:
        ledger.append(
            ReportRow(
                trial=number,
                epoch=1,
                images_seen=report.images_seen,
                seconds=report.seconds,
                loss=report.epochs[0].loss,
                value=value,
            )
        )
        ledger.append(
            ScoreRow(
                trial=number,
                epoch=1,
                stage="search",
                metric=score.metric,
                value=value,
                samples=score.samples,
                sampler=score.sampler,
                steps=score.steps,
                seed=score.seed,
                embedder=score.embedder,
                reference=score.reference,
                seconds=score.seconds,
            )
        )
        ledger.append(
            ArtifactRow(
                trial=number, epoch=1, kind="samples", path=samples.name, bytes=samples.bytes
            )
        )
        ledger.append(
            TrialRow(
                trial=number,
                state="complete",
                value=value,
                epoch=1,
                seed=number,
                started=NOW,
                ended=NOW,
                spec=spec.model_dump(mode="json"),
                spec_hash=f"{number:04x}",
                checkpoint=checkpoint.name,
                picks=picks or {},
            )
        )
    return score.value
