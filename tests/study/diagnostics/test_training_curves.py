from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
from subjects import make_subject

from study.diagnostics.training_curves import (
    diagnose,
    epochs_figure,
    losses_figure,
    read_grids,
    spread,
)
from study.results.image_grid import image_grid
from study.results.ledger import Ledger
from study.results.tables import ArtifactRow, ReportRow


def report(trial: int, epoch: int, value: float | None) -> ReportRow:
    return ReportRow(
        trial=trial,
        epoch=epoch,
        images_seen=epoch * 100,
        seconds=float(epoch),
        loss=1 / epoch,
        validation_loss=1.5 / epoch,
        value=value,
    )


def test_what_the_ledger_knows_of_a_trial(tmp_path: Path) -> None:
    subject = make_subject(tmp_path)
    storage = subject.storage
    with Ledger(storage, "s") as ledger:
        for trial in (0, 1):
            for epoch, value in ((1, None), (2, 9.0), (3, None), (4, 5.0), (5, 7.0)):
                ledger.append(report(trial, epoch, value))
        for epoch in (2, 4, 5):
            name = f"s/samples/trial-0000-epoch-{epoch:05d}.png"
            buffer = io.BytesIO()
            image_grid(np.full((4, 1, 8, 8), epoch, np.uint8)).save(buffer, format="PNG")
            storage.write_atomic(name, buffer.getvalue())
            size = len(buffer.getvalue())
            row = ArtifactRow(trial=0, epoch=epoch, kind="samples", path=name, bytes=size)
            ledger.append(row)
    assert [*read_grids(storage, "s", 0)] == [2, 4, 5]
    finding = diagnose(subject)
    assert finding.headline == "best fd_pixels 5 at epoch 4"
    found = {m.quantity: m.value for m in finding.measures}
    assert found == {"loss": 0.2, "validation_loss": 0.3, "best_epoch": 4}
    assert {*finding.pictures} == {"losses", "trials", "epochs"}
    epochs = finding.pictures["epochs"]
    assert [panel.get_title() for panel in epochs.axes] == [  # type: ignore[union-attr]
        "epoch 2\nfd_pixels 9",
        "epoch 4\nfd_pixels 5",
        "epoch 5\nfd_pixels 7",
    ]


def test_a_trial_that_kept_nothing(tmp_path: Path) -> None:
    finding = diagnose(make_subject(tmp_path))
    assert finding.headline == "no score yet"
    assert {*finding.pictures} == {"losses"}


def test_epochs_are_spread_evenly_with_both_ends() -> None:
    assert spread([1, 2, 3]) == [1, 2, 3]
    assert spread(list(range(1, 51)), 5) == [1, 13, 25, 38, 50]
    every_fifth = list(range(5, 51, 5))
    assert spread(every_fifth) == every_fifth
    chosen = spread(list(range(1, 101)))
    assert (len(chosen), chosen[0], chosen[-1]) == (10, 1, 100)


def test_epochs_stand_in_two_rows_of_five() -> None:
    grid = image_grid(np.zeros((4, 1, 8, 8), np.uint8))
    reports = pd.DataFrame({"epoch": range(5, 36, 5), "value": range(7)})
    figure = epochs_figure(dict.fromkeys(range(5, 36, 5), grid), reports, "fd")
    assert [panel.get_title() for panel in figure.axes if panel.images] == [
        f"epoch {5 * i + 5}\nfd {i}" for i in range(7)
    ]
    assert len(figure.axes) == 10


def losses(**columns: list[float | None]) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    return pd.DataFrame({"epoch": range(1, count + 1), "value": [None] * count, **columns})


def test_the_losses_of_a_gan_are_its_players() -> None:
    figure = losses_figure(losses(loss=[1.0, 2.0], discriminator_loss=[0.5, 0.4]), "fd")
    left, _ = figure.axes
    assert [line.get_label() for line in left.lines] == ["generator", "discriminator"]
    assert left.get_title() == "Losses of generator and discriminator"
    alone = losses_figure(losses(loss=[1.0, 2.0], discriminator_loss=[None, None]), "fd")
    assert [line.get_label() for line in alone.axes[0].lines] == ["training"]


def test_scores_of_early_rungs_are_curves_of_their_own() -> None:
    reports = losses(loss=[1.0] * 4, value=[9.0, 8.0, 30.0, 20.0])
    early, late = ("kid", 100), ("fd", 400)
    figure = losses_figure(reports, "fd", {1: early, 2: early, 3: late, 4: late})
    right = figure.axes[1]
    assert [line.get_label() for line in right.lines] == ["kid, N = 100", "fd, N = 400"]
    assert right.get_title() == "Scores of different metric or N do not compare"
    one = losses_figure(reports, "fd", dict.fromkeys(range(1, 5), late)).axes[1]
    assert (one.get_ylabel(), one.get_title()) == ("fd, N = 400 (less is better)", "Score")
