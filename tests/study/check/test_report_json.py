from __future__ import annotations

import json
from pathlib import Path

from specs import plain
from study_trees import parse_study

from study.check.report_json import check_json
from study.results.json_text import json_text
from study.results.storage import Storage


def test_it_says_what_the_report_says(tmp_path: Path) -> None:
    study_file = parse_study(
        plain(
            train={
                "epochs": 2,
                "batch_size": {"choice": [8, 16]},
                "learning_rate": {"float": [1e-4, 1e-2], "log": True},
            },
            search={"sampler": "tpe", "trials": 3},
        )
    )
    storage = Storage.from_uri(str(tmp_path))
    shown = json.loads(json_text(check_json(study_file, storage)))
    assert (shown["study"], shown["trials"]) == (study_file.study.name, 3)
    assert {each.pop("name"): each for each in shown["dimensions"]} == {
        "train.batch_size": {"kind": "choice", "options": [8, 16]},
        "train.learning_rate": {
            "kind": "float",
            "low": 1e-4,
            "high": 1e-2,
            "log": True,
            "step": None,
        },
    }
    assert len(shown["branches"]) == len(study_file.branches())
    config = shown["branches"][0]["config"]
    assert isinstance(config["model.network.channels"], list)
    assert shown["notes"] == study_file.reach_notes()
    assert "draws at random" in shown["notes"][0]
    assert shown["placement"]["workers"] == 1
    networks = shown["cost"]["networks"]
    assert networks
    assert all(network["train_seconds"] > 0 for network in networks)
    assert 0 < shown["cost"]["time"]["low"] <= shown["cost"]["time"]["high"]
    assert (shown["data"]["images"], shown["data"]["shape"]) == (1797, [1, 8, 8])
