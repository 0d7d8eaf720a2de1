"""What every benchmark shares: arguments, data roots, token counts, the printed report.

A report is one object `{name, command, figures, targets, pass, load_average}`. A figure is a
number, or `{"toolweft": ..., "<peer>": ...}` where peers were measured in the same run.
"""

import argparse
import json
import os
import shlex
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

__all__ = (
    "Report",
    "Rows",
    "Samples",
    "Tokenizer",
    "data_root",
    "kept_in",
    "load_tokenizer",
    "parser",
)

ROOT = Path(__file__).resolve().parent.parent
# Small sets of our own, for machines without the large ones.
OWN_DATA = ROOT / "benchmarks" / "data"


def kept_in(folder: Path) -> dict[str, str]:
    """Settings that keep everything in one folder, and nothing among the user's own."""
    return {
        "ledger.url": f"sqlite:///{folder / 'ledger.db'}",
        "handles.folder": str(folder / "handles"),
        "journal.folder": str(folder / "journal"),
        "saved.folder": str(folder / "saved"),
    }


def parser(description: str) -> argparse.ArgumentParser:
    """A parser with the options every script has."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--json", action="store_true", help="print one JSON object")
    options.add_argument("--rows", type=Path, help="write one JSON line per case to this file")
    options.add_argument("--data", type=Path, help="folder with the data sets")
    return options


def data_root(given: Path | None, kind: str) -> Path:
    """The folder that holds `kind` ("workloads", "servers", "sandbox").

    Order: the option, TOOLWEFT_DATA, a `shared/data` folder beside the checkout, our own small
    data. A folder named by option or environment must exist.
    """
    if given is not None:
        if not given.exists():
            raise SystemExit(f"--data: {str(given)!r} does not exist")
        return given
    named = os.environ.get("TOOLWEFT_DATA")
    if named:
        folder = Path(named) / kind
        if not folder.exists():
            raise SystemExit(f"TOOLWEFT_DATA: {str(folder)!r} does not exist")
        return folder
    beside = ROOT.parent / "shared" / "data" / kind
    return beside if beside.exists() else OWN_DATA / kind


@dataclass(frozen=True)
class Tokenizer:
    """A token count and its name; two are never mixed in one comparison."""

    name: str
    count: Callable[[str], int]


def load_tokenizer() -> Tokenizer:
    """Tiktoken's o200k_base where its file is at hand, else UTF-8 bytes / 4."""
    found = _find_encodings()
    if found is not None:
        os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(found))
    try:
        import tiktoken

        encoding = tiktoken.get_encoding("o200k_base")
    except Exception:
        return Tokenizer("UTF-8 bytes / 4", lambda text: -(-len(text.encode()) // 4))
    return Tokenizer("o200k_base", lambda text: len(encoding.encode(text, disallowed_special=())))


def _find_encodings() -> Path | None:
    """The folder of a package that ships tiktoken's files, in any of our environments."""
    pattern = "lib/python3*/site-packages/litellm/litellm_core_utils/tokenizers"
    for environment in sorted(ROOT.glob(".venv*")):
        for folder in environment.glob(pattern):
            return folder
    return None


@dataclass
class Samples:
    """Times of one measured thing, in milliseconds."""

    values: list[float] = field(default_factory=list)

    def add(self, seconds: float, *, per: int = 1) -> None:
        """Take one time, divided over `per` equal operations."""
        self.values.append(seconds * 1000 / per)

    @property
    def median(self) -> float:
        """The figure to quote."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The quietest run, as a hint of what noise costs."""
        return min(self.values)


class Rows:
    """One JSON line per case, for others to judge."""

    def __init__(self, path: Path | None) -> None:
        self._file: TextIO | None = None if path is None else path.open("w", encoding="utf-8")

    def write(self, **fields: Any) -> None:
        """Append one case; nothing where no file was asked for."""
        if self._file is not None:
            self._file.write(json.dumps(fields, ensure_ascii=False, default=str) + "\n")
            self._file.flush()


@dataclass
class Report:
    """Figures, the targets they are held against, and how it was run."""

    name: str
    figures: dict[str, Any] = field(default_factory=dict)
    targets: dict[str, tuple[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(
        self,
        figure: str,
        value: float | None,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        peers: dict[str, float | None] | None = None,
    ) -> None:
        """Add one figure, its target and its peers."""
        rounded = None if value is None else round(value, 4)
        self.figures[figure] = (
            rounded
            if not peers
            else {"toolweft": rounded}
            | {name: None if p is None else round(p, 4) for name, p in peers.items()}
        )
        if at_most is not None:
            self.targets[figure] = ("<=", at_most)
        if at_least is not None:
            self.targets[figure] = (">=", at_least)

    def own(self, figure: str) -> float | None:
        """Our own value of a figure."""
        value = self.figures[figure]
        own: float | None = value["toolweft"] if isinstance(value, dict) else value
        return own

    def missed(self) -> list[str]:
        """Figures that do not meet their target; one that was not measured is not missed."""
        missed = []
        for figure, (relation, bound) in self.targets.items():
            value = self.own(figure)
            if value is None:
                continue
            holds = value <= bound if relation == "<=" else value >= bound
            if not holds:
                missed.append(figure)
        return missed

    def as_dict(self) -> dict[str, Any]:
        """The report as plain JSON."""
        return {
            "name": self.name,
            "command": shlex.join([Path(sys.executable).name, *sys.argv]),
            "figures": self.figures,
            "targets": {name: f"{how} {bound:g}" for name, (how, bound) in self.targets.items()},
            "pass": not self.missed(),
            "missed": self.missed(),
            "notes": self.notes,
            "load_average": [round(load, 2) for load in os.getloadavg()],
        }

    def print(self, *, as_json: bool) -> None:
        """Print it, for machines or for people."""
        report = self.as_dict()
        if as_json:
            print(json.dumps(report))
            return
        print(f"{self.name}   ({report['command']})")
        for figure, value in self.figures.items():
            target = report["targets"].get(figure, "")
            verdict = "" if not target else "MISSED" if figure in self.missed() else "ok"
            if target and self.own(figure) is None:
                verdict = "not measured"
            shown = value if not isinstance(value, dict) else _spread(value)
            print(f"  {figure:28} {shown!s:48} {target:10} {verdict}")
        for note in self.notes:
            print(f"  note: {note}")
        print(f"  load average {report['load_average']}")


def _spread(values: dict[str, float | None]) -> str:
    return "  ".join(f"{name} {value}" for name, value in values.items())


def mean(values: Iterable[float]) -> float:
    """The arithmetic mean; 0 for nothing."""
    collected: Sequence[float] = list(values)
    return statistics.fmean(collected) if collected else 0.0
