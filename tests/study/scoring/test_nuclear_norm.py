from __future__ import annotations

import pytest
import torch
from torch import Tensor

from study.scoring.nuclear_norm import (
    cross_product,
    less_twice_the_norm,
    less_twice_the_roots,
    modulus,
)


def matrix(singular_values: Tensor, rows: int, columns: int, seed: int = 0) -> Tensor:
    """A matrix with these singular values, float64 [rows, columns]."""
    generator = torch.Generator().manual_seed(seed)
    left, right = (
        torch.linalg.qr(torch.randn(n, len(singular_values), generator=generator).double()).Q
        for n in (rows, columns)
    )
    return left * singular_values.double() @ right.T


SPECTRA = {
    "flat": torch.ones(300),
    "falling": torch.logspace(0, -3, 300),
    "steep": torch.logspace(0, -14, 300),
    "half of them 0": torch.cat([torch.ones(150), torch.zeros(150)]),
    "one": torch.cat([torch.ones(1), torch.zeros(299)]),
    "a cliff": torch.cat([torch.ones(20), torch.full((280,), 1e-7)]),
    "none": torch.zeros(300),
}


@pytest.mark.parametrize("shape", [(300, 400), (400, 300), (300, 300)])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_the_norm_is_known_to_the_last_digits(spectrum: str, shape: tuple[int, int]) -> None:
    values = SPECTRA[spectrum].double()
    made = matrix(values, *shape) * 7
    norm = 7 * float(values.sum())
    # Where all cancels, 1e-13 of the whole; else 1e-7 of the difference.
    assert less_twice_the_norm(2 * norm, made) == pytest.approx(0, abs=1e-12 * norm)
    assert less_twice_the_norm(2.001 * norm, made) == pytest.approx(0.001 * norm, rel=1e-6)


def test_roots_of_eigenvalues_that_rounding_may_have_made_are_not_trusted() -> None:
    made = matrix(SPECTRA["half of them 0"], 300, 300)
    squares = torch.linalg.eigvalsh(cross_product(made))
    naive = float(squares.clamp(min=0).sqrt().sum())
    assert abs(naive - 150) > 1e-8  # this is what the module is for
    assert less_twice_the_roots(300.0, squares) is None
    assert less_twice_the_roots(1300.0, squares) == pytest.approx(1000, rel=1e-7)


@pytest.mark.parametrize("shape", [(30, 50), (50, 30), (40, 40), (3, 0)])
def test_modulus(shape: tuple[int, int]) -> None:
    made = torch.randn(*shape, generator=torch.Generator().manual_seed(1)).double()
    squares, diagonal = modulus(made)
    left, values, _ = torch.linalg.svd(made, full_matrices=False)
    assert torch.allclose(squares.sqrt().flip(0), values)
    assert torch.allclose(diagonal, (left * values @ left.T).diagonal())


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_modulus_of_large_matrices(spectrum: str, scale: float) -> None:
    made = matrix(SPECTRA[spectrum], 400, 300)
    squares, diagonal = modulus(made * scale)
    left, values, _ = torch.linalg.svd(made, full_matrices=False)
    expected = (left * values @ left.T).diagonal()
    assert torch.allclose(squares.clamp(min=0).sqrt().flip(0) / scale, values, atol=1e-7)
    assert torch.allclose(diagonal / scale, expected, rtol=1e-5, atol=1e-6 * float(values[0]))


def test_modulus_of_a_matrix_of_low_rank() -> None:
    made = matrix(torch.tensor([3.0, 2.0, 1.0]), 60, 20)
    left, values, _ = torch.linalg.svd(made, full_matrices=False)
    assert torch.allclose(modulus(made)[1], (left * values @ left.T).diagonal(), atol=1e-6)
