"""The cheap models inside a program: `await worker(prompt)`, `await worker_map(items, prompt)`.

A question is a call like any other: the host checks, counts and pays it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, MutableMapping
from typing import Any

from .names import CallTool, ToolError, mark_coroutine_function, program_line

__all__ = ("bind_workers",)

# A model's server refuses more at once long before a host does.
DEFAULT_PARALLEL = 16

_Ask = Callable[[str], Coroutine[Any, Any, Any]]


def bind_workers(variables: MutableMapping[str, Any], call: CallTool) -> None:
    """Bind both; what the program itself bound under these names in an earlier run stays."""

    def worker(prompt: str, schema: dict[str, Any] | None = None) -> Coroutine[Any, Any, Any]:
        """A model's answer: a text, or with a JSON Schema the value that fits it."""
        return _named(call("worker", _question(prompt, schema), program_line()), "worker")

    def worker_map(
        items: Any,
        prompt: str,
        schema: dict[str, Any] | None = None,
        parallel: int = DEFAULT_PARALLEL,
        on_error: str = "raise",
    ) -> Coroutine[Any, Any, list[Any]]:
        """The answers to one prompt for each item, in the order of the items.

        Items come from a list, an iterator or an asynchronous one; each stands behind the prompt,
        a text as it is, anything else as JSON. With `on_error="keep"` a ToolError stands in the
        place of an answer that failed; otherwise the first one ends the rest and is raised.
        """
        _check_map(prompt, parallel=parallel, on_error=on_error)
        source, line = _each(items), program_line()

        def ask(question: str) -> Coroutine[Any, Any, Any]:
            return call("worker", _question(question, schema), line)

        answers = _Map(source, prompt, ask, keeps_errors=on_error == "keep")
        return _named(answers.run(parallel), "worker_map")

    for function in (worker, worker_map):
        function.__module__ = "tools"
        function.__qualname__ = name = function.__name__
        mark_coroutine_function(function)
        if name not in variables or getattr(variables[name], "__module__", None) == "tools":
            variables[name] = function


class _Map:
    """Takes an item only when somebody is free to ask about it, so that any number may come."""

    def __init__(
        self, source: AsyncIterator[Any], prompt: str, ask: _Ask, *, keeps_errors: bool
    ) -> None:
        self._source = source
        self._prompt = prompt
        self._ask = ask
        self._keeps_errors = keeps_errors
        self._turn = asyncio.Lock()
        self._answers: list[Any] = []
        self._is_over = False

    async def run(self, parallel: int) -> list[Any]:
        try:
            async with asyncio.TaskGroup() as tasks:
                # One asks and starts the next, so that few items take few tasks.
                tasks.create_task(self._work(tasks, parallel - 1))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        return self._answers

    async def _work(self, tasks: asyncio.TaskGroup, others: int) -> None:
        while True:
            async with self._turn:
                if self._is_over:
                    return
                try:
                    item = await anext(self._source)
                except StopAsyncIteration:
                    self._is_over = True
                    return
                place = len(self._answers)
                self._answers.append(None)
            if others:
                tasks.create_task(self._work(tasks, others - 1))
                others = 0
            self._answers[place] = await self._answer(item)

    async def _answer(self, item: Any) -> Any:
        try:
            return await self._ask(f"{self._prompt}\n\n{_written(item)}")
        except ToolError as error:
            if not self._keeps_errors:
                raise
            return error


def _question(prompt: Any, schema: Any) -> dict[str, Any]:
    if not isinstance(prompt, str):
        raise TypeError(f"worker takes a prompt, a text, not {type(prompt).__name__}")
    return {"prompt": prompt} if schema is None else {"prompt": prompt, "schema": schema}


def _check_map(prompt: Any, *, parallel: Any, on_error: Any) -> None:
    if not isinstance(prompt, str):
        raise TypeError(
            f"worker_map takes items and then a prompt, a text, not {type(prompt).__name__}"
        )
    if isinstance(parallel, bool) or not isinstance(parallel, int) or parallel < 1:
        raise ValueError(f"worker_map takes a number from 1 on for parallel, not {parallel!r}")
    if on_error not in ("raise", "keep"):
        raise ValueError(f'worker_map takes "raise" or "keep" for on_error, not {on_error!r}')


def _each(items: Any) -> AsyncIterator[Any]:
    if hasattr(items, "__aiter__"):
        return aiter(items)
    if isinstance(items, str | bytes | dict) or not isinstance(items, Iterable):
        raise TypeError(
            "worker_map takes a list, an iterator or an async iterator of items, not"
            f" {type(items).__name__}"
        )
    return _in_turn(items)


async def _in_turn(items: Iterable[Any]) -> AsyncIterator[Any]:
    for item in items:
        yield item


def _written(item: Any) -> str:
    if isinstance(item, str):
        return item
    try:
        return json.dumps(item, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as fault:
        raise ToolError(
            f"an item is not JSON: {fault}", "invalid_arguments", "pass text, or plain data"
        ) from None


def _named(coroutine: Coroutine[Any, Any, Any], name: str) -> Coroutine[Any, Any, Any]:
    # Whoever forgets to await it is told by this name.
    coroutine.__name__ = coroutine.__qualname__ = name  # type: ignore[attr-defined]  # any has them
    return coroutine
