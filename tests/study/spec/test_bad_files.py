"""Mistakes of people: each is one line of `study check`, and an editor flags it where it can."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from study_trees import changed, read_new_study, tree

from study.spec import UserError
from study.spec.datasets import PATH_PATTERN, is_path
from study.spec.schema import study_schema

VALIDATOR = Draft202012Validator(study_schema())
COMPARES = "a schema cannot compare two values"
COUNTS = "a schema cannot count the holes of a file"
LABELS = "a schema cannot look up names that the file itself makes"


@dataclass(frozen=True)
class Bad:
    """A bad file.

    Attributes:
        file: Its tree.
        line: A part of the line that `study check` prints.
        unseen: Why a schema cannot see it; empty if it does.
    """

    file: dict[str, Any]
    line: str
    unseen: str = ""


def without(file: dict[str, Any], section: str, key: str) -> dict[str, Any]:
    return {**file, section: {k: v for k, v in file[section].items() if k != key}}


RATE = "train.learning_rate: "
GAN = {"family": "gan", "loss": "wasserstein"}
PLAIN = {
    **tree(),
    "model": {"family": "ddpm", "timesteps": 10, "schedule": "cosine", "network": "cnn"},
    "train": {"epochs": 9, "learning_rate": 1e-3},
}
"""A file without holes."""

BAD = {
    "a misspelt key": Bad(changed(train={"epoch": 3}), "train.epoch: unknown key"),
    "a metric in capitals": Bad(changed(score={"metric": "FID"}), "unknown metric 'FID'"),
    "another tool's metric": Bad(changed(score={"metric": "is"}), "unknown metric 'is'"),
    "a data set that is none": Bad(changed(data={"dataset": "mnist6k"}), "unknown data set"),
    "a folder without ./": Bad(changed(data={"dataset": "cats", "size": 16}), "unknown data set"),
    "a folder without a size": Bad(changed(data={"dataset": "./cats"}), "data.size: is missing"),
    "a batch of none": Bad(changed(train={"batch_size": 0}), "0 must be greater than or equal"),
    "a range that is too wide": Bad(
        changed(train={"learning_rate": {"float": [1e-4, 11], "log": True}}), RATE + "11.0 must"
    ),
    "a logarithm of 0": Bad(
        changed(train={"learning_rate": {"float": [0, 1], "log": True}}), RATE + "log of 0"
    ),
    "log with a step": Bad(
        changed(train={"learning_rate": {"float": [0.1, 1], "log": True, "step": 0.1}}),
        "`log` and `step` cannot go together",
    ),
    "a range of one end": Bad(
        changed(train={"epochs": {"int": [9]}}), "an int hole is written {int: [low, high]}"
    ),
    "a range of epochs in floats": Bad(
        changed(train={"epochs": {"float": [1, 9]}}), "must be a valid integer"
    ),
    "a hole where all trials are alike": Bad(
        changed(data={"size": {"int": [8, 16]}}), "a hole cannot stand here"
    ),
    "an empty choice": Bad(changed(train={"batch_size": {"choice": []}}), "an empty choice"),
    "an option twice": Bad(
        changed(train={"batch_size": {"choice": [32, 32]}}), "stands twice in the choice"
    ),
    "a name of an option with a dot": Bad(
        changed(train={"batch_size": {"choice": {"a.b": 32}}}), "must not be empty or hold ."
    ),
    "half an epoch": Bad(changed(train={"epochs": 9.5}), "9.5 must be a valid integer"),
    "another tool's sampler": Bad(changed(search={"sampler": "bayes"}), "'bayes' is not one of"),
    "a threshold without bounds": Bad(
        changed(search={"pruner": "threshold"}), "needs `lower` or `upper`"
    ),
    "a threshold without a bound": Bad(
        changed(search={"pruner": {"kind": "threshold", "lower": None}}), "needs `lower` or"
    ),
    "no trials": Bad(without(tree(), "search", "trials"), "search.trials: is missing"),
    "no search": Bad({k: v for k, v in tree().items() if k != "search"}, "search: is missing"),
    "fd without an embedder": Bad(changed(score={"metric": "fd"}), "`metric: fd` needs an emb"),
    "another embedder than the metric's": Bad(
        changed(score={"embedder": "vae"}), "'vae' must be 'pixels'"
    ),
    "fd with an embedder whose metric has a name": Bad(
        changed(score={"metric": "fd", "embedder": "vae"}), "the metric is called fd_vae"
    ),
    "an unknown measure": Bad(changed(score={"also": ["recal"]}), "unknown measure 'recal'"),
    "a measure twice": Bad(changed(score={"also": ["recall", "recall"]}), "names one twice"),
    "a measure that the metric is": Bad(
        changed(score={"also": ["fd"]}), "fd is what fd_pixels measures already"
    ),
    "a sampler of another family": Bad(
        changed(score={"sampler": "improved"}), "'improved' cannot sample the family 'ddpm'"
    ),
    "a GPU and a half": Bad({**tree(), "scale": {"gpus_per_worker": 1.5}}, "must be a whole"),
    "a fold too far": Bad(
        changed(data={"split": {"kind": "k_fold", "fold": 5}}), "5 must be < `folds` (5)"
    ),
    "a count and a share": Bad(
        changed(data={"count": 9, "fraction": 0.5}), "must not stand beside `fraction`"
    ),
    "pruning by several objectives": Bad(
        changed(search={"pruner": "asha", "objectives": ["score", "parameters"]}),
        "cannot stop trials by several objectives",
    ),
    "CMA-ES with several objectives": Bad(
        changed(search={"sampler": "cma-es", "objectives": ["score", "parameters"]}),
        "the sampler 'cma-es' has one objective",
    ),
    "no score among the objectives": Bad(
        changed(search={"objectives": ["parameters"]}), "must hold `score`"
    ),
    "channels out of bounds": Bad(
        changed(model={"network": {"kind": "unet", "channels": [8, 2]}}), "2 must be greater than"
    ),
    "weights beside what they bring": Bad(
        {**tree(), "weights": {"study": "digits", "trial": 1}}, "cannot stand beside `weights`"
    ),
    "one image of which to know the distribution": Bad(
        changed(data={"split": "leave_one_out"}), "one image has no distribution"
    ),
    "a Wasserstein critic without bounds": Bad(
        {**tree(), "model": GAN, "score": {"metric": "fd_pixels"}}, "leaves the critic of the loss"
    ),
    "a GAN that stops early": Bad(
        {
            **changed(train={"early_stopping": {"patience": 2}}),
            "model": {"family": "gan"},
            "score": {"metric": "fd_pixels"},
        },
        "needs a validation loss",
    ),
    "a hole of Weights & Biases": Bad(
        changed(train={"learning_rate": {"min": 1e-4, "max": 0.1}}), RATE
    ),
    "a hole of Ray Tune": Bad(
        changed(train={"learning_rate": "tune.loguniform(1e-4, 1e-1)"}), RATE
    ),
    "a hole of NNI": Bad(
        changed(train={"learning_rate": {"_type": "uniform", "_value": [0.1, 1]}}), RATE
    ),
    # What only the program can know.
    "a range upside down": Bad(
        changed(train={"epochs": {"int": [9, 1]}}), "low 9 is greater than high 1", COMPARES
    ),
    "more steps than timesteps": Bad(
        changed(score={"steps": 11}), "11 must be <= `model.timesteps`", COMPARES
    ),
    "betas that fall": Bad(
        changed(model={"schedule": {"kind": "linear", "beta_start": 0.1, "beta_end": 0.01}}),
        "must be >= `beta_start`",
        COMPARES,
    ),
    "many trials without a hole": Bad(PLAIN, "4 trials of a study without holes", COUNTS),
    "CMA-ES over choices alone": Bad(
        {
            **PLAIN,
            "train": {**PLAIN["train"], "batch_size": {"choice": [8, 16]}},
            "search": {"sampler": "cma-es", "trials": 4},
        },
        "searches none of the dimensions",
        COUNTS,
    ),
    "a starting point of no dimension": Bad(
        changed(search={"enqueue": [{"train.learn_rate": 1}]}), "no such dimension", LABELS
    ),
    "epochs as 9.0": Bad(
        changed(train={"epochs": 9.0}),
        "9.0 must be a valid integer",
        "to JSON Schema 9.0 is a whole number",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_check_flags_a_bad_file(name: str, tmp_path: Path) -> None:
    bad = BAD[name]
    with pytest.raises(UserError) as caught:
        read_new_study(bad.file, tmp_path)
    assert bad.line in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", BAD)
def test_an_editor_flags_a_bad_file_where_a_schema_can(name: str) -> None:
    assert VALIDATOR.is_valid(BAD[name].file) == bool(BAD[name].unseen)


def test_few_mistakes_are_unseen() -> None:
    assert len([bad for bad in BAD.values() if bad.unseen]) == 7
    assert len(BAD) == 50


@pytest.mark.parametrize(
    "dataset",
    [
        "mnist",
        "cats",
        "./cats",
        "~/cats",
        "~cats",
        "data/cats",
        "cats.npy",
        "a.npz",
        "npy",
        "a.npy.b",
        ".x",
    ],
)
def test_the_schemas_paths_are_the_programs(dataset: str) -> None:
    assert bool(re.search(PATH_PATTERN, dataset)) == is_path(dataset)
    known = dataset == "mnist" or is_path(dataset)
    assert VALIDATOR.is_valid(changed(data={"dataset": dataset, "size": 16})) == known
