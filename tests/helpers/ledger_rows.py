"""Short ways to write rows of the ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from study.results.ledger import Ledger
from study.results.storage import Storage
from study.results.tables import (
    ArtifactRow,
    ConfigValue,
    DiagnosticRow,
    ReportRow,
    Row,
    ScoreRow,
    TrialRow,
)

START = datetime(2026, 11, 20, 10, tzinfo=UTC)


def running(trial: int, **config: ConfigValue) -> TrialRow:
    dotted = {name.replace("__", "."): value for name, value in config.items()}
    return TrialRow(
        trial=trial,
        state="running",
        seed=trial,
        started=START + timedelta(minutes=trial),
        spec=dotted,
        spec_hash=f"{trial:04x}",
        config=dotted,
    )


def complete(trial: int, value: float, epoch: int = 4, **config: ConfigValue) -> TrialRow:
    return replace(
        running(trial, **config),
        state="complete",
        value=value,
        epoch=epoch,
        ended=START + timedelta(minutes=trial + 1),
        train_seconds=30.0,
        score_seconds=5.0,
    )


def pruned(trial: int, value: float, epoch: int = 1, **config: ConfigValue) -> TrialRow:
    row = complete(trial, value, epoch, **config)
    return replace(row, state="pruned", reason="asha: below the rung at epoch 1")


def report(trial: int, epoch: int, loss: float = 0.5, value: float | None = None) -> ReportRow:
    return ReportRow(
        trial=trial,
        epoch=epoch,
        images_seen=epoch * 100,
        seconds=epoch * 2.0,
        loss=loss,
        value=value,
    )


def score(trial: int, value: float, epoch: int = 4) -> ScoreRow:
    return ScoreRow(
        trial=trial,
        epoch=epoch,
        stage="search",
        metric="fd_lenet",
        value=value,
        samples=256,
        sampler="ddim",
        steps=20,
        seed=0,
        embedder="lenet:1",
        reference="mnist:1",
        seconds=1.5,
    )


def final(trial: int, repeats: int, value: float = 1.0, **config: ConfigValue) -> TrialRow:
    return replace(complete(trial, value, **config), stage="final", repeats=repeats)


def final_score(trial: int, value: float, seed: int = 0) -> ScoreRow:
    return replace(score(trial, value), stage="final", samples=10_000, seed=seed)


def spec(
    metric: str = "fd_lenet", samples: int = 256, objectives: tuple[str, ...] = ("score",)
) -> dict[str, Any]:
    """A trial's configuration, as far as rankings look at it."""
    return {
        "score": {"metric": metric, "embedder": None, "samples": samples},
        "search": {"objectives": list(objectives)},
    }


def artifact(trial: int, path: str) -> ArtifactRow:
    return ArtifactRow(trial=trial, epoch=4, kind="samples", path=path, bytes=10)


def diagnostic(trial: int, value: float, x: float | None = None) -> DiagnosticRow:
    return DiagnosticRow(
        trial=trial,
        epoch=4,
        diagnostic="noise",
        quantity="mse",
        axis="" if x is None else "t",
        x=x,
        value=value,
        samples=64,
        seed=0,
        seconds=0.5,
    )


def write(storage: Storage, study: str, *rows: Row) -> None:
    with Ledger(storage, study) as ledger:
        for row in rows:
            ledger.append(row)


def write_every_state(storage: Storage) -> None:
    """A new study `s` with trials in every state; trial 1 is the best."""
    storage.claim("s", "")
    failed = replace(complete(3, 1.0), state="failed", value=None, reason="the loss is nan")
    rows: list[Row] = [
        *(score(0, 5.0), complete(0, 5.0, lr=0.1, size=28)),
        *(score(1, 3.0), complete(1, 3.0, lr=0.01, size=28)),
        *(score(2, 3.0, epoch=1), pruned(2, 3.0, lr=0.01, size=28, schedule__cosine__offset=0.5)),
        *(failed, running(4), report(4, 1, value=0.5)),
    ]
    write(storage, "s", *rows)
