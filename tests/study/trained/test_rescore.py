"""`study rescore`: trials scored again from their checkpoints."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from specs import plain
from trained_trials import trained

from study.driver.files import checkpoints
from study.results.arrow_values import rows
from study.results.query import query
from study.results.storage import Storage
from study.spec import UserError
from study.trained import rescore as rescoring
from study.trained.load import load_trial
from study.trained.rescore import rescore
from study.worker.checkpoints import read_checkpoint

pytestmark = pytest.mark.slow

TRUE: dict[str, float] = {}


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two trials, that of fewer timesteps the best by what the ledger says; and a GAN's study."""
    folder = tmp_path_factory.mktemp("studies")
    storage = Storage.from_uri(str(folder))
    for name in ("small", "gans"):
        storage.claim(name, yaml.safe_dump(plain(name=name)))
    few = {**plain()["model"], "timesteps": 25}
    TRUE["ddpm"] = trained(storage, 0, value=2.0)
    trained(storage, 1, value=1.0, model=few)
    trained(storage, 0, "gan", name="gans")
    return folder


@pytest.fixture
def storage(trials: Path, tmp_path: Path) -> Storage:
    """The same trials, for one test to write to."""
    for file in trials.rglob("*"):
        if file.is_file():
            target = tmp_path / file.relative_to(trials)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    return Storage.from_uri(str(tmp_path))


def scores(storage: Storage, more: str = "true") -> list[dict[str, Any]]:
    found = query(storage, f"from scores where stage = 'rescore' and {more} order by written")
    return rows(found)


def test_unchanged_settings_give_the_score_of_the_search(storage: Storage) -> None:
    done = rescore(storage, "small", trials=[0])
    assert (done.trials, done.measured, done.kept) == ((0,), 1, 0)
    (row,) = scores(storage)
    wanted = "from scores where stage = 'search' and trial = 0"
    (search,) = rows(query(storage, wanted, ["small"]))
    assert row["value"] == pytest.approx(TRUE["ddpm"], rel=1e-6)
    assert row["spread"] > 0
    assert (row["variation"] > 0.1, row["collapsed"]) == (True, False)
    assert row["weights"] == "averaged"
    same = ("epoch", "metric", "samples", "sampler", "steps", "seed", "embedder", "reference")
    assert {key: row[key] for key in same} == {key: search[key] for key in same}


def test_the_best_are_scored_in_the_order_of_the_search(storage: Storage) -> None:
    told: list[str] = []
    done = rescore(storage, "small", top=2, changes={"samples": 20}, watch=told.append)
    assert done.trials == (1, 0)
    assert [row["trial"] for row in scores(storage)] == [1, 0]
    assert told == [
        "trial 1 (1 of 2): 20 images by ddim in 5 steps ...",
        "trial 0 (2 of 2): 20 images by ddim in 5 steps ...",
    ]


def test_every_change_is_in_the_rows(storage: Storage) -> None:
    changes = {
        "sampler": {"kind": "ddim", "eta": 0.5},
        "steps": 3,
        "samples": 30,
        "metric": "sliced_wasserstein",
        "also": ["precision", "recall"],
    }
    done = rescore(storage, "small", trials=[0], changes=changes, seeds=2)
    found = scores(storage)
    assert Counter(row["metric"] for row in found) == {
        "sliced_wasserstein": 2,
        "precision": 2,
        "recall": 2,
    }
    assert {(row["sampler"], row["steps"], row["samples"]) for row in found} == {
        ("ddim(eta=0.5)", 3, 30)
    }
    assert len({row["seed"] for row in found}) == 2
    assert 0 in {row["seed"] for row in found}  # the search's own comes first
    assert len({row["value"] for row in found if row["metric"] == "sliced_wasserstein"}) == 2
    assert done.setups == {("sliced_wasserstein", 30, "ddim(eta=0.5)", 3, "averaged")}


def test_what_is_there_is_kept_unless_asked_for_again(storage: Storage) -> None:
    def measured(**more: Any) -> tuple[int, int]:
        done = rescore(storage, "small", trials=[0], **more)
        return done.measured, done.kept

    settings: dict[str, Any] = {"changes": {"samples": 20}}
    assert measured(**settings) == (1, 0)
    assert measured(**settings) == (0, 1)
    assert measured(**settings, seeds=3) == (2, 1)
    assert len(scores(storage)) == 3
    assert measured(**settings, again=True) == (1, 0)
    assert len({row["value"] for row in scores(storage)}) == 3  # made anew, and the same
    assert measured(**settings, averaged=False) == (1, 0)
    also = {"changes": {"samples": 20, "also": ["recall"]}}
    assert measured(**also) == (1, 0)
    assert measured(**also) == (0, 1)


