"""The command `recipes`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from study.cli.app import Format, app, complete_recipe, print_table
from study.cli.streams import print_data

if TYPE_CHECKING:
    from rich.table import Table

    from study.spec.recipes import Recipe


@app.command()
def recipes(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Print this one's file.", show_default=False, autocompletion=complete_recipe
        ),
    ] = None,
    format_: Format = "table",
) -> None:
    """The studies that come along: `study run NAME` runs one, `study recipes NAME` prints it."""
    from study.results.json_text import json_text
    from study.spec.recipes import recipes, require_recipe

    if name is None:
        every = recipes()
        if format_ == "json":
            print_data(json_text([_plain(recipe) for recipe in every]))
        else:
            print_table(recipe_table(every))
        return
    recipe = require_recipe(name)
    if format_ == "json":
        print_data(json_text({**_plain(recipe), "text": recipe.text}))
    else:
        sys.stdout.write(recipe.text)


def recipe_table(recipes: list[Recipe]) -> Table:
    """The recipes: what each asks, and below that the data it needs and its variants."""
    from rich.table import Table
    from rich.text import Text

    from study.spec.recipes import data_needed

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for recipe in recipes:
        table.add_row(Text(recipe.name, "bold"), Text(recipe.about))
        needs = f"data: {', '.join(data_needed(recipe))}"
        if recipe.variants:
            needs += f"; variants: {', '.join(recipe.variants)}"
        table.add_row("", Text(needs, "dim"))
    return table


def _plain(recipe: Recipe) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "about": recipe.about,
        "data": recipe.data,
        "variants": recipe.variants,
        "smoke": recipe.has_smoke,
    }
