"""Seeds of a trial (32 bits): functions of the study's seed and the trial's number alone."""

from __future__ import annotations

import hashlib


def trial_seed(study_seed: int, number: int) -> int:
    """What a trial is trained and sampled with."""
    return _seed(f"{study_seed}:{number}")


def point_seed(study_seed: int, number: int) -> int:
    """What a trial's point is drawn with."""
    return _seed(f"{study_seed}:{number}:point")


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
