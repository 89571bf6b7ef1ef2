"""Where things are, whatever folder a test lies in."""

from __future__ import annotations

from pathlib import Path

HELPERS = Path(__file__).parent
ROOT = HELPERS.parents[1]
SEARCH_SPACES = ROOT / "search_spaces"
SHARED_DATA = ROOT.parent / "shared" / "data"
"""Real images that may not be given away; tests that want them run where they are."""
