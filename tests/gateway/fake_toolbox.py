"""A small toolbox for the gateway's tests; run as a program it is served over stdio."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from toolweft.core.calls import Blob, Content, LinkContent, Principal, TextContent
from toolweft.core.client import NOBODY, CallingClient
from toolweft.core.clock import Clock
from toolweft.core.errors import Overloaded
from toolweft.core.json import JsonObject, JsonSchema
from toolweft.core.tools import Hints
from toolweft.gateway.http import serve_http
from toolweft.gateway.options import HttpOptions
from toolweft.gateway.server import build_server
from toolweft.gateway.stdio import serve_stdio

NO_HINTS = Hints()


@dataclass(frozen=True, kw_only=True)
class FakeTool:
    name: str
    title: str | None = None
    description: str = ""
    input_schema: JsonSchema = field(default_factory=lambda: {"type": "object"})
    annotations: Hints = NO_HINTS


@dataclass(frozen=True, kw_only=True)
class FakeSurface:
    tools: tuple[FakeTool, ...]


@dataclass(frozen=True, kw_only=True)
class FakeReply:
    text: str = ""
    content: tuple[Content, ...] = ()
    structured: JsonObject | None = None
    is_error: bool = False


TOOLS = (
    FakeTool(
        name="search_tools",
        title="Search tools",
        description="Find tools.",
        input_schema={
            "type": "object",
            "properties": {"queries": {"type": "array", "items": {"type": "string"}}},
        },
        annotations=Hints(read_only=True, open_world=False),
    ),
    FakeTool(name="run_code", annotations=Hints(destructive=True, open_world=True)),
)


class Desk:
    """What the fake toolboxes of one server share, so that tests can look and steer."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock
        self.opened: list[Principal] = []
        self.listed: list[Principal] = []
        self.tools: tuple[FakeTool, ...] = TOOLS
        self.started = anyio.Event()
        self.cancelled = anyio.Event()
        self.released = anyio.Event()

    def toolbox_for(self, principal: Principal) -> "FakeToolbox":
        self.opened.append(principal)
        return FakeToolbox(self, principal)

    async def surface_for(self, principal: Principal) -> FakeSurface:
        self.listed.append(principal)
        return FakeSurface(tools=self.tools)

    def server(self):
        return build_server(
            self.toolbox_for,
            surface_for=self.surface_for,
            version="1.2.3",
            instructions="Search.",
            clock=self._clock,
        )


class FakeToolbox:
    def __init__(self, desk: Desk, principal: Principal) -> None:
        self._desk = desk
        self._principal = principal
        self._variables: JsonObject = {}

    async def invoke(
        self,
        name: str,
        arguments: JsonObject,
        *,
        on_output: Callable[[str], None] | None = None,
        client: CallingClient = NOBODY,
    ) -> FakeReply:
        return await getattr(self, f"_{name}")(arguments, on_output)

    async def _who(self, arguments, on_output) -> FakeReply:
        principal = self._principal
        return FakeReply(text=f"{principal.tenant}/{principal.user}/{principal.key}")

    async def _echo(self, arguments, on_output) -> FakeReply:
        return FakeReply(text=str(arguments.get("text")), structured=dict(arguments))

    async def _remember(self, arguments, on_output) -> FakeReply:
        self._variables |= arguments
        return FakeReply(text=str(sorted(self._variables)))

    async def _print(self, arguments, on_output) -> FakeReply:
        if on_output is None:
            return FakeReply(text="nobody listens")
        for text in arguments["texts"]:
            on_output(text)
            await anyio.lowlevel.checkpoint()
        return FakeReply(text="printed")

    async def _stray(self, arguments, on_output) -> FakeReply:
        print("stray")
        return FakeReply(text="said")

    async def _half(self, arguments, on_output) -> FakeReply:
        return FakeReply(text="half \ud800 of a character")

    async def _picture(self, arguments, on_output) -> FakeReply:
        return FakeReply(
            content=(
                TextContent("a picture"),
                Blob(data=b"\x89PNG", media_type="image/png"),
                LinkContent(uri="file:///a", name="a"),
            )
        )

    async def _hang(self, arguments, on_output) -> FakeReply:
        self._desk.started.set()
        try:
            await anyio.sleep_forever()
        finally:
            self._desk.cancelled.set()

    async def _hold(self, arguments, on_output) -> FakeReply:
        on_output("before")
        self._desk.started.set()
        await self._desk.released.wait()
        on_output("after")
        return FakeReply(text="held")

    async def _overload(self, arguments, on_output) -> FakeReply:
        raise Overloaded("every slot is taken", hint="try again later")

    async def _crash(self, arguments, on_output) -> FakeReply:
        raise RuntimeError("hunter2 in a traceback")


async def main() -> None:
    if sys.argv[1:] == ["http"]:
        await serve_http(Desk().server(), HttpOptions(port=0), on_listening=say)
    else:
        await serve_stdio(Desk().server())
    print("served", file=sys.stderr)


def say(url: str) -> None:
    print(url, flush=True)


if __name__ == "__main__":
    anyio.run(main)
