"""fidtune: hyperparameter studies of small generative image models, on Ray.

From Python::

    import study

    study.Study.from_file("quickstart").run()   # a recipe; or the path of a study file
    study.open().trials                         # a data frame, of the newest study
    study.score_images(generated, real, embedder="vae")["fd_vae"]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from study.own_packages import claim_models
from study.spec.errors import UserError

claim_models()

if TYPE_CHECKING:
    from study.api import Results, Study
    from study.api import open_study as open  # noqa: A004 (users write study.open)
    from study.scoring import score_images

__all__ = ["Results", "Study", "UserError", "open", "score_images"]


def __getattr__(name: str) -> Any:
    # Late, so that `import study.spec` does not bring pandas, ray or torch along.
    if name in ("Results", "Study", "open"):
        from study import api

        return getattr(api, {"open": "open_study"}.get(name, name))
    if name == "score_images":
        from study.scoring import score_images

        return score_images
    if name == "__version__":
        from importlib.metadata import version

        return version("fidtune")
    raise AttributeError(f"module 'study' has no attribute {name!r}")


def __dir__() -> list[str]:
    """What there is, loaded or not; its parts (`study.spec`, ...) are for those who change them."""
    return sorted({*__all__, "__version__", "__doc__", "__file__", "__name__", "__path__"})
