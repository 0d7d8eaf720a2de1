import json
from pathlib import Path

import pytest
from tests.sources.support import WaitingListener, use

from toolweft.core.errors import SourceUnavailable
from toolweft.core.ids import SourceName
from toolweft.sources import RecordedServerOptions, RecordedSource, SourceGroup


def build(path: Path, listener: WaitingListener) -> RecordedSource:
    options = RecordedServerOptions(name=SourceName("time"), path=path)
    return RecordedSource(options, listener=listener)


async def test_recorded_tools_are_listed_and_calls_are_refused(
    listener: WaitingListener, tmp_path: Path
) -> None:
    file = tmp_path / "time.json"
    recording = {"tools": [{"name": "now", "inputSchema": {}}], "protocolVersion": "2025-11-25"}
    file.write_text(json.dumps(recording))
    source = build(file, listener)
    async with SourceGroup([source], listener=listener):
        status = await listener.wait_for("time", "ready")
        assert (status.kind, status.tool_count) == ("recorded", 1)
        assert status.protocol_version == "2025-11-25"
        assert listener.tool_names("time") == ["now"]
        with pytest.raises(SourceUnavailable, match="'time' is recorded"):
            await use(source, "now")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read: Expecting"),
        ("[]", "is not an array of tools"),
        ('{"tools": {}}', "is not an array of tools"),
        ('{"tools": ' + "[" * 100_000, "cannot be read: maximum recursion"),
        (None, "no recording at"),
    ],
)
async def test_an_unusable_recording_fails_with_its_place(
    listener: WaitingListener, tmp_path: Path, text: str | None, said: str
) -> None:
    file = tmp_path / "time.json"
    if text is not None:
        file.write_text(text)
    async with SourceGroup([build(file, listener)], listener=listener):
        reason = (await listener.wait_for("time", "failed")).reason
    assert said in reason
    assert str(file) in reason
