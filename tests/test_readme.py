"""Every snippet of the documents runs or parses, page by page, in order, in one folder a page.

The language says how: `python` runs; `json` and `toml` parse; `bash` must be valid shell, its
`toolweft` lines run and its `make` lines name real targets; `console` runs what follows `$` and
compares. A file name after the language writes the block to that file first. `text` is left alone.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LANGUAGES = {"python", "bash", "console", "toml", "json", "text"}
TIMEOUT_S = 60

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:|#|mailto:)(?P<target>[^)#\s]+)")


@dataclass(frozen=True, kw_only=True)
class Block:
    language: str
    # The file it is written to; None for most.
    file: str | None
    text: str
    line: int


def parse_blocks(page: str) -> list[Block]:
    blocks = []
    for match in _FENCE.finditer(page):
        language, _, file = match["info"].strip().partition(" ")
        line = page.count("\n", 0, match.start()) + 1
        blocks.append(
            Block(language=language, file=file.strip() or None, text=match["text"], line=line)
        )
    return blocks


def check_block(block: Block, folder: Path) -> None:
    if block.file:
        (folder / block.file).write_text(block.text, encoding="utf-8")
    match block.language:
        case "python":
            path = folder / f"snippet_{block.line}.py"
            path.write_text(block.text, encoding="utf-8")
            run([sys.executable, str(path)], folder)
        case "json":
            json.loads(block.text)
        case "toml":
            tomllib.loads(block.text)
        case "bash":
            check_shell(block.text, folder)
        case "console":
            check_console(block.text, folder)
        case _:
            assert block.language == "text", f"{block.language!r} is none of {sorted(LANGUAGES)}"


def check_shell(text: str, folder: Path) -> None:
    run(["bash", "-n", "-c", text], folder)
    for line in text.replace("\\\n", " ").splitlines():
        words = line.split()
        if words[:1] == ["toolweft"]:
            run(["bash", "-c", line], folder)
        elif words[:1] == ["make"]:
            targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert words[1] in targets


def check_console(text: str, folder: Path) -> None:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        printed = squeeze(run(["bash", "-c", command], folder))
        position = 0
        for line in filter(None, map(squeeze, expected.splitlines())):
            if line in {"...", "…"}:
                continue
            found = printed.find(line, position)
            assert found >= 0, f"{command}: {line!r} is not in {printed!r}"
            position = found + len(line)


def squeeze(text: str) -> str:
    return " ".join(text.split())


def run(command: list[str], folder: Path) -> str:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environment = {
        "HOME": str(home),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "LANG": "C.UTF-8",
        "COLUMNS": "200",
        # Children started here are measured like those of every other test.
        **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
    }
    outcome = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert outcome.returncode == 0, f"{' '.join(command)}\n{outcome.stdout}"
    return outcome.stdout


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.promise("house.documents")
@pytest.mark.timeout(240)
@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_snippet_of_a_page_holds(page: Path, tmp_path: Path) -> None:
    for block in parse_blocks(page.read_text(encoding="utf-8")):
        check_block(block, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    for match in _LINK.finditer(page.read_text(encoding="utf-8")):
        assert (page.parent / match["target"]).exists(), match["target"]


def test_the_readme_opens_with_the_two_commands() -> None:
    first = parse_blocks((ROOT / "README.md").read_text(encoding="utf-8"))[0]

    assert [line.partition("#")[0].strip() for line in first.text.splitlines()] == [
        "make demo",
        "make test",
    ]


@pytest.mark.parametrize(
    "block",
    [
        Block(language="python", file=None, text="raise SystemExit(3)\n", line=1),
        Block(language="json", file=None, text="{]\n", line=1),
        Block(language="toml", file=None, text="a = \n", line=1),
        Block(language="bash", file=None, text="for\n", line=1),
        Block(language="bash", file=None, text="toolweft no-such-command\n", line=1),
        Block(language="bash", file=None, text="make no-such-target\n", line=1),
        Block(language="console", file=None, text="$ echo one\ntwo\n", line=1),
        Block(language="sh", file=None, text="echo\n", line=1),
    ],
    ids=lambda block: f"{block.language} {block.text.strip()}",
)
def test_a_wrong_snippet_fails(block: Block, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, ValueError)):
        check_block(block, tmp_path)


def test_a_right_console_passes_with_gaps(tmp_path: Path) -> None:
    text = "$ printf 'a  b\\nc\\nd\\n'\na b\n...\nd\n"
    check_block(Block(language="console", file=None, text=text, line=1), tmp_path)
