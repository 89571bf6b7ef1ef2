from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from ledger_rows import (
    complete,
    final,
    final_score,
    pruned,
    report,
    running,
    score,
    spec,
    write,
)
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from study.results.leaderboard import read_leaderboard
from study.results.pareto import Front, front
from study.results.plots import best_trials, learning_curves, pareto_front, score_against
from study.results.query import query
from study.results.ranking import RankedTrial
from study.results.storage import Storage
from study.results.tables import ConfigValue


@pytest.fixture
def studied(storage: Storage) -> Storage:
    storage.claim("s", "")
    for trial in range(6):
        value = 10.0 - trial
        config: dict[str, ConfigValue] = {
            "lr": 10.0 ** -(trial + 1),
            "kind": "ab"[trial % 2],
            "same": 1,
            "n": trial,
        }
        for epoch in (1, 2):
            last = value if epoch == 2 else None
            write(storage, "s", report(trial, epoch, 1 / epoch, last))
        end = pruned if trial == 4 else complete
        row = replace(end(trial, value, 2), config=config)
        write(storage, "s", score(trial, value, 2), row)
    write(storage, "s", running(6, lr=1.0))
    return storage


def frame(storage: Storage, table: str) -> pd.DataFrame:
    frame: pd.DataFrame = query(storage, f"FROM {table}").to_pandas()
    return frame


def ranked(storage: Storage) -> tuple[RankedTrial, ...]:
    return read_leaderboard(storage, "s").ranked


def legend_of(figure: Figure) -> list[str]:
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def drawn(figure: Figure) -> Figure:
    FigureCanvasAgg(figure).draw()
    return figure


def test_learning_curves_colour_the_leaders(studied: Storage) -> None:
    figure = drawn(learning_curves(frame(studied, "reports"), top=2))
    loss, objective = figure.axes
    assert len(loss.lines) == 6
    assert legend_of(figure) == ["trial 5", "trial 4", "4 other trials"]
    grey = figure.legends[0].get_lines()[-1].get_color()
    assert [line.get_color() for line in objective.lines].count(grey) == 4
    dashes = {line.get_linestyle() for line in loss.lines if line.get_color() != grey}
    assert len(dashes) == 2  # not by colour alone
    assert all(axes.get_xlabel() == "epoch" and axes.get_ylabel() for axes in figure.axes)


