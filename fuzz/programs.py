"""Programs nobody would write: random pieces of Python, then sometimes random damage. Pure.

A seed gives the same program always, so a failure can be repeated.
"""

from random import Random

__all__ = ("make_program",)

_VALUES = (
    "0", "-1", "1", "2**31", "-(2**63)", "2**64", "10**30", "0.1", "1e308 * 10", "float('nan')",
    "1j", "None", "True", "''", "'a'", "'\\0'", "'\\ud800'", "'\U0001f600' * 3", "b''", "b'\\xff'",
    "[]", "[[]]", "{}", "{1: 2}", "{'a': {}}", "(1,)", "set()", "range(3)", "...", "object()",
    "type", "print", "lambda: 0", "ToolError", "[1] * 50", "'x' * 5000", "{'k': [1, 2, None]}",
)  # fmt: skip
_OPERATORS = ("+", "-", "*", "//", "/", "%", "@", "<", "==", "is", "in", "and", "or", "|", ">>")
_CALLS = (
    "echo(value={a})", "t.echo(value={a})", "echo({a})", "t.nothing()", "echo(**{{'value': {a}}})",
    "tools.search(query={a})", "tools.describe(name='echo')", "tools.nothing()", "t.echo()",
    "asyncio.sleep(0)", "asyncio.sleep(0.001, {a})", "asyncio.wait_for(echo(value=1), 0.01)",
)  # fmt: skip
_STATEMENTS = (
    "{v} = {a}",
    "{v} = {a} {o} {b}",
    "print({a})",
    "print({a}, {b}, sep={c}, end='')",
    "{v} = await {call}",
    "print(await {call})",
    "{call}",
    "{v} = asyncio.create_task({call})",
    "{v} = await asyncio.gather({call}, {call}, return_exceptions=True)",
    "await asyncio.gather(*(echo(value=i) for i in range(20)))",
    "assert {a}",
    "raise {e}({a})",
    "del {v}",
    "{v}.append({a})",
    "{v}[{a}] = {b}",
    "{v} = sorted([{a}, {b}, {c}], key=str)",
    "{v} = json.dumps({a}, default=str)",
    "{v} = [x for x in ({a}, {b}) if x]",
    "{v} = {{str(x): x for x in ({a}, {b})}}",
    "{v} = f'{{{a}!r:>10}}'",
    "def {v}(*args, **kwargs): return {v}(*args)",
    "def {v}(x={a}): yield x",
    "async def {v}(): return await {call}",
    "class {v}:\n    def __repr__(self): raise {e}({a})",
    "class {v}(Exception):\n    def __str__(self): return {a}",
    "class {v}:\n    def __del__(self): print({a})",
    "for {v} in range(3): {inner}",
    "while True: break",
    "if {a}: {inner}\nelse: {inner}",
    "try: {inner}\nexcept Exception as e: print(type(e).__name__)",
    "try: {inner}\nfinally: {v} = {a}",
    "try: {inner}\nexcept BaseException: pass",
    "with contextlib.suppress(Exception): {inner}",
    "async with asyncio.timeout(0.001): await asyncio.sleep(1)",
    "async with asyncio.TaskGroup() as g: g.create_task({call})",
    "{v} = '{long}'",
    "{v} = [{v}] * 3",
    "{v} = sys.modules",
    "sys.setrecursionlimit({a})",
    "sys.stdout.write(str({a}))",
    "sys.stdout = {a}",
    "builtins.{f} = {a}",
    "globals()[{c}] = {a}",
    "import {m}",
    "exec({c})",
    "eval({c})",
    "gc.collect()",
    "asyncio.get_event_loop().stop()",
    "asyncio.get_event_loop().close()",
    "for x in asyncio.all_tasks(): x.cancel()",
    "raise SystemExit({a})",
    "raise KeyboardInterrupt",
    "threading.Thread(target=print, args=({a},)).start()",
    "os.write({fd}, b'abc')",
    "os.close({fd})",
    "os.read({fd}, 10)",
    "signal.signal(signal.SIGINT, signal.SIG_IGN)",
    "open('x', 'w').write(str({a}))",
    "warnings.warn(str({a}))",
    "{a}",
    "[{a}, {b}, {c}]",
)
# Costly or final ones come seldom.
_RARE = (
    "while True: pass",
    "await asyncio.Future()",
    "x = bytearray(1 << 33)",
    "def f(): f()\nf()",
    "print('x' * 100_000)",
    "os._exit(3)",
    "os.abort()",
    "ctypes.string_at(8)",
    "[0] * (1 << 26)",
    "10 ** 10 ** 7",
    "await asyncio.gather(*(echo(value='y' * 9_000) for _ in range(60)))",
    "while True: print(1)",
    "threading.Thread(target=lambda: [i for i in iter(int, 1)], daemon=True).start()",
)
_MODULES = ("math", "socket", "subprocess", "numpy", "os.path", "nowhere", "pickle", "toolweft")
_ERRORS = ("ValueError", "ToolError", "MemoryError", "RecursionError", "StopIteration", "OSError")
_FUNCTIONS = ("print", "len", "__import__", "isinstance", "Exception", "open")
_HEAD = (
    "import asyncio, json, sys, os, gc, contextlib, signal, threading, warnings, builtins, ctypes\n"
)
_RARE_SHARE = 0.02
_DAMAGED_SHARE = 0.25
_MAX_STATEMENTS = 12
_MAX_DEPTH = 3


def make_program(seed: int) -> str:
    """The program of one seed."""
    random = Random(seed)  # noqa: S311  not a secret
    count = random.randint(1, _MAX_STATEMENTS)
    text = _HEAD + "\n".join(_statement(random, _MAX_DEPTH) for _ in range(count))
    return _damage(text, random) if random.random() < _DAMAGED_SHARE else text


def _statement(random: Random, depth: int) -> str:
    if random.random() < _RARE_SHARE:
        return random.choice(_RARE)
    pattern = random.choice(_STATEMENTS)
    while "{inner}" in pattern and not depth:
        pattern = random.choice(_STATEMENTS)
    names = {name: _value(random) for name in "abc"}
    inner = _indented(_statement(random, depth - 1)) if "{inner}" in pattern else ""
    return pattern.format(
        **names,
        v=random.choice("pqrs"),
        o=random.choice(_OPERATORS),
        e=random.choice(_ERRORS),
        m=random.choice(_MODULES),
        f=random.choice(_FUNCTIONS),
        fd=random.randint(0, 9),
        long="z" * random.randint(0, 300),
        call=random.choice(_CALLS).format(a=_value(random)),
        inner=inner,
    )


def _value(random: Random) -> str:
    if random.random() < 0.2:
        return random.choice("pqrs")
    return random.choice(_VALUES)


def _indented(text: str) -> str:
    return "".join(f"\n    {line}" for line in text.splitlines())


def _damage(text: str, random: Random) -> str:
    """The text with a few characters lost, doubled or replaced."""
    characters = list(text)
    for _ in range(random.randint(1, 6)):
        place = random.randrange(len(characters))
        match random.randrange(3):
            case 0:
                characters[place] = ""
            case 1:
                characters[place] *= random.randint(2, 40)
            case _:
                characters[place] = chr(random.choice((0, 9, 10, 34, 40, 92, 0x2028, 0x1F600)))
    return "".join(characters)
