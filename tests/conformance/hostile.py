"""Hostile programs, by what they go for; what each backend's channel is told stands last.

A program prints REACHED where it got something it must not get, and otherwise ends with an error
of its own. `{names}` in capitals are filled in by the judge: they point at things on the host.
"""

from dataclasses import dataclass
from typing import Literal

Expected = Literal["refused", "limited", "ended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One program and how its run has to end."""

    name: str
    code: str
    # "refused": an error; "limited": a limit; "ended": anything but ok, the process may be gone.
    expected: Expected = "refused"
    # The capability it works with; where a sandbox has not got it, it has to be refused.
    means: str = ""


_SYSCALL = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def syscall(number, *arguments):
    result = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"syscall {number}")
    print("REACHED", number, result)
"""


def _syscall(name: str, text: str) -> Attack:
    return Attack(name=name, code=_SYSCALL + text)


IMPORT = (
    Attack(
        name="import from a host folder",
        code=(
            "import sys\nsys.path.insert(0, 'CANARY_FOLDER')\n"
            "import canary_module\nprint(canary_module.SECRET)"
        ),
    ),
    Attack(
        name="load a module by path",
        code=(
            "from importlib.util import spec_from_file_location as spec, module_from_spec as make\n"
            "s = spec('m', 'CANARY_FOLDER/canary_module.py')\nm = make(s)\n"
            "s.loader.exec_module(m)\nprint(m.SECRET)"
        ),
    ),
    Attack(
        name="run a host file as a script",
        code="import runpy\nprint(runpy.run_path('CANARY_FOLDER/canary_module.py')['SECRET'])",
    ),
    Attack(name="import an installed package", code="import anyio\nprint('REACHED', anyio)"),
    Attack(name="import the host's side", code="import toolweft.sandbox\nprint('REACHED')"),
)

INTROSPECTION = (
    Attack(
        name="climb frames to the outermost",
        code=(
            "import sys\nframe = sys._getframe()\nseen = []\n"
            "while frame:\n    seen.append(repr(frame.f_globals) + repr(frame.f_locals))\n"
            "    frame = frame.f_back\n"
            "print([text for text in seen if 'SECRET_VALUE' in text])\nraise LookupError('nothing')"
        ),
    ),
    Attack(
        name="search every live object",
        code=(
            "import gc\n"
            "found = [o for o in gc.get_objects() if type(o) is dict and 'HOST_SECRET' in o]\n"
            "print('REACHED' if len(found) > 1 else '')\nraise LookupError('nothing')"
        ),
    ),
    Attack(
        name="real open through a class of the library",
        code=(
            "for c in object.__subclasses__():\n"
            "    g = getattr(c.__init__, '__globals__', None)\n"
            "    if g and 'sys' in g:\n"
            "        print(g['sys'].modules['builtins'].open('CANARY_FILE').read())\n"
            "        break\n"
            "raise LookupError('nothing')"
        ),
    ),
    Attack(
        name="poison every builtin",
        code=(
            "import builtins\nfor n in list(vars(builtins)):\n    if n not in ('BaseException',):\n"
            "        try: setattr(builtins, n, lambda *a, **k: 1 / 0)\n"
            "        except Exception: pass\n"
            "await echo(value=1)"
        ),
        expected="ended",
    ),
    Attack(
        name="replace the guest's own functions",
        code=(
            "import sys\nfor m in list(sys.modules.values()):\n"
            "    if getattr(m, '__name__', '').startswith('guest.'):\n"
            "        for n in [n for n in vars(m) if not n.startswith('__')]:\n"
            "            setattr(m, n, None)\n"
            "1 / 0"
        ),
        expected="ended",
    ),
)

FILES = (
    Attack(name="read a host file", code="print(open('CANARY_FILE').read())"),
    Attack(
        name="list a host folder", code="import os\nprint('REACHED', os.listdir('CANARY_FOLDER'))"
    ),
    Attack(name="write a host file", code="open('CANARY_FILE', 'a').write('x')\nprint('REACHED')"),
    Attack(
        name="truncate a host file",
        code="import os\nos.truncate('CANARY_FILE', 0)\nprint('REACHED')",
    ),
    Attack(name="remove a host file", code="import os\nos.unlink('CANARY_FILE')\nprint('REACHED')"),
    Attack(
        name="rename a host file",
        code="import os\nos.rename('CANARY_FILE', 'CANARY_FOLDER/x')\nprint('REACHED')",
    ),
    Attack(
        name="change a host file's times",
        code="import os\nos.utime('CANARY_FILE', (1, 1))\nprint('REACHED')",
    ),
    Attack(
        name="change a host file's mode",
        code="import os\nos.chmod('CANARY_FILE', 0o777)\nprint('REACHED')",
    ),
    Attack(
        name="link to a host file",
        code="import os\nos.link('CANARY_FILE', 'mine')\nprint(open('mine').read())",
    ),
    Attack(
        name="follow a symbolic link out",
        code="import os\nos.symlink('CANARY_FILE', '/tmp/link')\nprint(open('/tmp/link').read())",
    ),
    Attack(
        name="read its own environment", code="print('REACHED', open('/proc/self/environ').read())"
    ),
    Attack(
        name="read the host's memory", code="open('/proc/HOST_PID/mem', 'rb')\nprint('REACHED')"
    ),
    Attack(
        name="read accounts",
        code="import pwd\nprint('REACHED' * (len(pwd.getpwall()) > 2))\nraise LookupError",
    ),
    Attack(
        name="read every descriptor",
        code=(
            "import os\nfor fd in range(3, 64):\n    try:\n"
            "        os.lseek(fd, 0, 0)\n        print('REACHED', os.read(fd, 10))\n"
            "    except OSError: pass\nraise LookupError('nothing')"
        ),
    ),
    Attack(
        name="host values in the environment",
        code="import os\nprint(dict(os.environ), os.environb)\nraise LookupError('nothing')",
    ),
    Attack(
        name="write into the standard library",
        code="import os\nopen(os.__file__, 'a').write('#')\nprint('REACHED')",
    ),
)

NETWORK = (
    Attack(
        name="connect by TCP",
        code=(
            "import socket\nsocket.create_connection(('127.0.0.1', TCP_PORT), 1)\nprint('REACHED')"
        ),
    ),
    Attack(
        name="send by UDP",
        code=(
            "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "s.sendto(b'x', ('127.0.0.1', UDP_PORT))\nprint('REACHED')"
        ),
    ),
    Attack(
        name="connect to a UNIX socket",
        code=(
            "import socket\ns = socket.socket(socket.AF_UNIX)\n"
            "s.connect('UNIX_PATH')\nprint('REACHED')"
        ),
    ),
    Attack(
        name="send from a datagram pair to an address",
        code=(
            "import socket\na, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
            "a.sendto(b'x', '\\0ABSTRACT_NAME')\nprint('REACHED')"
        ),
    ),
    Attack(
        name="send from a stream pair to an address",
        code=(
            "import socket\na, b = socket.socketpair()\n"
            "a.sendto(b'x', '\\0ABSTRACT_NAME')\nprint('REACHED')"
        ),
    ),
    Attack(
        name="fetch a URL",
        code=(
            "import urllib.request\n"
            "urllib.request.urlopen('http://127.0.0.1:TCP_PORT/', timeout=1)\nprint('REACHED')"
        ),
    ),
    Attack(
        name="resolve a name",
        code=(
            "import socket\n"
            "print('REACHED', socket.getaddrinfo('localhost', 80, type=socket.SOCK_STREAM))\n"
        ),
        expected="refused",
    ),
    _syscall("socket below Python", "syscall(41, 2, 1, 0)"),
    _syscall("io_uring", "syscall(425, 8, ctypes.create_string_buffer(120))"),
)

PROCESS = (
    Attack(
        name="run a program",
        code="import subprocess\nprint('REACHED', subprocess.run(['/bin/true']))",
    ),
    Attack(
        name="run a shell",
        code="import os\nif os.system('true') != 0: raise OSError('refused')\nprint('REACHED')",
    ),
    Attack(name="fork", code="import os\nif os.fork() == 0: os._exit(0)\nprint('REACHED')"),
    Attack(
        name="signal the host",
        code="import os, signal\nos.kill(HOST_PID, signal.SIGURG)\nprint('REACHED')",
    ),
    Attack(
        name="make the kernel signal the host",
        code=(
            "import fcntl, os, socket\na, b = socket.socketpair()\n"
            "fcntl.fcntl(a, fcntl.F_SETOWN, HOST_PID)\n"
            "b.send(b'x', socket.MSG_OOB)\nprint('REACHED')"
        ),
    ),
    _syscall("a thread group of another process", "syscall(234, HOST_PID, HOST_PID, 23)"),
    _syscall("trace", "syscall(101, 0, 0, 0, 0)"),
    _syscall("read another process", "syscall(310, HOST_PID, None, 0, None, 0, 0)"),
    _syscall("user namespace", "syscall(272, 0x10000000)"),
    _syscall("clone a namespace", "syscall(56, 0x10000011, 0, 0, 0, 0)"),
    _syscall("pidfd of the host", "syscall(434, HOST_PID, 0)"),
    _syscall("keyring", "syscall(250, 0, -3, 0)"),
    _syscall("memory file", "syscall(319, b'x', 0)"),
    _syscall(
        "other limits of the host",
        "syscall(302, HOST_PID, 7, None, ctypes.create_string_buffer(16))",
    ),
    Attack(
        name="raise its own limits",
        code="import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))\nprint('REACHED')",
    ),
    Attack(
        name="32-bit numbers",
        code="import ctypes\nctypes.CDLL(None).syscall(0x40000000 + 39)\nprint('REACHED')",
        expected="ended",
    ),
    Attack(
        name="stop itself",
        code="import signal, time\nsignal.raise_signal(signal.SIGSTOP)\nwhile True: time.sleep(1)",
        expected="limited",
        means="standard_library",
    ),
    Attack(name="leave quietly", code="import os\nos._exit(0)", expected="ended"),
    Attack(name="crash", code="import ctypes\nctypes.memset(8, 0, 8)", expected="ended"),
    Attack(
        name="overflow the stack",
        code=(
            "import sys\nsys.setrecursionlimit(10**9)\ndef f(*a): return f(*a, *a[:0])\n"
            "map_ = lambda x: [map_(x) for _ in [1]]\nmap_(1)"
        ),
        expected="ended",
    ),
)

RESOURCES = (
    Attack(
        name="grow", code="kept = []\nwhile True: kept.append(bytes(1 << 20))", expected="limited"
    ),
    Attack(name="one huge object", code="b'x' * (20 << 30)", expected="limited"),
    Attack(name="one huge number", code="10 ** 10 ** 9", expected="limited"),
    Attack(name="spin", code="while True: pass", expected="limited"),
    Attack(
        name="wait for ever",
        code="import asyncio\nawait asyncio.Future()",
        expected="limited",
        means="full_asyncio",
    ),
    Attack(
        name="swallow every stop",
        code=(
            "import asyncio\nwhile True:\n    try: await asyncio.sleep(1)\n"
            "    except BaseException: pass"
        ),
        expected="limited",
    ),
    Attack(
        name="many descriptors",
        code="import os\nwhile True: os.dup(0)",
        expected="limited",
        means="limits.files",
    ),
    Attack(
        name="many threads",
        code=(
            "import threading, time\n"
            "while True: threading.Thread(target=time.sleep, args=(9,), daemon=True).start()"
        ),
        expected="limited",
        means="limits.threads",
    ),
    Attack(name="flood", code="while True: print('x' * 4096)", expected="limited"),
    Attack(
        name="flood of bytes",
        code="import sys\nwhile True: sys.stderr.buffer.write(b'x' * 4096)",
        expected="limited",
        means="standard_library",
    ),
    Attack(
        name="error without end",
        code="class E(Exception):\n    def __str__(self): return 'x' * (1 << 30)\nraise E()",
        expected="limited",
        means="full_language",
    ),
    Attack(
        name="value without end",
        code="v = ['x'] * 10\nfor _ in range(9): v = [v] * 10\nv",
        expected="limited",
    ),
    Attack(name="deep source", code="x = " + "(" * 5000 + ")" * 5000, expected="limited"),
    Attack(
        name="fill the scratch folder",
        code="f = open('/tmp/f', 'wb')\nwhile True: f.write(bytes(1 << 20))",
        expected="limited",
        means="limits.disk",
    ),
    Attack(
        name="many files",
        code="i = 0\nwhile True:\n    open(f'/tmp/{i}', 'w').close()\n    i += 1",
        expected="limited",
        means="limits.disk",
    ),
)

_FIND_CHANNEL = """
import json, os, struct
def frame(kind, number=0, head=b"", body=b"", padding=b"\\0\\0\\0"):
    return struct.pack(">B3sIII", kind, padding, number, len(head), len(body)) + head + body
