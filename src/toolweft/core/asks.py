"""What holds for every ask, whoever answers it: who can be asked, and how often.

Pure. Fronts, runs of programs and people at a terminal keep to it alike.
"""

from collections.abc import Mapping
from typing import Final

from toolweft.core.client import Ask
from toolweft.core.errors import AskRefused
from toolweft.core.json import Json, JsonObject

__all__ = (
    "DEFAULT_PARK_S",
    "MAX_ROUNDS",
    "Rounds",
    "asks_for_tools",
    "check_askable",
    "missing_capability",
)

# Clients repeat a request that asks at most ten times; the tenth would find nobody.
MAX_ROUNDS: Final = 9
# Long enough to find a paper or to ask somebody else; what waits keeps its container.
DEFAULT_PARK_S: Final = 600.0


def missing_capability(ask: Ask, capabilities: JsonObject) -> JsonObject:
    """What a client would have to declare to be asked this; {} where it has.

    Args:
        ask: the question.
        capabilities: MCP's ClientCapabilities.
    """
    match ask.kind:
        case "roots":
            return {} if _has(capabilities, "roots") else {"roots": {}}
        case "sampling":
            return _missing_for_sampling(ask.params, capabilities)
        case "elicitation" if ask.params.get("mode") == "url":
            declared = capabilities.get("elicitation")
            return {} if _has(declared, "url") else {"elicitation": {"url": {}}}
        case "elicitation" | "approval":
            declared = capabilities.get("elicitation")
            # Without modes it means forms.
            can = isinstance(declared, Mapping) and (not declared or _has(declared, "form"))
            return {} if can else {"elicitation": {"form": {}}}


def check_askable(ask: Ask, capabilities: JsonObject) -> None:
    """Check that a client can be asked this.

    Raises:
        AskRefused: it did not declare so; the hint names what it would have to declare.
    """
    missing = missing_capability(ask, capabilities)
    if missing:
        what = ".".join(_path(missing))
        raise AskRefused(
            f"{ask.source!r} asks for {ask.kind}, and the client cannot be asked: it has not"
            f" declared {what!r}",
            hint=f"call the tool from a client that declares the capability {what!r}",
        )


def asks_for_tools(params: JsonObject) -> bool:
    """Whether a question for sampling is one that only a client with tools there can answer."""
    return params.get("tools") is not None or params.get("toolChoice") is not None


class Rounds:
    """How often something asks: asks that are open together are one round.

    Args:
        most: after so many rounds nothing more may be asked.
    """

    __slots__ = ("_most", "begun", "opened")

    def __init__(self, most: int = MAX_ROUNDS) -> None:
        self._most = most
        self.begun = 0
        # Asks without an answer yet.
        self.opened = 0

    def open(self, ask: Ask) -> None:
        """Note an ask that begins; `close` has to follow.

        Raises:
            AskRefused: this would be one round too many.
        """
        if self.opened == 0:
            if self.begun >= self._most:
                raise self.refusal(ask)
            self.begun += 1
        self.opened += 1

    def close(self) -> None:
        """Note that an ask has its answer, or was withdrawn."""
        self.opened -= 1

    def refusal(self, ask: Ask) -> AskRefused:
        """Why an ask beyond the last round is refused."""
        return AskRefused(
            f"{ask.source!r} asks for {ask.kind}, and {self._most} rounds were asked already",
            hint="ask at once for all that is needed: asks of one gather share a round",
        )


def _has(declared: Json, name: str) -> bool:
    return isinstance(declared, Mapping) and declared.get(name) is not None


def _missing_for_sampling(params: JsonObject, capabilities: JsonObject) -> JsonObject:
    if not _has(capabilities, "sampling"):
        return {"sampling": {}}
    if asks_for_tools(params) and not _has(capabilities["sampling"], "tools"):
        return {"sampling": {"tools": {}}}
    return {}


def _path(missing: JsonObject) -> list[str]:
    path: list[str] = []
    while missing:
        name = next(iter(missing))
        path.append(name)
        missing = missing[name]
    return path
