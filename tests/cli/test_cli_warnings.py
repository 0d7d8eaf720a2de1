"""What is said of servers that did not start."""

import pytest

from toolweft.cli.session import warn_of_failed_sources
from toolweft.core.ids import SourceName
from toolweft.core.snapshot import Snapshot, SourceStatus


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (
            "it exited with code 1; last lines on its stderr:\nTraceback\nValueError: no token",
            "it exited with code 1; last lines on its stderr: ValueError: no token",
        ),
        ("'git' is not found\ninstall it", "'git' is not found"),
        ("", ""),
    ],
)
def test_a_failed_server_is_one_line_with_the_last_of_its_words(
    reason: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = SourceStatus(
        name=SourceName("git"), python_name="git", kind="mcp stdio", state="failed", reason=reason
    )

    warn_of_failed_sources(Snapshot(version=1, tools={}, sources={status.name: status}))

    assert capsys.readouterr().err == f"warning: source 'git' is not available: {said}\n"
