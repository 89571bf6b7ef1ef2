"""Looking an embedder up; that each is what it is declared to be is in the embedders' contract."""

from __future__ import annotations

import pytest

from study.spec.embedder_info import EMBEDDERS, IMPORTED, embedder_info
from study.spec.errors import UserError


def test_an_embedder_is_looked_up_by_name_or_import_path() -> None:
    for name, info in EMBEDDERS.items():
        assert embedder_info(name) is info
        assert not info.imported
    assert embedder_info("package.module:Name") is IMPORTED
    assert IMPORTED.imported


def test_what_comes_from_outside_is_tried_before_a_study_starts() -> None:
    assert IMPORTED.external
    external = {name for name, info in EMBEDDERS.items() if info.external}
    assert external == {"inception", "inception_torch", "inception_antialias", "inception_clean"}


def test_one_that_is_not_known_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"'lenett', but must be one of .*; did you mean `lenet`"):
        embedder_info("lenett")
