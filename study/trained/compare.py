"""Trained trials side by side, of one study or of several: pictures alone. Knows no Ray."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Generator

from models.precision import in_precision
from models.seeding import derive_seed
from study.diagnostics.side_by_side import (
    REAL,
    SAMPLES,
    Exhibit,
    denoising_path,
    paths_figure,
    samples_figure,
    scores_figure,
)
from study.results.config_differences import shorten, varying
from study.results.identity import IDENTITY, differing, first_conflict, identity
from study.results.ledger import Ledger
from study.results.objective import scores_by_epoch
from study.results.picture_titles import add_title, picture_title
from study.results.reader import read_rows
from study.results.render import cell
from study.results.storage import Storage, join
from study.results.tables import ConfigValue, ScoreRow, TrialRow
from study.spec import UserError
from study.spec.tree import leaves
from study.trained.load import LoadedTrial, best_trial, load_trial
from study.trained.picture_folder import PictureFolder

_TRIAL = re.compile(r"(?:(?P<study>[^:]+):)?(?P<trial>\d{1,18})", re.ASCII)


@dataclass(frozen=True)
class Comparison:
    """What came of trials beside each other.

    Attributes:
        lines: One for each trial: its score, and in what it differs from the others.
        note: What to know about their scores, or nothing.
        folder: Where the pictures are, as people find it.
        files: Their names in it.
    """

    lines: tuple[str, ...]
    note: str
    folder: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class _Entry:
    """What the ledger has on a trial.

    `trial` is its newest row of `trials`, `scores` its objective by rising epoch, `config` what it
    was trained on and how, by path.
    """

    label: str
    study: str
    config: Mapping[str, ConfigValue]
    trial: TrialRow
    scores: dict[int, ScoreRow]

    @property
    def score(self) -> ScoreRow | None:
        """The last score."""
        return next(reversed(self.scores.values()), None)


def compare_trials(
    storage: Storage,
    study: str,
    trial: int | None,
    beside: Sequence[str],
    *,
    folder: Path | None = None,
    seed: int = 0,
    watch: Callable[[str], None] = lambda label: None,
) -> Comparison:
    """Write pictures of trials side by side: samples, denoising paths, score by epoch.

    All trials get the same seeds, so that what chance has to say is the same for them.

    Args:
        storage: Where the studies are.
        study: The first trial's.
        trial: The first trial's number; the best one of its study by default.
        beside: The others, as `TRIAL` of the same study or `STUDY:TRIAL`.
        folder: Where the pictures go; by default beside the first study's results, where the ledger
            knows of them, as pictures of the first trial.
        seed: Decides everything random.
        watch: Called with the label of each trial before it makes images.

    Raises:
        UserError: A trial is not written so, is not there, or has no checkpoint; there is one
            trial alone; or the folder cannot be written.
    """
    storage.require(study)
    others = [parse_trial(text, study) for text in beside]
    for other in sorted({name for name, _ in others}):
        storage.require(other)
    first = (study, best_trial(storage, study) if trial is None else trial)
    chosen = list(dict.fromkeys([first, *others]))
    if len(chosen) < 2:
        raise UserError(f"--beside {beside[0]}: that is the trial itself, not another one")
    # All of them before any is looked at: a mistake in the last shows at once.
    loaded = [load_trial(storage, *key) for key in chosen]
    entries = [_entry(storage, each, study) for each in loaded]
    groups = comparable_groups(entries)
    note = scores_note(entries, groups)
    exhibits = []
    for entry, group, differs, each in zip(
        entries, groups, differences(entries), loaded, strict=True
    ):
        watch(entry.label)
        exhibits.append(_exhibit(entry, each, group, differs, seed))
    pictures = {
        "samples": samples_figure(exhibits, note),
        "paths": paths_figure(exhibits, note),
        "scores": scores_figure(exhibits, note),
    }
    drawn = {name: figure for name, figure in pictures.items() if figure is not None}
    whose = picture_title(study=study, trials=", ".join(exhibit.label for exhibit in exhibits))
    for figure in drawn.values():
        add_title(figure, whose)
    parts = [str(number) if name == study else f"{name}-{number}" for name, number in chosen]
    place = PictureFolder(storage, join(study, "explain", "beside-" + "-".join(parts)), folder)
    with Ledger(storage, study) as ledger:
        files = place.write(drawn, ledger, loaded[0].trial, loaded[0].epoch)
    return Comparison(tuple(e.summary for e in exhibits), note, place.location, files)


def parse_trial(text: str, study: str) -> tuple[str, int]:
    """Study and number of a trial written `TRIAL` or `STUDY:TRIAL`.

    Raises:
        UserError: It is written otherwise.
    """
    match = _TRIAL.fullmatch(text)
    if match is None:
        raise UserError(
            f"--beside {text}: must be a trial's number, or STUDY:TRIAL for one of another study"
        )
    return match["study"] or study, int(match["trial"])


def comparable_groups(entries: Sequence[_Entry]) -> list[int | None]:
    """A number for each trial: two scores with the same one can be ranked. None without a score."""
    leaders: list[tuple[TrialRow, ScoreRow]] = []
    groups: list[int | None] = []
    for entry in entries:
        if entry.score is None:
            groups.append(None)
            continue
        scored = (entry.trial, entry.score)
        conflicts = [first_conflict(leader, scored) for leader in leaders]
        if None not in conflicts:
            conflicts.append(None)
            leaders.append(scored)
        groups.append(conflicts.index(None))
    return groups


def scores_note(entries: Sequence[_Entry], groups: Sequence[int | None]) -> str:
    """Which scores cannot be compared, and why; empty if all can."""
    members: dict[int, list[_Entry]] = {}
    for entry, group in zip(entries, groups, strict=True):
        if group is not None:
            members.setdefault(group, []).append(entry)
    if len(members) < 2:
        return ""
    measured = [identity(each[0].score) for each in members.values() if each[0].score]
    parts = {part for other in measured[1:] for part in differing(measured[0], other)}
    labels = " | ".join(", ".join(entry.label for entry in each) for each in members.values())
    why = ", ".join(part for part in IDENTITY if part in parts)
    return f"Scores are not comparable between {labels}: they differ in their {why}"


def differences(entries: Sequence[_Entry]) -> list[str]:
    """In what each trial differs from the others, in words."""
    # What the search chose, and not what follows from it. Trials of two studies, of which one may
    # have chosen what the other was given, have what all of them have: not a branch's own settings.
    configs = [entry.trial.picks for entry in entries]
    names = varying(configs)
    if len({entry.study for entry in entries}) > 1 or not names:
        configs = [entry.config for entry in entries]
        names = [n for n in varying(configs) if all(n in config for config in configs)]
    short = shorten([name.removesuffix(".kind") for name in names])
    return [
        ", ".join(
            f"{short[name.removesuffix('.kind')]} {cell(config[name])}"
            for name in names
            if name in config
        )
        for config in configs
    ]


def _entry(storage: Storage, loaded: LoadedTrial, own: str) -> _Entry:
    label = f"trial {loaded.trial}" if loaded.study == own else f"{loaded.study}:{loaded.trial}"
    (trial,) = read_rows(storage, TrialRow, loaded.study, loaded.trial)
    scores = [
        score
        for score in read_rows(storage, ScoreRow, loaded.study, loaded.trial)
        if score.epoch <= loaded.epoch
    ]
    sections = loaded.spec.trial_config()
    del sections["score"]  # what made the samples is shown apart, and no score compares the rest
    config = leaves(sections, {})
    return _Entry(label, loaded.study, config, trial, scores_by_epoch(trial, scores))


def _alike(one: ScoreRow, other: ScoreRow | None) -> bool:
    """Whether two scores are of one metric and N: those of early rungs may be of others."""
    return other is not None and (one.metric, one.samples) == (other.metric, other.samples)


def _exhibit(
    entry: _Entry, loaded: LoadedTrial, group: int | None, differs: str, seed: int
) -> Exhibit:
    family, sampling, score = loaded.family, loaded.sampling, entry.score
    whole = loaded.images.whole
    # By the seed alone: edges stand beside the pictures that they are edges of.
    picked = np.random.default_rng(derive_seed(seed, "real")).permutation(len(whole))[:REAL]
    with in_precision(loaded.spec.train.precision, family.device):
        path = denoising_path(
            family,
            Generator(family.device).manual_seed(derive_seed(seed, "paths")),
            sampler=loaded.sampler,
            steps=sampling.steps,
            options=sampling.options,
        )
    schedule = getattr(family, "schedule", None)
    return Exhibit(
        label=entry.label,
        differs=differs,
        score=picture_title(
            epoch=loaded.epoch,
            metric="no score yet" if score is None else score.metric,
            value=None if score is None else score.value,
            samples=None if score is None else score.samples,
        ),
        sampling=loaded.sampling_text,
        real=whole.take(picked.astype(np.int64), part=f"{whole.part}, some").tensor(),
        samples=loaded.generate(SAMPLES, derive_seed(seed, "explain")).cpu(),
        path=path,
        timesteps=None if path is None or schedule is None else schedule.timesteps,
        metric="" if score is None else score.metric,
        scored=None if score is None else score.samples,
        scores={epoch: row.value for epoch, row in entry.scores.items() if _alike(row, score)},
        group=group,
    )
