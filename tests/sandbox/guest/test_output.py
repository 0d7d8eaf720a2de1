"""Standard output: kept, counted, batched."""

import asyncio
import contextlib
import io
import threading

import pytest

from toolweft.sandbox.guest.faults import Stop
from toolweft.sandbox.guest.output import Output

# Stands among what was sent for the word that the program printed more than it may.
OVER = "<over>"


class Sent(list[str]):
    """What was sent, and a way to wait for it."""

    def __init__(self) -> None:
        self._more = asyncio.Event()

    def append(self, text: str) -> None:
        super().append(text)
        self._more.set()

    async def wait_for(self, text: str) -> None:
        while "".join(self) != text:
            self._more.clear()
            await self._more.wait()


@pytest.fixture
async def sent():
    return Sent()


@pytest.fixture
async def output(sent):
    output = Output(asyncio.get_running_loop(), sent.append, tell_over=lambda: sent.append(OVER))
    output.start(kept_characters=100, max_characters=1000)
    return output


async def test_the_first_text_leaves_at_once_and_the_rest_in_batches(output, sent):
    print("a", file=output)
    for _ in range(10):
        print("b", file=output)
    assert sent[0] == "a"
    assert len(sent) < 5
    output.finish()
    assert "".join(sent) == "a\n" + "b\n" * 10


async def test_text_leaves_by_itself_while_the_program_waits(output, sent):
    output.write("a")
    output.write("b")
    async with asyncio.timeout(5):
        await sent.wait_for("ab")


async def test_what_is_above_the_cap_is_counted_and_dropped(output, sent):
    output.write("x" * 300)
    assert output.finish() == 300
    assert "".join(sent) == "x" * 100


async def test_a_flood_stops_the_program(output):
    for _ in range(20):
        output.write("x" * 50)
    with pytest.raises(Stop, match="more than 1000") as stop:
        output.write("x")
    assert stop.value.limit == "output"
    assert output.is_over_limit


async def test_the_host_is_told_once_of_a_flood_however_the_program_takes_its_stop(output, sent):
    for _ in range(50):
        with contextlib.suppress(Stop):
            output.write("x" * 50)
    assert sent.count(OVER) == 1
    # What was printed before has left by then.
    assert "".join(sent) == "x" * 100 + OVER
    output.start(kept_characters=0, max_characters=10)
    with pytest.raises(Stop):
        output.write("x" * 50)
    assert sent.count(OVER) == 2


async def test_the_host_is_told_of_a_flood_from_a_thread(output, sent):
    def flood() -> None:
        for _ in range(3):
            with contextlib.suppress(Stop):
                output.write("x" * 2000)

    thread = threading.Thread(target=flood)
    thread.start()
    thread.join()
    async with asyncio.timeout(5):
        await sent.wait_for("x" * 100 + OVER)


async def test_what_is_printed_after_a_program_stops_nothing(output, sent):
    output.end_program()
    with pytest.raises(Stop):
        output.write("x" * 2000)
    assert OVER not in sent


async def test_a_large_batch_leaves_without_waiting(output, sent):
    output.start(kept_characters=100_000, max_characters=1_000_000)
    output.write("a")
    output.write("x" * 40_000)
    assert len("".join(sent)) == 40_001


async def test_bytes_are_decoded_tolerantly(output, sent):
    output.buffer.write(b"\xff\xfeinvalid\n")
    output.buffer.flush()
    output.finish()
    assert "".join(sent) == "\ufffd\ufffdinvalid\n"


async def test_a_thread_may_print(output, sent):
    thread = threading.Thread(target=print, args=("from a thread",), kwargs={"file": output})
    thread.start()
    thread.join()
    async with asyncio.timeout(5):
        await sent.wait_for("from a thread\n")


async def test_it_is_text_only_and_has_no_descriptor(output):
    with pytest.raises(TypeError, match="must be str, not bytes"):
        output.write(b"x")
    with pytest.raises(io.UnsupportedOperation):
        output.fileno()
    output.flush()
    assert output.writable()
    assert output.buffer.writable()
    assert not output.isatty()
    assert output.encoding == "utf-8"


async def test_after_the_end_of_a_run_nothing_is_kept(output, sent):
    output.finish()
    output.write("late")
    assert sent == []
