from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from models.schedules import SCHEDULES
from study.data import load_images
from study.diagnostics.gaussianity import (
    TESTS,
    NoiseTests,
    batches_of,
    first_gaussian_step,
    gaussianity_figure,
    images_needed,
    onset_text,
    p_values,
    repeated_tests,
    running_mean,
)

ORDER = ("cosine", "linear", "constant", "inverse_linear")


@pytest.mark.slow
@pytest.mark.parametrize(("digits", "seeds"), [(1, range(12)), (3, range(6)), (8, range(4))])
def test_real_digits_become_noise_in_the_documents_order(digits: int, seeds: range) -> None:
    images = load_images("mnist5k").images
    for seed in seeds:
        chosen = images[np.random.default_rng(seed).choice(len(images), digits, replace=False)]
        firsts = {}
        for kind in ORDER:
            first = first_gaussian_step(p_values(SCHEDULES[kind](1000), chosen, seed))
            assert first is not None
            firsts[kind] = first
        assert 820 <= firsts["cosine"] <= 980, firsts
        steps = [firsts[kind] for kind in ORDER]
        assert steps == sorted(steps, reverse=True), firsts
        assert len(set(steps)) == 4, firsts


def test_noise_is_noise_at_any_time_and_a_flat_image_is_not() -> None:
    # With alpha_bar near 1 throughout, z_t is the image.
    schedule = SCHEDULES["constant"](50, beta=1e-6)
    flat = np.zeros((1, 1, 28, 28), np.uint8)
    assert p_values(schedule, flat, 0).max() < 1e-9
    assert first_gaussian_step(p_values(schedule, flat, 0)) is None
    noisy = SCHEDULES["constant"](95, beta=0.5)
    late = p_values(noisy, flat, 0)[20:]
    assert np.mean(late < 0.05) < 0.15  # p is uniform under the null hypothesis
    assert 0.4 < late.mean() < 0.6


def test_p_values_are_scipys() -> None:
    schedule, images = SCHEDULES["linear"](300), load_images("mnist5k").images[:2]
    measured = p_values(schedule, images, seed=5)
    random = np.random.default_rng(5)
    x = (images / 127.5 - 1).ravel()
    for t, alpha_bar in enumerate(schedule.alpha_bars.tolist()):
        z = alpha_bar**0.5 * x + (1 - alpha_bar) ** 0.5 * random.standard_normal(x.shape)
        if t % 20 == 19:
            assert measured[t] == pytest.approx(stats.kstest(z, "norm").pvalue, abs=0.01)


def test_running_means() -> None:
    assert running_mean(np.array([0.0, 1.0, 2.0, 6.0]), 3).tolist() == [0.5, 1, 3, 4]


def test_a_figure_tells_the_first_step_its_range_and_how_many_images() -> None:
    t = np.array([0, 5, 9])
    a = NoiseTests(t, np.array([[0.0, 0.2, 0.2], [0.0, 0.3, 0.1], [0.0, 0.01, 0.6]]))
    b = NoiseTests(t, np.array([[0.0, 0.0, 0.01], [0.0, 0.0, 0.02], [0.0, 0.1, 0.2]]))
    figure = gaussianity_figure({"a": a, "b": b}, 30)
    (panel,) = figure.axes
    labels = panel.get_legend_handles_labels()[1]
    assert labels == ["a: from t = 5 (5 .. 9)", "b: never"]
    assert "3 tests of N = 30 other images each" in " ".join(figure.get_suptitle().split())
    assert len(panel.collections) == 2  # a band each
    assert onset_text(NoiseTests(t, np.array([[0, 1, 1], [0, 0, 0], [0, 1, 1.0]]))) == (
        "from t = 5 (5 .. never)"
    )


def test_images_of_any_size_make_tests_of_about_as_many_pixels() -> None:
    assert images_needed((1, 16, 16)) == TESTS * 32
    assert images_needed((1, 28, 28)) == TESTS * 10
    assert images_needed((3, 64, 64)) == TESTS
    images = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1)
    batches = batches_of(images)
    assert len(batches) == TESTS
    assert sorted(np.concatenate(batches).ravel()) == list(range(100))  # each image in one test
    assert [len(batch) for batch in batches_of(images[:3])] == [3] * TESTS


def test_repeated_tests_agree_better_than_tests_of_three_images() -> None:
    images = load_images("mnist5k").images
    schedule = SCHEDULES["linear"](1000)

    def onsets(tests: int, count: int) -> list[int | None]:
        found = []
        for seed in range(4):
            chosen = np.random.default_rng(seed).permutation(len(images))[: tests * count]
            found.append(repeated_tests(schedule, batches_of(images[chosen], tests), seed).onset)
        return found

    many, three = onsets(TESTS, 10), onsets(1, 3)
    assert None not in many
    assert np.ptp(np.array(many, float)) < np.ptp(np.array(three, float))
    assert np.ptp(np.array(many, float)) <= 40  # of 1000
