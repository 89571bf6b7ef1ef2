"""Study files as plain trees and as text, small enough to read."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from hypothesis import settings

from study.spec import StudyFile, read_study_file, read_study_text
from study.spec.yaml_file import dump_yaml

quickly = settings(deadline=None, max_examples=40)
"""Fewer examples than is usual, and no time limit on any: the machine may be busy."""

TEXT = """\
name: small
data: {dataset: digits}
model:
  family: ddpm
  timesteps: {int: [10, 100], log: true}
  schedule:
    choice:
      - {kind: linear, beta_end: {float: [0.01, 0.05], log: true}}
      - {kind: cosine, max_beta: {float: [0.1, 0.999]}}
      - {kind: constant, beta: 0.01}
  network: {kind: unet, channels: {choice: [[8], [8, 16]]}}
train:
  epochs: 9
  batch_size: {choice: [32, 64]}
  learning_rate: {float: [1e-4, 1e-2], log: true}
score: {metric: fd_pixels, samples: 16, steps: 5}
search: {sampler: random, trials: 4}
"""


def parse_study(tree: dict[str, Any]) -> StudyFile:
    """A study from a plain tree, as one that was begun is read back."""
    return read_study_text(dump_yaml(tree), "study")


def read_new_study(tree: dict[str, Any], folder: Path) -> StudyFile:
    """A study from a plain tree, as one is read that is to begin, from a file in `folder`."""
    file = folder / "study.yaml"
    file.write_text(dump_yaml(tree))
    return read_study_file(file)


def tree() -> dict[str, Any]:
    """The tree of `TEXT`."""
    return copy.deepcopy(_TREE)


def changed(**sections: Any) -> dict[str, Any]:
    """The tree of `TEXT` with keys of its sections replaced: `changed(train={"epochs": 2})`."""
    changed = tree()
    for section, values in sections.items():
        changed[section] = {**changed[section], **values}
    return changed


_TREE: dict[str, Any] = {
    "name": "small",
    "data": {"dataset": "digits"},
    "model": {
        "family": "ddpm",
        "timesteps": {"int": [10, 100], "log": True},
        "schedule": {
            "choice": [
                {"kind": "linear", "beta_end": {"float": [0.01, 0.05], "log": True}},
                {"kind": "cosine", "max_beta": {"float": [0.1, 0.999]}},
                {"kind": "constant", "beta": 0.01},
            ]
        },
        "network": {"kind": "unet", "channels": {"choice": [[8], [8, 16]]}},
    },
    "train": {
        "epochs": 9,
        "batch_size": {"choice": [32, 64]},
        "learning_rate": {"float": [1e-4, 1e-2], "log": True},
    },
    "score": {"metric": "fd_pixels", "samples": 16, "steps": 5},
    "search": {"sampler": "random", "trials": 4},
}
