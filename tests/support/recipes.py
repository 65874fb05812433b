"""Recipes for tests."""

from typing import Any

from belowline.training.recipes.recipe import Recipe


def changed(recipe: Recipe, **sections: dict[str, Any]) -> Recipe:
    """Return the recipe with other values in its sections."""
    content = recipe.model_dump()
    return Recipe.model_validate(content | {name: content[name] | new for name, new in sections.items()})
