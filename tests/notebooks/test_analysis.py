from __future__ import annotations

from paths import ROOT
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from ledger_rows import score
from nbclient import NotebookClient

from study.results.image_grid import image_grid
from study.results.ledger import Ledger
from study.results.storage import Storage
from study.results.tables import ArtifactRow, ReportRow, TrialRow

pytestmark = pytest.mark.slow

NOTEBOOK = ROOT / "notebooks" / "analysis.ipynb"
START = datetime(2026, 11, 20, 10, tzinfo=UTC)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A storage with an old study and a newer one of five trials."""
    storage = Storage.from_uri(str(tmp_path))
    for study, start in (("old", START - timedelta(days=1)), ("new", START)):
        storage.claim(study, f"name: {study}\n")
        with Ledger(storage, study) as ledger:
            for trial in range(5):
                _write_trial(storage, ledger, trial, start + timedelta(minutes=trial))
    return storage


def _write_trial(storage: Storage, ledger: Ledger, trial: int, start: datetime) -> None:
    row = TrialRow(
        trial=trial,
        state="running",
        seed=trial,
        started=start,
        spec={},
        spec_hash="0",
        config={"train.learning_rate": 10.0 ** -(trial + 1), "model.schedule": "ab"[trial % 2]},
    )
    ledger.append(row)
    if trial == 4:
        ended = start + timedelta(seconds=1)
        ledger.append(replace(row, state="failed", reason="the loss is not finite", ended=ended))
        return
    epochs, value = (1, 20.0) if trial == 3 else (3, 10.0 - trial)
    for epoch in range(1, epochs + 1):
        last = value if epoch == epochs else None
        ledger.append(
            ReportRow(
                trial=trial, epoch=epoch, images_seen=9, seconds=1.0, loss=1 / epoch, value=last
            )
        )
    ledger.append(score(trial, value, epochs))
    buffer = io.BytesIO()
    image_grid(np.full((4, 1, 8, 8), 40 * trial, np.uint8)).save(buffer, "png")
    path = f"{ledger.study}/samples/{trial}.png"
    storage.write_atomic(path, buffer.getvalue())
    ledger.append(
        ArtifactRow(trial=trial, epoch=epochs, kind="samples", path=path, bytes=buffer.tell())
    )
    ledger.append(
        replace(
            row,
            state="pruned" if trial == 3 else "complete",
            reason="asha: below the rung" if trial == 3 else "",
            value=value,
            epoch=epochs,
            ended=start + timedelta(seconds=30),
            train_seconds=3.0,
            score_seconds=1.0,
        )
    )


def _read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


def _run(storage: Storage, monkeypatch: pytest.MonkeyPatch, study: str | None) -> list[Any]:
    monkeypatch.setenv("STUDY_STORAGE", storage.uri)
    if study is None:
        monkeypatch.delenv("STUDY_NAME", raising=False)
    else:
        monkeypatch.setenv("STUDY_NAME", study)
    notebook = _read()
    client = NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    )
    client.execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _output(cell: Any, kind: str) -> str:
    found = [output["data"][kind] for output in cell.outputs if kind in output.get("data", {})]
    assert found, f"no {kind} from:\n{cell.source}"
    return str(found[-1])


def test_it_shows_the_newest_study(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    name, states, curves, against, leaders, samples, costs = _run(storage, monkeypatch, None)
    assert "'new'" in _output(name, "text/plain")
    assert "failed" in _output(states, "text/plain")
    for figure in (curves, against, samples):
        assert _output(figure, "image/png")
    assert "learning_rate" in _output(leaders, "text/plain")
    assert samples.outputs[0]["text"].strip() == "trial 2: new/samples/2.png"
    assert "training" in _output(costs, "text/plain")


def test_it_shows_the_study_that_is_named(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, *_ = _run(storage, monkeypatch, "old")
    assert "'old'" in _output(name, "text/plain")


def test_it_is_kept_without_outputs() -> None:
    notebook = _read()
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
