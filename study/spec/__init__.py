"""The study file: typed, validated, with holes. Imports neither torch nor ray."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from study.spec.errors import UserError
    from study.spec.sampling import Sampling
    from study.spec.space import Space
    from study.spec.study import Study
    from study.spec.study_file import StudyFile, read_study_file, read_study_text
    from study.spec.tree import Dimension, Picks
    from study.spec.weights import FindTrial, TrainedTrial

__all__ = [
    "Dimension",
    "FindTrial",
    "Picks",
    "Sampling",
    "Space",
    "Study",
    "StudyFile",
    "TrainedTrial",
    "UserError",
    "read_study_file",
    "read_study_text",
]

_MODULES = {
    "Dimension": "tree",
    "FindTrial": "weights",
    "Picks": "tree",
    "Sampling": "sampling",
    "Space": "space",
    "Study": "study",
    "StudyFile": "study_file",
    "TrainedTrial": "weights",
    "UserError": "errors",
    "read_study_file": "study_file",
    "read_study_text": "study_file",
}


def __getattr__(name: str) -> Any:
    # Late: the models of the sections take half a second to build, and a command that only reads
    # results needs none of them.
    if name in _MODULES:
        return getattr(import_module(f"study.spec.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'study.spec' has no attribute {name!r}")
