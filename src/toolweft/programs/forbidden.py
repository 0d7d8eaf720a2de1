"""What programs are warned of: modules, functions and internals, each with an alternative. Data.

A name here is named in messages, nothing more. `toolweft.programs.patterns` finds the uses.
"""

from typing import Final, NamedTuple

__all__ = (
    "CALLED",
    "FILES",
    "FILE_METHODS",
    "FUNCTIONS",
    "GETATTR",
    "INTERNALS",
    "INTERNAL_NAMES",
    "MODULES",
    "NO_FILES",
    "STARRED",
    "Reason",
)


class Reason(NamedTuple):
    """Why something leads nowhere, and what does."""

    fault: str
    hint: str


_NETWORK = Reason(
    "there is no network in programs",
    "call a tool instead; await tools.search(query='…') finds one",
)
_PROCESS = Reason("programs cannot start processes", "use the standard library, or call a tool")
_UNSAFE_DATA = Reason("such data can run code when it is read", "use json")
_NATIVE = Reason("native code is out of reach of programs", "use the standard library")
_IMPORT = Reason("code made at run time cannot be checked", "use a plain import")
_DYNAMIC = Reason(
    "code made at run time cannot be checked", "write the code itself, or a dict of functions"
)
_EVAL = Reason(_DYNAMIC.fault, "use ast.literal_eval or json.loads for data")
_INPUT = Reason(
    "nobody is there to answer", "put the value into the program; print what to look at"
)
GETATTR: Final = Reason(
    _DYNAMIC.fault,
    "name the attribute, or use a dict; await tools.call(name=…, arguments={…}) for a tool",
)
INTERNALS: Final = Reason(
    "the interpreter's internals are not part of the program", "use plain names and attributes"
)
# Where a scratch folder exists, and where nothing can be opened at all.
FILES: Final = Reason(
    "files of the host do not exist here",
    "await load('name') reads what was put; only an empty scratch folder exists, gone with the"
    " container; call a tool for files",
)
NO_FILES: Final = Reason(
    "no file can be opened here",
    "await load('name') reads what was put; keep data in variables; call a tool for files",
)

# Named where they are imported; what comes from them is not named again.
MODULES: Final[dict[str, Reason]] = {
    **dict.fromkeys(
        (
            "aiohttp",
            "asyncore",
            "boto3",
            "ftplib",
            "grpc",
            "http.client",
            "http.cookiejar",
            "http.server",
            "httpx",
            "imaplib",
            "nntplib",
            "paramiko",
            "poplib",
            "pycurl",
            "requests",
            "select",
            "selectors",
            "smtplib",
            "socket",
            "socketserver",
            "ssl",
            "telnetlib",
            "urllib.request",
            "urllib3",
            "webbrowser",
            "websocket",
            "websockets",
            "wsgiref",
            "xmlrpc",
        ),
        _NETWORK,
    ),
    **dict.fromkeys(
        (
            "_posixsubprocess",
            "concurrent.futures.process",
            "multiprocessing",
            "nt",
            "pexpect",
            "posix",
            "pty",
            "subprocess",
        ),
        _PROCESS,
    ),
    **dict.fromkeys(
        ("_pickle", "cPickle", "cloudpickle", "dill", "jsonpickle", "marshal", "pickle", "shelve"),
        _UNSAFE_DATA,
    ),
    **dict.fromkeys(("_ctypes", "cffi", "ctypes"), _NATIVE),
    **dict.fromkeys(("imp", "importlib", "pkgutil", "runpy", "zipimport"), _IMPORT),
    **dict.fromkeys(("code", "codeop"), _DYNAMIC),
    **dict.fromkeys(
        ("aiofiles", "fcntl", "fileinput", "glob", "mmap", "shutil", "tempfile", "termios"), FILES
    ),
}

_OS_PROCESS = (
    *("_exit", "abort", "fork", "forkpty", "kill", "killpg", "popen", "setpriority", "startfile"),
    *("system", "posix_spawn", "posix_spawnp"),
    *(f"exec{kind}" for kind in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
    *(f"spawn{kind}" for kind in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
)
_OS_FILES = (
    *("chmod", "chown", "chroot", "closerange", "dup", "dup2", "fdopen", "link", "listdir"),
    *("lseek", "makedirs", "mkdir", "open", "pread", "pwrite", "read", "readlink", "remove"),
    *("removedirs", "rename", "renames", "replace", "rmdir", "scandir", "symlink", "truncate"),
    *("unlink", "walk", "write"),
)
_ASYNCIO_NETWORK = (
    "open_connection",
    "open_unix_connection",
    "start_server",
    "start_unix_server",
)

# Named where they are used, by whatever name the program has for them.
FUNCTIONS: Final[dict[str, Reason]] = {
    **{f"os.{name}": _PROCESS for name in _OS_PROCESS},
    **{f"os.{name}": FILES for name in _OS_FILES},
    **{f"asyncio.{name}": _NETWORK for name in _ASYNCIO_NETWORK},
    "asyncio.create_subprocess_exec": _PROCESS,
    "asyncio.create_subprocess_shell": _PROCESS,
    "concurrent.futures.ProcessPoolExecutor": _PROCESS,
    "io.open": FILES,
    "io.FileIO": FILES,
    "codecs.open": FILES,
    "types.CodeType": _DYNAMIC,
    "types.FunctionType": _DYNAMIC,
    "gc.get_objects": INTERNALS,
    "gc.get_referents": INTERNALS,
    "gc.get_referrers": INTERNALS,
    "inspect.currentframe": INTERNALS,
    "inspect.stack": INTERNALS,
    "sys._getframe": INTERNALS,
    "sys.modules": INTERNALS,
    "sys.setprofile": INTERNALS,
    "sys.settrace": INTERNALS,
    "builtins.__import__": _IMPORT,
    "builtins.breakpoint": _INPUT,
    "builtins.compile": _DYNAMIC,
    "builtins.eval": _EVAL,
    "builtins.exec": _DYNAMIC,
    "builtins.input": _INPUT,
    "builtins.open": FILES,
}
# Of these a mention alone says nothing: tools and variables have such names too.
CALLED: Final = frozenset({"builtins.input", "builtins.open"})
# `from … import *` of these brings forbidden functions under their plain names.
STARRED: Final = frozenset({"asyncio", "builtins", "io", "os"})
# Of a path, where `pathlib` is imported.
FILE_METHODS: Final = frozenset(
    {"iterdir", "open", "read_bytes", "read_text", "rglob", "unlink", "write_bytes", "write_text"}
)

INTERNAL_NAMES: Final = frozenset(
    {
        "__base__",
        "__bases__",
        "__builtins__",
        "__closure__",
        "__code__",
        "__getattribute__",
        "__globals__",
        "__loader__",
        "__mro__",
        "__reduce_ex__",
        "__self__",
        "__spec__",
        "__subclasses__",
        "ag_frame",
        "cr_code",
        "cr_frame",
        "f_back",
        "f_builtins",
        "f_globals",
        "f_locals",
        "gi_code",
        "gi_frame",
        "tb_frame",
    }
)
