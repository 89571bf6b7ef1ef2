"""Small studies in simulated time, whose drivers stop anywhere.

    .venv/bin/python benchmarks/interleavings.py [--plans 10000] [--processes 2]

Each is run by the plan of a seed (`study.simulation.interleavings`), and then looked at: nothing
may be lost or done twice. Prints what was wrong with which seed, how many were run, and how long
it took. There is no peer: the number to compare with is 0.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import multiprocessing
import os
import sys
import time

from study.simulation.small_studies import SMALL_STUDIES

SHOWN = 10
CHUNK = 50


def wrong_with(plan: int) -> tuple[int, int, list[str]]:
    """What is wrong with one plan: its number, how many drivers resumed, and a line each."""
    study = SMALL_STUDIES[plan % len(SMALL_STUDIES)]
    interleaving = study.disturbed(plan)
    return plan, len(interleaving.history.resumptions), [*study.violations_of(interleaving)]


def main() -> None:
    """Run them."""
    parser = argparse.ArgumentParser(description="Small studies whose drivers stop anywhere.")
    parser.add_argument("--plans", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    clock = time.perf_counter()
    resumed: collections.Counter[int] = collections.Counter()
    wrong: list[tuple[int, list[str]]] = []
    with multiprocessing.Pool(options.processes) as pool:
        for plan, drivers, lines in pool.imap_unordered(wrong_with, range(options.plans), CHUNK):
            resumed[drivers] += 1
            if lines:
                wrong.append((plan, lines))
    seconds = time.perf_counter() - clock
    for plan, lines in itertools.islice(sorted(wrong), SHOWN):
        print(f"plan {plan}: {lines[0]}" + (f" (and {len(lines) - 1} more)" if lines[1:] else ""))
    drivers = ", ".join(f"{count} with {n + 1} drivers" for n, count in sorted(resumed.items()))
    print(f"{options.plans} plans in {seconds:.0f} s ({drivers}): {len(wrong)} went wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
