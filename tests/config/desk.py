"""A working folder and a home folder to load settings from."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolweft.config import Settings, load_settings


@dataclass(frozen=True, kw_only=True)
class Desk:
    cwd: Path
    home: Path

    def write(self, name: str, content: str | dict[str, Any]) -> Path:
        path = self.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content, indent=1)
        path.write_text(text, encoding="utf-8")
        return path

    def load(self, config: str | Path | None = None, **more: Any) -> Settings:
        return load_settings(
            config=None if config is None else Path(config),
            environ=more.pop("environ", {}),
            cwd=self.cwd,
            home=self.home,
            **more,
        )
