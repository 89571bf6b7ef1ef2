"""The base of every section of a study file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Misfit(ValueError):
    """Values that are wrong together; `path` says which of them, below the section, to look at."""

    def __init__(self, path: tuple[str | int, ...], rule: str) -> None:
        super().__init__(rule)
        self.path = path


class Section(BaseModel):
    """Typed, immutable, and strict: unknown keys and values of another type are mistakes."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        # A section's validator is built when it is first needed by itself: as a part of a study it
        # never is, and to build all of them would delay every command.
        defer_build=True,
    )
