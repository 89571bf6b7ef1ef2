"""Trained trials side by side, of one study or of several: pictures alone. Knows no Ray."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from study.results.arrow_values import rows
from study.results.identity import IDENTITY, identity
from study.results.leaderboard import rank, shorten, varying
from study.results.ledger import Ledger
from study.results.query import query
from study.results.render import cell
from study.results.storage import Storage, join
from study.results.tables import ConfigValue
from study.spec import UserError
from study.spec.tree import leaves
from study.trained.explain import PictureFolder, best_trial
from study.trained.load import LoadedTrial, load_trial

_TRIAL = re.compile(r"(?:(?P<study>[^:]+):)?(?P<trial>\d{1,18})", re.ASCII)


@dataclass(frozen=True)
class Comparison:
    """What came of trials beside each other.

    Attributes:
        told: A line for each trial: its score, and in what it differs from the others.
        note: What to know about their scores, or nothing.
        folder: Where the pictures are, as people find it.
        files: Their names in it.
    """

    told: tuple[str, ...]
    note: str
    folder: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class _Entry:
    """What the ledger has on a trial.

    `trial` is its newest row of `trials`, `scores` its rows of `scores` by rising epoch, `config`
    what it was trained on and how, by path.
    """

    label: str
    config: Mapping[str, ConfigValue]
    trial: Mapping[str, Any]
    scores: Sequence[Mapping[str, Any]]

    @property
    def score(self) -> Mapping[str, Any] | None:
        """The row of the last score."""
        return self.scores[-1] if self.scores else None


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
        watch: Told of each trial before it makes images.

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
    found = _TRIAL.fullmatch(text)
    if found is None:
        raise UserError(
            f"--beside {text}: must be a trial's number, or STUDY:TRIAL for one of another study"
        )
    return found["study"] or study, int(found["trial"])


def comparable_groups(entries: Sequence[_Entry]) -> list[int | None]:
    """A number for each trial: two scores with the same one can be ranked. None without a score."""
    leaders: list[_Entry] = []
    groups: list[int | None] = []
    for entry in entries:
        if entry.score is None:
            groups.append(None)
            continue
        place = next((i for i, other in enumerate(leaders) if _rankable(other, entry)), None)
        if place is None:
            place = len(leaders)
            leaders.append(entry)
        groups.append(place)
    return groups


def _rankable(one: _Entry, other: _Entry) -> bool:
    """Whether the leaderboard would rank both: its rule, for trials of two studies too."""
    trials, scores = [], []
    for number, entry in enumerate((one, other)):
        assert entry.score is not None
        value = entry.score["value"]
        trials.append({**entry.trial, "trial": number, "state": "complete", "value": value})
        scores.append({**entry.score, "trial": number})
    try:
        rank(trials, scores)
    except UserError:
        return False
    return True


def scores_note(entries: Sequence[_Entry], groups: Sequence[int | None]) -> str:
    """Which scores cannot be compared, and why; empty if all can."""
    scored = [(e, g) for e, g in zip(entries, groups, strict=True) if g is not None]
    leaders = {group: next(e for e, g in scored if g == group) for _, group in scored}
    if len(leaders) < 2:
        return ""
    differing = {
        part
        for entry in leaders.values()
        for part in IDENTITY
        if identity(entry.score or {})[part] != identity(leaders[0].score or {})[part]
    }
    told = " | ".join(", ".join(e.label for e, g in scored if g == group) for group in leaders)
    why = ", ".join(part for part in IDENTITY if part in differing)
    return f"Scores are not comparable between {told}: they differ in their {why}"


def differences(entries: Sequence[_Entry]) -> list[str]:
    """In what each trial differs from the others, in words."""
    # What the search chose, and not what follows from it. Trials of two studies, of which one may
    # have chosen what the other was given, have what all of them have: not a branch's own settings.
    configs = [json.loads(entry.trial["picks"] or "{}") for entry in entries]
    names = varying(configs)
    if len({entry.trial["study"] for entry in entries}) > 1 or not names:
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
    where = f"where trial = {loaded.trial:d}"
    sql = f"select * from scores {where} and stage = 'search' and epoch <= {loaded.epoch:d}"
    (trial,) = rows(query(storage, f"select * from trials {where}", [loaded.study]))
    scores = rows(query(storage, f"{sql} order by epoch", [loaded.study]))
    sections = loaded.spec.trial_config()
    del sections["score"]  # what made the samples is told apart, and no score compares the rest
    return _Entry(label, leaves(sections, {}), trial, scores)


def _exhibit(
    entry: _Entry, loaded: LoadedTrial, group: int | None, differs: str, seed: int
) -> Exhibit:
    family, how, score = loaded.family, loaded.sampling, entry.score
    sampler = family.default_sampler if how.sampler == "auto" else how.sampler
    whole = loaded.images.whole
    # By the seed alone: edges stand beside the pictures that they are edges of.
    picked = np.random.default_rng(derive_seed(seed, "real")).permutation(len(whole))[:REAL]
    with in_precision(loaded.spec.train.precision, family.device):
        path = denoising_path(
            family,
            Generator(family.device).manual_seed(derive_seed(seed, "paths")),
            sampler=sampler,
            steps=how.steps,
            options=how.options,
        )
    schedule = getattr(family, "schedule", None)
    return Exhibit(
        label=entry.label,
        differs=differs,
        score="no score yet" if score is None else f"{score['metric']} {score['value']:.4g}",
        sampling=f"{sampler}, {how.steps} step" + ("s" if how.steps > 1 else ""),
        real=whole.take(picked.astype(np.int64), part=f"{whole.part}, some").tensor(),
        samples=loaded.generate(SAMPLES, derive_seed(seed, "explain")).cpu(),
        path=path,
        timesteps=None if path is None or schedule is None else schedule.timesteps,
        metric="" if score is None else score["metric"],
        scores={row["epoch"]: row["value"] for row in entry.scores},
        group=group,
    )
