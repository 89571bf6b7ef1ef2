from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_trees import TEXT, quickly

from study import cli
from study.api import Study
from study.spec import UserError, read_study_file, read_study_text
from study.spec.overlays import with_overlays
from study.spec.yaml_file import Document, dump_yaml, parse_yaml

OVERLAYS = """\
smoke:
  model:
    family: ddpm
    timesteps: 20
    network: {channels: [8]}
  train: {epochs: 1}
  search: {trials: 2}
variants:
  huber:
    model: {loss: {kind: huber, delta: 0.5}}
    train: {epochs: 7, optimizer: sgd}
  gan:
    name: cats-gan
    model: {family: gan, latent: {int: [8, 16]}}
    data: {size: 16}
    smoke:
      model: {family: gan, latent: 4}
"""  # from line 18 of the file on


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(TEXT + OVERLAYS)
    return path


def test_overlays_change_nothing_where_they_are_not_asked_for(path: Path) -> None:
    study_file = read_study_file(path)
    plain = read_study_text(TEXT, "study")
    assert study_file.study == plain.study
    assert study_file.text == plain.text


def test_a_smoke_is_merged_key_by_key(path: Path) -> None:
    study = read_study_file(path, smoke=True).study
    assert study.name == "small-smoke"
    assert study.model.family == "ddpm"
    assert study.model.timesteps == 20  # in place of a hole
    assert study.model.network.kind == "unet"
    assert study.model.network.model_dump()["channels"] == (8,)
    assert (study.train.epochs, study.train.batch_size) == (1, 32)
    assert (study.search.trials, study.search.sampler) == (2, "random")


def test_a_variant_replaces_a_section_of_another_kind(path: Path) -> None:
    study_file = read_study_file(path, variant="gan")
    assert study_file.study.name == "cats-gan"
    assert [d.name for d in study_file.space.dimensions()] == [
        "model.latent",
        "train.batch_size",
        "train.learning_rate",
    ]


def test_smoke_comes_after_the_variant_and_overrides_last(path: Path) -> None:
    study = read_study_file(path, ["train.epochs=3"], smoke=True, variant="huber").study
    assert study.name == "small-huber-smoke"
    assert study.model.model_dump()["loss"] == {"kind": "huber", "delta": 0.5}
    assert study.train.optimizer.kind == "sgd"
    assert study.train.epochs == 3
    assert read_study_file(path, smoke=True, variant="huber").study.train.epochs == 1
    assert read_study_file(path, variant="huber").study.train.epochs == 7
    assert read_study_file(path, name="other", smoke=True).study.name == "other"


def test_a_variants_own_smoke_comes_last(path: Path) -> None:
    study = read_study_file(path, smoke=True, variant="gan").study
    assert study.name == "cats-gan-smoke"
    assert study.model.model_dump()["latent"] == 4
    assert study.train.epochs == 1  # from the file's


def test_what_is_stored_is_the_merged_study(path: Path) -> None:
    for variant in (None, "huber", "gan"):
        study_file = read_study_file(path, smoke=True, variant=variant)
        assert "variants" not in study_file.text
        assert "smoke:" not in study_file.text
        assert read_study_text(study_file.text, "again").study == study_file.study


def test_python_has_them_too(path: Path) -> None:
    study = Study.from_file(path, smoke=True, variant="huber")
    assert study.file.study == read_study_file(path, smoke=True, variant="huber").study


