from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from study.data import ImageSet, Preparation, load_images
from study.data.pictures import UnreadableError, decode
from study.data.preprocessing import prepare
from study.spec.errors import UserError

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (12, 10, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (12, 10), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (12, 10), dtype=np.uint8)
SMALL = Preparation(size=8)


def decoded(
    picture: Image.Image, path: Path, background: int = 255, **options: object
) -> np.ndarray:
    """What is read of a picture that was saved: [C, H, W]."""
    picture.save(path, **options)
    return decode(path, background).pixels


def over(colour: np.ndarray, alpha: np.ndarray, background: int) -> np.ndarray:
    """Alpha composition, [C, H, W], in floating point."""
    share = alpha / 255.0
    return np.rint(share * colour + (1 - share) * background)


def mode_cases() -> dict[str, Callable[[Path], tuple[np.ndarray, np.ndarray]]]:
    """For each mode, from a folder to what was read and what was to be read."""
    rgb, grey = RGB.transpose(2, 0, 1), GREY[None]
    colours = [[200, 10, 30], [0, 255, 0], [9, 9, 9], [255, 255, 255]]
    indices = GREY % 4

    def with_palette() -> Image.Image:
        picture = Image.fromarray(indices)
        picture.putpalette([level for colour in colours for level in colour])
        assert picture.mode == "P"
        return picture

    painted = np.array(colours, np.uint8)[indices].transpose(2, 0, 1)
    keyed = np.where(indices == 1, 77, painted)
    alphas = np.array([0, 128, 255, 51], np.uint8)[indices]
    bits = (GREY > 128).astype(np.uint8) * 255
    key = tuple(int(level) for level in RGB[3, 4])
    key_hit = np.equal(RGB, RGB[3, 4]).all(axis=2)
    return {
        "rgb": lambda f: (decoded(Image.fromarray(RGB), f / "a.png"), rgb),
        "grey": lambda f: (decoded(Image.fromarray(GREY), f / "a.png"), grey),
        "1-bit": lambda f: (
            decoded(Image.fromarray(bits).convert("1", dither=Image.Dither.NONE), f / "a.png"),
            bits[None],
        ),
        "rgba": lambda f: (
            decoded(Image.fromarray(np.dstack([RGB, ALPHA])), f / "a.png", 77),
            over(rgb, ALPHA, 77),
        ),
        "grey with alpha": lambda f: (
            decoded(Image.fromarray(np.dstack([GREY, ALPHA]), "LA"), f / "a.png", 77),
            over(grey, ALPHA, 77),
        ),
        "palette": lambda f: (decoded(with_palette(), f / "a.png"), painted),
        "palette, one entry transparent": lambda f: (
            decoded(with_palette(), f / "a.gif", 77, transparency=1),
            keyed,
        ),
        "palette, an alpha for each entry": lambda f: (
            decoded(with_palette(), f / "a.png", 77, transparency=bytes([0, 128, 255, 51])),
            over(painted, alphas, 77),
        ),
        "rgb, one colour transparent": lambda f: (
            decoded(Image.fromarray(RGB), f / "a.png", 77, transparency=key),
            np.where(key_hit, 77, rgb),
        ),
        "grey, one level transparent": lambda f: (
            decoded(Image.fromarray(GREY), f / "a.png", 77, transparency=int(GREY[0, 0])),
            np.where(np.equal(GREY, GREY[0, 0]), 77, GREY)[None],
        ),
        "cmyk": lambda f: (
            decoded(Image.fromarray(255 - RGB).convert("CMYK"), f / "a.tif"),
            255 - rgb,
        ),
        "webp": lambda f: (
            decoded(
                Image.fromarray(np.dstack([RGB, ALPHA])), f / "a.webp", lossless=True, exact=True
            ),
            over(rgb, ALPHA, 255),
        ),
    }


@pytest.mark.parametrize("mode", mode_cases())
def test_pictures_of_every_mode_become_8_bit_and_opaque(tmp_path: Path, mode: str) -> None:
    levels, expected = mode_cases()[mode](tmp_path)
    assert levels.dtype == np.uint8
    assert np.array_equal(levels, expected)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_16_bits_are_scaled_and_not_clipped(tmp_path: Path, suffix: str) -> None:
    wide = RNG.integers(0, 65536, (20, 20), dtype=np.uint16)
    wide[0, :2] = 0, 65535
    levels = decoded(Image.fromarray(wide), tmp_path / f"wide{suffix}")
    assert np.array_equal(levels, np.rint(wide / 257)[None])


