from __future__ import annotations

from typing import Any

import pytest

from models import (
    TrainingOptions,
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "`batch_size` is 0, but must be >= 1"),
        ({"learning_rate": 0.0}, "`learning_rate` is 0.0, but must be > 0"),
        ({"optimizer": "lion"}, "`optimizer` is 'lion', but must be one of adam, adamw, sgd"),
        ({"weight_decay": -1.0}, "`weight_decay` is -1.0, but must be >= 0"),
        ({"clip_norm": 0.0}, "`clip_norm` is 0.0, but must be > 0, or none"),
        ({"ema_half_life": -1.0}, "`ema_half_life` is -1.0, but must be >= 0"),
        ({"ema_ramp": 0.0}, "`ema_ramp` is 0.0, but must be > 0"),
        ({"warmup_images": -1}, "`warmup_images` is -1, but must be >= 0"),
        ({"decay": "step"}, "`decay` is 'step', but must be one of none, cosine"),
        ({"decay": "cosine"}, "`total_images` is 0, but must be > `warmup_images`"),
        ({"l1": -1.0}, "`l1` is -1.0, but must be >= 0"),
        ({"l2": float("inf")}, "`l2` is inf, but must be >= 0"),
        ({"precision": "half"}, "`precision` is 'half', but must be one of auto"),
    ],
)
def test_an_option_out_of_range_is_named_with_its_rule(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingOptions(**{"batch_size": 8, "learning_rate": 1e-3, "seed": 0, **options})
