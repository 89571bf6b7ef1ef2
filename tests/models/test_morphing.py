from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import pytest
import torch
from restorers import SHAPE, Imperfect, images, morph_set, seeded
from torch import Tensor, nn

from models.images import to_float
from models.morphing import Morphing
from models.regression_losses import L1
from models.samplers import MORPH_SAMPLERS, improved, respaced
from models.schedules import SCHEDULES, cosine, linear


def run(sampler: Any, model: Morphing, x_T: Tensor, z: Tensor, **options: Any) -> Tensor:
    t = options.pop("t", model.schedule.timesteps - 1)
    *_, last = sampler(model, x_T, z=z, t=t, generator=seeded(), **options)
    result: Tensor = last.x
    return result


@pytest.mark.parametrize("kind", sorted(SCHEDULES))
def test_degrading_keeps_the_square_roots_of_the_shares(kind: str) -> None:
    model = Morphing(Imperfect(), SCHEDULES[kind](40), SHAPE, morph_set())
    x, z, t = images(0), images(1), torch.tensor([0, 5, 20, 39])
    expected = torch.stack(
        [
            math.sqrt(bar) * x[i] + math.sqrt(1 - bar) * z[i]
            for i, bar in enumerate(model.schedule.alpha_bars[t].tolist())
        ]
    )
    torch.testing.assert_close(model.degrade(x, z, t), expected)


def test_the_loss_is_the_error_of_the_restored_image() -> None:
    towards, x0 = morph_set(), images(3, 5)
    model = Morphing(Imperfect(), cosine(30), SHAPE, towards)
    t, index = model.draw(5, seeded())
    bar = model.schedule.alpha_bars[t].view(-1, 1, 1, 1).float()
    z = towards[index].float() / 127.5 - 1
    error = model.network(bar.sqrt() * x0 + (1 - bar).sqrt() * z, t) - x0
    torch.testing.assert_close(model(x0, t, index), error.square().mean(dim=(1, 2, 3)))
    absolute = Morphing(model.network, cosine(30), SHAPE, towards, loss=L1())
    torch.testing.assert_close(absolute(x0, t, index), error.abs().mean(dim=(1, 2, 3)))
    flipped = model.losses(x0, t, index, augment=lambda x: x.flip(-1))
    torch.testing.assert_close(flipped, model.losses(x0.flip(-1), t, index))


def test_the_draws_are_uniform_timesteps_and_morph_images() -> None:
    model = Morphing(Imperfect(), cosine(20), SHAPE, morph_set(10))
    for values, count in zip(model.draw(20_000, seeded()), (20, 10), strict=True):
        counts = torch.bincount(values)
        assert len(counts) == count
        assert ((counts - 20_000 / count).abs() < 5 * (20_000 / count) ** 0.5).all()


@pytest.mark.parametrize("sampler", sorted(MORPH_SAMPLERS))
@pytest.mark.parametrize(
    "start",
    ["images", {"kind": "noise", "level": 0.2}, {"kind": "average", "images": 3}, "mixture"],
)
def test_a_seed_gives_the_same_samples_and_another_gives_others(sampler: str, start: Any) -> None:
    model = Morphing(Imperfect(), cosine(20), SHAPE, morph_set(40))
    before = torch.random.get_rng_state()
    first, again, other = (
        list(model.sample(5, seeded(seed), sampler=sampler, steps=4, start=start))[-1].x
        for seed in (0, 0, 1)
    )
    assert first.shape == (5, *SHAPE)
    assert not first.requires_grad
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.random.get_rng_state())


def test_sampling_starts_from_images_of_the_set_by_the_default_sampler() -> None:
    towards = morph_set(3)
    model = Morphing(Imperfect(), cosine(20), SHAPE, towards)
    assert model.default_sampler == "improved"
    states = list(model.sample(30, seeded(), sampler="improved", steps=5))
    assert [state.t for state in states] == respaced(20, 5, "trailing")
    each = run(improved, model, to_float(towards), to_float(towards), steps=5)
    difference = states[-1].x.flatten(1)[:, None] - each.flatten(1)  # cdist rounds by more
    distances = difference.norm(dim=2)  # [30, 3]
    assert (distances.min(1).values < 1e-5).all()
    assert len(distances.argmin(1).unique()) == 3


def test_copies_share_the_morph_images_and_the_state_has_none() -> None:
    model = Morphing(Imperfect(), cosine(20), SHAPE, morph_set())
    twin = copy.deepcopy(model)
    assert twin.towards.data_ptr() == model.towards.data_ptr()
    assert twin.network.gain.data_ptr() != model.network.gain.data_ptr()
    assert list(model.state_dict()) == ["network.gain"]
    assert not list(model.buffers())
    draws, x0 = model.draw(4, seeded()), images(0)
    torch.testing.assert_close(twin(x0, *draws), model(x0, *draws))
    again = pickle.loads(pickle.dumps(model))
    assert torch.equal(again.towards, model.towards)
    torch.testing.assert_close(again(x0, *draws), model(x0, *draws))


def test_the_morph_images_follow_the_weights_to_their_device() -> None:
    model = Morphing(Imperfect(), linear(20), SHAPE, morph_set()).to("meta")
    assert model.towards.device.type == "meta"
    assert model.towards is model.towards  # moved once


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampler": "ddim"}, "`sampler` is 'ddim', but must be one of naive, improved, one_shot"),
        ({"steps": 21}, r"`steps` is 21, but must be in 1 \.\. 20"),
        ({"start": "pictures"}, "`sampler.start` is 'pictures', but must be one of images"),
        ({"start": 3}, "`sampler.start` is 3, but must be a kind"),
        ({"start": {"kind": "noise", "size": 1}}, "`sampler.start.size` is unknown"),
        ({"eta": 0.5}, "`sampler.eta` is unknown"),
    ],
)
def test_a_wrong_option_is_named(change: dict[str, Any], message: str) -> None:
    model = Morphing(Imperfect(), cosine(20), SHAPE, morph_set())
    with pytest.raises(ValueError, match=message):
        list(model.sample(2, seeded(), **{"sampler": "improved", "steps": 4, **change}))


@pytest.mark.parametrize(
    "bad", [morph_set().float(), morph_set()[:0], torch.zeros(3, 1, 5, 6, dtype=torch.uint8)]
)
def test_a_morph_set_of_another_kind_is_refused(bad: Tensor) -> None:
    with pytest.raises(ValueError, match=r"must be \[M, C, H, W\] torch.uint8|must be \[1, 6, 6\]"):
        Morphing(Imperfect(), cosine(20), SHAPE, bad)


def test_a_network_of_another_shape_is_refused() -> None:
    model = Morphing(nn.Identity(), cosine(20), SHAPE, morph_set())
    model.network.forward = lambda z_t, t: z_t[:, :, :1]  # would broadcast
    with pytest.raises(ValueError, match=r"output is \[2, 1, 1, 6\], but must be \[2, 1, 6, 6\]"):
        model.restore(torch.zeros(2, *SHAPE), torch.zeros(2, dtype=torch.long))
