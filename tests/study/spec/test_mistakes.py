"""Mistakes in a study file: one line each, with the place and the rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_trees import TEXT, changed, parse_study, quickly, tree

from study.spec import UserError, read_study_file, read_study_text

MISTAKES: list[tuple[str, str, str, str]] = [
    # what is replaced, by what, the line and path, the rule
    ("epochs: 9", "epoch: 9", "13: train.epoch", "unknown key; did you mean `epochs`?"),
    (
        "epochs: 9",
        "quarks: 9",
        "13: train.quarks",
        "unknown key; known are augment, batch_size, clip",
    ),
    ("epochs: 9", "clip_norm: 1.0", "12: train.epochs", "is missing"),
    ("epochs: 9", "epochs: 9.5", "13: train.epochs", "9.5 must be a valid integer"),
    ("epochs: 9", "epochs: many", "13: train.epochs", "'many' must be a valid integer"),
    ("epochs: 9", "epochs: true", "13: train.epochs", "True must be a valid integer"),
    ("epochs: 9", "epochs:", "13: train.epochs", "null must be a valid integer"),
    ("epochs: 9", "epochs: 0", "13: train.epochs", "0 must be greater than or equal to 1"),
    ("epochs: 9", "epochs: {int: [9, 0]}", "13: train.epochs", "low 9 is greater than high 0"),
    ("epochs: 9", "epochs: {int: [0, 9]}", "13: train.epochs", "0 must be greater than or"),
    ("1e-4, 1e-2", "0, 1e-2", "15: train.learning_rate", "log of 0"),
    ("1e-4, 1e-2", "1e-4, 11", "15: train.learning_rate", "11.0 must be less than or equal to 10"),
    ("1e-4, 1e-2", "1e-4, .inf", "15: train.learning_rate", "inf in a float hole is not a finite"),
    ("[32, 64]", "[]", "14: train.batch_size", "an empty choice"),
    ("[32, 64]", "[32, 0]", "14: train.batch_size", "0 must be greater than or equal to 1"),
    ("kind: cosine, max", "kind: cosine, mix", "9: model.schedule.mix_beta", "did you mean `max_"),
    ("kind: cosine", "kind: cosinus", "9: model.schedule.kind", "did you mean `cosine`?"),
    ("kind: constant, ", "", "10: model.schedule.kind", "is missing"),
    (
        "0.1, 0.999",
        "0.1, 1",
        "9: model.schedule.max_beta",
        "1.0 must be less than or equal to 0.99",
    ),
    ("kind: unet", "kind: onet", "11: model.network.kind", "did you mean `unet`?"),
    ("family: ddpm", "family: dpm", "4: model.family", "did you mean `ddpm`?"),
    ("[8], [8, 16]", "[8], [8, 2]", "11: model.network.channels.1", "2 must be greater than or"),
    ("{choice: [[8], [8, 16]]}", "7", "11: model.network.channels", "7 must be a list"),
    ("{choice: [[8], [8, 16]]}", "[]", "11: model.network.channels", "[] must have at least 1"),
    ("[8, 16]", "[8, 8, 8, 8, 8]", "11: model.network.channels", "divisible by 16"),
    ("dataset: digits", "dataset: digit", "2: data.dataset", "unknown data set 'digit': known are"),
    ("dataset: digits", "dataset: digits, size: 4", "2: data.size", "4 must be greater than or"),
    ("dataset: digits", "dataset: {choice: [digits]}", "2: data.dataset", "a hole cannot stand"),
    ("fd_pixels", "fidd", "16: score.metric", "unknown metric 'fidd': known are fid, fd_vae, "),
    ("fd_pixels", "fd_pixels, embedder: lpips", "16: score.embedder", "unknown embedder 'lpips'"),
    ("fd_pixels", "fd_pixels, embedder: vae", "16: score.embedder", "'vae' must be 'pixels'"),
    ("steps: 5", "steps: 11", "16: score.steps", "11 must be <= `model.timesteps` (10)"),
    ("steps: 5", "sampler: dim, steps: 5", "16: score.sampler", "did you mean `ddim`?"),
    ("sampler: random", "sampler: randm", "17: search.sampler", "did you mean `random`?"),
    ("sampler: random", "sampler: grid", "17: search.sampler", "`model.timesteps` has no finite"),
    ("trials: 4", "trials: 4, pruner: ash", "17: search.pruner", "did you mean `asha`?"),
    ("trials: 4", "trials: 4, pruner: 7", "17: search.pruner", "7 must be a section"),
    ("trials: 4", "trials: 4, pruner: {kind: ash}", "17: search.pruner.kind", "`asha`?"),
    ("trials: 4", "trials: 4, pruner: {kind: asha, factor: 2}", "17: search.pruner.factor", "redu"),
    ("trials: 4", "trials: 4, pruner: threshold", "17: search.pruner", "needs `lower` or `upper`"),
    (
        "trials: 4",
        "trials: 4, pruner: asha, objectives: [score, parameters]",
        "17: search.pruner",
        "the pruner 'asha' cannot stop trials by several objectives",
    ),
    ("trials: 4", "trials: 4, objectives: [parameters]", "17: search.objectives", "must hold"),
    ("trials: 4", "trials: 4, objectives: [score, score]", "17: search.objectives", "twice"),
    ("trials: 4", "trials: 4, objectives: [fun]", "17: search.objectives.0", "'fun' is not one of"),
    ("trials: 4", "trials: 0", "17: search.trials", "0 must be greater than or equal to 1"),
    ("trials: 4", "trials: 4, seed: -1", "17: search.seed", "-1 must be greater than or equal to"),
    ("name: small", "name: a b", "1: name", "'a b' must be 1 to 80 letters, digits"),
    ("name: small", "name: 5", "1: name", "5 must be a valid string"),
    ("name: small", "choice: [1]", "1", "unknown key `data` in a choice hole"),
    ("data: {dataset: digits}", "data: digits", "2: data", "'digits' must be a section with keys"),
    ("data: {dataset: digits}", "date: {dataset: digits}", "2: date", "did you mean `data`?"),
    ("model:\n", "modle:\n", "3: modle", "unknown key; did you mean `model`?"),
    (
        "trials: 4}",
        "trials: 4}\nscale: {gpus_per_worker: 1.5}",
        "18: scale.gpus_per_worker",
        "1.5 must be a whole number, as it is above 1",
    ),
    (
        "trials: 4",
        "trials: 4, enqueue: [{train.learn_rate: 1}]",
        "17: search.enqueue.0.train.learn_rate",
        "no such dimension; did you mean `train.learning_rate`?",
    ),
    (
        "trials: 4",
        "trials: 4, enqueue: [{train.learning_rate: 1}]",
        "17: search.enqueue.0.train.learning_rate",
        "1 is not in float 0.0001 to 0.01, log",
    ),
    (
        "trials: 4",
        "trials: 4, enqueue: [{}, {model.schedule: sigmoid}]",
        "17: search.enqueue.1.model.schedule",
        "sigmoid is not one of linear, cosine, constant",
    ),
    (
        "trials: 4",
        "trials: 4, enqueue: [{model.schedule.cosine.max_beta: 0.5}]",
        "17: search.enqueue.0.model.schedule.cosine.max_beta",
        "needs `model.schedule: cosine` in the same point",
    ),
]


MISTAKES += [
    (
        "family: ddpm",
        "family: ddpm\n  loss: l3",
        "5: model.loss",
        "unknown loss 'l3': known are mse",
    ),
    (
        "family: ddpm",
        "family: ddpm\n  loss: {kind: l3}",
        "5: model.loss.kind",
        "did you mean `l1`?",
    ),
    ("kind: cosine, max", "kind: sigmoid, start: 3, max", "9: model.schedule.end", "> `start` (3)"),
    ("kind: unet,", "kind: cnn, tim: first,", "11: model.network.tim", "did you mean `time`?"),
    (
        "kind: unet,",
        "kind: unet, attention: [3],",
        "11: model.network.attention",
        "images of side 3",
    ),
    (
        "kind: unet,",
        "kind: dit, zzz: 1,",
        "11: model.network.zzz",
        "unknown key; known are",
    ),
    (
        "{kind: unet, channels: {choice: [[8], [8, 16]]}}",
        "{kind: dit, patch: {choice: [2, 3]}}",
        "11: model.network.patch",
        "do not go through a network with patch 3: the side must be divisible by 3",
    ),
    (
        "{kind: unet, channels: {choice: [[8], [8, 16]]}}",
        "{kind: custom, path: mine.Net}",
        "11: model.network.path",
        "'mine.Net' must be written package.module:Class",
    ),
    (
        "{kind: unet, channels: {choice: [[8], [8, 16]]}}",
        "custom",
        "11: model.network.path",
        "is missing",
    ),
    (
        "{kind: unet, channels: {choice: [[8], [8, 16]]}}",
        "{choice: {a: {kind: cnn}, b: {kind: unet, attention: [5]}}}",
        "11: model.network.attention",
        "no layer sees images of side 5",
    ),
    (
        "digits}",
        "digits, split: {kind: k_fold, fold: 5}}",
        "2: data.split.fold",
        "5 must be < `fol",
    ),
    ("digits}", "digits, split: k_fld}", "2: data.split", "did you mean `k_fold`?"),
    ("digits}", "digits, split: leave_one_out}", "16: score.against", "single image"),
    ("digits}", "digits, count: 9, fraction: 0.5}", "2: data.count", "must not stand beside"),
    ("digits}", "./digits}", "2: data.size", "is missing: pictures at a path have no size"),
    ("digits}", "bulbasaur}", "2: data.dataset", "a folder is written ./bulbasaur"),
    ("digits}", "digits, edges: sobl}", "2: data.edges", "did you mean `sobel`?"),
    (
        "digits}",
        "digits, split: {kind: k_fold, fold: {int: [0, 4]}}}",
        "2: data.split.fold",
        "a hole can stand here only with `score.against: everything`: else each split is scored",
    ),
    (
        "steps: 5",
        "sampler: improved, steps: 5",
        "16: score.sampler",
        "cannot sample the family 'ddpm'",
    ),
    ("steps: 5", "sampler: dpm, steps: 5", "16: score.sampler", "did you mean `ddim`?"),
    (
        "steps: 5",
        "sampler: {kind: ancestral, variance: learned}, steps: 5",
        "16: score.sampler.variance",
        "'learned' needs `model.variance: learned`",
    ),
    (
        "steps: 5",
        "steps: {int: [5, 11]}",
        "16: score.steps",
        "11 must be <= `model.timesteps` (10)",
    ),
    (
        "epochs: 9",
        "epochs: 9\n  augment: {hue: 1}",
        "14: train.augment.hue",
        "less than or equal to",
    ),
    ("epochs: 9", "epochs: 9\n  optimizer: adm", "14: train.optimizer", "did you mean `adam`?"),
    (
        "epochs: 9",
        "epochs: 9\n  early_stopping: {}\n  validation_images: 0",
        "14: train.early_stopping",
        "needs a validation loss: `validation_images` is 0",
    ),
    (
        "epochs: 9",
        "epochs: 9\n  decay: cosine\n  warmup_images: 100_000",
        "15: train.warmup_images",
        "'100_000' must be a valid integer",
    ),
    (
        "epochs: 9",
        "epochs: 9\n  decay: cosine\n  warmup_images: 100000",
        "15: train.warmup_images",
        "100000 must be < the 12942 images of the whole training",
    ),
]


@pytest.mark.parametrize(("old", "new", "where", "rule"), MISTAKES, ids=lambda value: value[:30])
def test_a_mistake_is_one_line_with_its_place(old: str, new: str, where: str, rule: str) -> None:
    assert TEXT.count(old) == 1
    with pytest.raises(UserError) as caught:
        read_study_text(TEXT.replace(old, new), "small.yaml")
    message = str(caught.value)
    assert message.startswith(f"small.yaml:{where}: "), message
    assert rule in message
    assert "\n" not in message
    assert len(message) < 300


def test_a_starting_point_that_is_no_valid_study() -> None:
    file = changed(
        search={"enqueue": [{"train.batch_size": 32, "model.timesteps": 10, "beta": 0.02}]}
    )
    file["model"] = {
        **file["model"],
        "timesteps": {"choice": [100, 10]},
        "schedule": {"kind": "constant", "scaled": True, "beta": {"choice": [0.001, 0.02]}},
        "network": {"kind": "unet", "channels": [8]},
    }
    file["train"] = {"epochs": 2, "learning_rate": 1e-3}
    file["search"]["enqueue"] = [{"model.timesteps": 10, "model.schedule.beta": 0.02}]
    with pytest.raises(UserError, match=r"search\.enqueue\.0: is no valid study: model\.schedule"):
        parse_study(file)


@pytest.mark.parametrize("text", ["", "5", "[1, 2]", "just words"])
def test_a_study_file_is_a_mapping(text: str) -> None:
    with pytest.raises(UserError, match=r"small\.yaml: a study file is a mapping"):
        read_study_text(text, "small.yaml")


def test_a_whole_study_cannot_be_a_choice() -> None:
    with pytest.raises(UserError, match="a hole cannot stand here, only in model, train, data"):
        read_study_text("choice: [{a: 1}]", "small.yaml")


def test_many_trials_of_one_point_are_refused() -> None:
    file = tree()
    file["model"] = {
        "family": "ddpm",
        "schedule": {"kind": "cosine"},
        "network": {"kind": "unet", "channels": [8]},
    }
    file["train"] = {"epochs": 1, "learning_rate": 1e-3}
    with pytest.raises(UserError, match="4 trials of a study without holes"):
        parse_study(file)
    file["search"]["trials"] = 1
    assert parse_study(file).space.dimensions() == []


def test_a_bad_name_is_named(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(TEXT)
    for name in ("", "a/b", ".hidden", "x" * 81):
        with pytest.raises(UserError, match=r"--name .*: name: .* must be 1 to 80 letters"):
            read_study_file(path, name=name)


leaf = st.none() | st.booleans() | st.integers(-1, 5) | st.floats() | st.sampled_from(["asha", "x"])


@quickly
@given(
    st.sampled_from(
        [
            *("name", "data", "data.size", "model", "model.schedule", "model.network.channels"),
            *("train", "train.epochs", "score", "score.metric", "search", "search.pruner"),
            *("search.enqueue", "search.objectives", "scale", "nonsense", "train.nonsense"),
            *("data.dataset", "data.split", "score.sampler", "score.steps", "model.loss"),
            *("train.optimizer", "train.augment", "smoke", "variants"),
        ]
    ),
    st.recursive(
        leaf,
        lambda below: (
            st.lists(below, max_size=2)
            | st.dictionaries(st.sampled_from(["kind", "choice", "int", "float", "epochs"]), below)
        ),
        max_leaves=6,
    ),
)
def test_whatever_stands_in_a_file_it_is_valid_or_one_line(path: str, value: Any) -> None:
    file = tree()
    *sections, key = path.split(".")
    node = file
    for section in sections:
        node = node[section]
    node[key] = value
    message = ""
    try:
        parse_study(file)
    except UserError as error:
        message = str(error)
    assert message == "" or message.startswith("study:")
    assert "\n" not in message
