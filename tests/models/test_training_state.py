from __future__ import annotations

import io
from collections.abc import Callable
from functools import partialmethod
from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from trainings import same, start

from models import (
    generate,
    train,
)
from models.optimizers import OPTIMIZERS


@pytest.fixture
def images(digits: Tensor) -> Tensor:
    return digits[:21]  # with batches of 8: a last batch of 5


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
@pytest.mark.parametrize("stop", range(1, 7))
def test_a_run_resumed_after_any_batch_is_the_run_that_never_stopped(
    model: dict[str, Any], images: Tensor, stop: int, optimizer: str
) -> None:
    whole, first = start(model, optimizer=optimizer), start(model, optimizer=optimizer)
    list(train(whole, images, epochs=2))
    list(islice(train(first, images, epochs=2), stop))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)

    second = start(model, optimizer=optimizer)
    second.load_state_dict(torch.load(file, weights_only=True))
    rest = list(train(second, images, epochs=2))
    assert len(rest) == 6 - stop
    assert second.images_seen == whole.images_seen == 42
    assert same(second.family, whole.family)
    assert same(second.ema, whole.ema)


@pytest.mark.parametrize("setting", [{"batch_size": 4}, {"seed": 9}])
def test_a_checkpoint_of_other_batches_is_refused(
    model: dict[str, Any], setting: dict[str, int]
) -> None:
    with pytest.raises(ValueError, match=f"`{next(iter(setting))}` is"):
        start(model, **setting).load_state_dict(start(model).state_dict())


def test_a_compiled_family_trains_and_samples_as_ever_and_its_checkpoint_has_the_same_names(
    images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With torch's tracer in full, and no code generated, which would take a minute."""
    model = {
        "family": "ddpm",
        "timesteps": 20,
        "schedule": "cosine",
        "network": {"kind": "cnn", "channels": [4]},
    }
    graphs: list[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
        del inputs
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend=keep))
    plain, compiled = (start(model, compile=compile_) for compile_ in (False, True))
    torch.compiler.reset()
    for state in (plain, compiled):
        list(train(state, images[:8], epochs=2))
        assert len(graphs) == (state is compiled)  # the network's, once
    assert plain.state_dict()["family"].keys() == compiled.state_dict()["family"].keys()
    torch.testing.assert_close(compiled.family.state_dict(), plain.family.state_dict())
    samples = [
        generate(state.ema, 4, sampler="ddim", steps=3, seed=0) for state in (plain, compiled)
    ]
    assert len(graphs) == 2  # the averaged network's too
    torch.testing.assert_close(*samples, rtol=0, atol=1)
    plain.load_state_dict(compiled.state_dict())
    assert same(plain.family, compiled.family)
