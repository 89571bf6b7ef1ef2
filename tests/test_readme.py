"""What the README shows must be so: its study files are valid, its commands exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml
from paths import ROOT
from typer.main import get_command

from models import FAMILIES, GAN_LOSSES, NETWORKS, REGRESSIONS, SCHEDULES
from study.cli import app
from study.results.tables import TABLES
from study.spec import read_study_text
from study.spec.embedder_info import EMBEDDERS
from study.spec.measure_info import MEASURES
from study.spec.names import DATASETS, METRICS
from study.spec.samplers import IMAGE_SAMPLERS
from study.spec.score import Score
from study.spec.search import SEARCH_SAMPLERS, Objective, Pruner
from study.spec.short_form import kinds
from study.spec.study import Study

README = (ROOT / "README.md").read_text()
BLOCKS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)]
WHOLE = BLOCKS[0]


def test_there_are_study_files_in_it() -> None:
    assert {"model", "train", "search"} <= WHOLE.keys()
    assert any("finalists" in block for block in BLOCKS)
    assert any("weights" in block for block in BLOCKS)


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if "weights" not in block], ids=",".join
)
def test_its_study_files_are_valid(block: dict[str, object]) -> None:
    # A block of one section stands for a study that has it.
    tree = {**WHOLE, **block, "train": {**WHOLE["train"], "epochs": 60}}
    if "score" in block:
        tree["score"] = {**WHOLE["score"], **block["score"]}  # type: ignore[dict-item]
    read_study_text(yaml.safe_dump(tree), "README.md")


def test_its_sweep_asks_only_what_a_sweep_may(tmp_path: Path) -> None:
    (sweep,) = [block for block in BLOCKS if "weights" in block]
    assert set(sweep) <= Study.model_fields.keys()
    assert set(sweep["score"]) <= Score.model_fields.keys()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`study (\w+)", README))))
def test_its_commands_exist(name: str) -> None:
    assert name in get_command(app).commands  # type: ignore[attr-defined]


NAMES = [
    *get_command(app).commands,  # type: ignore[attr-defined]
    *{*FAMILIES, *NETWORKS, *SCHEDULES, *GAN_LOSSES, *REGRESSIONS},
    *{*IMAGE_SAMPLERS} - {"generator"},  # the only one of a GAN, which nobody has to name
    *{*DATASETS, *EMBEDDERS, *MEASURES, *METRICS},
    *{*SEARCH_SAMPLERS, *kinds(Pruner), *get_args(Objective), *TABLES},
]


@pytest.mark.parametrize("name", sorted(set(NAMES)))
def test_it_names_everything_that_can_be_chosen(name: str) -> None:
    code = " ".join(re.findall(r"`([^`\n]+)`", README))
    assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", code), f"README.md lacks `{name}`"


OPTIONS = sorted(
    {
        (command, option)
        for text in re.findall(r"`(study \w+[^`]*)`", README)
        + re.findall(r"^study .*$", README, re.M)
        for command in re.findall(r"^study (\w+)", text)
        for option in re.findall(r"(?<!\S)(--?[a-z][a-z-]*)", text)
    }
)


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_its_options_exist(name: str, option: str) -> None:
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    assert option in [text for parameter in command.params for text in parameter.opts]
