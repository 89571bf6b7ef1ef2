from __future__ import annotations

from typing import Any

import pytest
from study_trees import changed, parse_study, tree

from study.spec import UserError

GAN: dict[str, Any] = {"family": "gan", "latent": 8}


@pytest.mark.parametrize(
    "bounded",
    [
        {"penalty": "clip"},
        {"penalty": "gradient", "discriminator": {"kind": "dcgan", "norm": "layer"}},
        {"discriminator": {"kind": "dcgan", "spectral_norm": True}},
    ],
)
def test_a_wasserstein_critic_is_bounded_in_one_of_three_ways(bounded: dict[str, Any]) -> None:
    model = {**GAN, "loss": "wasserstein", "generator": {"kind": "dcgan", "channels": [8]}}
    study = parse_study({**tree(), "model": {**model, **bounded}, "score": {}}).study
    assert study.model.family == "gan"


@pytest.mark.parametrize(
    "path",
    ["mine", "mine.Net", "mine:", ":Net", "mine.py:Net()", "a/b:Net", "a b:Net", "a:B:C", ""],
)
@pytest.mark.parametrize("part", ["network", "family"])
def test_a_path_of_ones_own_of_wrong_form_is_one_line(part: str, path: str) -> None:
    if part == "network":
        file = changed(model={"network": {"kind": "custom", "path": path}})
    else:
        file = {**tree(), "model": {"family": "custom", "path": path}}
    with pytest.raises(UserError) as caught:
        parse_study(file)
    where = "model.network.path" if part == "network" else "model.path"
    assert f"{where}: {path!r} must be written package.module:Class" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", [None, 3, ["mine:Net"]])
def test_a_path_of_ones_own_that_is_no_text_is_one_line(path: Any) -> None:
    with pytest.raises(UserError, match=r"study:\d+: model\.path: .* must be a valid string"):
        parse_study({**tree(), "model": {"family": "custom", "path": path}})
