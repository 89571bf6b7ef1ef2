from __future__ import annotations

import subprocess
import sys

from study.diagnostics.about import ABOUT
from study.diagnostics.catalogue import DIAGNOSTICS


def test_the_names_for_the_command_line_are_those_of_the_diagnostics() -> None:
    assert [*ABOUT] == [*DIAGNOSTICS]


def test_no_torch_is_imported_to_tell_of_them() -> None:
    code = "import sys, study.diagnostics.about; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
