from __future__ import annotations

from dataclasses import replace

from ledger_rows import complete, score, spec, write

from study.results.reader import read_study
from study.results.render import to_text
from study.results.rescored import rescored
from study.results.rescored_table import rescore_table
from study.results.storage import Storage


def test_the_table(storage: Storage) -> None:
    storage.claim("s", "")
    for trial, value in enumerate([2.0, 1.0, 3.0]):
        before = score(trial, trial + 1.0)
        again = replace(
            score(trial, value), stage="rescore", steps=250, spread=0.1, weights="trained"
        )
        row = replace(complete(trial, trial + 1.0), spec=spec())
        write(storage, "s", before, row, again)
    (group,) = rescored(read_study(storage, "s"))
    text = to_text(rescore_table(group, 80), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith("fd_lenet of 256 images by ddim in 250 steps, the trained weights")
    rows = [line.split() for line in text.splitlines()]
    assert ["1", "1", "1.00", "±", "0.20", "1", "2", "2"] in rows
    assert ["2", "0", "2.00", "±", "0.20", "1", "1", "1"] in rows
    assert "Kendall's tau 0.33" in text
