from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ledger_rows import complete, final, final_score, pruned, score, spec, write

from study.results.leaderboard import read_leaderboard, to_json
from study.results.storage import Storage
from study.spec.errors import UserError


def test_the_best_of_the_search_leads_until_there_are_finals(ranked: Storage) -> None:
    lead = read_leaderboard(ranked, "s").leader
    assert lead is not None
    assert (lead.trial, lead.run, lead.epoch, lead.value, lead.final) == (1, 1, 4, 3.0, False)
    write(ranked, "s", final_score(5, 2.5), final(5, 0))
    lead = read_leaderboard(ranked, "s").leader
    assert lead is not None
    assert (lead.trial, lead.run, lead.epoch, lead.value, lead.final) == (0, 5, 4, 2.5, True)


def test_nobody_leads_without_a_score(storage: Storage) -> None:
    storage.claim("s", "")
    assert read_leaderboard(storage, "s").leader is None
    with pytest.raises(UserError, match="did you mean 's'"):
        read_leaderboard(storage, "ss")


def test_json_says_all_of_it(storage: Storage) -> None:
    storage.claim("s", "")
    few = replace(score(2, 9.0, epoch=1), samples=64)
    both = spec(objectives=("score", "parameters"))
    for trial in (0, 1):
        row = replace(complete(trial, trial + 1.0, lr=0.1), spec=both, parameters=100 - trial)
        write(storage, "s", score(trial, trial + 1.0), row)
    write(storage, "s", few, replace(pruned(2, 9.0), spec=both))
    for run in (3, 4):
        write(storage, "s", final_score(run, float(run)), replace(final(run, 0), spec=both))
    told = json.loads(to_json(read_leaderboard(storage, "s"), top=1))
    assert told["study"] == "s"
    assert [row["trial"] for row in told["search"]] == [0]
    assert told["search"][0]["config"] == {"lr": 0.1}
    assert told["search"][0]["measured"]["reference"] == "mnist:1"
    assert [row["samples"] for row in told["aside"]] == [64]
    assert told["front"]["members"][1]["objectives"] == {"score": 2.0, "parameters": 99}
    (finalist,) = told["finals"]["finalists"]
    assert finalist["standing"]["mean"] == 3.5
    assert finalist["runs"][0]["scores"] == {"0": 3.0}
    assert told["finals"]["measured"]["samples"] == 10_000
    assert told["finals"]["agreement"] is None


def test_json_of_nothing(storage: Storage) -> None:
    storage.claim("s", "")
    told = json.loads(to_json(read_leaderboard(storage, "s")))
    assert told == {"study": "s", "finals": None, "front": None, "search": [], "aside": []}
