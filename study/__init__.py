"""fidtune: hyperparameter studies of small generative image models, on Ray.

From Python::

    import study

    study.Study.from_file("search_spaces/quickstart.yaml").run()
    study.open("quickstart").trials        # a data frame
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from study.spec.errors import UserError

if TYPE_CHECKING:
    from study.api import Results, Study
    from study.api import open_study as open  # noqa: A004 (users write study.open)

__all__ = ["Results", "Study", "UserError", "open"]


def __getattr__(name: str) -> Any:
    # Late, so that `import study.spec` does not bring pandas or ray along.
    if name in ("Results", "Study", "open"):
        from study import api

        return getattr(api, {"open": "open_study"}.get(name, name))
    raise AttributeError(f"module 'study' has no attribute {name!r}")
