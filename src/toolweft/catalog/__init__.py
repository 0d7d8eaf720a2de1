"""The catalog: what every tool is called, how dangerous it is, who may call it, what is deferred.

Hears of sources, holds the newest snapshot. Knows nothing of how tools are reached or found.
"""

from toolweft.catalog.catalog import Catalog
from toolweft.catalog.example_lint import ExampleFinding, lint_examples
from toolweft.catalog.options import CatalogOptions, Profile, ToolRule
from toolweft.catalog.rules import IdleRule, find_idle_rules

__all__ = (
    "Catalog",
    "CatalogOptions",
    "ExampleFinding",
    "IdleRule",
    "Profile",
    "ToolRule",
    "find_idle_rules",
    "lint_examples",
)
