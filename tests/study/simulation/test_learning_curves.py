from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from simulated import EPOCHS, grid_study, in_folder, learning, table
from study_trees import changed, parse_study

from study.driver.messages import Assignment
from study.results.query import query
from study.simulation.learning_curves import Curve, Point, RecordedCurves
from study.simulation.run import simulate
from study.spec import Picks, Space, StudyFile, UserError


def ranges() -> StudyFile:
    """A space of a log range, a step of ranges and a choice with a range in one branch."""
    file = changed(train={"epochs": 2, "batch_size": 32})
    file["model"]["network"]["channels"] = [8]
    file["model"]["schedule"] = {
        "choice": [{"kind": "cosine", "max_beta": {"float": [0.1, 0.9]}}, {"kind": "linear"}]
    }
    return parse_study(file)


def recorded(*configs: tuple[Any, ...], **more: list[Any]) -> pa.Table:
    """A table of trainings of two epochs whose scores are 10 times their number and the epoch."""
    names = ("model.timesteps", "model.schedule", "model.schedule.cosine.max_beta",
             "train.learning_rate")  # fmt: skip
    return pa.Table.from_pylist(
        [
            {
                "trial": number,
                "epoch": epoch,
                "images_seen": 100 * epoch,
                "train_seconds": 2.0 * epoch,
                "value": 10.0 * number + epoch,
                **{f"config.{name}": value for name, value in zip(names, config, strict=True)},
                **{name: values[number] for name, values in more.items()},
            }
            for number, config in enumerate(configs)
            for epoch in (2, 1)
        ]
    )


def assignment(file: StudyFile, seed: int = 0) -> Assignment:
    return Assignment("small", 7, seed, file.study)


COSINE: Picks = {
    "model.timesteps": 20,
    "model.schedule": "cosine",
    "model.schedule.cosine.max_beta": 0.5,
    "train.learning_rate": 1e-3,
}
LINEAR: Picks = {"model.timesteps": 20, "model.schedule": "linear", "train.learning_rate": 1e-3}
TWO = (20, "cosine", 0.5, 1e-3), (20, "linear", None, 1e-3)


def test_a_curve_says_where_it_ends() -> None:
    curve = Curve([Point(100, 2.0, 3.0)])
    assert curve.at(1).value == 3.0
    with pytest.raises(UserError, match="trains epoch 2, but its learning curve has 1"):
        curve.at(2)


def test_the_same_configuration_is_replayed() -> None:
    file = ranges()
    curves = RecordedCurves(recorded(*TWO), file.space)
    assert [point.value for point in curves(assignment(file), COSINE).points] == [1.0, 2.0]
    assert [point.value for point in curves(assignment(file), LINEAR).points] == [11.0, 12.0]
    assert curves(assignment(file), LINEAR).at(2) == Point(200, 4.0, 12.0)


def test_what_a_final_run_overrides_is_not_asked_for() -> None:
    file = ranges()
    curves = RecordedCurves(recorded(*TWO), file.space)
    del (picks := {**COSINE})["train.learning_rate"]
    assert curves(assignment(file), picks).at(1).value == 1.0


def test_columns_that_may_be_there_are_read() -> None:
    file = ranges()
    more = {"score_seconds": [3.0, 4.0], "spread": [0.1, None], "loss": [0.5, 0.6],
            "parameters": [7, 8], "failure": [None, "diverged"]}  # fmt: skip
    curves = RecordedCurves(recorded(*TWO, **more), file.space)
    first, second = curves(assignment(file), COSINE), curves(assignment(file), LINEAR)
    assert first.at(1) == Point(100, 2.0, 1.0, score_seconds=3.0, spread=0.1, loss=0.5)
    assert (first.parameters, second.parameters) == (7, 8)
    assert (second.at(2).failure, second.at(2).spread) == ("diverged", None)


