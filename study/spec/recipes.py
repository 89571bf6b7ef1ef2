"""The recipes: studies that come along, in `search_spaces/`, by the name of their file.

In a checkout the folder is at the top; in an installed wheel it is `study/search_spaces`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from study.spec.datasets import is_path
from study.spec.errors import UserError
from study.spec.names import DATASETS, nearest
from study.spec.overlays import SMOKE, VARIANTS
from study.spec.yaml_file import Document, parse_yaml, read_yaml

_FOLDER = "search_spaces"
_ENDING = ".yaml"
_NUMBER = re.compile(r"\d+_")


@dataclass(frozen=True)
class Recipe:
    """A study file that comes along.

    Attributes:
        name: Of its file, without the ending.
        file: Where it is; on a file system or, in a zipped installation, in an archive.
    """

    name: str
    file: Traversable

    @cached_property
    def text(self) -> str:
        """The whole file."""
        return self.file.read_text(encoding="utf-8")

    @cached_property
    def document(self) -> Document:
        """The file, parsed."""
        return parse_yaml(self.text, str(self.file))

    @property
    def about(self) -> str:
        """What it asks, in one line: the first of the file, a comment."""
        return self.text.partition("\n")[0].removeprefix("#").strip()

    @property
    def data(self) -> tuple[str, ...]:
        """The data sets it trains on or morphs towards, variants included, but not `smoke`."""
        return tuple(dict.fromkeys(_datasets(self.document.tree)))

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of its variants."""
        return tuple(self.document.tree.get(VARIANTS, ()))

    @property
    def has_smoke(self) -> bool:
        """Whether `--smoke` makes it end soon."""
        return SMOKE in self.document.tree


def recipes() -> list[Recipe]:
    """All recipes, by name."""
    files = [file for file in _folder().iterdir() if file.name.endswith(_ENDING)]
    return sorted(
        (Recipe(file.name.removesuffix(_ENDING), file) for file in files), key=lambda r: r.name
    )


def recipe_names() -> list[str]:
    """What recipes may be called: by their files, with the number before it and without."""
    names = [recipe.name for recipe in recipes()]
    return sorted({*names, *(_NUMBER.sub("", name, count=1) for name in names)})


def find_recipe(name: str) -> Recipe | None:
    """The recipe of a name, with the number before it or without: `004_schedules`, `schedules`."""
    for recipe in recipes():
        if name in (recipe.name, _NUMBER.sub("", recipe.name, count=1)):
            return recipe
    return None


def require_recipe(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        UserError: There is none.
    """
    recipe = find_recipe(name)
    if recipe is None:
        known = ", ".join(recipe.name for recipe in recipes())
        raise UserError(
            f"there is no recipe '{name}': known are {known}{nearest(name, recipe_names())}"
        )
    return recipe


def read_file_or_recipe(path: Path | str) -> Document:
    """The file at a path; or, where there is none, the recipe that a bare name means.

    Raises:
        UserError: There is neither; or the file is unreadable, not UTF-8, or not valid YAML.
    """
    text = str(path)
    if os.path.isfile(text):
        return read_yaml(Path(path))
    bare = os.path.basename(text) == text and not text.endswith((_ENDING, ".yml"))
    if bare and (recipe := find_recipe(text)):
        return recipe.document
    if os.path.exists(text) or not text:
        return read_yaml(Path(path))  # says what is wrong with it
    raise UserError(f"{text}: no such file{_hint(text, bare)}")


def data_needed(recipe: Recipe) -> list[str]:
    """What a recipe's data sets are to its user, a line each."""
    return [_needed(dataset) for dataset in recipe.data]


def _needed(dataset: str) -> str:
    if is_path(dataset):
        return f"your pictures in {dataset}"
    return f"{dataset} ({'included' if DATASETS[dataset].comes_along else 'downloaded'})"


def _hint(text: str, bare: bool) -> str:
    stem = Path(text).stem
    if find_recipe(stem):
        return f"; the recipe that comes along is called by its name alone, `{stem}`"
    if not bare:
        return ""
    return ", and no recipe" + (nearest(text, recipe_names()) or " (see `study recipes`)")


def _folder() -> Traversable:
    packaged = resources.files(__package__.rpartition(".")[0]) / _FOLDER
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / _FOLDER


def _datasets(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key == "dataset" and isinstance(value, str):
                yield value
            elif key != SMOKE:
                yield from _datasets(value)
    elif isinstance(node, list):
        for value in node:
            yield from _datasets(value)
