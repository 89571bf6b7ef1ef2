from __future__ import annotations

import torch

from models import derive_seed, to_float, to_uint8


def test_every_level_survives_the_way_there_and_back() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    floats = to_float(levels)
    assert floats.dtype == torch.float32
    assert floats[[0, -1]].tolist() == [-1, 1]
    assert torch.equal(to_uint8(floats), levels)


def test_what_is_out_of_range_is_clamped() -> None:
    assert to_uint8(torch.tensor([-7.0, -1.001, 1.001, 7.0])).tolist() == [0, 0, 255, 255]


def test_seeds_differ_by_every_part_and_stay_the_same_for_ever() -> None:
    seeds = {derive_seed(seed, use, i) for seed in range(9) for use in "ab" for i in range(9)}
    assert len(seeds) == 9 * 2 * 9
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed(1, 2) != derive_seed(2, 1) != derive_seed(12)
    assert derive_seed(0, "order", 0) == 3471081512423777433
