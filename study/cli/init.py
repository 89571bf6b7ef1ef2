"""The command `init`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from study.cli.app import Quiet, app, program
from study.spec.errors import UserError

SCHEMA = "study.schema.json"
"""The file beside the study file that editors check it by."""


@app.command()
def init(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The study file to write.", show_default=False)
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="DATA",
            help="The images: a folder of pictures, an .npy or .npz, or a data set by name.",
        ),
    ] = "mnist5k",
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there already.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Write a study file for your images: it looks at them, and comments say what it chose."""
    from study.results.storage import Storage
    from study.spec.left_out import describe_left_out
    from study.spec.schema import study_schema
    from study.spec.starter import describe_images, look_at, starter, starter_text, study_name

    check_target(file, force)
    schema = file.with_name(SCHEMA)
    tree = study_schema()
    if schema.exists() and not force and not has_title(schema, tree["title"]):
        raise UserError(f"{schema}: is there already, and is no schema of ours; --force writes it")
    dataset = written_path(data)
    source = look_at(dataset)
    text = starter_text(study_name(file), starter(dataset, source), f"./{SCHEMA}")
    folder = Storage.from_uri(str(file.absolute().parent))
    try:
        folder.write_atomic(SCHEMA, json.dumps(tree, indent=1).encode())
        folder.write_atomic(file.name, text.encode())
    except OSError as error:
        raise UserError(f"{file}: cannot be written ({error.strerror or error})") from None
    if quiet:
        return
    print(describe_images(dataset, source))
    if left_out := describe_left_out(source.left_out):
        print(left_out)
    print(f"{file} is a study of them; {schema} lets an editor check it.\n\nnext:")
    for command in (f"check {file}", f"run {file} --smoke", f"run {file}"):
        print(f"  {program()} {command}")


def check_target(file: Path, force: bool) -> None:
    """Check that a study file can be written there.

    Raises:
        UserError: It is there already and not to be written over, a folder, in no folder, or no
            YAML file by its name.
    """
    if file.is_dir():
        raise UserError(
            f"{file}: a folder, but must be the study file to write; images are named by --data"
        )
    if file.suffix not in (".yaml", ".yml"):
        raise UserError(f"{file}: must end in .yaml or .yml, as in `study init {file.name}.yaml`")
    if not file.absolute().parent.is_dir():
        raise UserError(f"{file}: the folder {file.absolute().parent} does not exist")
    if file.exists() and not force:
        raise UserError(f"{file}: is there already; --force writes over it")


def written_path(data: str) -> str:
    """A data set as a study file names it: a bare folder name is a path with `./` before it."""
    from study.spec.datasets import is_path
    from study.spec.names import DATASETS

    bare = data not in DATASETS and not is_path(data)
    return f"./{data}" if bare and Path(data).exists() else data


def has_title(schema: Path, title: str) -> bool:
    """Whether a file is a JSON Schema with that title: one that an earlier `init` wrote."""
    try:
        tree = json.loads(schema.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(tree, dict) and tree.get("title") == title