def test_both_kinds_of_weights_can_be_scored(storage: Storage) -> None:
    rescore(storage, "small", trials=[0], averaged=False)
    (row,) = scores(storage)
    assert row["weights"] == "trained"
    assert row["value"] != pytest.approx(TRUE["ddpm"], rel=1e-6)
    saved = read_checkpoint(storage, checkpoints(storage, "small")[0][-1], "cpu")
    for averaged, key in ((True, "ema"), (False, "family")):
        family = load_trial(storage, "small", 0, averaged=averaged).family
        for name, tensor in family.state_dict().items():
            assert torch.equal(tensor, saved["training"][key][name])


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"changes": {"sampler": "dim"}}, "--sampler dim: unknown sampler 'dim'"),
    ({"changes": {"sampler": {"kind": "ddim", "eta": 2}}}, "eta: 2 must be less than or equal to"),
    ({"changes": {"sampler": "improved"}}, "'improved' cannot sample the family 'ddpm'"),
    ({"changes": {"sampler": "ddim"}, "study": "gans"}, "cannot sample the family 'gan'"),
    ({"changes": {"steps": 30}}, "--steps 30: 30 must be <= `model.timesteps` (25) (trial 1)"),
    ({"changes": {"steps": "5x"}}, "--steps 5x: '5x' must be a valid integer"),
    ({"changes": {"samples": 1}}, "--samples 1: 1 must be greater than or equal to 2"),
    ({"changes": {"metric": "fidd"}}, "did you mean `fid`?"),
    (
        {"changes": {"metric": "fd"}},
        "--embedder: `metric: fd` needs an embedder, by name or import path (trial 1)",
    ),
    (
        {"changes": {"samples": 3, "also": ["precision"]}},
        "--samples 3: 3 generated images are too few for precision, which takes 4 or more",
    ),
    ({"changes": {"embedder": "vae"}}, "'vae' must be 'pixels', which fd_pixels means"),
    ({"changes": {"also": ["precission"]}}, "--also precission: unknown measure"),
    ({"changes": {"also": ["fd"]}}, "fd is what fd_pixels measures already"),
    ({"changes": {"steps": {"int": [5]}}}, "--steps {int: [5]}: an int hole is written"),
    (
        {"changes": {"steps": {"int": [5, 9]}, "sampler": "ddim"}, "trials": [0]},
        "write {name: small-sweep, weights: {study: small, trial: 0}, "
        "score: {steps: {int: [5, 9]}, sampler: ddim}, search: {trials: 20}} to a file",
    ),
    ({"trials": [0, 7]}, "no trial 7 in study 'small', which has 0 to 1"),
    ({"study": "smal"}, "did you mean 'small'?"),
]


@pytest.mark.parametrize(("call", "rule"), MISTAKES, ids=lambda value: str(value)[:40])
def test_a_mistake_is_one_line_and_nothing_is_written(
    storage: Storage, call: dict[str, Any], rule: str
) -> None:
    before = sorted(Path(storage.root).rglob("*"))
    call = {"study": "small", "top": 2, **call}
    with pytest.raises(UserError) as caught:
        rescore(storage, **call)
    assert rule in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(Path(storage.root).rglob("*")) == before


def test_ctrl_c_keeps_what_is_done(storage: Storage) -> None:
    def press(told: str) -> None:
        if told.startswith("trial 0 (2 of 2), seed 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rescore(storage, "small", top=2, changes={"samples": 20}, seeds=2, watch=press)
    assert [row["trial"] for row in scores(storage)] == [1, 1, 0]
    done = rescore(storage, "small", top=2, changes={"samples": 20}, seeds=2)
    assert (done.measured, done.kept) == (1, 3)


def test_what_cannot_be_measured_says_so(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: Any, **more: Any) -> None:
        raise UserError("the features hold NaN")

    monkeypatch.setattr(rescoring, "evaluate", fail)
    with pytest.raises(UserError, match=r"^trial 1 cannot be scored so: the features hold NaN$"):
        rescore(storage, "small", top=2, changes={"samples": 3})
    assert scores(storage) == []
