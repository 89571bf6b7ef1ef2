"""The search: one Optuna study that proposes trials and says which to stop. Knows no Ray."""

from study.search.racing import next_finalist
from study.search.search import PastTrial, Search, Suggestion
from study.search.seeds import trial_seed

__all__ = ["PastTrial", "Search", "Suggestion", "next_finalist", "trial_seed"]
