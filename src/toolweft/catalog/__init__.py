"""The catalog: what every tool is called, how dangerous it is, who may call it, what is deferred.

Hears of sources, holds the newest snapshot. Knows nothing of how tools are reached or found.
"""

from toolweft.catalog.catalog import Catalog
from toolweft.catalog.example_lint import ExampleFinding, lint_examples
from toolweft.catalog.options import CatalogOptions, Profile, ToolRule

__all__ = (
    "Catalog",
    "CatalogOptions",
    "ExampleFinding",
    "Profile",
    "ToolRule",
    "lint_examples",
)
