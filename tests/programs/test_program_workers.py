"""Questions of programs to workers: checked before the run, asked, counted, recorded."""

import inspect
from typing import Any

import anyio
import pytest
from tests.programs.fakes import ANN, make_snapshot, make_tool
from tests.programs.test_program_bridge import ask, bridge, code_of, road
from tests.programs.test_program_check import check

from toolweft.core.errors import BudgetSpent, WorkerFailed
from toolweft.core.json import Json
from toolweft.core.workers import WorkerRequest
from toolweft.programs.bridge import RunBridge
from toolweft.programs.worker_use import _SIGNATURES
from toolweft.sandbox.guest.workers import bind_workers

__all__ = ("bridge", "road")

YES = {"enum": ["yes", "no"]}


class FakeWorkers:
    """Answers with `answer`, or raises it."""

    def __init__(self, answer: Json = "yes") -> None:
        self.answer_with = answer
        self.requests: list[WorkerRequest] = []

    async def answer(self, request: WorkerRequest) -> Json:
        self.requests.append(request)
        if isinstance(self.answer_with, Exception):
            raise self.answer_with
        if self.answer_with is None:
            await anyio.sleep_forever()
        return self.answer_with


# ------------------------------------------------------------------------------------- the bridge


async def test_a_question_carries_the_runs_identity_and_deadline(bridge: RunBridge) -> None:
    bridge.workers = workers = FakeWorkers(["é"])
    asked = ask("worker", prompt="Is it?", schema=YES)
    reply = await bridge.answer(asked)
    assert reply.payload.decode() == '["é"]'
    assert workers.requests == [
        WorkerRequest(
            prompt="Is it?",
            schema=YES,
            run_id=bridge.run_id,
            principal=ANN,
            countdown=asked.countdown,
        )
    ]


async def test_a_question_is_listed_among_the_calls_however_it_ended(bridge: RunBridge) -> None:
    for answer in ("yes", BudgetSpent("$1 of $1 is spent", hint="raise max_cost")):
        bridge.workers = FakeWorkers(answer)
        await bridge.answer(ask("worker", prompt="?"))
    bridge.workers = FakeWorkers(None)
    with anyio.move_on_after(0.01):
        await bridge.answer(ask("worker", prompt="?"))
    assert [(r.tool, r.status, r.index, r.line) for r in bridge.records] == [
        ("worker", "ok", 7, 3),
        ("worker", "budget_spent", 7, 3),
        ("worker", "cancelled", 7, 3),
    ]
    assert (bridge.records[0].bytes_out, bridge.records[0].tokens_out) == (5, 2)


async def test_without_workers_a_question_fails_and_says_what_to_do(bridge: RunBridge) -> None:
    reply = await bridge.answer(ask("worker", prompt="?"))
    assert code_of(reply) == "no_worker"
    assert reply.failure is not None
    assert "[models]" in str(reply.failure.hint)


async def test_a_failure_says_whether_asking_again_may_help(bridge: RunBridge) -> None:
    bridge.workers = FakeWorkers(WorkerFailed("all are busy", retryable=True, retry_after_s=5.0))
    reply = await bridge.answer(ask("worker", prompt="?"))
    assert reply.failure is not None
    assert (reply.failure.retryable, reply.failure.retry_after_s) == (True, 5.0)


async def test_what_no_vendor_takes_is_taken_out_of_a_question(bridge: RunBridge) -> None:
    bridge.workers = workers = FakeWorkers()
    await bridge.answer(ask("worker", prompt="a \ud800 b", schema={"const": "\udfff"}))
    assert workers.requests[0].prompt == "a \ufffd b"
    assert workers.requests[0].schema == {"const": "\ufffd"}


@pytest.mark.parametrize(
    "arguments",
    [{}, {"prompt": 5}, {"prompt": " "}, {"prompt": "?", "schema": []}, {"prompt": "?", "x": 1}],
)
async def test_a_guest_that_asks_nonsense_is_told_so(
    bridge: RunBridge, arguments: dict[str, Any]
) -> None:
    bridge.workers = workers = FakeWorkers()
    assert code_of(await bridge.answer(ask("worker", **arguments))) == "invalid_arguments"
    assert workers.requests == []


# -------------------------------------------------------------------------------------- the check


@pytest.mark.promise("workers.ask")
@pytest.mark.parametrize(
    "code",
    [
        "await worker('a')",
        "await worker(prompt='a', schema={'type': 'string'})",
        "await worker_map([1], 'a', {}, 4)",
        "await worker_map(load('h').chunks(5), prompt='a', on_error='keep')",
        "import asyncio\nawait asyncio.gather(*(worker(p) for p in 'ab'))",
        "options = {}\nawait worker_map([], 'a', **options)",
    ],
)
def test_good_questions_pass_and_bind_their_names(code: str) -> None:
    report = check(code, has_workers=True)
    assert (report.error, report.warnings) == (None, ())
    assert report.names.has_workers


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("await worker()", "InvalidArguments", "'prompt'"),
        ("await worker('a', scheme={})", "InvalidArguments", "'scheme'"),
        ("await worker('a', prompt='b')", "InvalidArguments", "'prompt'"),
        ("o = {}\nawait worker_map(**o, onerror=1)", "InvalidArguments", "'onerror'"),
        ("await worker_map('a')", "InvalidArguments", "'prompt'"),
        ("print(worker('a'))", "MissingAwait", "worker()"),
    ],
)
def test_wrong_questions_are_refused_before_anything_runs(code: str, kind: str, words: str) -> None:
    report = check(code, has_workers=True)
    assert report.error is not None
    assert report.error.type == kind
    assert words in report.error.message
    assert report.error.hint


@pytest.mark.parametrize("name", ["worker", "worker_map"])
def test_without_workers_a_program_that_asks_is_refused_before_it_runs(name: str) -> None:
    report = check(f"await notes.add_note(text='a')\nawait {name}([], 'b')")
    assert report.error is not None
    assert (report.error.type, report.error.line) == ("NoWorker", 2)
    assert "[models]" in str(report.error.hint)


@pytest.mark.parametrize(
    "code",
    [
        "async def worker(x): return x\nawait worker(1)",
        "try:\n    await worker('a')\nexcept ToolError:\n    pass",
        "from pool import worker\nworker(1, 2, 3)",
    ],
)
def test_a_program_that_has_its_own_or_is_ready_for_none_runs(code: str) -> None:
    assert check(code).error is None


def test_a_tool_of_that_name_does_not_take_its_place() -> None:
    snapshot = make_snapshot(make_tool("hr.worker"))
    report = check("await worker('a')", snapshot=snapshot, has_workers=True)
    assert report.error is None
    assert report.names.functions == ()
    assert report.names.has_workers


def test_what_is_checked_is_what_is_bound_inside() -> None:
    bound: dict[str, Any] = {}
    bind_workers(bound, None)  # type: ignore[arg-type]  # nothing is called
    for name, signature in _SIGNATURES.items():
        inside = inspect.signature(bound[name])
        assert [(p.name, p.default) for p in inside.parameters.values()] == [
            (p.name, p.default) for p in signature.parameters.values()
        ]
    assert bound.keys() == _SIGNATURES.keys()
