"""The section of `toolweft.toml` about what tools ask of people and their clients."""

from pydantic import Field

from toolweft.config.quantities import Count, Seconds, Section, Texts
from toolweft.gateway.options import AskOptions

__all__ = ("AsksModel",)

_ASKS = AskOptions()


class AsksModel(Section):
    """What tools ask during a call: of whom, and for how long."""

    park_s: Seconds = Field(
        default=_ASKS.park_s,
        description="A call whose questions nobody answers is ended after this.",
    )
    max_parked: Count = Field(
        default=_ASKS.max_parked,
        description="Calls of one principal that may wait for answers between two requests.",
    )
    state_keys: Texts = Field(
        default=(),
        description="'env:NAME' of 32 bytes or more: the first seals what clients carry between"
        " rounds, each opens it; without any, a key of the process.",
    )
    roots: Texts = Field(
        default=(),
        description="Folders that the commands call, run and ask tell a server that asks.",
    )
    sampling_model: str | None = Field(
        default=None,
        min_length=1,
        description="'VENDOR:MODEL' that answers servers which ask these commands for a model.",
    )
