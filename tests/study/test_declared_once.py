"""What an embedder, measure, sampler or pruner is, is looked up and never guessed from its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import study
from study.spec.embedder_info import EMBEDDERS
from study.spec.measure_info import MEASURES
from study.spec.samplers import IMAGE_SAMPLERS, Sampler
from study.spec.search import SEARCH_SAMPLERS, Pruner
from study.spec.short_form import kinds

ROOT = Path(study.__file__).parent
SEARCH = {*SEARCH_SAMPLERS, *kinds(Pruner)}
NAMES = {*EMBEDDERS, *IMAGE_SAMPLERS, *SEARCH, *MEASURES, *kinds(Sampler)} - {"auto", "none"}
DECLARING = {"spec/names.py"}  # whose `is_import_path` and `metric_name` take names apart
COMPARED = {
    ("trust/assessment.py", "pixels"),  # of which the images may have too many
}
"""Names that a file may compare with, as what follows is about that one alone."""


def texts(node: ast.AST) -> set[str]:
    """The strings in a literal: one, or those of a tuple, list or set."""
    parts = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return {
        part.value
        for part in parts
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }


def guesses(code: str) -> Iterator[tuple[int, set[str]]]:
    """Lines that tell a thing's nature from its name, with the strings that they compare."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("startswith", "endswith") and node.args:
                start = texts(node.args[0])
                if any(name.startswith(part) for name in EMBEDDERS for part in start if part):
                    yield node.lineno, start
        elif isinstance(node, ast.Compare):
            membership = isinstance(node.ops[0], ast.In | ast.NotIn)
            if membership and texts(node.left) == {":"}:
                yield node.lineno, {":"}
            # `"kid" in measures` asks what was chosen; `measure in ("fd", "kid")` what it is.
            for side in node.comparators if membership else [node.left, *node.comparators]:
                known = texts(side) & (NAMES if membership else NAMES - {*MEASURES})
                if known:
                    yield node.lineno, known


def test_guesses_are_seen() -> None:
    for code in (
        'name.startswith("inception")',
        '":" in name',
        'if kind in ("asha", "hyperband"): pass',
        'embedder == "vae"',
        'sampler.kind not in ("one_shot", "generator")',
        'measure in {"memorisation", "authenticity"}',
    ):
        assert [*guesses(code)], code
    assert not [*guesses('"kid" in chosen')]


def test_no_nature_is_guessed_from_a_name() -> None:
    guessed = []
    for file in sorted(ROOT.rglob("*.py")):
        path = file.relative_to(ROOT).as_posix()
        if path in DECLARING:
            continue
        for line, compared in guesses(file.read_text()):
            if not all((path, name) in COMPARED for name in compared):
                guessed.append(f"{path}:{line} {sorted(compared)}")
    assert not guessed
