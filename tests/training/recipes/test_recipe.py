"""Recipes: shipped ones load, and every wrong field gives one clear line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from belowline.data.corpora import CORPORA
from belowline.model.labels import DEFINITIONS
from belowline.training.errors import RecipeError
from belowline.training.recipes.recipe import DECISIONS, RELEASED, load_recipe, recipe_file
from tests.conftest import ROOT

SHIPPED = sorted((ROOT / "training" / "recipes").glob("*.toml"))
TOP = {"name": '"trial"', "base": '"somewhere"'}


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write a recipe with other top-level values (TOML; None leaves one out) and sections."""

    def write(sections: str = "[mix]\njigsaw = 1.0", **top: str | None) -> Path:
        lines = [f"{key} = {value}" for key, value in (TOP | top).items() if value is not None]
        (tmp_path / "trial.toml").write_text("\n".join([*lines, sections]), "utf-8")
        return tmp_path / "trial.toml"

    return write


def problem(path: Path) -> str:
    """Return the error's one line after the name of the file."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def test_there_is_a_shipped_recipe() -> None:
    assert "newsroom" in [path.stem for path in SHIPPED]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_recipe_loads_and_trains_only_on_what_it_may(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    for name in recipe.mix:
        assert name in ("on-topic", "own-labels", "author-lines", DECISIONS) or CORPORA[name].trainable
    assert set(recipe.augment.swap_in) <= set(recipe.mix)
    assert set(recipe.generated) <= {"link-spam", "own-links", "contrast"}


def test_the_recipes_for_a_site_replay_what_newsroom_mixes_and_start_from_the_released_weights() -> None:
    newsroom = load_recipe(recipe_file(Path("newsroom-0.6")))
    for name in ("retrain", "heads"):
        recipe = load_recipe(recipe_file(Path(name)))
        assert recipe.start == RELEASED
        assert set(recipe.mix) == {*newsroom.mix, DECISIONS}
        assert recipe.max_tokens == newsroom.max_tokens
        # A site's model does not hold more harmless comments than the released one.
        assert (recipe.hold_harmless, recipe.ordinary) == (newsroom.hold_harmless, newsroom.ordinary)
        assert recipe.replay.optional


def test_the_students_share_their_mix_and_the_limit_on_held_harmless_comments() -> None:
    newsroom, small, large, teacher = (
        load_recipe(recipe_file(Path(name))) for name in ("newsroom-0.6", "small", "large", "teacher")
    )
    assert newsroom.distil
    assert newsroom.distil.teacher == large.name
    assert newsroom.distil.layers == tuple(range(6))
    assert small.distil
    assert (small.start, small.distil.teacher) == (RELEASED, "")
    assert newsroom.mix == small.mix
    assert {(one.hold_harmless, one.ordinary) for one in (newsroom, small, large, teacher)} == {
        (newsroom.hold_harmless, newsroom.ordinary)
    }
    assert set(newsroom.mix) == set(large.mix) == set(teacher.mix)


def test_a_file_goes_before_a_shipped_recipe_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert recipe_file(Path("retrain")).name == "retrain.toml"
    assert recipe_file(Path("nothing")) == Path("nothing")
    Path("retrain").touch()
    assert recipe_file(Path("retrain")) == Path("retrain")


def test_name_and_version_can_be_given_instead(written: Callable[..., Path]) -> None:
    recipe = load_recipe(written(), name="november", version=None)
    assert (recipe.name, recipe.version) == ("november", "0.0.0")
    with pytest.raises(RecipeError, match=r"trial\.toml: name: "):
        load_recipe(written(), name="No such name")


def test_patience_needs_something_to_wait_for(written: Callable[..., Path]) -> None:
    path = written("[mix]\njigsaw = 1.0\n[fit]\npatience = 3")
    assert "patience needs evaluate_every" in problem(path)


def test_what_is_left_out_has_a_default(written: Callable[..., Path]) -> None:
    recipe = load_recipe(written())
    assert recipe.labels == tuple(DEFINITIONS)
    assert recipe.fit.passes == 1.0
    assert recipe.augment.disguise == 0.0
    assert recipe.limit is None


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", None, "is missing"),
        ("name", '""', "at least 1 character"),
        ("name", '"../out"', "match pattern"),
        ("name", "7", "must be a string"),
        ("version", "1.0", "must be a string"),
        ("base", None, "is missing"),
        ("seed", "-1", "greater than or equal to 0"),
        ("seed", "1.5", "must be a whole number"),
        ("labels", "[]", "at least 1 item"),
        ("labels", '["spam", "spma"]', "unknown spma; known: spam, hate"),
        ("labels", '["spam", "spam"]', "named twice"),
        ("max_tokens", "7", "greater than or equal to 8"),
        ("max_tokens", "513", "less than or equal to 512"),
        ("overlap_tokens", "-1", "greater than or equal to 0"),
        ("overlap_tokens", "160", "less than max_tokens"),
        ("hold_precision", "1.2", "less than or equal to 1"),
        ("limit", "0", "greater than or equal to 1"),
        ("spede", "1", "is not a known field"),
    ],
)
def test_a_wrong_field_is_named(
    written: Callable[..., Path], field: str, value: str | None, words: str
) -> None:
    message = problem(written(**{field: value}))
    assert message.startswith(f"{field}")
    assert words in message
    assert "recipes/recipe.py" in message


@pytest.mark.parametrize(
    ("sections", "field", "words"),
    [
        ("", "mix", "is missing"),
        ("[mix]", "mix", "at least 1 item"),
        ("[mix]\njigsaw = 0", "mix.jigsaw", "greater than 0"),
        ("[mix]\njigsaw = 'often'", "mix.jigsaw", "must be a number"),
        ("[mix]\njigsaw = nan", "mix.jigsaw", ""),
        ("[mix]\njigsaw = 1\n[fit]\npasses = inf", "fit.passes", "finite"),
        ("[mix]\njigsaw = 1\n[fit]\nrate = 1", "fit.rate", "is not a known field"),
        ("[mix]\njigsaw = 1\n[fit]\ntokens_per_batch = 8", "fit.tokens_per_batch", "or equal to 16"),
        ("[mix]\njigsaw = 1\n[fit]\nlearning_rate = 0", "fit.learning_rate", "greater than 0"),
        ("[mix]\njigsaw = 1\n[fit]\nprecision = 'fp8'", "fit.precision", "'auto', 'bf16' or 'fp32'"),
        ("[mix]\njigsaw = 1\n[fit]\nhold_every = 0", "fit.hold_every", "or equal to 1"),
        ("[mix]\njigsaw = 1\n[fit]\nevidence_weight = -1", "fit.evidence_weight", "or equal to 0"),
        ("[mix]\njigsaw = 1\n[fit]\ncheckpoint_minutes = 0", "fit.checkpoint_minutes", "greater than 0"),
        ("[mix]\njigsaw = 1\n[augment]\ndisguise = 2", "augment.disguise", "or equal to 1"),
        ("[mix]\njigsaw = 1\n[augment]\nswap_in = ['ghc']", "augment", "swap_in names ghc, not in the mix"),
        ("ordinary = ['c3']\n[mix]\njigsaw = 1", "ordinary", "ordinary names c3, not in the mix"),
        ("[mix]\njigsaw = 1\n[generated]\nlink-spam = -5", "generated.link-spam", "or equal to 0"),
        (
            "[mix]\njigsaw = 1\n[generated]\nlink-spam = 'some'",
            "generated.link-spam",
            "must be a whole number",
        ),
    ],
)
def test_a_wrong_field_of_a_section_is_named(
    written: Callable[..., Path], sections: str, field: str, words: str
) -> None:
    message = problem(written(sections))
    assert message.startswith(f"{field}: ")
    assert words in message


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    assert "No such file" in problem(tmp_path / "absent.toml")
    assert "Is a directory" in problem(tmp_path)
    (tmp_path / "half.toml").write_text("name = ", "utf-8")
    assert problem(tmp_path / "half.toml").startswith("not TOML: ")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    assert problem(tmp_path / "binary.toml").startswith("not TOML: ")


def test_a_loaded_recipe_does_not_change(written: Callable[..., Path]) -> None:
    recipe = load_recipe(written())
    with pytest.raises(ValueError, match="frozen"):
        recipe.seed = 3
