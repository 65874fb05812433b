"""Recipes: their fields, and the ones that come with the package."""
