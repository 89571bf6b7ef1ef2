"""What `study check` promises beside what `study run` takes. `python benchmarks/estimate.py`.

    .venv/bin/python benchmarks/estimate.py [--recipes quickstart families ...] [--json FILE]

Each recipe is estimated and then run, at smoke size (the quickstart whole), as a command of its own
from its first import to its end. A row says how many times too long or too short the middle of the
promised range was; 1 is right. The peer is the estimate that one makes by hand: the first network's
trial, times the trials, by the lanes, by the share of epochs that successive halving leaves.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from table import lower_is_better, parser, show

from study.check.costs import Costs
from study.check.estimate import estimate, measure_costs
from study.driver.placement import place, this_machine
from study.search import Search
from study.spec import Study, StudyFile, read_study_file
from study.spec.search import AshaPruner

ROOT = Path(__file__).parents[1]
RECIPES = sorted(path.stem for path in (ROOT / "search_spaces").glob("*.yaml"))
WHOLE = ("quickstart",)
"""Recipes that are short as they are."""
KEPT = 1.5
"""A promise is kept if it is no more than so many times wrong."""


def say(what: str) -> None:
    """A line on what is being done."""
    if what:
        print(f"    {what}", file=sys.stderr, flush=True)


def promised(study_file: StudyFile) -> tuple[float, float]:
    """Seconds, from and to, that `study check` promises."""
    trials = Search(study_file).planned
    placement = place(study_file.study.scale, (this_machine(),), trials)
    time = estimate(study_file, placement, trials, say).time
    return time.low, time.high


def by_hand(study_file: StudyFile) -> float:
    """Seconds by the first network alone."""
    trials, spec = Search(study_file).planned, study_file.study
    placement = place(spec.scale, (this_machine(),), trials)
    costs: Costs = measure_costs([spec], placement, say)
    return sum(costs.trial_seconds(spec)) * trials / placement.lanes * asha_share(spec)


def asha_share(spec: Study) -> float:
    """The share of epochs that successive halving leaves: at each rung one in so many goes on."""
    pruner, epochs = spec.search.pruner, spec.train.epochs
    if not isinstance(pruner, AshaPruner):
        return 1.0
    rung = pruner.min_epochs * pruner.reduction_factor**pruner.early_stopping_rate
    spent, reached, alive = 0.0, 0, 1.0
    while rung < epochs:
        spent += alive * (rung - reached)
        reached, alive, rung = rung, alive / pruner.reduction_factor, rung * pruner.reduction_factor
    return (spent + alive * (epochs - reached)) / epochs


def taken(path: Path, smoke: bool) -> float:
    """Seconds that the command takes."""
    with tempfile.TemporaryDirectory(prefix="fidtune-estimate-") as storage:
        command = [sys.executable, "-m", "study", "run", str(path), "--storage", storage]
        clock = time.perf_counter()
        subprocess.run([*command, *(["--smoke"] if smoke else [])], cwd=ROOT, check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        return time.perf_counter() - clock


def main() -> None:
    """Estimate and run each recipe, and compare."""
    arguments = parser(__doc__ or "")
    arguments.add_argument("--recipes", nargs="+", choices=RECIPES, default=RECIPES)
    options = arguments.parse_args()
    rows = []
    for name in options.recipes:
        print(name, file=sys.stderr, flush=True)
        path, smoke = ROOT / "search_spaces" / f"{name}.yaml", name not in WHOLE
        study_file = read_study_file(path, smoke=smoke)
        low, high = promised(study_file)
        peer = by_hand(study_file)
        seconds = taken(path, smoke)
        wrong, peer_wrong = (
            math.exp(abs(math.log(seconds / guess))) for guess in (math.sqrt(low * high), peer)
        )
        kept = "kept" if wrong <= KEPT else f"not kept within {KEPT}"
        print(f"{name}: promised {low:.0f} to {high:.0f} s, taken {seconds:.0f} s: {kept}")
        rows.append(lower_is_better(name, wrong, peer_wrong, f"by hand, {peer:.0f} s", "times off"))
    show(rows, options.json)


if __name__ == "__main__":
    main()
