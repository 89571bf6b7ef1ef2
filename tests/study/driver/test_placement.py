from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_trees import quickly

from study.driver import placement
from study.driver.placement import place, this_machine
from study.spec import UserError
from study.spec.study import Scale

nodes = st.lists(
    st.fixed_dictionaries(
        {"CPU": st.integers(0, 32).map(float), "GPU": st.integers(0, 8).map(float)}
    ),
    min_size=1,
    max_size=4,
).map(tuple)
scales = st.builds(
    Scale,
    workers_per_trial=st.integers(1, 6),
    cpus_per_worker=st.sampled_from([0.5, 1.0, 2.0]),
    gpus_per_worker=st.sampled_from([None, 0.0, 0.25, 1.0, 2.0]),
    lanes=st.none() | st.integers(1, 9),
)


@quickly
@given(scales, nodes, st.integers(1, 40))
def test_what_is_placed_fits(scale: Scale, available: Any, trials: int) -> None:
    try:
        found = place(scale, available, trials)
    except UserError:
        return
    workers = found.lanes * found.workers
    assert 1 <= found.lanes <= min(trials, scale.lanes or trials)
    assert found.workers == scale.workers_per_trial
    assert workers * found.cpus <= sum(node["CPU"] for node in available)
    assert workers * found.gpus <= sum(node["GPU"] for node in available)


@pytest.mark.parametrize(
    ("scale", "available", "trials", "text"),
    [
        ({}, ({"CPU": 2},), 16, "2 lanes of 1 worker with 1 CPU"),
        ({}, ({"CPU": 8},), 3, "3 lanes of 1 worker with 1 CPU"),
        ({"lanes": 1}, ({"CPU": 8},), 3, "1 lane of 1 worker with 1 CPU"),
        ({"lanes": 9}, ({"CPU": 2},), 16, "2 lanes of 1 worker with 1 CPU"),
        ({}, ({"CPU": 16, "GPU": 1},), 16, "1 lane of 1 worker with 1 CPU and 1 GPU"),
        (
            {"gpus_per_worker": 0.25},
            ({"CPU": 16, "GPU": 1},),
            16,
            "4 lanes of 1 worker with 1 CPU and 0.25 GPU",
        ),
        ({"gpus_per_worker": 0}, ({"CPU": 3, "GPU": 1},), 16, "3 lanes of 1 worker with 1 CPU"),
        ({"cpus_per_worker": 0.1}, ({"CPU": 1},), 99, "10 lanes of 1 worker with 0.1 CPU"),
        ({"workers_per_trial": 4}, ({"CPU": 3},) * 2, 9, "1 lane of 4 workers with 1 CPU each"),
        ({"cpus_per_worker": 2}, ({"CPU": 3},) * 2, 9, "2 lanes of 1 worker with 2 CPU"),
    ],
)
def test_the_scarcest_resource_decides(
    scale: dict[str, Any], available: Any, trials: int, text: str
) -> None:
    assert str(place(Scale(**scale), available, trials)) == text


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (
            {"workers_per_trial": 3},
            "scale: 3 workers with 1 CPU each can never be placed: "
            "there is room for 2 (2 CPU and 0 GPU in all)",
        ),
        (
            {"cpus_per_worker": 4},
            "scale: a worker with 4 CPU can never be placed: "
            "there is room for 0 (2 CPU and 0 GPU in all)",
        ),
        (
            {"gpus_per_worker": 0.5},
            "scale: a worker with 1 CPU and 0.5 GPU can never be placed: "
            "there is room for 0 (2 CPU and 0 GPU in all)",
        ),
    ],
)
def test_what_can_never_be_placed_is_an_error(scale: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        place(Scale(**scale), ({"CPU": 2.0},), 9)
    assert str(caught.value) == message


def test_a_worker_must_fit_one_node() -> None:
    with pytest.raises(UserError, match="room for 0"):
        place(Scale(cpus_per_worker=3), ({"CPU": 2}, {"CPU": 2}), 1)


def test_this_machine_has_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    assert this_machine()["CPU"] >= 1
    devices = ["null", "nvidia0", "nvidia1", "nvidia10", "nvidiactl", "nvidia-uvm"]
    monkeypatch.setattr(placement.os, "listdir", lambda folder: devices)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert this_machine()["GPU"] == 3
    for visible, count in (("0", 1), ("0,1", 2), ("", 0), ("-1", 0)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert this_machine()["GPU"] == count
