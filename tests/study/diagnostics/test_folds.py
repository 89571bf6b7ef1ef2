from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from subjects import make_subject

from study.diagnostics import folds
from study.diagnostics.subject import Subject
from study.results.ledger import Ledger
from study.results.tables import ReportRow, TrialRow

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)


def split(fold: int, parts: int = 3) -> dict[str, Any]:
    return {"kind": "k_fold", "folds": parts, "fold": fold}


def add(
    subject: Subject,
    trial: int,
    part: dict[str, Any],
    validation: list[float | None],
    *,
    scores: list[float | None] | None = None,
    rate: float = 0.1,
    state: Any = "complete",
) -> None:
    """A trial with these losses and scores by epoch."""
    sections: dict[str, dict[str, Any]] = {
        "data": {"split": part},
        "model": {},
        "train": {"learning_rate": rate},
        "score": {},
    }
    values = scores or [float(trial)] * len(validation)
    with Ledger(subject.storage, "s") as ledger:
        for epoch, (loss, value) in enumerate(zip(validation, values, strict=True), 1):
            ledger.append(
                ReportRow(
                    trial=trial,
                    epoch=epoch,
                    images_seen=epoch,
                    seconds=1.0,
                    loss=1.0,
                    validation_loss=loss,
                    value=value,
                )
            )
        ledger.append(
            TrialRow(
                trial=trial,
                state=state,
                reason="slow" if state == "pruned" else "",
                value=values[-1],
                seed=0,
                started=NOW,
                ended=NOW,
                spec=sections,
                spec_hash=f"{trial}",
            )
        )


def test_mean_and_deviation_over_the_folds_of_one_configuration(tmp_path: Path) -> None:
    subject = make_subject(tmp_path)
    add(subject, 0, split(0), [3.0, 2.0], scores=[None, 10.0])
    add(subject, 1, split(1), [4.0, 3.0, 2.5], scores=[None, None, 13.0])
    add(subject, 2, split(2), [5.0, 4.0], scores=[None, 16.0])
    add(subject, 3, split(1), [90.0, 90.0], rate=0.2)  # another configuration
    add(subject, 4, split(1, parts=4), [90.0, 90.0])  # other folds
    add(subject, 5, split(0), [90.0], state="pruned")  # not trained to its end
    found = folds.find_folds(subject.storage, "s", 0)
    assert found == folds.Folds("fold", {0: 0, 1: 1, 2: 2}, parts=3)
    assert folds.applies(subject)
    finding = folds.diagnose(subject)
    numbers = {m.quantity: m.value for m in finding.measures if not m.axis}
    ends = [2.0, 2.5, 4.0]
    assert numbers["validation_loss.mean"] == pytest.approx(np.mean(ends))
    assert numbers["validation_loss.deviation"] == pytest.approx(np.std(ends, ddof=1))
    assert (numbers["fd_pixels.mean"], numbers["fd_pixels.deviation"]) == (13, 3)
    assert numbers["folds"] == 3
    by_fold = [m for m in finding.measures if m.quantity == "validation_loss"]
    assert [(m.axis, m.x, m.value) for m in by_fold] == [
        ("fold", number, value) for number, value in enumerate(ends)
    ]
    assert finding.headline == ("validation loss 2.833 ± 1, fd_pixels 13 ± 3 over 3 folds")
    assert {*finding.pictures} == {"folds"}
    assert folds.find_folds(subject.storage, "s", 3) is None
    assert folds.find_folds(subject.storage, "s", 4) is None


def test_the_mean_ends_where_the_first_fold_ends() -> None:
    curves = {0: pd.Series({1: 3.0, 2: 2.0}), 1: pd.Series({1: 5.0, 2: 4.0, 3: 100.0})}
    assert folds.mean_by_epoch(curves).to_dict() == {1: 4.0, 2: 3.0}
    figure = folds.folds_figure(folds.Folds("fold", {0: 0, 1: 1}, parts=5), {"loss": curves})
    (panel,) = figure.axes
    thick = max(panel.lines, key=lambda line: float(line.get_linewidth()))
    assert thick.get_label() == "mean"
    assert [*np.asarray(thick.get_ydata())] == [4.0, 3.0]
    assert len(panel.lines) == 3
    assert "2 of 5 folds" in figure.get_suptitle()


def test_the_last_of_several_trials_of_a_fold_counts(tmp_path: Path) -> None:
    subject = make_subject(tmp_path)
    for trial, fold in enumerate((1, 0, 1)):
        add(subject, trial, split(fold), [1.0])
    found = folds.find_folds(subject.storage, "s", 0)
    assert found is not None
    assert found.trials == {0: 1, 1: 2}


def test_images_left_out_in_turn(tmp_path: Path) -> None:
    subject = make_subject(tmp_path)
    for image in range(12):
        add(subject, image, {"kind": "leave_one_out", "image": image}, [float(image)])
    finding = folds.diagnose(subject)
    assert finding.headline.endswith("over 12 images left out in turn")
    assert {m.axis for m in finding.measures} == {"", "image"}
    (figure,) = finding.pictures.values()
    legends = [panel.get_legend() for panel in figure.axes]  # type: ignore[union-attr]
    assert [[t.get_text() for t in legend.get_texts()] for legend in legends] == [["mean"]] * 2


def test_a_gan_has_scores_alone(tmp_path: Path) -> None:
    subject = make_subject(tmp_path, "gan")
    for fold in (0, 1):
        add(subject, fold, split(fold), [None, None])
    finding = folds.diagnose(subject)
    assert finding.headline == "fd_pixels 0.5 ± 0.71 over 2 of 3 folds"


def test_a_share_held_out_is_no_cross_validation(tmp_path: Path) -> None:
    subject = make_subject(tmp_path)
    assert not folds.applies(subject)  # no row at all
    for trial in (0, 1):
        add(subject, trial, {"kind": "fraction", "held_out": 0.2}, [1.0])
    assert not folds.applies(subject)
