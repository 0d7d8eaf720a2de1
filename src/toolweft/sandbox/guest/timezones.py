"""Time zones where no file can be opened: all of them read beforehand."""

import io
import zoneinfo
from pathlib import Path
from zoneinfo import _common

__all__ = ("keep_time_zones",)

_FOLDER = Path("/usr/share/zoneinfo")
# The same zones once more, counted differently.
_COPIES = ("posix", "right")


def keep_time_zones(folder: Path = _FOLDER) -> None:
    """Let `zoneinfo` find in memory what it cannot open any more."""
    kept = {}
    for name in zoneinfo.available_timezones():
        file = folder / name
        if not name.startswith(_COPIES) and file.is_file():
            kept[name] = file.read_bytes()
    load = _common.load_tzdata

    def load_kept(key: str) -> io.BufferedIOBase:
        data = kept.get(key)
        return load(key) if data is None else io.BytesIO(data)

    # Both of its forms, the one in C too, look this up for each zone.
    setattr(_common, "load_tzdata", load_kept)  # noqa: B010  typed as narrower than it is used
