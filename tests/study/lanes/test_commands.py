from __future__ import annotations

import pickle

from specs import study
from stages import report

from study.driver.messages import Assignment
from study.lanes.commands import Advance, Assign, Position, Quit


def test_commands_and_positions_survive_the_way_to_another_process() -> None:
    assignment = Assignment("small", 3, 7, study(), "checkpoint.pt", (1, 2))
    for message in (
        Assign(assignment),
        Advance(),
        Quit(),
        Position(4, assignment, report(3, 1, 0.5, "running")),
    ):
        again = pickle.loads(pickle.dumps(message))
        assert again == message
        assert type(again) is type(message)
