from __future__ import annotations

from pathlib import Path

import pytest
from subjects import make_subject

from study.diagnostics import bits_per_dimension as bits

T = 40


def test_the_bound_adds_up(tmp_path: Path) -> None:
    totals = {
        m.quantity: m.value for m in bits.diagnose(make_subject(tmp_path)).measures if not m.axis
    }
    terms = [
        m.value for m in bits.diagnose(make_subject(tmp_path)).measures if m.quantity == "term"
    ]
    assert len(terms) == T
    assert totals["decoder"] == pytest.approx(terms[0])
    assert totals["bits_per_dim"] == pytest.approx(totals["prior"] + sum(terms), rel=1e-5)


def test_the_headline_says_how_many_terms_were_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bits, "TERMS", 7)
    some, full = (bits.diagnose(make_subject(tmp_path, full=full)) for full in (False, True))
    assert some.headline.endswith("bits per dimension, from 7 of 40 terms")
    assert full.headline.endswith("bits per dimension, from all 40 terms")
    for finding, terms, images in (
        (some, 7, bits.IMAGES),
        (full, T, bits.FULL_IMAGES),
    ):
        computed = [m for m in finding.measures if m.quantity == "term"]
        assert len(computed) == terms
        assert {m.samples for m in computed} == {images}
        assert [m.value for m in finding.measures if m.quantity == "terms"] == [terms]
