"""`study explain`: all diagnostics that apply to a trained trial, as pictures and rows."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from study.diagnostics.catalogue import DIAGNOSTICS, applying
from study.diagnostics.descriptions import DESCRIPTIONS, FEWEST_SAMPLES, MOST_SAMPLES, SAMPLES
from study.diagnostics.subject import Finding, Measure, Subject
from study.results.ledger import Ledger
from study.results.picture_titles import add_title
from study.results.storage import Storage, join
from study.results.tables import DiagnosticRow
from study.spec import UserError
from study.trained.load import LoadedTrial, best_trial, load_trial, weights_score
from study.trained.picture_folder import PictureFolder


@dataclass(frozen=True)
class Explained:
    """What came of one diagnostic.

    Attributes:
        name: Of the diagnostic.
        headline: Its most telling number, in words; or why there is none.
        files: The pictures, by file name in the folder.
        seconds: What it took.
        measures: All numbers, as they stand in the table `diagnostics`.
    """

    name: str
    headline: str
    files: tuple[str, ...] = ()
    seconds: float = 0.0
    measures: tuple[Measure, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """What came of a trial's diagnostics.

    Attributes:
        study: The study's name.
        trial: The trial's number.
        epoch: The epoch of its weights.
        folder: Where the pictures are, as people find it.
        explained: The findings, in the order of the diagnostics.
        skipped: Names of those that make no sense for the trial.
        family: The trial's family.
    """

    study: str
    trial: int
    epoch: int
    folder: str
    explained: tuple[Explained, ...]
    skipped: tuple[str, ...]
    family: str


def explain_trial(
    storage: Storage,
    study: str,
    trial: int | None = None,
    *,
    only: Sequence[str] = (),
    folder: Path | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
    full: bool = False,
    watch: Callable[[str], None] = lambda name: None,
) -> Explanation:
    """Run the diagnostics that apply to a trial; write their pictures, and numbers to the ledger.

    Args:
        storage: Where the study is.
        study: Its name.
        trial: Its number; the best one by default.
        only: Names in `DIAGNOSTICS`; all that apply by default.
        folder: Where the pictures go; by default beside the study's results, where the ledger
            knows of them.
        samples: How many images to generate, `FEWEST_SAMPLES` .. `MOST_SAMPLES`.
        seed: Decides everything random in the diagnostics.
        full: Whether to leave nothing out that takes long.
        watch: Called with the name of each diagnostic before it starts.

    Raises:
        UserError: There is no such study, trial, checkpoint or diagnostic, the number of samples is
            out of its range, one of `only` does not apply or can find nothing, or the folder cannot
            be written.
    """
    names = chosen_names(only)
    if not FEWEST_SAMPLES <= samples <= MOST_SAMPLES:
        raise UserError(
            f"--samples is {samples}, but must be in {FEWEST_SAMPLES} .. {MOST_SAMPLES}"
        )
    storage.require(study)
    loaded = load_trial(storage, study, best_trial(storage, study) if trial is None else trial)
    subject = _subject(storage, loaded, samples, seed, full)
    family = loaded.spec.model.family
    apply = applying(subject)
    skipped = [name for name in names if name not in apply]
    if only and skipped:
        raise UserError(
            f"--only {skipped[0]} ({DESCRIPTIONS[skipped[0]]}) does not apply to trial "
            f"{loaded.trial} of '{study}', a {family}: those that do are {', '.join(apply)}"
        )
    place = PictureFolder(storage, join(study, "explain", f"trial-{loaded.trial:04d}"), folder)
    explained = []
    with Ledger(storage, study) as ledger:
        for name in [name for name in names if name in apply]:
            watch(name)
            clock = time.perf_counter()
            try:
                finding = DIAGNOSTICS[name].diagnose(subject)
            except UserError as error:  # such as too few images, which the others may not need
                if only:
                    raise UserError(f"--only {name}: not possible: {error}") from None
                explained.append(Explained(name, f"not possible: {error}"))
                continue
            seconds = time.perf_counter() - clock
            for picture in finding.pictures.values():
                add_title(picture, subject.title)
            files = place.write(finding.pictures, ledger, loaded.trial, loaded.epoch)
            _append(ledger, loaded, name, finding, seed, seconds)
            explained.append(
                Explained(name, finding.headline, files, seconds, tuple(finding.measures))
            )
    return Explanation(
        study=study,
        trial=loaded.trial,
        epoch=loaded.epoch,
        folder=place.location,
        explained=tuple(explained),
        skipped=tuple(skipped),
        family=family,
    )


def chosen_names(only: Sequence[str]) -> list[str]:
    """The diagnostics to run, in their own order, each once.

    Raises:
        UserError: There is none of such a name.
    """
    for name in only:
        if name not in DIAGNOSTICS:
            near = difflib.get_close_matches(name, DIAGNOSTICS, n=1)
            raise UserError(
                f"--only {name}: no such diagnostic; known are {', '.join(DIAGNOSTICS)}"
                + "".join(f"; did you mean {other}?" for other in near)
            )
    return [name for name in DIAGNOSTICS if not only or name in only]


def explanation_table(explanation: Explanation) -> Table:
    """A line for each diagnostic: its headline, and its pictures."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in ("diagnostic", "found", "pictures"):
        table.add_column(column, overflow="fold")
    for row in explanation.explained:
        table.add_row(Text(row.name), Text(row.headline), Text(" ".join(row.files)))
    return table


def _subject(storage: Storage, loaded: LoadedTrial, samples: int, seed: int, full: bool) -> Subject:
    sampling = loaded.sampling
    return Subject(
        storage=storage,
        study=loaded.study,
        trial=loaded.trial,
        model=loaded.spec.model.model_dump(mode="json"),
        family=loaded.family,
        train=loaded.images.parts.train,
        held_out=loaded.images.parts.held_out,
        sampler=loaded.sampler,
        steps=sampling.steps,
        options=sampling.options,
        generate=loaded.generate,
        prepare_scorer=loaded.scorer,
        epoch=loaded.epoch,
        score=weights_score(storage, loaded),
        samples=samples,
        seed=seed,
        full=full,
    )


def _append(
    ledger: Ledger, loaded: LoadedTrial, name: str, finding: Finding, seed: int, seconds: float
) -> None:
    for measure in finding.measures:
        ledger.append(
            DiagnosticRow(
                trial=loaded.trial,
                epoch=loaded.epoch,
                diagnostic=name,
                quantity=measure.quantity,
                axis=measure.axis,
                x=measure.x,
                value=measure.value,
                samples=measure.samples,
                sampler=measure.sampler,
                steps=measure.steps,
                seed=seed,
                embedder=measure.embedder,
                reference=measure.reference,
                seconds=seconds,
            )
        )
