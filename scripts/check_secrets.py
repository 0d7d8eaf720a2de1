"""Fails when a file holds something that looks like a secret.

A value that only looks like one is marked on its line: `pragma: allowlist secret`.

Usage: check_secrets.py [FOLDER]
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, repeat
from pathlib import Path

from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings
from project_files import ROOT, list_files

# Every detector that knows a shape. Of those that look for randomness only the base64 one: random
# hex here is hashes and ids, which are public.
DETECTORS = (
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "CloudantDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "IbmCloudIamDetector",
    "JwtTokenDetector",
    "MailchimpDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "SquareOAuthDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
)
# Tests are full of made-up passwords; what has the shape of a real one counts there too.
NOT_IN_TESTS = ("BasicAuthDetector", "KeywordDetector")
FILTERS = (
    "detect_secrets.filters.allowlist.is_line_allowlisted",
    "detect_secrets.filters.heuristic.is_sequential_string",
    "detect_secrets.filters.heuristic.is_potential_uuid",
    "detect_secrets.filters.heuristic.is_templated_secret",
    "detect_secrets.filters.heuristic.is_indirect_reference",
)


# More than there are processors, as files differ in length.
PARTS = 8


def find_secrets(root: Path) -> list[str]:
    """One message for each finding, without the value itself."""
    files = sorted(list_files(root), key=lambda path: path.stat().st_size, reverse=True)
    parts = [part for first in range(PARTS) if (part := files[first::PARTS])]
    with ProcessPoolExecutor() as pool:
        found = chain.from_iterable(pool.map(_scan_part, parts, repeat(root)))
        return [f"{path.relative_to(root)}:{line}: {kind}" for path, line, kind in sorted(found)]


def _scan_part(files: Sequence[Path], root: Path) -> list[tuple[Path, int, str]]:
    tests = [path for path in files if path.relative_to(root).parts[0] == "tests"]
    others = [path for path in files if path not in set(tests)]
    return [*_scan(tests, DETECTORS), *_scan(others, DETECTORS + NOT_IN_TESTS)]


def _scan(paths: Iterable[Path], detectors: Iterable[str]) -> Iterator[tuple[Path, int, str]]:
    settings = {
        "plugins_used": [
            *({"name": name} for name in detectors),
            {"name": "Base64HighEntropyString", "limit": 4.8},
        ],
        "filters_used": [{"path": path} for path in FILTERS],
    }
    with transient_settings(settings):
        for path in paths:
            for secret in scan_file(str(path)):
                yield path, secret.line_number, secret.type


def main() -> int:
    """Print every finding; 1 if there is any."""
    messages = find_secrets(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
    print(*messages, sep="\n", end="\n" if messages else "")
    return 1 if messages else 0


if __name__ == "__main__":
    sys.exit(main())
