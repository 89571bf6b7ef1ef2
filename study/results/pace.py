"""How long a study will still take, by its own pace so far."""

from __future__ import annotations


def seconds_left(elapsed: float, ended: int, running: int, planned: int) -> float | None:
    """Seconds until all trials have ended, if they go on as they did.

    Args:
        elapsed: Seconds since the first of these trials was begun.
        ended: How many have ended since then.
        running: How many are in hand; each counts for a half, as on average that is how far it is.
        planned: How many there are in all, of those not ended before.

    Returns:
        None while nothing has ended.
    """
    if not ended:
        return None
    done = ended + running / 2
    return elapsed / done * max(0.0, planned - done)


def duration(seconds: float) -> str:
    """Seconds as people read them: 2:05, or 1:02:05 from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
