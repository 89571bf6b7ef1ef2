"""The search: one Optuna study that proposes trials and says which to stop. Knows no Ray."""

from study.search.proposers import SAMPLERS
from study.search.pruners import make_pruner
from study.search.racing import next_finalist
from study.search.search import PastTrial, Search, Suggestion, trial_seed

__all__ = [
    "SAMPLERS",
    "PastTrial",
    "Search",
    "Suggestion",
    "make_pruner",
    "next_finalist",
    "trial_seed",
]