def test_several_trainings_of_one_configuration_are_chosen_from_by_the_trials_seed() -> None:
    file = ranges()
    curves = RecordedCurves(recorded(TWO[0], TWO[1], TWO[0], TWO[0]), file.space)
    values = [curves(assignment(file, seed), COSINE).at(1).value for seed in range(6)]
    assert values == [1.0, 21.0, 31.0] * 2


def test_another_configuration_is_not_replayed_unless_the_nearest_may_be() -> None:
    file = ranges()
    near = {**COSINE, "train.learning_rate": 1.1e-3}
    with pytest.raises(
        UserError, match=r"no recorded training has the configuration of trial 7: model.timesteps=2"
    ):
        RecordedCurves(recorded(*TWO), file.space)(assignment(file), near)
    curves = RecordedCurves(recorded(*TWO), file.space, nearest=True)
    assert curves(assignment(file), near).at(1).value == 1.0


def test_a_log_range_is_measured_by_its_logarithm() -> None:
    file = ranges()
    table = recorded((20, "linear", None, 1e-4), (20, "linear", None, 1e-2))
    curves = RecordedCurves(table, file.space, nearest=True)
    # Half way, by the logarithm, is 1e-3; by the number itself these are near the lower one.
    assert curves(assignment(file), {**LINEAR, "train.learning_rate": 9e-4}).at(1).value == 1.0
    assert curves(assignment(file), {**LINEAR, "train.learning_rate": 1.2e-3}).at(1).value == 11.0


def test_a_choice_is_never_replaced_by_another() -> None:
    file = ranges()
    curves = RecordedCurves(recorded(TWO[0]), file.space, nearest=True)
    with pytest.raises(UserError, match=r"has the choices of trial 7: .*model.schedule='linear'"):
        curves(assignment(file), LINEAR)


def test_a_table_without_its_columns_is_refused() -> None:
    table = recorded(*TWO).drop_columns(["value", "config.model.timesteps"])
    with pytest.raises(UserError, match=r"no column value, config.model.timesteps"):
        RecordedCurves(table, ranges().space)


def test_a_table_with_gaps_is_refused() -> None:
    with pytest.raises(UserError, match="training 0 of the learning curves has gaps in `epoch`"):
        RecordedCurves(recorded(*TWO).slice(0, 1), ranges().space)


def test_a_study_recorded_from_its_ledger_is_replayed_as_it_was(tmp_path: Path) -> None:
    file = grid_study(trials=8, pruner="none")
    original = in_folder(tmp_path / "original")
    before = simulate(file, original, learning(), lanes=3)
    names = [one.name for one in file.space.dimensions()]
    config = ", ".join(f'"config.{name}"' for name in names)
    curves = query(
        original,
        f"select r.trial, r.epoch, r.images_seen, r.seconds as train_seconds, r.value, r.loss, "
        f"s.spread, s.seconds as score_seconds, parameters, {config} "
        "from reports r join scores s using (trial, epoch) join trials t using (trial)",
        ["small"],
    )
    parquet.write_table(curves, tmp_path / "curves.parquet")
    recorded = RecordedCurves.from_parquet(tmp_path / "curves.parquet", file.space)
    replayed = in_folder(tmp_path / "replayed")
    assert simulate(file, replayed, recorded, lanes=3) == before
    for name in ("trials", "reports", "scores"):
        assert table(replayed, name) == table(original, name)
    assert len(table(replayed, "reports")) == 8 * EPOCHS


def test_the_space_may_be_wider_than_what_was_recorded() -> None:
    space = Space({"train": {"learning_rate": {"float": [1e-4, 1e-2]}}})
    names = {"config.train.learning_rate": [1e-3], "trial": [0], "epoch": [1]}
    table = pa.table({**names, "images_seen": [1], "train_seconds": [1.0], "value": [2.0]})
    curves = RecordedCurves(table, space, nearest=True)
    assert curves(assignment(ranges()), {"train.learning_rate": 9e-3}).at(1).value == 2.0