def write(data):
    for fd in range(3, 32):
        try: os.write(fd, data)
        except OSError: pass
"""


def _forged(name: str, text: str, expected: Expected = "ended") -> Attack:
    return Attack(name=name, code=_FIND_CHANNEL + text, expected=expected)


_CALL = """frame(17, {number}, json.dumps({{"name": {name!r}, "line": 1}}).encode(), b"{{}}")"""
CHANNEL = (
    _forged("garbage", "write(b'\\xff' * 4096)\nimport time; time.sleep(60)"),
    _forged(
        "a length of 4 GiB",
        (
            "write(struct.pack('>B3sIII', 17, b'\\0\\0\\0', 1, 10, 2**32 - 1))\n"
            "import time; time.sleep(60)"
        ),
    ),
    _forged(
        "half a frame", "write(frame(17, 1, b'{}', b'x' * 100)[:-50])\nimport time; time.sleep(60)"
    ),
    _forged(
        "a kind of the other side",
        "write(frame(1, 0, b'{}', b'print(1)'))\nimport time; time.sleep(60)",
    ),
    _forged("ready again", "write(frame(16))\nimport time; time.sleep(60)"),
    _forged(
        "a call with a number of its own",
        f"write({_CALL.format(number=99, name='t.f')})\nimport time; time.sleep(60)",
    ),
    _forged(
        "a call twice",
        f"write({_CALL.format(number=1, name='t.f')} * 2)\nimport time; time.sleep(60)",
    ),
    _forged(
        "a name that is no text",
        "write(frame(17, 1, b'{\"name\": 7, \"line\": 1}', b'{}'))\nimport time; time.sleep(60)",
    ),
    _forged(
        "a name twice",
        (
            'write(frame(17, 1, b\'{"name": "t.f", "name": "t.g", "line": 1}\', b\'{}\'))\n'
            "import time; time.sleep(60)"
        ),
    ),
    _forged(
        "a line that is no line",
        (
            'write(frame(17, 1, b\'{"name": "t.f", "line": true}\', b\'{}\'))\n'
            "import time; time.sleep(60)"
        ),
    ),
    _forged(
        "an end that is none",
        'write(frame(20, 0, b\'{"status": "fine"}\'))\nimport time; time.sleep(60)',
    ),
    _forged(
        "an end with an impossible size",
        (
            "write(frame(20, 0, json.dumps({'status': 'ok', 'limit': "
            "None, 'characters': 0, 'value_bytes': 50}).encode()))\n"
            "import time; time.sleep(60)"
        ),
    ),
    _forged(
        "a limit without a word",
        (
            "head = {'status': 'limit', 'limit': 'result', 'characters': 0, 'value_bytes': 0}\n"
            "write(frame(20, 0, json.dumps(head).encode()))\nimport time; time.sleep(60)"
        ),
        expected="limited",
    ),
    _forged(
        "frames after the end",
        (
            "head = {'status': 'error', 'limit': None, 'characters': 0, 'value_bytes': 0}\n"
            f"call = {_CALL.format(number=1, name='t.f')}\n"
            "write(frame(20, 0, json.dumps(head).encode()) + call)\n"
            "import time; time.sleep(60)"
        ),
    ),
    _forged(
        "more output than is kept",
        "for _ in range(100): write(frame(19, 0, b'', b'x' * 10_000))\nimport time; time.sleep(60)",
    ),
    _forged("the channel closed", "os.closerange(3, 64)\nimport time; time.sleep(60)"),
    _forged(
        "the channel replaced",
        (
            "for fd in range(3, 16):\n    try: os.dup2(1, fd)\n"
            "    except OSError: pass\nawait echo(value=1)"
        ),
    ),
)

# For a guest that is an interpreter: its own functions called as no program calls them.
WORDS = tuple(
    Attack(name=f"forged word {number}", code=code, expected="ended")
    for number, code in enumerate(
        (
            "_tw_call('t.f')",
            "_tw_call('', 1, '{}')",
            "_tw_call('t.f', -1, '{}')",
            "_tw_call('t.f', 1, [1])",
            "_tw_value = lambda value: ('json', '{')\n1",
            "_tw_value = lambda value: ('other', '1')\n1",
        ),
        start=1,
    )
)

CLASSES = {
    "import": IMPORT,
    "introspection": INTROSPECTION,
    "file": FILES,
    "network": NETWORK,
    "process": PROCESS,
    "resource": RESOURCES,
}
