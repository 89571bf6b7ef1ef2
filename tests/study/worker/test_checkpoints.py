from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from study.results.storage import Storage
from study.spec.errors import UserError
from study.worker.checkpoints import parse_checkpoint, read_checkpoint, write_checkpoint
from study.worker.workbench import Workbench


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.from_uri(str(tmp_path))


def bench(storage: Storage) -> Workbench:
    return Workbench(storage, torch.device("cpu"))


def test_tensors_and_plain_values_come_back_as_they_were(storage: Storage) -> None:
    model = nn.Linear(3, 2)
    state = {"model": model.state_dict(), "epoch": 7, "rate": 0.5, "names": ["a"], "rng": None}
    file = write_checkpoint(bench(storage), "small", 0, 7, state)
    assert len(storage.read(file.name)) == file.bytes
    again = read_checkpoint(storage, file.name, "cpu")
    assert all(torch.equal(again["model"][name], value) for name, value in state["model"].items())
    assert {**again, "model": 0} == {**state, "model": 0}
    assert again["model"]["weight"].device == torch.device("cpu")


@pytest.mark.parametrize("name", ["trial-0000-epoch-00001.pt", ""])
def test_damage_is_one_line(storage: Storage, name: str) -> None:
    file = write_checkpoint(
        Workbench(storage, torch.device("cpu")), "small", 0, 1, {"weights": torch.arange(100.0)}
    )
    name = name or file.name
    data = storage.read(file.name)
    flipped = bytes([*data[:-9], data[-9] ^ 1, *data[-8:]])
    for damaged in (b"", data[: len(data) // 2], b"x" * 50, pickle.dumps([1]), flipped):
        with pytest.raises(UserError, match=f"The checkpoint {name} is damaged: ") as caught:
            parse_checkpoint(damaged, name, "cpu")
        assert "\n" not in str(caught.value)


def test_a_checkpoint_of_an_older_version_is_read() -> None:
    buffer = io.BytesIO()
    torch.save({"epoch": 3, "weights": torch.ones(2)}, buffer)
    state = parse_checkpoint(buffer.getvalue(), "s/checkpoints/trial-0000-epoch-00003.pt", "cpu")
    assert state["epoch"] == 3
    assert torch.equal(state["weights"], torch.ones(2))


def test_no_code_of_a_file_is_run() -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return pytest.fail, ("unpickled",)

    buffer = io.BytesIO()
    torch.save({"bomb": Bomb()}, buffer)
    with pytest.raises(UserError, match="Weights only load failed"):
        parse_checkpoint(buffer.getvalue(), "s/checkpoints/trial-0000-epoch-00003.pt", "cpu")


def test_a_missing_one_is_missing(storage: Storage) -> None:
    with pytest.raises(FileNotFoundError):
        read_checkpoint(storage, "small/checkpoints/none.pt", "cpu")