def test_validation_losses_have_a_panel_if_there_are_any(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", report(0, 1), replace(report(1, 1), validation_loss=0.7))
    figure = drawn(learning_curves(frame(storage, "reports")))
    labels = [panel.get_ylabel() for panel in figure.axes]
    objective = "objective (less is better)"
    assert labels == ["training loss", "validation loss", objective]
    assert [len(panel.lines) for panel in figure.axes] == [2, 1, 0]


def test_score_against_each_parameter_that_varies(studied: Storage) -> None:
    figure = drawn(score_against(ranked(studied), "s"))
    title = "study s, 6 trials, fd_lenet (N = 256 images)"
    assert " ".join(figure.get_suptitle().split()).endswith(title)
    panels = {axes.get_xlabel(): axes for axes in figure.axes if axes.get_visible()}
    assert set(panels) == {"lr", "kind", "n"}
    assert panels["lr"].get_xscale() == "log"
    assert panels["n"].get_xscale() == "linear"
    assert [text.get_text() for text in panels["kind"].get_xticklabels()] == ["a", "b"]


def test_only_ranked_trials_are_shown_against_their_parameters(studied: Storage) -> None:
    write(studied, "s", final_score(7, 1.0), replace(final(7, 0), config={"lr": 3.0}))
    early = replace(score(8, 0.1, 1), samples=9)
    cut = replace(pruned(8, 0.1), config={"lr": 9.0}, spec=spec())
    write(studied, "s", early, cut)
    figure = drawn(score_against(ranked(studied)))
    panel = next(axes for axes in figure.axes if axes.get_xlabel() == "lr")
    assert sum(len(dots.get_offsets()) for dots in panel.collections) == 6


def test_learning_curves_colour_those_who_are_named(studied: Storage) -> None:
    reports = frame(studied, "reports")
    figure = drawn(
        learning_curves(reports, top=2, leaders=[row.trial for row in ranked(studied)[2:]])
    )
    assert legend_of(figure) == ["trial 3", "trial 2", "4 other trials"]


DDPM = {
    "family": "ddpm",
    "timesteps": 100,
    "schedule": {"kind": "cosine"},
    "network": {"kind": "cnn"},
}


def curves_of(storage: Storage, *models: dict[str, object]) -> Figure:
    storage.claim("s", "")
    for trial, model in enumerate(models):
        row = replace(complete(trial, 1.0), spec={**spec(samples=400), "model": model, "data": {}})
        write(storage, "s", report(trial, 1, 0.5, 1.0), row)
    reports, trials = frame(storage, "reports"), frame(storage, "trials")
    return drawn(learning_curves(reports, trials=trials))


def loss_titles(figure: Figure) -> str:
    return " ".join(figure.axes[0].get_title().split())


def test_losses_of_other_schedules_or_timesteps_say_that_they_do_not_compare(
    storage: Storage,
) -> None:
    schedule = {"kind": "linear", "beta_end": 0.02}
    figure = curves_of(storage, DDPM, {**DDPM, "timesteps": 50, "schedule": schedule})
    expected = "losses do not compare between trials: timesteps, schedule differ"
    assert loss_titles(figure) == expected
    assert figure.axes[-1].get_title() == ""  # scores do
    assert figure.axes[-1].get_ylabel() == "fd_lenet (less is better)"
    assert figure.get_suptitle().splitlines() == [
        "Learning curves",
        "study s, 2 trials, fd_lenet (N = 400 images)",
    ]


def test_losses_of_other_networks_do_compare(storage: Storage) -> None:
    figure = curves_of(storage, DDPM, {**DDPM, "network": {"kind": "unet"}})
    assert loss_titles(figure) == ""


def test_without_the_trials_it_is_said_when_losses_compare(studied: Storage) -> None:
    figure = learning_curves(frame(studied, "reports"))
    assert "compare only between trials of one loss, schedule and T" in loss_titles(figure)
    assert figure.get_suptitle().splitlines()[1] == "study s, 6 trials"


def test_the_loss_of_a_gan_is_its_generators(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", replace(report(0, 1), discriminator_loss=0.7))
    figure = learning_curves(frame(storage, "reports"))
    assert figure.axes[0].get_ylabel() == "training loss (a GAN's: its generator's)"


@pytest.mark.parametrize("names", [("score", "steps"), ("steps", "score")])
def test_the_front_is_drawn_with_the_score_upwards(names: tuple[str, str]) -> None:
    points = [(1.0, 100), (2.0, 20), (9.0, 5), (3.0, 50)]
    rows = [
        RankedTrial(i + 1, i, value, "complete", 4, 1.0, {}, spread=0.1, steps=steps)
        for i, (value, steps) in enumerate(points)
    ]
    figure = drawn(pareto_front(front(rows, names)))
    (panel,) = figure.axes
    assert panel.get_xlabel() == "steps of the sampler"
    assert panel.get_ylabel() == "objective (less is better)"  # these rows say no metric
    assert "Pareto front" in figure.get_suptitle()
    line = panel.lines[0]
    drawn_line = list(zip(line.get_xdata(), line.get_ydata(), strict=True))  # type: ignore[arg-type]
    assert drawn_line == [(5, 9), (20, 2), (100, 1)]
    assert [text.get_text() for text in panel.texts] == ["2", "1", "0"]
    assert panel.get_xscale() == "log"


def test_a_front_of_three_objectives_has_no_picture() -> None:
    with pytest.raises(ValueError, match="2 objectives, not 3"):
        pareto_front(Front(("score", "steps", "parameters"), (), ()))


def test_an_empty_front_is_drawn() -> None:
    drawn(pareto_front(Front(("score", "parameters"), (), ())))


def test_the_best_trials(studied: Storage) -> None:
    table = best_trials(ranked(studied)[:3])
    assert list(table["trial"]) == [5, 4, 3]
    assert list(table.columns) == ["trial", "score", "state", "epoch", "kind", "lr", "n"]
    assert list(table.index) == [1, 2, 3]


def test_an_empty_study_is_drawn(storage: Storage) -> None:
    storage.claim("s", "")
    drawn(learning_curves(frame(storage, "reports")))
    drawn(score_against(ranked(storage)))
    assert best_trials(ranked(storage)).empty
