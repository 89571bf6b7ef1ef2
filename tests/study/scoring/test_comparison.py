from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from study.scoring import comparison as module
from study.scoring import coverage
from study.scoring.comparison import Comparison, Shared, Value
from study.scoring.coverage import precision_recall
from study.scoring.measures import measure


def test_work_in_common_is_done_once(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def counted(real: Tensor, generated: Tensor) -> coverage.PrecisionRecall:
        calls.append(1)
        return precision_recall(real, generated)

    monkeypatch.setattr(module, "precision_recall", counted)
    assert list(measure(comparison, ["recall", "fd", "precision"])) == ["recall", "fd", "precision"]
    assert len(calls) == 1


def test_without_training_images_the_real_ones_stand_in(comparison: Comparison) -> None:
    assert comparison.real is not None
    copies = replace(comparison, generated=comparison.real[:50], train=None)
    assert measure(copies, ["memorisation"])["memorisation"] == Value(1, 0)
    assert measure(copies, ["authenticity"])["authenticity"].value < 0.1


def test_without_a_reference_the_moments_are_those_of_the_real_images(
    comparison: Comparison,
) -> None:
    without = replace(comparison, reference=None)
    assert measure(without, ["fd", "fd_infinity"]) == measure(comparison, ["fd", "fd_infinity"])


def test_labels_may_be_as_large_as_they_like(comparison: Comparison) -> None:
    names_ = ["modes", "mode_divergence"]
    assert comparison.labels is not None
    large = replace(comparison, labels=comparison.labels * 2**55 + 7)
    assert measure(large, names_) == measure(comparison, names_)
    assert measure(large, names_)["modes"].value == 10


def test_images_are_counted_by_the_labels_that_real_ones_have() -> None:
    real = torch.tensor([[0.0], [0.1], [0.2], [10.0], [10.1], [10.2]])
    labels = torch.tensor([5, 5, 5, 90, 90, 90])
    generated = torch.tensor([[0.0], [0.05], [0.15], [11.0]])
    # Of 5 neighbours the majority decides: 3 near, 2 far.
    found, there = Shared(Comparison(generated, real=real, labels=labels)).modes
    assert found.tolist() == [3, 1]
    assert there.tolist() == [3, 3]
    few = Comparison(generated, real=real[2:4], labels=labels[2:4])
    assert Shared(few).modes[0].tolist() == [3, 1]  # as many votes as there are real images
