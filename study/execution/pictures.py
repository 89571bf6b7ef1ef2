"""Reading a person's own pictures once before anything starts. Imports torch only for them."""

from __future__ import annotations

from study.results.storage import Storage
from study.spec import Study
from study.spec.sources import is_path


def check_pictures(spec: Study, storage: Storage) -> None:
    """Read the pictures of a study's folders, as its workers will.

    Otherwise a broken picture would fail one trial after the other.

    Raises:
        UserError: A picture cannot be read, or the set does not fit the study.
    """
    towards = getattr(spec.model, "towards", None)
    if not spec.data.is_path and not (towards is not None and is_path(towards.dataset)):
        return
    import torch

    from study.execution.workbench import Workbench

    bench = Workbench(storage, torch.device("cpu"))
    bench.images(spec.data)
    bench.towards(spec)
