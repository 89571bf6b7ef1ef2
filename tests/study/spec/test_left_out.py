from __future__ import annotations

from study.spec.left_out import LeftOut, Reason, describe_left_out


def test_what_is_left_out_is_one_line_by_reason() -> None:
    assert describe_left_out(()) is None
    some = [
        LeftOut(".DS_Store", Reason.HIDDEN),
        LeftOut("dogs", Reason.DEAD_LINK),
        LeftOut("a.txt", Reason.NO_PICTURE),
        LeftOut("b.txt", Reason.NO_PICTURE),
    ]
    assert describe_left_out(some) == (
        "left out: 2 files that are no pictures (a.txt, ...), 1 hidden file or folder (.DS_Store), "
        "1 link that leads nowhere (dogs)"
    )
    for reason in Reason:
        line = describe_left_out([LeftOut("x", reason)])
        assert line is not None
        assert line == f"left out: 1 {reason.value[0]} (x)"
