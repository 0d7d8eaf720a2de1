"""What a conversation sees by default."""

from dataclasses import dataclass

__all__ = ("ToolboxOptions",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolboxOptions:
    """Defaults of the four tools."""

    search_limit: int = 5
    max_search_limit: int = 50
    # `run_code` answers `running` after this many seconds.
    wait_s: float = 45.0
    # Characters of output shown to a model: the head and the tail of what was kept.
    shown_characters: int = 20_000
    # A direct call's result above this (UTF-8 bytes / 4) is kept, and the model gets a handle.
    max_result_tokens: int = 25_000
    # Bytes of a handle that a client may read in one go.
    max_resource_bytes: int = 1024 * 1024
    # Characters of a direct call's text shown to a model, where nothing can be kept.
    shown_result_characters: int = 100_000
    # Sources named in the search tool's text.
    max_named_sources: int = 12
