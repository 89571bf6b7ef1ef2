"""Why trials failed, counted, for people."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from study.results.tables import TrialRow

_NUMBER = re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?")
_LONGEST = 60
"""Characters of a reason where reasons are counted; the first is shown whole."""


def failure_lines(trials: Sequence[TrialRow]) -> list[str]:
    """Lines on the trials that failed: reasons counted, and the first one whole; none if none did.

    Reasons that differ by numbers alone, or by what comes after their first 60 characters, count
    as one.
    """
    failed = [trial for trial in trials if trial.state == "failed"]
    if not failed:
        return []
    kinds: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for trial in failed:
        kind = _NUMBER.sub("#", trial.reason)[:_LONGEST]
        kinds.setdefault(kind, trial.reason)
        counts[kind] += 1
    reasons = ", ".join(f"{count} x {_short(kinds[kind])}" for kind, count in counts.most_common())
    of = f" of {len(trials)}" if len(trials) > len(failed) else ""
    noun = "trial" if len(trials) == 1 else "trials"
    lines = [f"{len(failed)}{of} {noun} failed: {reasons}"]
    if len(counts) > 1 or _short(failed[0].reason) != failed[0].reason:
        lines.append(f"the first, trial {failed[0].trial}: {failed[0].reason}")
    return lines


def have_all_failed(trials: Sequence[TrialRow]) -> bool:
    """Whether there are trials, and every one of them failed."""
    return bool(trials) and all(trial.state == "failed" for trial in trials)


def _short(reason: str) -> str:
    return reason if len(reason) <= _LONGEST else f"{reason[: _LONGEST - 1]}…"
