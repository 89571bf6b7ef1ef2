from __future__ import annotations

import pytest

from study.diagnostics.schedule_curves import over_timesteps


def test_scaled_schedules_are_left_out_where_they_are_not_defined() -> None:
    scaled = over_timesteps("linear", {"scaled": True}, [10, 100, 1000])
    assert [*scaled] == [100, 1000]
    ends = [float(schedule.alpha_bars[-1]) for schedule in scaled.values()]
    assert ends == pytest.approx([4e-5, 4e-5], rel=0.6)
    unscaled = over_timesteps("linear", {}, [100, 1000])
    assert float(unscaled[100].alpha_bars[-1]) == pytest.approx(0.37, abs=0.01)
