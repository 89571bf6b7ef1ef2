"""The study file: typed, validated, with holes. Imports neither torch nor ray."""

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