def test_a_transparent_16_bit_level_is_laid_over_the_background(tmp_path: Path) -> None:
    wide = np.array([[1000, 30000], [65535, 1001]], np.uint16)
    levels = decoded(Image.fromarray(wide), tmp_path / "a.png", 77, transparency=1000)
    assert levels.tolist() == [[[77, 117], [255, 4]]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    turns = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, 1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    levels = decoded(Image.fromarray(RGB), tmp_path / "a.png", exif=exif.tobytes())
    assert np.array_equal(levels.transpose(1, 2, 0), turns[orientation](RGB))
    photo = tmp_path / "b.jpg"
    Image.fromarray(RGB).save(photo, exif=exif.tobytes(), quality=95)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(photo)))
    assert np.array_equal(decode(photo, 255).pixels.transpose(1, 2, 0), upright)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_an_animation_gives_its_first_frame(tmp_path: Path, suffix: str) -> None:
    first, second = (Image.new("RGB", (9, 9), colour) for colour in ("red", "blue"))
    options = {"lossless": True} if suffix == ".webp" else {}
    levels = decoded(
        first, tmp_path / f"a{suffix}", save_all=True, append_images=[second], **options
    )
    assert np.array_equal(levels, np.broadcast_to([[[255]], [[0]], [[0]]], (3, 9, 9)))


def test_levels_without_a_known_range_are_refused(tmp_path: Path) -> None:
    for name, array in (("f.tif", RGB[..., 0].astype(np.float32)), ("i.tif", GREY - np.int32(999))):
        Image.fromarray(array).save(tmp_path / name)
        with pytest.raises(UnreadableError, match="its levels are"):
            decode(tmp_path / name, 255)


