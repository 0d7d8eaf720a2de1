"""The port to a model, and what a model can do natively."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol

from toolweft.core.messages import ModelEvent, ModelReply, ModelRequest
from toolweft.core.models import TokenPrices

__all__ = ("ModelCapabilities", "Provider")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCapabilities:
    """What one model does at one API of one platform, from a table; never guessed from a name."""

    # Whether a tool may be declared and kept out of the prompt.
    has_deferral: bool = False
    # How a search of ours reveals deferred tools: a result that refers to them, a search item of
    # the vendor's that we answer, or not at all.
    reveal: Literal["reference", "search_item", "none"] = "none"
    # How a tool that was not declared is added in the middle without losing the cache.
    addition: Literal["system_block", "item", "none"] = "none"
    # The language of programs that run at the vendor.
    programs: Literal["python", "javascript", "none"] = "none"
    # How long such a program may be kept waiting for the result of a call; None: no limit is known.
    program_wait_s: float | None = None
    has_examples: bool = False
    has_output_schema: bool = False
    # Answers that must fit a schema.
    has_structured_output: bool = True
    # Explicit marks of what is to be cached.
    has_cache_marks: bool = False
    # Whether a tool may be forced; newest models refuse it.
    has_forced_choice: bool = True
    takes_images: bool = True
    takes_temperature: bool = True
    max_tools: int | None = None
    context_tokens: int | None = None


class Provider(Protocol):
    """One model behind one API; open for as long as whoever made it keeps it open."""

    @property
    def name(self) -> str:
        """Vendor and model as the user writes them: "anthropic:claude-sonnet-5"."""
        ...

    @property
    def capabilities(self) -> ModelCapabilities:
        """What it does natively."""
        ...

    @property
    def prices(self) -> TokenPrices | None:
        """What its tokens cost; None where nobody said."""
        ...

    async def complete(self, request: ModelRequest) -> ModelReply:
        """One turn of the model.

        Raises:
            ProviderError: the model could not be asked or did not answer; its `retryable` and
                `retry_after_s` say whether asking again may help. What can be repaired by trying
                again has been tried by then.
        """
        ...

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """The same turn as it is written; the last event is `ReplyDone`.

        Raises:
            ProviderError: as `complete`; once something was written nothing is tried again.
        """
        ...
