from __future__ import annotations

import pytest

from models.schedules import SCHEDULES
from study.diagnostics.schedule_curves import (
    SCALED,
    UNSCALED,
    hardly_differ,
    named_schedules,
    over_timesteps,
    own_name,
    schedule_figure,
)


def test_scaled_schedules_are_left_out_where_they_are_not_defined() -> None:
    scaled = over_timesteps("linear", {"scaled": True}, [10, 100, 1000])
    assert [*scaled] == [100, 1000]
    ends = [float(schedule.alpha_bars[-1]) for schedule in scaled.values()]
    assert ends == pytest.approx([4e-5, 4e-5], rel=0.6)
    unscaled = over_timesteps("linear", {}, [100, 1000])
    assert float(unscaled[100].alpha_bars[-1]) == pytest.approx(0.37, abs=0.01)


def test_scaled_and_unscaled_schedules_are_apart_and_say_which_they_are() -> None:
    groups = named_schedules(SCHEDULES["cosine"](200))
    assert {*groups[UNSCALED]} == {
        f"{kind}, unscaled" for kind in ("linear", "linear_alpha", "inverse_linear", "constant")
    }
    scaled = {
        f"{kind}, scaled" for kind in ("linear", "linear_alpha", "inverse_linear", "constant")
    }
    assert {*groups[SCALED]} == scaled | {"linear_alpha_bar", "sigmoid"}  # cosine is the own one
    # At T = 1000 they are one, and drawn once.
    assert not named_schedules(SCHEDULES["cosine"](1000))[UNSCALED]
    assert own_name("linear", {"scaled": True}) == "this trial's (linear, scaled)"
    assert own_name("linear", {}) == "this trial's (linear, unscaled)"
    assert own_name("cosine", {"max_beta": 0.1}) == "this trial's (cosine)"


def test_curves_on_top_of_each_other_are_all_seen_and_said_to_be_alike() -> None:
    own = SCHEDULES["linear"](200)
    name = own_name("linear", {})
    groups = named_schedules(own)
    figure = schedule_figure((name, own), groups)
    assert len(figure.axes) == 6
    upper, lower = figure.axes[:3], figure.axes[3:]
    for panels, group in ((upper, groups[SCALED]), (lower, groups[UNSCALED])):
        for panel in panels:
            assert len(panel.lines) == 1 + len(group)
            styles = [(line.get_linestyle(), line.get_color()) for line in panel.lines]
            assert len({*styles}) == len(styles)
            assert len({line.get_marker() for line in panel.lines}) == len(panel.lines)
            places = [line.get_markevery()[0] for line in panel.lines]  # type: ignore[index]
            assert len({*places}) == len(places)
            assert panel.lines[0].get_linewidth() > 2 * panel.lines[1].get_linewidth()
    labels = [line.get_label() for line in figure.axes[3].lines]
    assert labels[0] == name
    assert "linear_alpha, unscaled\n(hardly differs from this trial's)" in labels
    assert hardly_differ({"a": own, "b": SCHEDULES["cosine"](200), "c": own}) == {"c": "a"}
