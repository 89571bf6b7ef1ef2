"""Builds the distribution; what it is stands in pyproject.toml.

`search_spaces/` is at the top of the repository, where people look for it, and goes into the wheel
as `study/search_spaces`: a data folder beside the packages would be a name of ours in everybody's
site-packages.
"""

from __future__ import annotations

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

RECIPES = "search_spaces"


class BuildWithRecipes(build_py):
    """Build the packages, and put the recipes into `study`."""

    def run(self) -> None:
        """Copy them; in an editable installation they are read where they lie."""
        super().run()
        if not self.editable_mode:
            for source, target in self._recipes():
                self.mkpath(str(Path(target).parent))
                self.copy_file(source, target)

    def get_source_files(self) -> list[str]:
        """What a source distribution must hold, the recipes too."""
        return [*super().get_source_files(), *(source for source, _ in self._recipes())]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """What is built, the recipes too."""
        built = [] if self.editable_mode else [target for _, target in self._recipes()]
        return [*super().get_outputs(include_bytecode), *built]

    def _recipes(self) -> list[tuple[str, str]]:
        folder = Path(self.build_lib or "") / "study" / RECIPES
        return [
            (str(file), str(folder / file.name)) for file in sorted(Path(RECIPES).glob("*.yaml"))
        ]


setup(cmdclass={"build_py": BuildWithRecipes})
