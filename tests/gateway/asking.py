"""A whole service whose tools ask, for the gateway's tests; run as a program it serves stdio.

Each tool's work is done by a policy, which has the call and so the client behind it.
"""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import mcp
import mcp_types as types
from mcp.client import ClientRequestContext

import toolweft
from toolweft.bootstrap import App, open_app
from toolweft.bootstrap.serving import serve_http, serve_stdio
from toolweft.config import load_settings
from toolweft.core.calls import Principal, ToolCall, ToolResult
from toolweft.core.client import Ask, Progress
from toolweft.core.errors import AskRefused
from toolweft.core.ids import SourceName
from toolweft.core.json import Json, JsonObject
from toolweft.core.ports import Proceed
from toolweft.core.snapshot import CatalogTool
from toolweft.gateway.server import build_server
from toolweft.toolbox import Surface

FORM = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
LOCAL = SourceName("local")


def _tool(name: str) -> Callable[..., Any]:
    async def work(text: str = "") -> Json:
        raise AssertionError(f"{name} is done by the policy")

    work.__name__ = name
    work.__doc__ = f"Do {name}."
    # Longer than any test, so that only a clock that stands still lets an answer be late.
    return toolweft.tool(severity="read_only", timeout_s=20.0)(work)


TOOLS = [
    _tool(name)
    for name in (
        *("plain", "word", "open", "sample", "roots", "many"),
        *("report", "report_late", "hear", "stubborn"),
    )
]


class Asking:
    """Does what the tools do, and remembers what became of it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.metas: list[JsonObject] = []
        self.principals: list[Principal] = []
        self.asked = anyio.Event()
        self.cancelled = anyio.Event()
        self.refused: list[str] = []

    async def __call__(self, call: ToolCall, tool: CatalogTool, proceed: Proceed) -> ToolResult:
        text = str(call.arguments.get("text", ""))
        name = tool.definition.name
        self.calls.append(name)
        self.metas.append(dict(call.client.meta))
        self.principals.append(call.principal)
        try:
            value = await getattr(self, f"_{name}")(call, text)
        except anyio.get_cancelled_exc_class():
            self.cancelled.set()
            raise
        except AskRefused as exc:
            self.refused.append(f"{exc.code}: {exc.message}")
            raise
        return ToolResult(call_id=call.id, value=value, encoded=_encode(value))

    async def _ask(self, call: ToolCall, kind: Any, params: JsonObject) -> JsonObject:
        self.asked.set()
        with call.countdown.hold():
            return await call.client.ask(Ask(kind=kind, source=LOCAL, params=params))

    async def _plain(self, call: ToolCall, text: str) -> Json:
        return f"plain {text}"

    async def _word(self, call: ToolCall, text: str) -> Json:
        answer = await self._ask(
            call, "elicitation", {"mode": "form", "message": text, "requestedSchema": FORM}
        )
        return answer["content"]["word"] if answer["action"] == "accept" else answer["action"]

    async def _open(self, call: ToolCall, text: str) -> Json:
        params = {"mode": "url", "message": text, "url": "https://example.test/x"}
        return (await self._ask(call, "elicitation", params))["action"]

    async def _sample(self, call: ToolCall, text: str) -> Json:
        message = {"role": "user", "content": {"type": "text", "text": text}}
        answer = await self._ask(call, "sampling", {"messages": [message], "maxTokens": 10})
        return answer["content"]["text"]

    async def _roots(self, call: ToolCall, text: str) -> Json:
        return [root["uri"] for root in (await self._ask(call, "roots", {}))["roots"]]

    async def _many(self, call: ToolCall, text: str) -> Json:
        """Ask `text` times, one after the other."""
        return [await self._word(call, f"word {n}") for n in range(int(text))]

    async def _report(self, call: ToolCall, text: str) -> Json:
        for step in range(3):
            call.client.report(Progress(progress=step, total=3, message=f"step {step}"))
        return call.client.wants_progress

    async def _report_late(self, call: ToolCall, text: str) -> Json:
        """Report, ask, and report once more just before the end."""
        call.client.report(Progress(progress=1, total=2, message="begun"))
        word = await self._word(call, text)
        call.client.report(Progress(progress=2, total=2, message="done"))
        return word

    async def _hear(self, call: ToolCall, text: str) -> Json:
        for level in ("debug", "info", "error"):
            call.client.log(level, f"{level} {text}", logger="local")
        return call.client.log_level

    async def _stubborn(self, call: ToolCall, text: str) -> Json:
        """Go on asking whatever is said."""
        while True:
            try:
                await self._word(call, text)
            except AskRefused as exc:
                self.refused.append(exc.code)
                await anyio.sleep(0.01)


def _encode(value: Json) -> bytes:
    import json

    return json.dumps(value).encode()


@asynccontextmanager
async def opened(folder: Path, asking: Asking, **overrides: Json) -> AsyncIterator[App]:
    """The whole application over the tools."""
    settings = load_settings(
        config=None,
        look_up=False,
        overrides={"ledger.url": f"sqlite:///{folder}/ledger.db", **overrides},
        environ={"XDG_STATE_HOME": str(folder), "XDG_CACHE_HOME": str(folder)},
        cwd=folder,
        home=folder,
    )
    async with open_app(settings, tools=TOOLS, policies=(asking,)) as app:
        await app.settle()
        yield app


def server_of(app: App, **asks: Any) -> Any:
    """The gateway's server, as `serve` makes it; with other options of asks."""

    async def surface_for(principal: Principal) -> Surface:
        return app.toolbox_for(principal).surface()

    return build_server(
        app.toolbox_for,
        surface_for=surface_for,
        version="1",
        asks=replace(app.settings.asks, **asks),
    )


