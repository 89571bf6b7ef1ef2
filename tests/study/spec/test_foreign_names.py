from __future__ import annotations

from typing import Any

import pytest
from study_trees import changed, parse_study, tree

from study.spec import UserError
from study.spec.foreign_names import _OURS, _THERE, _VALUES, normalised
from study.spec.names import nearest
from study.spec.schema import study_schema
from study.spec.schema_section import section_schema


@pytest.mark.parametrize("name", sorted({*_OURS, *_THERE.values()}))
def test_what_is_suggested_is_there(name: str) -> None:
    assert section_schema(name)


def test_no_foreign_name_is_declared_twice() -> None:
    names = [normalised(name) for names in _OURS.values() for name in names.split()]
    assert sorted(names) == sorted({*names})


def test_values_that_are_suggested_are_there() -> None:
    text = str(study_schema())
    assert not [value for value in _VALUES if f"'{value}'" not in text]


def test_no_foreign_name_is_a_key_of_that_section() -> None:
    for ours, names in _OURS.items():
        section, _, _ = ours.rpartition(".")
        if section:
            keys = section_schema(section).get("properties", {})
            assert not [name for name in names.split() if name in keys]


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("FID", ["fid", "fd_vae"], "fid"),
        ("Adam", ["adamw", "adam"], "adam"),
        ("CMAES", ["tpe", "cma-es"], "cma-es"),
        ("bayesian", ["random", "tpe"], "tpe"),
        ("sobol", ["tpe", "qmc"], "qmc"),
        ("MAE", ["mse", "l1"], "l1"),
        ("Fashion-MNIST", ["mnist", "fashion_mnist"], "fashion_mnist"),
        ("mnist6k", ["mnist5k"], "mnist5k"),
        ("zzz", ["fid"], ""),
    ],
)
def test_case_and_meaning_are_looked_at_first(name: str, known: list[str], meant: str) -> None:
    assert nearest(name, known) == (f"; did you mean `{meant}`?" if meant else "")


def placed(path: str, value: Any) -> dict[str, Any]:
    section, _, key = path.rpartition(".")
    file = tree()
    place = file.setdefault(section, {}) if section else file
    place[key] = value
    return file


@pytest.mark.parametrize(
    ("path", "value", "meant"),
    [
        ("device", "cuda", "scale.gpus_per_worker"),
        ("train.device", "cuda", "scale.gpus_per_worker"),
        ("train.lr", 0.1, "learning_rate"),
        ("lr", 0.1, "train.learning_rate"),
        ("model.lr", 0.1, "train.learning_rate"),
        ("train.batch", 8, "batch_size"),
        ("data.batch_size", 8, "train.batch_size"),
        ("search.epochs", 8, "train.epochs"),
        ("epochs", 8, "train.epochs"),
        ("search.n_trials", 8, "trials"),
        ("search.num_samples", 8, "trials"),
        ("n_trials", 8, "search.trials"),
        ("train.seed", 8, "search.seed"),
        ("seed", 8, "search.seed"),
        ("data.num_workers", 8, "scale.workers_per_trial"),
        ("scale.num_workers", 8, "workers_per_trial"),
        ("scale.gpus", 8, "gpus_per_worker"),
        ("gpus", 8, "scale.gpus_per_worker"),
        ("data.image_size", 8, "size"),
        ("data.path", "cats", "dataset"),
        ("dataset", "cats", "data.dataset"),
        ("search.metric", "fid", "score.metric"),
        ("search.scheduler", "asha", "pruner"),
        ("train.scheduler", "cosine", "decay"),
        ("train.timesteps", 8, "model.timesteps"),
        ("model.optimizer", "adam", "train.optimizer"),
        ("train.LR", 8, "learning_rate"),
        ("train.batchSize", 8, "batch_size"),
        ("search.concurrency", 8, "scale.lanes"),
        ("n_jobs", 8, "scale.lanes"),
        ("model.num_train_timesteps", 8, "timesteps"),
        ("experiment", "x", "name"),
    ],
)
def test_a_key_of_another_tool_gets_ours(path: str, value: Any, meant: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_study(placed(path, value))
    assert f": {path}: unknown key; did you mean `{meant}`?" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "meant"),
    [
        ("score.metric", "FID", "fid"),
        ("search.sampler", "TPE", "tpe"),
        ("search.sampler", "bayesian", "tpe"),
        ("search.pruner", "successive_halving", "asha"),
        ("train.optimizer", "Adam", "adam"),
        ("train.optimizer", {"kind": "SGD"}, "sgd"),
        ("model.loss", "L1", "l1"),
        ("model.loss", "mae", "l1"),
        ("model.network", "UNet", "unet"),
        ("data.dataset", "MNIST", "mnist"),
    ],
)
def test_a_value_of_another_tool_gets_ours(path: str, value: Any, meant: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_study(placed(path, value))
    assert f"did you mean `{meant}`?" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ("train.optimizer", {"type": "adam"}, "kind"),
        ("model.schedule", {"name": "cosine"}, "kind"),
        ("model", {"type": "gan"}, "family"),
    ],
)
def test_what_a_kind_is_called_elsewhere(path: str, value: Any, key: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_study(placed(path, value))
    other = next(iter(value))
    line = f": {path}.{key}: is missing; what is `{other}` elsewhere is `{key}` here"
    assert line in str(caught.value)


def test_a_key_that_several_sections_have_gets_them_all() -> None:
    with pytest.raises(UserError, match=r"did you mean `score\.samples` or `finalists\.samples`\?"):
        parse_study(changed(search={"samples": 8}))
