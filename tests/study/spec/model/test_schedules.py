"""A schedule that the study file may name can be built, at the ends of every range too."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import annotated_types
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from study_trees import changed, parse_study, quickly

from models import SCHEDULES
from models.noise_schedule import LEAST_ALPHA_BAR
from study.spec import UserError
from study.spec.model import DDPM, schedules
from study.spec.model.schedules import Schedule
from study.spec.short_form import kinds

TIMESTEPS = (10, 4000)


def model(timesteps: int, schedule: dict[str, Any]) -> DDPM:
    plain = {"family": "ddpm", "timesteps": timesteps, "schedule": schedule, "network": "cnn"}
    return DDPM.model_validate(plain)


def builds(timesteps: int, schedule: dict[str, Any]) -> bool:
    """Whether the spec takes a schedule; if so, it is built, and none of its numbers is lost."""
    try:
        section = model(timesteps, schedule).schedule
    except ValidationError:
        return False
    options = {key: value for key, value in schedule.items() if key != "kind"}
    built = SCHEDULES[schedule["kind"]](timesteps, **options)
    betas = torch.tensor(section.betas(timesteps), dtype=torch.float64)
    torch.testing.assert_close(betas, built.betas, rtol=1e-3, atol=1e-12)
    for values in (built.posterior_variance, built.signal_to_noise, built.betas.log()):
        assert values.isfinite().all()
    assert built.posterior_variance[1:].min() > 0
    assert torch.all(built.alpha_bars < 1)
    return True


def ends(kind: str, key: str) -> list[Any]:
    """The least and the greatest value of a key."""
    field = kinds(Schedule)[kind].model_fields[key]
    if field.annotation is bool:
        return [False, True]
    bounds = [*field.metadata]
    for bound in bounds:
        bounds += getattr(bound, "metadata", [])
    (least,) = [m.ge for m in bounds if isinstance(m, annotated_types.Ge)]
    (most,) = [m.le for m in bounds if isinstance(m, annotated_types.Le)]
    return [least, most]


def extremes(kind: str) -> Iterator[dict[str, Any]]:
    """Each key at its default and at either end, in all combinations."""
    section = kinds(Schedule)[kind]
    keys = [key for key in section.model_fields if key != "kind"]
    values = [[section.model_fields[key].default, *ends(kind, key)] for key in keys]
    for combination in itertools.product(*values):
        yield {"kind": kind, **dict(zip(keys, combination, strict=True))}


@pytest.mark.parametrize("kind", [*kinds(Schedule)])
def test_what_the_spec_takes_can_be_built(kind: str) -> None:
    taken = [builds(timesteps, schedule) for timesteps in TIMESTEPS for schedule in extremes(kind)]
    assert any(taken)


@quickly
@given(
    st.integers(10, 4000), st.floats(-20, 20), st.floats(-20, 20), st.floats(0.1, 10), st.booleans()
)
@example(4000, -20, 20, 1.0, False)
@example(4000, -20, 20, 0.9, False)
@example(10, 19.9999, 20, 0.1, False)
@example(4000, 20 - 1e-9, 20, 0.1, False)
@example(4000, -3, -3 + 1e-12, 10, False)
def test_any_sigmoid_that_the_spec_takes_can_be_built(
    timesteps: int, start: float, end: float, tau: float, close: bool
) -> None:
    if close:
        end = start + abs(end) * 1e-9
    builds(timesteps, {"kind": "sigmoid", "start": start, "end": end, "tau": tau})


def test_usual_sigmoids_are_taken() -> None:
    # Jabri et al. 2022, figure 3, and Chen 2023, figure 1
    for (start, end), tau in itertools.product([(-3, 3), (0, 3)], [0.3, 0.5, 0.7, 0.9, 1.0, 1.1]):
        for timesteps in TIMESTEPS:
            schedule = {"kind": "sigmoid", "start": float(start), "end": float(end), "tau": tau}
            assert builds(timesteps, schedule)


def test_what_is_left_at_the_end_is_bounded_as_in_the_models() -> None:
    assert schedules.LEAST_ALPHA_BAR == LEAST_ALPHA_BAR
    with pytest.raises(ValueError, match="alpha_bar ends at"):
        SCHEDULES["constant"](1000, beta=0.1)
    with pytest.raises(UserError, match=r"model\.schedule: alpha_bar ends at 1e-46 after"):
        parse_study(
            changed(model={"timesteps": 1000, "schedule": {"kind": "constant", "beta": 0.1}})
        )


def test_a_sigmoid_too_steep_is_one_line_with_its_place() -> None:
    steep = {"kind": "sigmoid", "start": -20.0, "end": 20.0, "tau": 0.1}
    with pytest.raises(UserError) as caught:
        parse_study(changed(model={"timesteps": 20, "schedule": steep}))
    assert "model.schedule.start: -20 / `tau` lies where the sigmoid is flat: the first" in str(
        caught.value
    )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [1e-17, 1 - 1e-16])
def test_a_beta_that_would_be_rounded_away_is_refused(value: float) -> None:
    with pytest.raises(UserError, match=r"model\.schedule\.max_beta: .* equal to 0\.(0{7}1|9{8})"):
        parse_study(changed(model={"schedule": {"kind": "cosine", "max_beta": value}}))
