from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from study.results.storage import Storage
from study.worker.checkpoints import parse_checkpoint, read_checkpoint, write_checkpoint


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.from_uri(str(tmp_path))


def test_tensors_and_plain_values_come_back_as_they_were(storage: Storage) -> None:
    model = nn.Linear(3, 2)
    state = {"model": model.state_dict(), "epoch": 7, "rate": 0.5, "names": ["a"], "rng": None}
    file = write_checkpoint(storage, "small/checkpoints/trial-0000-epoch-00007.pt", state)
    assert len(storage.read(file.name)) == file.bytes
    again = read_checkpoint(storage, file.name, "cpu")
    assert all(torch.equal(again["model"][name], value) for name, value in state["model"].items())
    assert {**again, "model": 0} == {**state, "model": 0}
    assert again["model"]["weight"].device == torch.device("cpu")


def test_it_takes_the_place_of_what_was_there_whole(storage: Storage) -> None:
    for epoch in (1, 2):
        file = write_checkpoint(storage, "a.pt", {"epoch": epoch})
    assert read_checkpoint(storage, file.name, "cpu") == {"epoch": 2}
    assert [*storage.files("")] == ["a.pt"]  # no temporary file is left


def test_no_code_of_a_file_is_run() -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return pytest.fail, ("unpickled",)

    buffer = io.BytesIO()
    torch.save({"bomb": Bomb()}, buffer)
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        parse_checkpoint(buffer.getvalue(), "cpu")


def test_a_missing_one_is_missing(storage: Storage) -> None:
    with pytest.raises(FileNotFoundError):
        read_checkpoint(storage, "small/checkpoints/none.pt", "cpu")
