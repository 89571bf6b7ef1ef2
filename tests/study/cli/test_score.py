from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from paths import HELPERS, ROOT
from PIL import Image

from study import cli
from study.data import load_images, split
from study.scoring import score_images

Output = pytest.CaptureFixture[str]

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (12, 3, 12, 10), dtype=np.uint8)
WRONG_SIZES = np.empty(2, object)
WRONG_SIZES[:] = [RGB[0], RGB[0, :, :5]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, with an embedder in it, and a cache that nobody else has."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(HELPERS)
    return tmp_path


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "study.scoring.image_scores.user_cache_folder", lambda: tmp_path_factory.mktemp("cache")
    )


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["study", "score", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    code = caught.value.code
    return code if isinstance(code, int) else 0


def told(monkeypatch: pytest.MonkeyPatch, capsys: Output, *arguments: str) -> str:
    assert call(monkeypatch, *arguments) == 0
    output = capsys.readouterr()
    assert output.err == ""
    return output.out


def pictures(folder: Path, images: np.ndarray) -> str:
    folder.mkdir()
    for index, image in enumerate(images):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{index:03}.png")
    return str(folder)


def test_the_command_prints_what_the_function_finds(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    arguments = ["digits:train", "--against", "digits:held_out", "--embedder", "pixels"]
    printed = told(monkeypatch, capsys, *arguments, "--format", "json")
    found = json.loads(printed)
    parts = split(load_images("digits"))
    scores = score_images(parts.train, parts.held_out, embedder="pixels", cache_folder=folder)
    assert list(found["metrics"]) == [
        "fd_pixels",
        "kid_pixels",
        "precision",
        "recall",
        "density",
        "coverage",
        "modes",
        "mode_divergence",
    ]
    for one in scores.measured.values():
        assert found["metrics"][one.metric]["value"] == pytest.approx(one.value, rel=1e-9)
    assert found["embedder_digest"] == scores.embedder_digest
    assert found["reference_digest"] == scores.reference_digest
    assert (found["generated_images"], found["reference_images"]) == (1438, 359)
    assert found["kid_subset_size"] is None
    assert any("whole sets" in note for note in found["notes"])
    # The same as a table.
    table = told(monkeypatch, capsys, *arguments)
    assert "1438 images of digits:train against 359 of digits:held_out" in table
    assert all(name in table for name in found["metrics"])
    assert f"{scores['fd_pixels']:.5g}" in table
    assert scores.reference_digest[:12] in table
    assert "note: kid is over the whole sets" in table


def test_the_options_decide_what_is_measured_and_of_which_images(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    arguments = ["digits:train", "--against", "digits:held_out", "--embedder", "pixels"]
    arguments += ["--format", "json", "--samples", "100", "--metrics"]

    def metrics(*more: str) -> dict[str, float]:
        found = json.loads(told(monkeypatch, capsys, *arguments, *more))
        assert found["generated_images"] == 100
        return {name: one["value"] for name, one in found["metrics"].items()}

    plain = metrics("fd_pixels, kid,fd,recall")
    assert list(plain) == ["fd_pixels", "kid_pixels", "recall"]
    assert metrics("recall,fd") == {name: plain[name] for name in ("recall", "fd_pixels")}
    assert metrics("recall", "--seed", "1") != {"recall": plain["recall"]}
    assert metrics("fd", "--size", "16") != {"fd_pixels": plain["fd_pixels"]}
    assert metrics("kid", "--kid-subset-size", "50") != {"kid_pixels": plain["kid_pixels"]}
    grey, colour = metrics("fd"), metrics("fd", "--channels", "3")
    assert colour["fd_pixels"] == pytest.approx(3 * grey["fd_pixels"])


def test_one_and_the_same_images_from_folder_and_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    pictures(folder / "a", RGB[:6])
    np.save(folder / "a.npy", RGB[:6])
    np.savez_compressed(folder / "a.npz", images=RGB[:6].transpose(0, 2, 3, 1))
    np.save(folder / "real.npy", RGB[6:])
    values = {
        json.loads(
            told(
                monkeypatch,
                capsys,
                *(given, "--against", "real.npy", "--embedder", "stand_in:Means"),
                *("--metrics", "fd,recall", "--format", "json"),
            )
        )["metrics"]["fd_custom"]["value"]
        for given in ("a", "a.npy", "a.npz")
    }
    assert len(values) == 1


def test_what_guided_diffusion_writes_is_images_with_labels(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    images = RGB.transpose(0, 2, 3, 1)
    np.savez(folder / "samples.npz", images, np.arange(12) % 4)
    np.savez(folder / "reference.npz", arr_0=images, mu=np.zeros(2048), sigma=np.zeros((8, 8)))
    arguments = ["--embedder", "pixels", "--format", "json", "--metrics"]
    pair = ["samples.npz", "--against", "reference.npz"]
    found = json.loads(told(monkeypatch, capsys, *pair, *arguments, "fd"))
    assert found["metrics"]["fd_pixels"]["value"] == pytest.approx(0, abs=1e-9)
    pair = ["reference.npz", "--against", "samples.npz"]
    found = json.loads(told(monkeypatch, capsys, *pair, *arguments, "modes"))
    assert found["metrics"]["modes"]["value"] == 4


def test_a_file_of_moments_is_a_reference_of_what_it_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    np.save(folder / "a.npy", RGB)
    features = RGB.reshape(12, -1) / 255
    moments = {"mu": features.mean(axis=0), "sigma": np.cov(features.T)}
    np.savez(folder / "named.npz", **moments, embedder="pixels")
    np.savez(folder / "plain.npz", **moments)
    for arguments in (["named.npz"], ["plain.npz", "--embedder", "pixels"]):
        page = told(monkeypatch, capsys, "a.npy", "--against", *arguments)
        assert f"12 images of a.npy against the moments in {arguments[0]}" in page
        assert "fd_pixels" in page
    printed = told(monkeypatch, capsys, "a.npy", "--against", "named.npz", "--format", "json")
    assert json.loads(printed)["reference_images"] is None


def test_what_is_left_out_and_dark_is_told_as_notes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    for name, factor in (("eight", 1), ("twelve", 16)):
        (folder / name).mkdir()
        for index, image in enumerate(RGB[:, 0]):
            wide = image if factor == 1 else image.astype(np.uint16) * factor
            Image.fromarray(wide).save(folder / name / f"{index}.png")
    (folder / "eight" / "README.txt").write_text("no picture")
    np.save(folder / "wide.npy", RGB[:, :1].astype(np.uint16) * 16)
    arguments = ["--against", "eight", "--embedder", "pixels", "--metrics", "fd"]
    json_ = ["--format", "json"]
    dark = json.loads(told(monkeypatch, capsys, "twelve", *arguments, *json_))
    assert dark["notes"][0].startswith("twelve: the brightest level of the 16-bit images is ")
    assert "eight: left out: 1 file that is no picture (README.txt)" in dark["notes"]
    for source in ("twelve", "wide.npy"):
        right = json.loads(
            told(monkeypatch, capsys, source, *arguments, *json_, "--levels", "4095")
        )
        assert not any("brightest" in note for note in right["notes"])
        assert right["metrics"]["fd_pixels"]["value"] < 0.01
        assert dark["metrics"]["fd_pixels"]["value"] > 10


def test_it_draws_the_nearest_real_images(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    arguments = ["digits:train", "--against", "digits:held_out", "--embedder", "pixels"]
    arguments += ["--metrics", "fd", "--samples", "30", "--nearest", "near.png"]
    assert "nearest real images: near.png" in told(monkeypatch, capsys, *arguments)
    with Image.open(folder / "near.png") as picture:
        assert min(picture.size) > 300
    pictures(folder / "few", RGB[:3])
    few = ["few", "--against", "few", "--embedder", "pixels", "--metrics", "fd"]
    told(monkeypatch, capsys, *few, "--nearest", "few.png")
    assert (folder / "few.png").exists()


MISTAKES: dict[str, tuple[str, list[str], str]] = {
    "no such path": ("gone/away", [], "There is no 'gone/away': it must be a folder"),
    "no such set": ("digitz", [], "did you mean `digits`?"),
    "no such part": ("digits:test", [], "The part 'test' of `digits` is not known, but must be"),
    "empty folder": ("empty", [], "empty has no pictures that Pillow can decode"),
    "broken picture": ("broken", [], "broken/004.png can not be read"),
    "one picture": ("one", [], "There is 1 generated image in `one`, but it takes 2 or more"),
    "one in a file": ("one.npy", [], "There is 1 generated image in `one`, but it takes 2 or more"),
    "sizes in an array": ("sizes.npy", [], "images of different sizes, but must be of one size"),
    "sizes in a folder": ("sizes", [], "000.png is [3, 12, 10] and 001.png is [3, 5, 10]"),
    "floats": ("floats.npy", [], "from 0 to 1, but must be uint8 in 0..255: save them as (255 *"),
    "NaN": ("nan.npy", [], "float64 [12, 3, 12, 10] with NaN or infinity among them, but must"),
    "other shape": ("digits", [], "are [1, 8, 8] and the reference [3, 12, 10], but with the"),
    "labels": ("real.npy", ["--metrics", "modes"], "`modes` needs labels of the real images"),
    "subsets": ("real.npy", ["--kid-subset-size", "13"], "13, but must be 2 to 12, there being"),
    "no kid": (
        "real.npy",
        ["--metrics", "fd", "--kid-subset-size", "2"],
        "was given, but kid is not measured",
    ),
    "measure": ("real.npy", ["--metrics", "fd,recal"], "'recal' is not known, but must be one of"),
    "no measure": ("real.npy", ["--metrics", "fd,"], "The measure '' is not known"),
    "other metric": ("real.npy", ["--metrics", "fid"], "with it, fd is fd_pixels"),
    "embedder": ("real.npy", ["--embedder", "pixel"], "did you mean `pixels`?"),
    "weights": (
        "real.npy",
        ["--embedder", "inception", "--weights", "real.npy"],
        "real.npy can not be read: it is no file of weights that torch.save wrote",
    ),
    "samples": ("real.npy", ["--samples", "13"], "`samples` is 13, but must be 2 to 12"),
    "one sample": ("real.npy", ["--samples", "1"], "`samples` is 1, but must be 2 to 12"),
    "size": ("real.npy", ["--size", "4"], "`size` is 4, but must be in 8..128"),
    "channels": ("real.npy", ["--channels", "2"], "`channels` is 2, but must be 1 or 3"),
    "no place": ("real.npy", ["--nearest", "gone/a.png"], "gone does not exist"),
    "a folder's place": ("gone", ["--nearest", "empty"], "--nearest empty: a folder, but must be"),
    "a long place": ("gone", ["--nearest", "a" * 300], "cannot be written (File name too long)"),
    "nothing": ("real.npy", ["--against", ""], "A path of images is '', but must not be empty"),
    "a picture gone": ("link", [], "link/9.png can not be read"),
    "a reference gone": ("real.npy", ["--against", "link"], "link/9.png can not be read"),
    "a header": ("lying.npy", [], "its header says uint8 [9000, 3, 12, 10], of 3240128 bytes, but"),
    "nobody's home": ("~nosuchuser/x", [], "'~nosuchuser/x' can not be read"),
    "a single image": ("single.npy", [], "[3, 12, 10]: one image of 3 channels, and no set: save"),
    "16 bits": ("wide.npy", [], "`levels` (--levels) says which level is white, 4095 perhaps"),
    "a level too high": ("wide.npy", ["--levels", "999"], "but it must be <= 999, the value of"),
    "moments alone": ("moments.npz", [], "statistics for `study score --against` alone, but must"),
    "too few": ("real.npy", ["--metrics", "coverage", "--against", "two.npy"], "but there are 2"),
    "NaN features": ("real.npy", ["--embedder", "stand_in:Nothing"], "are not finite"),
}


@pytest.mark.parametrize(("given", "more", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_line_and_exit_code_2(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
    given: str,
    more: list[str],
    message: str,
) -> None:
    (folder / "empty").mkdir()
    broken = Path(pictures(folder / "broken", RGB)) / "004.png"
    broken.write_bytes(broken.read_bytes()[:100])
    pictures(folder / "one", RGB[:1])
    pictures(folder / "link", RGB)
    (folder / "link" / "9.png").symlink_to("nowhere")
    with (folder / "lying.npy").open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (9000, 3, 12, 10)}
        np.lib.format.write_array_header_1_0(file, header)
    pictures(folder / "sizes", RGB[:1])
    Image.fromarray(RGB[0].transpose(1, 2, 0)[:5]).save(folder / "sizes" / "001.png")
    np.save(folder / "one.npy", RGB[:1])
    np.save(folder / "two.npy", RGB[:2])
    np.save(folder / "real.npy", RGB)
    np.save(folder / "floats.npy", RGB / 255)
    np.save(folder / "nan.npy", np.where(RGB == 3, np.nan, RGB))
    np.save(folder / "single.npy", RGB[0])
    np.save(folder / "wide.npy", RGB.astype(np.uint16) * 16)
    np.savez(folder / "moments.npz", mu=np.zeros(9), sigma=np.eye(9))
    np.save(folder / "sizes.npy", WRONG_SIZES, allow_pickle=True)
    arguments = [given, "--against", "real.npy", "--embedder", "pixels", *more]
    assert call(monkeypatch, *arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("study: ")
    assert output.err.count("\n") == 1
    assert message in output.err


def test_a_seed_has_63_bits(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    np.save(folder / "real.npy", RGB)
    arguments = ["real.npy", "--against", "real.npy", "--embedder", "pixels", "--metrics"]
    arguments += ["fd_infinity,sliced_wasserstein", "--samples", "9", "--seed"]
    told(monkeypatch, capsys, *arguments, str(2**63 - 1))
    assert call(monkeypatch, *arguments, str(2**63)) == 2
    assert "--seed" in capsys.readouterr().err


def test_weights_with_the_wrong_digest_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    np.save(folder / "real.npy", RGB)
    torch.jit.script(torch.nn.Linear(2, 2)).save(folder / "other.pt")
    arguments = ["real.npy", "--against", "real.npy", "--weights", "other.pt"]
    assert call(monkeypatch, *arguments) == 2
    output = capsys.readouterr()
    assert "other.pt has SHA-256 " in output.err
    assert output.err.count("\n") == 1


def study(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as users run it."""
    places = os.pathsep.join([str(HELPERS), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-c", LAST_WORDS, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": places, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


# Prints at the end the most memory that the process has ever held, in KiB.
LAST_WORDS = """
import atexit, resource, sys
atexit.register(
    lambda: print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
)
from study.cli import main
sys.argv[0] = "study"
sys.argv.insert(1, "score")
main()
"""


@pytest.mark.slow
def test_a_damaged_cache_file_is_told_on_stderr(folder: Path) -> None:
    np.save(folder / "a.npy", RGB)
    arguments = ["a.npy", "--against", "a.npy", "--embedder", "pixels", "--metrics", "fd"]
    arguments += ["--cache", "cache", "--format", "json"]
    first = study(folder, *arguments)
    assert first.returncode == 0, first.stderr
    (path,) = (folder / "cache").glob("reference-*.npz")
    path.write_bytes(path.read_bytes()[:-1])
    again = study(folder, *arguments)
    assert f"{path.name} is damaged; making it again" in again.stderr
    assert json.loads(again.stdout)["metrics"] == json.loads(first.stdout)["metrics"]


@pytest.mark.slow
def test_ten_thousand_large_images_are_never_in_memory_at_once(folder: Path) -> None:
    # A file of nothing but its header and its length: the disk holds no zeros.
    generated, real = (10_000, 299, 299, 3), (3000, 299, 299, 3)
    np.lib.format.open_memmap(folder / "large.npy", "w+", np.uint8, generated).flush()
    np.savez_compressed(folder / "large.npz", np.broadcast_to(np.uint8(0), real))
    np.save(folder / "few.npy", RGB)
    arguments = ["--embedder", "stand_in:Means", "--metrics", "fd", "--cache", "cache"]
    small = study(folder, "few.npy", "--against", "few.npy", *arguments)
    large = study(folder, "large.npy", "--against", "large.npz", *arguments)
    for run in (small, large):
        assert run.returncode == 0, run.stderr
    assert "10000 images of large.npy against 3000 of large.npz" in large.stdout
    base, peak = (int(run.stderr.split("peak")[1]) * 1024 for run in (small, large))
    assert peak - base < math.prod(real) / 2 < math.prod(generated) / 6
