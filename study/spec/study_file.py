"""A study file, read and found valid: every hole, every branch, every starting point."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.spec.complaints import complaints, validate
from study.spec.datasets import absolute, is_path, own_channels
from study.spec.errors import UserError
from study.spec.holes import Choice, HoleError, Label
from study.spec.mistakes import Checker
from study.spec.names import nearest
from study.spec.overlays import with_overlays
from study.spec.overrides import apply_override, parse_override
from study.spec.reach import not_searched, open_dimensions, reach_notes
from study.spec.recipes import read_file_or_recipe
from study.spec.search import SEARCH_SAMPLERS
from study.spec.section import Misfit
from study.spec.space import Space
from study.spec.study import Study
from study.spec.tree import Dimension, Picks, SpaceError
from study.spec.weights import FindTrial, Weights, with_trained
from study.spec.yaml_file import Document, TreePath, dump_yaml, parse_yaml


@dataclass(frozen=True)
class Corner:
    """One filled study of those that together try every option and both ends of every range."""

    picks: Picks
    study: Study


@dataclass(frozen=True)
class StudyFile:
    """A valid study file.

    Attributes:
        space: The file's tree with its holes.
        corners: Filled studies that together try every option and both ends of every range; each
            validated when the file was read.
        starting_points: Picks (of some or all dimensions) to try before the search's own.
    """

    space: Space
    corners: tuple[Corner, ...]
    starting_points: tuple[Picks, ...]
    text: str  # the whole study as YAML, overrides applied: reading it gives this study again

    def spec(self, picks: Mapping[str, Label]) -> Study:
        """The plain study with its holes filled.

        Raises:
            HoleError: Picks that do not fit the space.
            UserError: A combination that no check of the branches had met and that is invalid.
        """
        outcome = validate(self.space.refill(picks).tree)
        if isinstance(outcome, Study):
            return outcome
        raise UserError(str(outcome[0]))

    @property
    def study(self) -> Study:
        """The study with its holes filled with first values.

        Everything outside `study.spec.searchable.SEARCHABLE` is the same in every trial.
        """
        return self.corners[0].study

    @property
    def most_epochs(self) -> int:
        """The longest training that a trial can ask for."""
        return max(corner.study.train.epochs for corner in self.corners)

    def reach_notes(self) -> list[str]:
        """What a user may not expect of the search, a line each."""
        return reach_notes(self.space, self.study.search)

    def branches(self) -> list[Corner]:
        """The first corner of each way through the choices between sub-trees."""
        by_way: dict[frozenset[tuple[str, Label]], Corner] = {}
        for corner in self.corners:
            by_way.setdefault(self.space.way(corner.picks), corner)
        return [by_way[self.space.way(filled.picks)] for filled in self.space.branches()]


def read_study_file(
    path: Path | str,
    overrides: Sequence[str] = (),
    name: str | None = None,
    *,
    smoke: bool = False,
    variant: str | None = None,
    find_trial: FindTrial | None = None,
) -> StudyFile:
    """Read a study file.

    Args:
        path: A YAML file, or the name of a recipe where there is no such file.
        overrides: `PATH=VALUE` each, as given to `--set`; a value is YAML and may be a hole.
        name: Takes the place of the file's `name`.
        smoke: Merge in the file's `smoke:` overlay.
        variant: Merge in this overlay of the file's `variants:`, before `smoke`.
        find_trial: Finds the trial that `weights:` names; None if there is nowhere to look.

    Raises:
        UserError: Anything wrong in the file or in an override, in one line.
    """
    document = read_file_or_recipe(path)
    changes = [parse_override(text) for text in overrides]
    if name is not None:
        changes.append((("name",), name, f"--name {name}"))
    return _study_file(
        document, changes, smoke=smoke, variant=variant, find_trial=find_trial, new=True
    )


def read_study_text(text: str, source: str) -> StudyFile:
    """A study from the text that one has been stored as; `source` names it.

    Other than in a file of the user's, `data.channels` that do not stand there are those that
    studies once had, not those of the images.
    """
    return _study_file(parse_yaml(text, source), [])


def _study_file(
    document: Document,
    changes: list[tuple[TreePath, Any, str]],
    *,
    smoke: bool = False,
    variant: str | None = None,
    find_trial: FindTrial | None = None,
    new: bool = False,
) -> StudyFile:
    if not isinstance(document.tree, Mapping):
        raise UserError(
            f"{document.source}: a study file is a mapping with the keys name, data, model, ..."
        )
    document = with_overlays(document, smoke=smoke, variant=variant)
    tree = copy.deepcopy(document.tree)
    for path, value, source in changes:
        apply_override(tree, path, value, source)
    checker = Checker(document, {path: source for path, _, source in changes})
    if new:
        tree = _with_own_channels(tree)
    tree = _with_absolute_paths(_with_trained(tree, find_trial, checker))
    try:
        space = Space(tree)
    except SpaceError as error:
        raise checker.error(error.path, error.rule) from None
    checker.check_places(space)
    try:
        corners = tuple(_corners(space, checker))
    except HoleError as error:
        raise checker.error((), str(error)) from None
    study = corners[0].study  # a space has at least one corner
    points = tuple(
        _starting_point(space, point, index, checker)
        for index, point in enumerate(study.search.enqueue)
    )
    _check_sampler(space, study, checker, new=new)
    return StudyFile(space, corners, points, dump_yaml(tree))


def _corners(space: Space, checker: Checker) -> Iterator[Corner]:
    """The corners of a space, each once, in their order."""
    seen: set[frozenset[tuple[str, str]]] = set()
    for filled in space.corners():
        key = frozenset((name, repr(label)) for name, label in filled.picks.items())
        if key not in seen:
            seen.add(key)
            yield Corner(filled.picks, checker.validated(space, filled))


def _with_trained(tree: Any, find_trial: FindTrial | None, checker: Checker) -> Any:
    """The tree with what its `weights:` bring, if it has any."""
    if tree.get("weights") is None:
        return tree
    for complaint in complaints({"weights": tree["weights"]}):
        if complaint.path[:1] == ("weights",):
            raise checker.error(complaint.path, complaint.rule)
    try:
        return with_trained(tree, Weights.model_validate(tree["weights"]), find_trial)
    except Misfit as misfit:
        raise checker.error(misfit.path, str(misfit)) from None
    except UserError as error:
        raise checker.error(("weights",), str(error)) from None


def _with_absolute_paths(node: Any, path: TreePath = ()) -> Any:
    """The tree with the paths of data sets made absolute, so that it means the same elsewhere."""
    if isinstance(node, Mapping):
        return {key: _with_absolute_paths(value, (*path, key)) for key, value in node.items()}
    if isinstance(node, list):
        return [_with_absolute_paths(value, (*path, index)) for index, value in enumerate(node)]
    section = path[:-2] if path[-2:-1] == ("choice",) else path
    if isinstance(node, str) and section[-2:] in (("data", "dataset"), ("towards", "dataset")):
        return absolute(node)
    return node


def _with_own_channels(tree: Any) -> Any:
    """The tree with the channels of images at a path, where it leaves them to the images.

    They stand in the stored study then, which means the same where its images are not. Colour is
    what a study has that says nothing.
    """
    data = tree.get("data")
    if not isinstance(data, Mapping) or data.get("channels") is not None:
        return tree
    dataset = data.get("dataset")
    try:
        if isinstance(dataset, str) and is_path(dataset) and own_channels(absolute(dataset)) == 1:
            return {**tree, "data": {**data, "channels": 1}}
    except ValueError:  # no images: told when the study is validated
        pass
    return tree


def _starting_point(space: Space, point: Mapping[str, Any], index: int, checker: Checker) -> Picks:
    dimensions: dict[str, Dimension] = {d.name: d for d in space.dimensions()}
    whole: TreePath = ("search", "enqueue", index)
    picks: Picks = {}
    for name, value in point.items():
        path = (*whole, name)
        if name not in dimensions:
            hint = nearest(name, dimensions)
            raise checker.point_error(path, "no such dimension", name, hint)
        hole = dimensions[name].hole
        label = json.dumps(value) if isinstance(value, list) else value
        if isinstance(hole, Choice):
            try:
                hole.position(label)
            except HoleError as error:
                raise checker.point_error(path, str(error), name) from None
        elif not hole.contains(label):
            raise checker.point_error(path, f"{value!r} is not in {hole}", name)
        picks[name] = label
    for name in picks:
        for choice, label in space.branches_above(name):
            if picks.get(choice) != label:
                raise checker.error((*whole, name), f"needs `{choice}: {label}` in the same point")
    if picks:
        _check_point(space, picks, whole, checker)
    return picks


def _check_point(space: Space, picks: Picks, path: TreePath, checker: Checker) -> None:
    """A point that leaves nothing open must be a valid study."""
    try:
        filled = space.refill(picks)
    except HoleError:
        return  # the sampler gives what is missing
    for complaint in complaints(filled.tree):
        where = ".".join(map(str, complaint.path))
        raise checker.point_error(path, f"is no valid study: {complaint}", where)


def _check_sampler(space: Space, study: Study, checker: Checker, *, new: bool) -> None:
    search = study.search
    if SEARCH_SAMPLERS[search.sampler].enumerates:
        try:
            next(space.grid())
        except HoleError as error:
            raise checker.error(("search", "sampler"), str(error)) from None
    # A study that was begun before this was a mistake can still be read and resumed.
    drawn = not_searched(space, search) if new else {}
    if drawn and len(drawn) == len(open_dimensions(space)):
        listed = ", ".join(f"{name} ({why})" for name, why in drawn.items())
        raise checker.error(
            ("search", "sampler"),
            f"the sampler '{search.sampler}' searches none of the dimensions, {listed}: "
            "use tpe, gp or qmc",
        )
    if not space.dimensions() and search.trials > 1:
        raise checker.error(
            ("search", "trials"),
            f"{search.trials} trials of a study without holes would all be the same: "
            "make a leaf a float, int or choice, or set trials to 1",
        )
