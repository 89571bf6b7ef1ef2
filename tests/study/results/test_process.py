from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

from study.results.process import exists_here, started, this_process


def test_this_process_exists() -> None:
    assert exists_here(this_process()) is True
    assert str(this_process()).endswith(f"(process {os.getpid()})")


def test_another_process_under_the_number_of_one_that_ended_is_not_that_one() -> None:
    assert exists_here(replace(this_process(), started="1")) is False


def test_a_process_that_ended_does_not_exist_though_its_parent_has_not_looked() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = replace(this_process(), pid=child.pid, started=started(child.pid))
        assert exists_here(process) is True
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now
        assert exists_here(process) is False


def test_of_a_process_elsewhere_nothing_is_known() -> None:
    assert exists_here(replace(this_process(), host="elsewhere")) is None
    assert exists_here(replace(this_process(), machine="another start of it")) is None
    assert exists_here(replace(this_process(), machine="")) is None
