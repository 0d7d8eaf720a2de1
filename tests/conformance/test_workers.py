"""What programs of every sandbox ask workers, and what they get back."""

import json

import anyio
import anyio.lowlevel
import pytest
from tests.conformance.needs import needs
from tests.sandbox.process.guests import Guest

from toolweft.core.calls import Failure
from toolweft.core.ports import GuestCall, GuestNames, GuestReply

pytestmark = pytest.mark.process

NAMES = GuestNames(namespaces=("t",), has_workers=True)


class Model:
    """Answers with the last line of a prompt, and fails where that is "bad"."""

    def __init__(self, *, wait_for: int = 0) -> None:
        self.asked: list[tuple[dict[str, object], int | None]] = []
        self.most = self.running = 0
        self._wait_for = wait_for
        self._full = anyio.Event()

    async def answer(self, call: GuestCall) -> GuestReply:
        assert call.name == "worker"
        arguments = json.loads(call.arguments)
        self.asked.append((arguments, call.line))
        self.running += 1
        self.most = max(self.most, self.running)
        if self.running >= self._wait_for:
            self._full.set()
        with anyio.fail_after(10):
            await self._full.wait()
        # Others start meanwhile, if they are allowed to.
        await anyio.lowlevel.checkpoint()
        self.running -= 1
        last = arguments["prompt"].rpartition("\n")[2]
        if last == "bad":
            return GuestReply(failure=Failure(code="worker_failed", message="it is bad", hint="no"))
        return GuestReply(payload=json.dumps(last).encode())


@pytest.mark.promise("workers.ask")
async def test_a_question_reaches_the_host_with_its_schema_and_line(guest: Guest) -> None:
    model = Model()
    code = (
        'a = await worker("one")\nb = await worker(prompt="two", schema={"type": "string"})\n[a, b]'
    )
    outcome = await guest.run(code, names=NAMES, on_call=model.answer)
    assert (outcome.error, outcome.value) == (None, b'["one","two"]')
    assert model.asked == [
        ({"prompt": "one"}, 1),
        ({"prompt": "two", "schema": {"type": "string"}}, 2),
    ]


@pytest.mark.promise("workers.map")
async def test_each_item_stands_behind_the_prompt_and_answers_keep_its_place(guest: Guest) -> None:
    model = Model()
    code = (
        'rows = ["a", {"id": 1}, 2.5]\n'
        'x = await worker_map(rows, "Name it:", {"type": "string"})\n'
        '[x, await worker_map([], "Name it:"), await worker_map(iter("pq"), "?", parallel=1)]'
    )
    outcome = await guest.run(code, names=NAMES, on_call=model.answer)
    assert outcome.error is None
    assert json.loads(outcome.value) == [["a", '{"id":1}', "2.5"], [], ["p", "q"]]
    prompts = [arguments["prompt"] for arguments, _ in model.asked]
    assert sorted(prompts[:3]) == ["Name it:\n\n2.5", "Name it:\n\na", 'Name it:\n\n{"id":1}']
    assert {line for _, line in model.asked} == {2, 3}
    assert model.asked[0][0]["schema"] == {"type": "string"}


@pytest.mark.promise("workers.map")
async def test_so_many_are_asked_at_once_and_no_more(guest: Guest) -> None:
    model = Model(wait_for=4)
    code = (
        'answers = await worker_map(map(str, range(40)), "?", parallel=4)\n'
        "answers == [str(i) for i in range(40)]"
    )
    outcome = await guest.run(code, names=NAMES, on_call=model.answer)
    assert (outcome.error, outcome.value) == (None, b"true")
    assert model.most == 4


async def test_the_first_failure_ends_the_rest_and_is_raised(guest: Guest) -> None:
    model = Model()
    code = (
        "items = ['a', 'bad'] + ['b'] * 100\n"
        "try:\n    await worker_map(items, '?', parallel=2)\n"
        "except ToolError as error:\n    print(error)\n"
    )
    outcome = await guest.run(code, names=NAMES, on_call=model.answer)
    assert (outcome.error, outcome.stdout) == (None, "it is bad (no)\n")
    assert len(model.asked) < 10
    again = await guest.run("await worker('later')", names=NAMES, on_call=model.answer)
    assert again.value == b'"later"'


async def test_a_failure_can_be_kept_in_the_place_of_its_answer(guest: Guest) -> None:
    code = (
        "got = await worker_map(['a', 'bad', 'b'], '?', on_error='keep')\n"
        "[isinstance(x, ToolError) or x for x in got]"
    )
    outcome = await guest.run(code, names=NAMES, on_call=Model().answer)
    assert (outcome.error, outcome.value) == (None, b'["a",true,"b"]')


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        ("worker(5)", "TypeError", "a prompt, a text, not int"),
        ("worker_map('abc', '?')", "TypeError", "not str"),
        ("worker_map({'a': 1}, '?')", "TypeError", "not dict"),
        ("worker_map(['a'], 5)", "TypeError", "items and then a prompt"),
        ("worker_map(['a'], '?', parallel=0)", "ValueError", "from 1 on"),
        ("worker_map(['a'], '?', on_error='skip')", "ValueError", "'skip'"),
    ],
)
async def test_what_cannot_be_asked_is_refused_inside(
    guest: Guest, call: str, kind: str, words: str
) -> None:
    model = Model()
    outcome = await guest.run(f"await {call}", names=NAMES, on_call=model.answer)
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.line) == (kind, 1)
    assert words in outcome.error.message
    assert model.asked == []


@needs("full_language")
async def test_items_of_an_asynchronous_iterator_are_taken_as_they_are_needed(
    guest: Guest,
) -> None:
    code = """
taken = 0
async def rows():
    global taken
    while True:
        taken += 1
        yield [taken] if taken < 30 else "bad"
try:
    await worker_map(rows(), "?", parallel=3)
except ToolError:
    print(taken)
"""
    model = Model()
    outcome = await guest.run(code, names=NAMES, on_call=model.answer)
    assert outcome.error is None
    assert 30 <= int(outcome.stdout) < 36
    assert model.asked[28][0]["prompt"].startswith("?\n\n[")


@needs("rich_results")
async def test_a_failure_says_which_and_why(guest: Guest) -> None:
    code = (
        "try:\n    await worker('bad')\n"
        "except ToolError as e:\n    print(e.code, e.message, e.hint, e.tool)"
    )
    outcome = await guest.run(code, names=NAMES, on_call=Model().answer)
    assert outcome.stdout == "worker_failed it is bad no worker\n"


async def test_they_are_bound_where_they_are_given_and_own_variables_win(guest: Guest) -> None:
    without = await guest.run("worker", names=GuestNames(namespaces=("t",)))
    assert without.error is not None
    assert without.error.type == "NameError"
    mine = await guest.run("worker = 5\nworker", names=NAMES, on_call=Model().answer)
    assert mine.value == b"5"
    later = await guest.run("worker", names=NAMES, on_call=Model().answer)
    assert later.value == b"5"
