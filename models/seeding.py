"""Seeds for the parts of a run, derived from the run's one seed."""

from __future__ import annotations

import hashlib


def derive_seed(*parts: int | str) -> int:
    """A seed in [0, 2**63) that depends on every part, and on their order.

    Neighbouring seeds (`seed + epoch`) would give run 0's second epoch the randomness of run 1's
    first; a hash keeps them apart. It is the same in every process and on every machine, unlike
    `hash`.

    Args:
        parts: What the randomness is for, for instance `(seed, "order", epoch)`.
    """
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
