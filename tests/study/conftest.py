from __future__ import annotations

import sys
from pathlib import Path

# `study_trees` serves several rooms' tests.
sys.path.append(str(Path(__file__).parent / "spec"))
