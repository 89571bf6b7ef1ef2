"""Overlays: parts of a study file that change it where a run asks for them.

`smoke:` makes a study that ends soon, and `variants:` holds others by name. An overlay is merged in
key by key. What is no mapping is replaced whole, and so is a hole, and a section of another kind.
A variant may have its own `smoke:`, which says what the file's does not about it. (A `smoke`
whose model names its family leaves nothing behind in a variant of another.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from study.spec.errors import UserError
from study.spec.holes import DISCRIMINATORS, is_hole
from study.spec.names import nearest
from study.spec.study import Study
from study.spec.yaml_file import Document, TreePath

SMOKE, VARIANTS = "smoke", "variants"


def with_overlays(
    document: Document, *, smoke: bool = False, variant: str | None = None
) -> Document:
    """The document with an overlay or two merged in, smoke last, and without those it came with.

    The study's name gains the overlay's, unless the overlay has a name for it. With a variant and
    smoke, three are merged: the variant, the file's `smoke`, and the variant's own if it has one.

    Args:
        document: A study file whose tree is a mapping.
        smoke: Whether to merge in `smoke`.
        variant: Which of the `variants` to merge in.

    Raises:
        UserError: There is no such overlay, or one that is no part of a study.
    """
    _check(document)
    tree = {key: value for key, value in document.tree.items() if key not in (SMOKE, VARIANTS)}
    merged = Document(document.source, tree, dict(document.lines))
    own_smoke: TreePath = ()
    if variant is not None:
        variants = document.tree.get(VARIANTS) or {}
        if variant not in variants:
            known = f"; known are {', '.join(variants)}" if variants else ", as it has none"
            raise UserError(
                f"{document.where((VARIANTS,))}: there is no variant '{variant}'"
                f"{nearest(variant, variants) or known}"
            )
        merged = _merged(merged, document, (VARIANTS, variant), variant)
        own_smoke = (VARIANTS, variant, SMOKE) if SMOKE in variants[variant] else ()
    if smoke:
        if SMOKE in document.tree:
            merged = _merged(merged, document, (SMOKE,), "" if own_smoke else SMOKE)
        elif not own_smoke:
            raise UserError(f"{document.source}: there is no `smoke:` overlay to run by --smoke")
        if own_smoke:
            merged = _merged(merged, document, own_smoke, SMOKE)
    return merged


def _check(document: Document) -> None:
    """Overlays that are not asked for are still mappings of sections that exist."""
    variants = document.tree.get(VARIANTS, {})
    if not isinstance(variants, Mapping):
        raise _error(document, (VARIANTS,), "must be a section with an overlay for each name")
    overlays: list[TreePath] = [(VARIANTS, name) for name in variants]
    for above in ((), *overlays):
        overlay = _at(document.tree, above)
        if isinstance(overlay, Mapping) and SMOKE in overlay:
            overlays.append((*above, SMOKE))
    for path in overlays:
        overlay = _at(document.tree, path)
        if not isinstance(overlay, Mapping):
            raise _error(document, path, "must be a section with keys of the study")
        for key in overlay:
            if key not in Study.model_fields and not (key == SMOKE and len(path) == 2):
                hint = nearest(key, Study.model_fields)
                known = f"; known are {', '.join(Study.model_fields)}"
                raise _error(document, (*path, key), f"unknown key{hint or known}")


def _merged(base: Document, origin: Document, path: TreePath, name: str) -> Document:
    overlay = {key: value for key, value in _at(origin.tree, path).items() if key != SMOKE}
    lines = dict(base.lines)
    tree = _merge(base.tree, overlay, (), _Lines(lines, origin.lines, path))
    if name and "name" not in overlay and isinstance(tree.get("name"), str):
        tree["name"] = f"{tree['name']}-{name}"
    return Document(base.source, tree, lines)


class _Lines:
    """Keeps where each path of the merged tree was written."""

    def __init__(self, lines: dict[TreePath, int], origin: dict[TreePath, int], above: TreePath):
        self._lines = lines
        self._origin = {
            path[len(above) :]: line for path, line in origin.items() if path[: len(above)] == above
        }

    def replace(self, path: TreePath) -> None:
        """What stands at a path now comes from the overlay, whole."""
        depth = len(path)
        for known in [known for known in self._lines if known[:depth] == path]:
            del self._lines[known]
        self._lines.update(
            {known: line for known, line in self._origin.items() if known[:depth] == path}
        )


def _merge(
    base: Mapping[str, Any], overlay: Mapping[str, Any], path: TreePath, lines: _Lines
) -> Any:
    merged = dict(base)
    for key, value in overlay.items():
        below = (*path, key)
        if key in merged and _goes_into(merged[key], value):
            merged[key] = _merge(merged[key], value, below, lines)
        else:
            merged[key] = value
            lines.replace(below)
    return merged


def _goes_into(base: Any, overlay: Any) -> bool:
    """Whether an overlay's section changes keys of the base's, and does not replace it."""
    if not isinstance(base, Mapping) or not isinstance(overlay, Mapping):
        return False
    if is_hole(base) or is_hole(overlay):
        return False
    return all(base.get(key) == overlay[key] for key in DISCRIMINATORS if key in overlay)


def _at(tree: Any, path: TreePath) -> Any:
    for step in path:
        tree = tree[step]
    return tree


def _error(document: Document, path: TreePath, rule: str) -> UserError:
    return UserError(f"{document.where(path)}: {'.'.join(map(str, path))}: {rule}")
