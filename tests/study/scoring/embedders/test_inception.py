from __future__ import annotations

from pathlib import Path

import pytest
import torch
from photographs import patches, photographs
from torch import Tensor

from study.data import load_images
from study.scoring.embedders import make_embedder
from study.scoring.embedders.inception import InceptionEmbedder
from study.spec.embedder_info import EMBEDDERS
from study.spec.errors import UserError

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")

# Each picture takes a tenth of a second and more: about 150 of them in these tests in all.


@pytest.mark.slow
def test_an_images_features_do_not_depend_on_its_neighbours(inception: InceptionEmbedder) -> None:
    images = torch.cat([patches(), load_images("photo_patches").tensor()[1:7]])  # 10: two blocks
    together = inception(images)
    assert torch.equal(inception(images.flip(0)).flip(0), together)
    assert torch.equal(inception(images[3:7]), together[3:7])


def test_pictures_of_several_sizes_go_together(inception: InceptionEmbedder) -> None:
    grey = patches()[:2, :1]
    prepared = torch.cat([inception.prepare(part) for part in (photographs(), patches(), grey)])
    assert prepared.shape == (8, 3, 299, 299)
    features = inception.embed(prepared)
    assert torch.equal(features[:2], inception(photographs()))
    # Grey is repeated, and then resized.
    assert torch.equal(prepared[6:], inception.prepare(grey.repeat(1, 3, 1, 1)))


def test_no_images_have_no_features(inception: InceptionEmbedder) -> None:
    assert inception(patches()[:0]).shape == (0, 2048)


def test_each_rule_of_resizing_has_a_digest_of_its_own(
    inception_weights: dict[str, Tensor], tmp_path: Path
) -> None:
    names = ("inception", "inception_torch", "inception_antialias", "inception_clean")
    made = [make_embedder(name, None, cache_folder=tmp_path, device=CPU, seed=0) for name in names]
    assert tuple(embedder.name for embedder in made) == names
    assert len({embedder.digest for embedder in made}) == 4
    assert all(embedder.any_size == EMBEDDERS[embedder.name].any_size for embedder in made)
    # Other digests would set scores of the same kind apart.
    assert made[0].digest == InceptionEmbedder("inception", inception_weights, CPU).digest
    assert made[0].digest == "cbf9aeb93bb07180f7ca315e4494d2f67ea316bb48caee5a0058e4d7c54b3e45"


def test_images_of_another_kind_are_refused(inception: InceptionEmbedder) -> None:
    images = patches()
    for wrong in (images.float(), images[0], images.repeat(1, 2, 1, 1), images[:, :2]):
        with pytest.raises(UserError, match=r"but must be torch.uint8 \[N, 1 or 3, H, W\]"):
            inception(wrong)
