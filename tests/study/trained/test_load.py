from __future__ import annotations

from pathlib import Path

import pytest
from trained_trials import trained

from study.results.storage import Storage
from study.spec import UserError
from study.trained.load import best_trial


def test_the_best_trial_of_a_study(tmp_path: Path) -> None:
    storage = Storage.from_uri(str(tmp_path / "studies"))
    storage.claim("small", "name: small")
    with pytest.raises(UserError, match="no trial of study 'small' has a score yet"):
        best_trial(storage, "small")
    for number, value in enumerate((3.0, 1.0, 2.0)):
        trained(storage, number, value=value)
    assert best_trial(storage, "small") == 1