class Person:
    """Answers what a client is asked; `answers` wins over the usual answer."""

    def __init__(self, name: str = "ann") -> None:
        self.name = name
        self.prompts: list[str] = []
        self.withdrawn: list[str] = []
        self.asked = anyio.Event()
        # Set: the person answers.
        self.may_answer = anyio.Event()
        self.may_answer.set()
        self.lines: list[tuple[str, Any]] = []

    async def elicit(
        self, context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult | types.ErrorData:
        self.prompts.append(params.message)
        self.asked.set()
        try:
            await self.may_answer.wait()
        except anyio.get_cancelled_exc_class():
            self.withdrawn.append(params.message)
            raise
        if isinstance(params, types.ElicitRequestURLParams):
            self.prompts.append(f"id: {params.elicitation_id is not None}")
            return types.ElicitResult(action="accept")
        content = {"word": f"{self.name}: {params.message}"}
        return types.ElicitResult(action="accept", content=content)

    async def sample(
        self, context: ClientRequestContext, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult:
        return types.CreateMessageResult(
            role="assistant",
            content=types.TextContent(text=f"{self.name} thinks"),
            model="m",
        )

    async def roots(self, context: ClientRequestContext) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri=f"file:///{self.name}")])

    async def hear(self, params: types.LoggingMessageNotificationParams) -> None:
        self.lines.append((params.level, params.data))

    def client(self, transport: Any, *, mode: str) -> mcp.Client:
        """A client behind which this person sits."""
        return mcp.Client(
            transport,
            mode=mode,
            elicitation_callback=self.elicit,
            sampling_callback=self.sample,
            list_roots_callback=self.roots,
            logging_callback=self.hear,
        )


def text_of(result: types.CallToolResult) -> str:
    return "".join(block.text for block in result.content if block.type == "text")


async def use(client: mcp.Client, tool: str, text: str = "") -> str:
    """What `call_tool` says of one of the tools."""
    arguments = {"name": f"local.{tool}", "arguments": {"text": text}}
    return text_of(await client.call_tool("call_tool", arguments))


async def main() -> None:
    folder = Path(sys.argv[1])
    async with opened(folder, Asking()) as app:
        if sys.argv[2:] == ["http"]:
            await serve_http(app, on_listening=lambda url: print(url, flush=True))
        else:
            await serve_stdio(app)


if __name__ == "__main__":
    anyio.run(main)