def write_broken(folder: Path, names: list[str]) -> None:
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
        content = path.read_bytes()
        path.write_bytes((content[: len(content) // 2], b"no picture", b"")[number % 3])


def write_numbered(folder: Path, names: list[str]) -> None:
    """Pictures in one colour, whose red is their place in the list."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9 + number % 3, 11), (number, 0, 0)).save(folder / name)


def reds(image_set: ImageSet) -> list[int]:
    assert (image_set.images == image_set.images[:, :, :1, :1]).all()
    return image_set.images[:, 0, 0, 0].tolist()


def test_folders_are_read_with_their_subfolders_in_order_of_paths(tmp_path: Path) -> None:
    write_numbered(tmp_path, ["a.png", "b.PNG", "c/a.bmp", "c/d/e.tiff", "d.gif", "e/a.ppm"])
    (tmp_path / "notes.txt").write_text("no picture")
    write_broken(tmp_path, [".hidden.png", ".thumbnails/a.png"])
    image_set = load_images(str(tmp_path), SMALL)
    assert reds(image_set) == [0, 1, 2, 3, 4, 5]
    assert image_set.name == tmp_path.name
    assert image_set.labels is None
    assert image_set.part == "all"
    assert image_set.skipped == ()
    assert image_set.preprocessing == (
        "pictures upright, over 255; RGB; centre crop to a square; "
        "resize 8x8, bilinear, antialias, rounded"
    )


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_picture_is_prepared_as_an_array_is(tmp_path: Path, fit: str, channels: int) -> None:
    preparation = Preparation(
        size=8,
        channels=channels,
        fit=fit,
        background=99,
        edges="sobel",  # type: ignore[arg-type]
    )
    rgb, grey = Image.fromarray(RGB), Image.fromarray(GREY)
    for name, picture in (("a.png", rgb), ("b.png", grey), ("c.png", rgb.rotate(90, expand=True))):
        picture.save(tmp_path / name)
    whole = load_images(str(tmp_path), preparation)
    for index, picture in enumerate((rgb, grey, rgb.rotate(90, expand=True))):
        levels = np.asarray(picture.convert("RGB")).transpose(2, 0, 1)[None]
        alone = prepare(ImageSet("alone", levels), preparation)
        assert np.array_equal(whole.images[index], alone.images[0])
    for word in ("over 99", "grey" if channels == 1 else "RGB", "Sobel", "8x8"):
        assert word in whole.preprocessing
    assert ("padding to a square (99)" in whole.preprocessing) == (fit == "pad")


@pytest.mark.parametrize("broken", ["c/b.jpg", "c/b.png", "d.gif", "b.bmp"])
@pytest.mark.parametrize("kept", [0, 5, 300])
def test_a_broken_picture_is_named(tmp_path: Path, broken: str, kept: int) -> None:
    write_numbered(tmp_path, ["a.png", "z.png"])
    write_broken(tmp_path, [broken])
    Image.fromarray(RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(tmp_path / broken)
    content = (tmp_path / broken).read_bytes()
    (tmp_path / broken).write_bytes(content[:kept])
    with pytest.raises(UserError, match=rf"{tmp_path}/{broken} can not be read \(.*\); ") as caught:
        load_images(str(tmp_path), SMALL)
    assert str(caught.value).count(str(tmp_path)) == 1


def test_a_picture_too_large_to_be_true_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_numbered(tmp_path, ["bomb.png"])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    with pytest.raises(UserError, match=r"bomb.png can not be read \(Image size \(99 pixels\)"):
        load_images(str(tmp_path), SMALL)


def test_all_broken_pictures_are_named_at_once(tmp_path: Path) -> None:
    write_numbered(tmp_path, ["a.png", "z.png"])
    write_broken(tmp_path, ["x.png", "b/c.png"])
    message = rf"2 pictures in {tmp_path} can not be read: b/c.png \(.*\), x.png \(.*\); mend them"
    with pytest.raises(UserError, match=message):
        load_images(str(tmp_path), SMALL)
    write_broken(tmp_path, ["d.png", "e.png"])
    with pytest.raises(
        UserError, match=r"4 pictures .*: b/c.png .*, d.png .*, e.png .* and 1 more"
    ):
        load_images(str(tmp_path), SMALL)


def test_broken_pictures_are_skipped_and_counted(tmp_path: Path) -> None:
    write_numbered(tmp_path, ["a.png", "d.png", "e.png"])
    write_broken(tmp_path, ["b/c.png", "b/d.png", "f.jpg"])
    image_set = load_images(str(tmp_path), Preparation(size=8, on_error="skip"))
    assert reds(image_set) == [0, 1, 2]
    assert image_set.skipped == ("b/c.png", "b/d.png", "f.jpg")
    assert image_set.remarks[0] == "left out: 3 pictures that can not be read (b/c.png, ...)"


def test_a_part_of_a_folder_is_chosen_by_the_seed_in_order(tmp_path: Path) -> None:
    write_numbered(tmp_path, [f"{number:02}.png" for number in range(40)])

    def chosen(**settings: float) -> list[int]:
        return reds(load_images(str(tmp_path), Preparation(size=8, **settings)))  # type: ignore[arg-type]

    first = chosen(count=10)
    assert len(set(first)) == 10
    assert first == sorted(first) == chosen(count=10) == chosen(fraction=0.25)
    assert first != chosen(count=10, seed=1)
    assert chosen(count=40) == chosen(fraction=1.0) == list(range(40))
    image_set = load_images(str(tmp_path), Preparation(size=8, fraction=0.25, seed=4))
    assert image_set.part == "fraction=0.25, seed=4"
    with pytest.raises(UserError, match="`count` is 41, but must be <= 40"):
        chosen(count=41)


def test_a_skipped_picture_gives_its_place_to_another(tmp_path: Path) -> None:
    write_numbered(tmp_path, [f"{number:02}.png" for number in range(20)])
    write_broken(tmp_path, [f"{number:02}.png" for number in range(0, 20, 2)])
    skipping = Preparation(size=8, count=10, on_error="skip")
    image_set = load_images(str(tmp_path), skipping)
    assert reds(image_set) == list(range(1, 20, 2))
    assert len(load_images(str(tmp_path), Preparation(size=8, fraction=0.3, on_error="skip"))) == 6
    with pytest.raises(UserError, match="has 10 pictures that can be read, but must have 11"):
        load_images(str(tmp_path), Preparation(size=8, count=11, on_error="skip"))


def test_folders_without_pictures_are_reported(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(
        UserError, match=r"has no pictures that Pillow can decode, .* \(notes.txt\)"
    ):
        load_images(str(tmp_path), SMALL)
    write_broken(tmp_path, ["a.png"])
    with pytest.raises(UserError, match="has 0 pictures that can be read, but must have some"):
        load_images(str(tmp_path), Preparation(size=8, on_error="skip"))
