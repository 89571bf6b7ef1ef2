from __future__ import annotations

import pytest
import torch
from torch import nn

from models.precision import in_precision, resolve

CPU = torch.device("cpu")


def test_a_cpu_computes_in_float32_by_default() -> None:
    assert resolve("auto", CPU) == "float32"
    assert resolve("bfloat16", CPU) == "bfloat16"


def test_bfloat16_is_autocast_and_float32_is_left_alone() -> None:
    layer, x = nn.Linear(4, 4), torch.ones(2, 4)
    with in_precision("bfloat16", CPU):
        assert layer(x).dtype == torch.bfloat16
    with in_precision("auto", CPU):
        assert layer(x).dtype == torch.float32
    assert layer.weight.dtype == torch.float32
    assert layer(x).dtype == torch.float32  # and nothing stays behind


def test_a_cpu_has_no_tensor_float() -> None:
    with pytest.raises(ValueError, match="`precision` is 'tf32', which a cpu does not have"):
        resolve("tf32", CPU)
    with pytest.raises(ValueError, match="`precision` is 'half', but must be one of auto"):
        resolve("half", CPU)  # type: ignore[arg-type]
