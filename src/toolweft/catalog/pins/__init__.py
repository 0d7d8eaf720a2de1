"""What was accepted of each tool, what changed, and what is suspicious in a definition. Pure."""

from toolweft.catalog.pins.book import PinBook
from toolweft.catalog.pins.differences import Difference, find_differences
from toolweft.catalog.pins.record import hash_definition, record_definition

__all__ = (
    "Difference",
    "PinBook",
    "find_differences",
    "hash_definition",
    "record_definition",
)
