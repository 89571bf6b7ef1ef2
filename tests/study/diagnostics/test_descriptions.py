from __future__ import annotations

import subprocess
import sys

from study.diagnostics.catalogue import DIAGNOSTICS
from study.diagnostics.descriptions import DESCRIPTIONS


def test_the_names_for_the_command_line_are_those_of_the_diagnostics() -> None:
    assert [*DESCRIPTIONS] == [*DIAGNOSTICS]


def test_no_torch_is_imported_to_tell_of_them() -> None:
    code = "import sys, study.diagnostics.descriptions; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
