"""What `study check` looks at, once, however it is shown."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from study.check.data_summary import DataSummary, summarise_data, write_contact_sheet
from study.check.estimate import Estimate, estimate
from study.check.preflight import Watch, preflight
from study.driver.placement import Placement, place, this_machine
from study.results.storage import Storage
from study.search import Search
from study.spec import StudyFile
from study.worker.workbench import Workbench


@dataclass(frozen=True)
class Examination:
    """A study that could run here.

    Attributes:
        study_file: The study.
        trials: How many its search has.
        placement: Its lanes on this machine.
        data: Its images.
        reading: Seconds that it took to read them; each lane reads the same.
    """

    study_file: StudyFile
    trials: int
    placement: Placement
    data: DataSummary
    reading: float

    def estimate(self, watch: Watch) -> Estimate:
        """Measure what it would cost, which takes a while.

        Args:
            watch: Told what is about to be measured.

        Raises:
            UserError: A network cannot be trained on this machine.
        """
        cost = estimate(self.study_file, self.placement, self.trials, watch, self.reading)
        watch("")
        return cost


def examine(
    study_file: StudyFile, storage: Storage, picture: Path | None, watch: Watch
) -> Examination:
    """Place a study on this machine, and read its images.

    Args:
        study_file: The study.
        storage: Where it would run.
        picture: Where to write a contact sheet of the images, a PNG, if anywhere.
        watch: Told what is about to be read, as it may take a while.

    Raises:
        UserError: One trial's workers do not fit this machine, preflight finds a mistake, or the
            picture cannot be written.
    """
    bench = Workbench(storage, torch.device("cpu"))
    trials = Search(study_file).planned
    placement = place(study_file.study.scale, (this_machine(),), trials)
    clock = time.monotonic()
    preflight(study_file, storage, watch, bench=bench)
    reading = time.monotonic() - clock
    watch("")
    if picture is not None:
        write_contact_sheet(picture, bench.images(study_file.study.data))
    data = summarise_data(study_file, bench)
    return Examination(study_file, trials, placement, data, reading)
