"""Small studies on real digits (8x8, from scikit-learn) for the tests of execution."""

from __future__ import annotations

from typing import Any

import yaml

from study.spec import Study, StudyFile, read_study_text

PLAIN: dict[str, Any] = {
    "name": "small",
    "data": {"dataset": "digits"},
    "model": {
        "family": "ddpm",
        "timesteps": 50,
        "schedule": {"kind": "linear", "scaled": True},
        "network": {"kind": "unet", "channels": [8, 16]},
    },
    "train": {"epochs": 2, "batch_size": 256, "learning_rate": 0.003},
    "score": {"metric": "fd_pixels", "samples": 64, "steps": 5},
    "search": {"sampler": "random", "trials": 1, "seed": 0},
}


def plain(**sections: dict[str, Any]) -> dict[str, Any]:
    """`PLAIN` with keys of its sections changed."""
    tree = {name: {**value} if isinstance(value, dict) else value for name, value in PLAIN.items()}
    for name, changes in sections.items():
        if isinstance(changes, dict):
            tree[name] = {**tree.get(name, {}), **changes}
        else:
            tree[name] = changes
    return tree


def study(**sections: Any) -> Study:
    """A plain study."""
    return Study.model_validate(plain(**sections))


def study_file(**sections: Any) -> StudyFile:
    """A study file, with holes if the sections have any."""
    return read_study_text(yaml.safe_dump(plain(**sections)), "test.yaml")


RATES = {"learning_rate": {"float": [0.001, 0.01], "log": True}}
