"""What an embedder is, declared once beside its name: looked up before any embedder is made."""

from __future__ import annotations

from dataclasses import dataclass

from study.spec.errors import UserError
from study.spec.names import is_import_path, nearest


@dataclass(frozen=True)
class EmbedderInfo:
    """What is known of an embedder from its name.

    Attributes:
        learns: Whether it is trained on the real images of the study or comparison.
        needs_labels: Whether it learns from their labels as well.
        any_size: Whether it takes images of any size; otherwise of the one it was made for.
        weights_file: Whether its weights come from a file, which may be named or missing.
        imported: Whether it is the user's own code, which may be missing or fail.
        slow_on_cpu: Whether embedding an image may take a CPU as long as generating it.
    """

    learns: bool = False
    needs_labels: bool = False
    any_size: bool = False
    weights_file: bool = False
    imported: bool = False
    slow_on_cpu: bool = False

    @property
    def external(self) -> bool:
        """Whether weights or code come from outside, so that it is tried before a study starts."""
        return self.weights_file or self.imported


_INCEPTION = EmbedderInfo(any_size=True, weights_file=True, slow_on_cpu=True)

EMBEDDERS = {
    "inception": _INCEPTION,  # FID's network of 2015-12-05, resizing as its TensorFlow graph does
    "inception_torch": _INCEPTION,  # resizing as pytorch-fid does
    "inception_antialias": _INCEPTION,  # resizing as torchmetrics does
    "inception_clean": _INCEPTION,  # resizing as clean-fid does
    "vae": EmbedderInfo(learns=True),  # the posterior mean
    "lenet": EmbedderInfo(learns=True, needs_labels=True),  # the last layer but one
    "pixels": EmbedderInfo(),  # the pixels themselves, in [0, 1]
}
"""What turns images into features, by name; `study.scoring.embedders` makes them."""

IMPORTED = EmbedderInfo(imported=True, slow_on_cpu=True)
"""The embedder that an import path names, `package.module:Name`."""


def embedder_info(name: str) -> EmbedderInfo:
    """What the embedder of a name or import path is.

    Raises:
        UserError: If it is neither a name in `EMBEDDERS` nor an import path.
    """
    if is_import_path(name):
        return IMPORTED
    if name not in EMBEDDERS:
        raise UserError(
            f"The value of `embedder` is {name!r}, but must be one of {', '.join(EMBEDDERS)}, "
            f"or an import path, package.module:Name{nearest(name, EMBEDDERS)}"
        )
    return EMBEDDERS[name]
