"""Fails when a file holds something that looks like a secret.

A value that only looks like one is marked on its line: `pragma: allowlist secret`.

Usage: check_secrets.py [FOLDER]
"""

import sys
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
    "BasicAuthDetector",
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
SETTINGS = {
    "plugins_used": [
        *({"name": name} for name in DETECTORS),
        {"name": "Base64HighEntropyString", "limit": 4.8},
        {"name": "KeywordDetector"},
    ],
    "filters_used": [
        {"path": "detect_secrets.filters.allowlist.is_line_allowlisted"},
        {"path": "detect_secrets.filters.heuristic.is_sequential_string"},
        {"path": "detect_secrets.filters.heuristic.is_potential_uuid"},
        {"path": "detect_secrets.filters.heuristic.is_templated_secret"},
        {"path": "detect_secrets.filters.heuristic.is_indirect_reference"},
    ],
}


def find_secrets(root: Path) -> list[str]:
    """One message for each finding, without the value itself."""
    with transient_settings(SETTINGS):
        return [
            f"{path.relative_to(root)}:{found.line_number}: {found.type}"
            for path in list_files(root)
            for found in scan_file(str(path))
        ]


def main() -> int:
    """Print every finding; 1 if there is any."""
    messages = find_secrets(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
    print(*messages, sep="\n", end="\n" if messages else "")
    return 1 if messages else 0


if __name__ == "__main__":
    sys.exit(main())
