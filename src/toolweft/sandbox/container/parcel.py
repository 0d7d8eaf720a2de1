"""How the guest's files get into a container: over its standard input, before anything else.

So an engine on another machine gets them too, no folder of this machine is mounted, and the image
needs nothing but Python.
"""

import marshal
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType

__all__ = ("BOOT", "load_parcel")

_FOLDER = "/opt/toolweft"

# What the container's Python starts with: it reads the files and imports one of them.
BOOT = """
import sys
from importlib.machinery import ModuleSpec
from marshal import loads
from os import _exit, read

def take(size):
    parts = []
    while size:
        part = read(0, min(size, 65536))
        if not part:
            _exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)

files = loads(take(int.from_bytes(take(4), "big")))

class Parcel:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in files:
            return ModuleSpec(name, Parcel, is_package=name == "guest")

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        module.__file__, code = files[module.__name__]
        if isinstance(code, str):
            code = compile(code, module.__file__, "exec", dont_inherit=True)
        exec(code, module.__dict__)

sys.meta_path.insert(0, Parcel)
name = sys.argv[1]
__import__("guest." + name)
sys.modules["guest." + name].main(sys.argv[2])
"""


def load_parcel(*, magic: str) -> bytes:
    """The guest's files as `BOOT` reads them: a length, then each name's place and code.

    Args:
        magic: which bytecode the image's Python runs, as `importlib.util.MAGIC_NUMBER` in hex. If
            that is this Python's too, the files go in compiled, which saves each container the
            work; else, or with "", as source.
    """
    folder = Path(__file__).parent.parent / "guest"
    is_same = magic == MAGIC_NUMBER.hex()
    files: dict[str, tuple[str, str | CodeType]] = {}
    for path in sorted(folder.glob("*.py")):
        name = "guest" if path.stem == "__init__" else f"guest.{path.stem}"
        place, source = f"{_FOLDER}/guest/{path.name}", path.read_text("utf-8")
        files[name] = (place, _compile(source, place) if is_same else source)
    # Version 2 is what every Python reads; code is only sent where the formats are the same.
    data = marshal.dumps(files, marshal.version if is_same else 2)
    return len(data).to_bytes(4, "big") + data


def _compile(source: str, place: str) -> CodeType:
    return compile(source, place, "exec", dont_inherit=True, optimize=0)
