"""Every file in search_spaces, plain and with each of its overlays."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from paths import SEARCH_SPACES

from models import build_family, generate
from study.search import Search
from study.spec import Study, StudyFile, UserError, read_study_file, read_study_text
from study.spec.holes import Choice, Label
from study.spec.model import Morphing
from study.spec.recipes import find_recipe, recipes
from study.spec.yaml_file import read_yaml

SPACES = SEARCH_SPACES
VARIANTS = [
    (path, variant)
    for path in sorted(SPACES.glob("*.yaml"))
    for variant in (None, *read_yaml(path).tree.get("variants", {}))
]
SMOKES = [(path, variant) for path, variant in VARIANTS if "smoke" in read_yaml(path).tree]
OWN_PICTURES = {"data/bulbasaur": 198, "data/bedrooms": 534, "data/cats": 300}
"""Folders that a user provides for the documents whose pictures may not be passed on."""


def named(value: object) -> str:
    return value.stem if isinstance(value, Path) else str(value or "plain")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def pictures(folder: Path) -> None:
    for name, count in OWN_PICTURES.items():
        (folder / name).mkdir(parents=True)
        for index in range(count):
            (folder / name / f"{index}.png").touch()


def test_each_document_has_its_study() -> None:
    names = {path.stem for path in SPACES.glob("*.yaml")}
    assert names >= {
        *("000_bulbasaurs", "001_bedrooms", "002_cats", "003_digits", "004_schedules"),
        "families",
    }
    assert {path.stem for path, _ in SMOKES} == names - {"quickstart"}


@pytest.mark.parametrize(("path", "variant"), VARIANTS, ids=named)
@pytest.mark.usefixtures("pictures")
def test_a_study_is_valid_where_its_pictures_are(path: Path, variant: str | None) -> None:
    study_file = read_study_file(path, variant=variant)
    assert again(study_file) == study_file.study
    if variant is not None:
        assert study_file.study.name.endswith(f"-{variant}")
        assert study_file.text != read_study_file(path).text
    name = study_file.study.data.dataset
    assert (name.startswith("/")) == (path.stem[:3] in ("000", "001", "002"))


@pytest.mark.parametrize(("path", "variant"), SMOKES, ids=named)
def test_a_smoke_needs_nothing_that_does_not_come_along(path: Path, variant: str | None) -> None:
    study_file = read_study_file(path, smoke=True, variant=variant)
    assert study_file.study.name.endswith("-smoke")
    assert again(study_file) == study_file.study
    assert study_file.study.search.trials <= 6
    if variant is not None:  # the file's own smoke does not undo what the variant is
        assert study_file.text != read_study_file(path, smoke=True).text
    for study in (branch.study for branch in study_file.branches()):
        assert needs(study) <= {"mnist5k", "digits", "photo_patches"}
        assert study.data.training_images * study_file.most_epochs <= 2000
        assert study.sampling.steps * study.score.samples <= 4000


@pytest.mark.parametrize(("path", "variant"), SMOKES, ids=named)
@pytest.mark.usefixtures("pictures")
def test_a_smoke_is_the_whole_recipe_made_tiny(path: Path, variant: str | None) -> None:
    smoke = read_study_file(path, smoke=True, variant=variant)
    assert named_options(smoke) == named_options(read_study_file(path, variant=variant))


@pytest.mark.parametrize(("path", "variant"), SMOKES, ids=named)
def test_a_smokes_trials_take_every_branch(path: Path, variant: str | None) -> None:
    study_file = read_study_file(path, smoke=True, variant=variant)
    search, taken = Search(study_file), set()
    while (suggestion := search.ask()) is not None:
        taken |= {*suggestion.picks.items()}
    for name, options in named_options(study_file).items():
        if name in COVERED:
            assert {(name, option) for option in options} <= taken, name


def test_families_see_the_same_number_of_images() -> None:
    for smoke in (False, True):
        study_file = read_study_file(SPACES / "families.yaml", smoke=smoke)
        studies = [branch.study for branch in study_file.branches()]
        assert {study.model.family for study in studies} == {"ddpm", "morphing", "gan"}
        assert len({study.train.epochs * study.data.training_images for study in studies}) == 1
        names = [dimension.name for dimension in study_file.space.dimensions()]
        assert not [name for name in names if name.startswith(("data", "train.epochs"))]


@pytest.mark.parametrize(("path", "variant"), SMOKES, ids=named)
def test_a_smokes_models_can_be_built_and_sampled(path: Path, variant: str | None) -> None:
    for study in (
        branch.study for branch in read_study_file(path, smoke=True, variant=variant).branches()
    ):
        shape = study.data.image_shape
        morph_images = torch.zeros((5, *shape), dtype=torch.uint8).random_()
        towards = morph_images if isinstance(study.model, Morphing) else None
        model = study.model.model_dump(mode="json", exclude={"towards"})
        family = build_family(model, shape, seed=0, towards=towards)
        how = study.sampling
        images = generate(
            family, 2, sampler=how.sampler, steps=how.steps, seed=0, options=how.options
        )
        assert images.shape == (2, *shape)


@pytest.mark.parametrize(("path", "variant"), VARIANTS, ids=named)
@pytest.mark.usefixtures("pictures")
def test_a_studys_models_can_be_built(path: Path, variant: str | None) -> None:
    for study in (branch.study for branch in read_study_file(path, variant=variant).branches()):
        shape = study.data.image_shape
        towards = None
        if isinstance(study.model, Morphing):
            towards = torch.zeros((1, *shape), dtype=torch.uint8)
        model = study.model.model_dump(mode="json", exclude={"towards"})
        assert build_family(model, shape, seed=0, towards=towards).image_shape == shape


COVERED = {
    *("data.split", "model", "model.network", "model.network.kernel", "model.prediction"),
    *("model.loss", "model.plain.loss", "score.sampler", "score.sampler.variance"),
    *("model.schedule", "train.early_stopping"),
}
"""Choices of which the few trials of a smoke try every option."""


def named_options(study_file: StudyFile) -> dict[str, set[Label]]:
    """The options of each choice but those of mere sizes, which a smoke has its own of."""
    found = {}
    for dimension in study_file.space.dimensions():
        if isinstance(dimension.hole, Choice):
            labels = {*dimension.hole.labels}
            numbers = all(type(label) in (int, float) for label in labels)
            lists = any(str(label).startswith("[") for label in labels)
            if dimension.name.endswith("kernel") or not (numbers or lists):
                found[dimension.name] = labels
    return found


def again(study_file: StudyFile) -> Study:
    """The study as it is read back from the ledger."""
    return read_study_text(study_file.text, "again").study


def needs(study: Study) -> set[str]:
    """The data sets that a study reads."""
    towards = [study.model.towards.dataset] if isinstance(study.model, Morphing) else []
    return {study.data.dataset, *towards}


def test_a_recipe_says_in_its_first_line_what_it_asks() -> None:
    for recipe in recipes():
        lines = recipe.text.splitlines()
        assert lines[0] == f"# {recipe.about}"
        assert 20 <= len(recipe.about) <= 98
        assert lines[1] == "#"


def test_a_recipe_is_found_with_its_number_or_without() -> None:
    assert [recipe.name for recipe in recipes()] == sorted(p.stem for p in SPACES.glob("*.yaml"))
    for name in ("004_schedules", "schedules"):
        recipe = find_recipe(name)
        assert recipe is not None
        assert recipe.name == "004_schedules"
        assert recipe.data == ("mnist", "fashion_mnist")
        assert {"morphing", "unet"} <= {*recipe.variants}
    assert find_recipe("4_schedules") is None


def test_a_bare_name_is_a_recipe_where_there_is_no_such_file(folder: Path) -> None:
    by_path = read_study_file(SPACES / "quickstart.yaml")
    assert read_study_file("quickstart").text == by_path.text
    (folder / "quickstart").mkdir()  # a folder is no study file
    assert read_study_file("quickstart").text == by_path.text
    (folder / "families").write_text(by_path.text)
    assert read_study_file("families").text == by_path.text


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("quikstart", r"^quikstart: no such file, and no recipe; did you mean `quickstart`\?$"),
        ("zzz", r"^zzz: no such file, and no recipe \(see `study recipes`\)$"),
        ("quickstart.yaml", "the recipe that comes along is called by its name alone, `quickst"),
        ("search_spaces/quickstart.yaml", "by its name alone, `quickstart`$"),
        ("other/quickstart", "by its name alone, `quickstart`$"),
        ("other/zzz.yaml", r"^other/zzz\.yaml: no such file$"),
        (".", "cannot be read"),
        ("", "cannot be read"),
        ("x" * 300, "no such file"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_neither_a_file_nor_a_recipe(path: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_study_file(path)
    assert "\n" not in str(caught.value)
