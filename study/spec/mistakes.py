"""Mistakes in a study file: where each stands, and which holes may stand where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from study.spec.complaints import validate
from study.spec.errors import UserError
from study.spec.searchable import SEARCHABLE, SEARCHABLE_IN_SCORING, is_searchable, listed
from study.spec.space import Filled, Space
from study.spec.study import Study
from study.spec.yaml_file import Document, TreePath


class Checker:
    """Says where a mistake stands: in the file (with its line) or in an override.

    Args:
        document: The study file as it was read.
        overridden: By the path that it changed, what an override is called.
    """

    def __init__(self, document: Document, overridden: dict[TreePath, str]) -> None:
        self.document = document
        self.overridden = overridden

    def error(self, path: TreePath, rule: str, dotted: str | None = None) -> UserError:
        """A mistake at a path; `dotted` is what the path is called, if not by its own steps."""
        where = self.document.where(path)
        for changed, source in self.overridden.items():
            if path[: len(changed)] == changed:
                where = source
        dotted = ".".join(map(str, path)) if dotted is None else dotted
        return UserError(f"{where}: {dotted}: {rule}" if dotted else f"{where}: {rule}")

    def point_error(self, path: TreePath, rule: str, name: str, hint: str = "") -> UserError:
        """A starting point's mistake about a dimension: an override's doing, or else a hint."""
        for changed, source in self.overridden.items():
            # Below a choice a dimension's name holds labels, and a path does not.
            above = changed[: changed.index("choice")] if "choice" in changed else changed
            if f"{name}.".startswith("".join(f"{step}." for step in above)):
                shown = source if len(source) <= 60 else f"{source[:57]}..."
                return self.error(path, f"{rule} (changed by {shown})")
        return self.error(path, f"{rule}{hint}")

    def check_places(self, space: Space) -> None:
        """Check that holes stand only where trials may differ.

        Raises:
            UserError: One stands elsewhere.
        """
        searchable, why = SEARCHABLE, "trials are ranked only if they share everything else"
        # A whole tree that is a choice has no sections.
        if isinstance(space.tree, Mapping) and space.tree.get("weights") is not None:
            searchable, why = SEARCHABLE_IN_SCORING, "with `weights` nothing is trained"
        for dimension in space.dimensions():
            path = dimension.path
            if not is_searchable(path, searchable):
                if not path or path[0] in Study.model_fields:
                    raise self.error(
                        path, f"a hole cannot stand here, only in {listed(searchable)}: {why}"
                    )
            elif path[0] == "data" and not _scored_against_everything(space.tree):
                raise self.error(
                    path,
                    "a hole can stand here only with `score.against: everything`: else each split "
                    "is scored against other images, and such trials cannot be ranked",
                )

    def validated(self, space: Space, filled: Filled) -> Study:
        """The study that a filled tree is.

        Raises:
            UserError: It is none.
        """
        outcome = validate(filled.tree)
        if isinstance(outcome, Study):
            return outcome
        path = space.locate(outcome[0].path, filled.picks)
        raise self.error(path, outcome[0].rule, ".".join(map(str, outcome[0].path)))


def _scored_against_everything(tree: Any) -> bool:
    score = tree.get("score")
    return isinstance(score, Mapping) and score.get("against") == "everything"