@pytest.mark.parametrize("command", [["run"], ["check"], ["submit", "--address", "http://x"]])
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--variant", "hubert"], "there is no variant 'hubert'"),
        (["--smoke", "--set", "train.epochs=0"], "train.epochs: 0 must be"),
        (["--variant", "huber", "--smoke"], "study.yaml:23: train.epochs: 0 must be"),
    ],
)
def test_the_command_line_has_them(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    flags: list[str],
    message: str,
) -> None:
    path.write_text((TEXT + OVERLAYS).replace("epochs: 1}", "epochs: 0}"))
    monkeypatch.setattr(sys, "argv", ["study", *command, str(path), *flags])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("old", "new", "asked", "message"),
    [
        ("epochs: 1}", "epochs: 0}", {"smoke": True}, "study.yaml:23: train.epochs: 0 must be"),
        ("epochs: 1}", "epoch: 1}", {"smoke": True}, "study.yaml:23: train.epoch: unknown key"),
        ("[8]}\n  train: {epochs: 1}", "[1]}", {"smoke": True}, "study.yaml:22: model.network.ch"),
        ("delta: 0.5", "delta: -1", {"variant": "huber"}, "study.yaml:27: model.loss.delta: -1"),
        ("epochs: 7", "epochs: {int: [2, 1]}", {"variant": "huber"}, "study.yaml:28: train.epochs"),
        ("latent: 4", "latent: 0", {"variant": "gan", "smoke": True}, "study.yaml:34: model.lat"),
        # A mistake in the file is still where it was.
        ("epochs: 9", "epochs: 9.5", {"variant": "gan"}, "study.yaml:13: train.epochs: 9.5 must"),
        # What is wrong with an overlay itself is told whether or not it is asked for.
        ("smoke:\n  model", "smoke:\n  modle", {}, "study.yaml:19: smoke.modle: unknown key; did"),
        ("  huber:", "  huber: 3\n  rest:", {}, "study.yaml:26: variants.huber: must be a section"),
        ("    smoke:", "    smokes:", {}, "study.yaml:33: variants.gan.smokes: unknown key; did"),
        ("variants:", "variants: 3\nfoo:", {}, "study.yaml:25: variants: must be a section with"),
        (
            "",
            "",
            {"variant": "hubert"},
            "study.yaml:25: there is no variant 'hubert'; did you mean",
        ),
        ("", "", {"variant": "zzz"}, "there is no variant 'zzz'; known are huber, gan"),
    ],
)
def test_a_mistake_is_where_it_is_written(
    tmp_path: Path, old: str, new: str, asked: dict[str, Any], message: str
) -> None:
    (tmp_path / "study.yaml").write_text((TEXT + OVERLAYS).replace(old, new))
    with pytest.raises(UserError) as caught:
        read_study_file(tmp_path / "study.yaml", **asked)
    assert message in str(caught.value)


def test_a_file_without_overlays_says_so(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(TEXT)
    with pytest.raises(UserError, match=r"study\.yaml: there is no `smoke:` overlay"):
        read_study_file(tmp_path / "study.yaml", smoke=True)
    with pytest.raises(UserError, match=r"there is no variant 'gan', as it has none"):
        read_study_file(tmp_path / "study.yaml", variant="gan")


def document(tree: Mapping[str, Any]) -> Document:
    return parse_yaml(dump_yaml(dict(tree)), "study")


scalars = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b"])
keys = st.sampled_from(["kind", "rate", "size", "choice"])
values = st.recursive(
    scalars, lambda below: st.lists(below, max_size=2) | st.dictionaries(keys, below, max_size=3)
)
trees = st.dictionaries(st.sampled_from(["model", "train", "data"]), values, max_size=3)


def merged(base: Any, overlay: Any) -> Any:
    """The rule, in a form of its own."""
    sections = isinstance(base, dict) and isinstance(overlay, dict)
    if not sections or "choice" in base or "choice" in overlay:
        return overlay
    if "kind" in overlay and overlay["kind"] != base.get("kind"):
        return overlay
    return {**base, **{k: merged(base[k], v) if k in base else v for k, v in overlay.items()}}


@quickly
@given(trees, trees, trees)
def test_overlays_are_merged_by_the_rule(
    base: dict[str, Any], variant: dict[str, Any], smoke: dict[str, Any]
) -> None:
    tree = {"name": "x", **base, "smoke": smoke, "variants": {"v": variant}}
    before = copy.deepcopy(tree)
    whole = with_overlays(document(tree), smoke=True, variant="v")
    expected = {"name": "x", **base}
    for overlay in (variant, smoke):
        for key, value in overlay.items():
            expected[key] = merged(expected[key], value) if key in expected else value
    assert whole.tree == {**expected, "name": "x-v-smoke"}
    assert tree == before


@quickly
@given(trees, trees)
def test_every_line_is_that_of_the_value_merged_in(
    base: dict[str, Any], smoke: dict[str, Any]
) -> None:
    origin = document({"name": "x", **base, "smoke": smoke})
    whole = with_overlays(origin, smoke=True)

    def check(node: Any, path: tuple[str | int, ...]) -> None:
        above = [path, ("smoke", *path)]
        assert whole.lines[path] in {origin.lines[p] for p in above if p in origin.lines}
        if isinstance(node, dict | list):
            for key, value in node.items() if isinstance(node, dict) else enumerate(node):
                check(value, (*path, key))

    for key, value in whole.tree.items():
        check(value, (key,))
