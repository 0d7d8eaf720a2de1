"""What a program finds bound, in the part of Python that the interpreter runs.

The text here is guest code: it is fed to the interpreter, never run by this process. It turns
arguments into JSON and results back where the memory limit holds, so the host gets plain text only.
"""

import re
from collections.abc import Iterable
from keyword import iskeyword

from toolweft.core.calls import Failure
from toolweft.core.names import is_special
from toolweft.core.ports import GuestNames
from toolweft.core.programs import ProgramLimits

__all__ = (
    "CALL",
    "NO_LOAD",
    "NO_LOAD_TEXT",
    "OWN_PREFIX",
    "PRELUDE",
    "TOOL_ERROR_TYPES",
    "WORKER_NAMES",
    "binding_code",
)

# Every name of ours inside starts so.
OWN_PREFIX = "_tw_"
# The one function of the host.
CALL = "_tw_call"
# The interpreter has no subclasses, so an error class that programs do not raise stands in.
TOOL_ERROR_TYPES = frozenset({"_csv.Error", "csv.Error"})
# What `load` says.
NO_LOAD = Failure(
    code="handle_unreadable",
    message="load: programs of this sandbox cannot read stored results",
    hint='sandbox.backend = "process" or "container" can; here let a tool return what is needed',
)

# What the program gets, as of every failure.
NO_LOAD_TEXT = f"{NO_LOAD.message} ({NO_LOAD.hint})"

PRELUDE = """\
import asyncio as _tw_asyncio
import json as _tw_json
from csv import Error as ToolError

_tw_once = iter
_tw_line = None
_tw_max_argument = 0
_tw_max_value = 0


def _tw_iterator(builtin):
    def _tw_builtin(*positional, **named):
        return _tw_once(builtin(*positional, **named))

    return _tw_builtin


_tw_iterators = [_tw_iterator(builtin) for builtin in (map, filter, zip, enumerate, reversed)]


def _tw_at(line, thing):
    global _tw_line
    _tw_line = line
    return thing


def _tw_value(value):
    if type(value).__name__ == "coroutine":
        print("called without await: write `await` before the call")
        return ("none", "")
    if value is None:
        return ("none", "")
    try:
        kind, text = "json", _tw_json.dumps(
            value, ensure_ascii=False, separators=(",", ":"), allow_nan=False
        )
    except (TypeError, ValueError, RecursionError):
        kind, text = "repr", _tw_json.dumps(repr(value), ensure_ascii=False)
    if len(text) > _tw_max_value:
        return ("large", str(len(text)))
    return (kind, text)


async def _tw_send(name, line, arguments):
    text = _tw_json.dumps(
        arguments, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )
    if len(text) > _tw_max_argument:
        text = len(text)
    kind, payload, blobs = await _tw_call(name, line, text)
    if kind == "failure":
        raise ToolError(payload)
    result = _tw_json.loads(payload)
    for position, data in blobs:
        if position is None:
            result = data
        else:
            result[position] = data
    return result


def _tw_tool(name, parameters):
    def _tw_function(*positional, **arguments):
        if len(positional) > len(parameters):
            raise TypeError(
                f"{name}() takes keyword arguments only, but {len(positional)} came"
                f" without a name: write {name}(parameter=value)"
            )
        for parameter, value in zip(parameters, positional):
            if parameter in arguments:
                raise TypeError(f"{name}() got two values for {parameter}")
            arguments[parameter] = value
        return _tw_send(name, _tw_line, arguments)

    return _tw_function


def _tw_refuse(text):
    def _tw_refused(*_positional, **_named):
        raise ToolError(text)

    return _tw_refused


class _tw_Space:
    def __init__(self, name):
        self._tw_name = name

    def __repr__(self):
        name = self._tw_name
        return f"<tools of {name}: call one as await {name}.tool(parameter=value)>"

    def __call__(self, *_positional, **_named):
        name = self._tw_name
        raise TypeError(
            f"'{name}' is a namespace of tools: call one as await {name}.tool(...)"
        )


def _tw_fill(space, tools):
    for short, parameters in tools:
        setattr(space, short, _tw_tool(space._tw_name + "." + short, parameters))


def _tw_ask(prompt, schema, line):
    if not isinstance(prompt, str):
        raise TypeError(f"worker takes a prompt, a text, not {type(prompt).__name__}")
    arguments = {"prompt": prompt}
    if schema is not None:
        arguments["schema"] = schema
    return _tw_send("worker", line, arguments)


def _tw_worker(prompt, schema=None):
    return _tw_ask(prompt, schema, _tw_line)


def _tw_worker_map(items, prompt, schema=None, parallel=16, on_error="raise"):
    if not isinstance(prompt, str):
        kind = type(prompt).__name__
        raise TypeError(f"worker_map takes items and then a prompt, a text, not {kind}")
    if type(parallel) is not int or parallel < 1:
        raise ValueError(f"worker_map takes a number from 1 on for parallel, not {parallel!r}")
    if on_error not in ("raise", "keep"):
        raise ValueError(f'worker_map takes "raise" or "keep" for on_error, not {on_error!r}')
    if isinstance(items, (str, bytes, dict)):
        kind = type(items).__name__
        raise TypeError(f"worker_map takes a list or an iterator of items, not {kind}")
    lanes = parallel if parallel < 128 else 128
    return _tw_map(iter(items), prompt, schema, lanes, on_error == "keep", _tw_line)


_tw_end = ["no more items"]


async def _tw_map(source, prompt, schema, lanes, keeps_errors, line):
    answers = []
    failures = []

    async def lane():
        while not failures:
            item = next(source, _tw_end)
            if item is _tw_end:
                return
            place = len(answers)
            answers.append(None)
            if not isinstance(item, str):
                item = _tw_json.dumps(
                    item, ensure_ascii=False, separators=(",", ":"), allow_nan=False
                )
            try:
                answers[place] = await _tw_ask(prompt + "\\n\\n" + item, schema, line)
            except ToolError as error:
                if keeps_errors:
                    answers[place] = error
                else:
                    failures.append(error)

    await _tw_asyncio.gather(*[lane() for _ in range(lanes)])
    if failures:
        raise failures[0]
    return answers


map, filter, zip, enumerate, reversed = _tw_iterators
"""

# What programs call the two functions above; bound where their text has one of the names.
WORKER_NAMES = ("worker", "worker_map")

_WORD = re.compile(r"[^\W\d]\w*")
_ATTRIBUTE = re.compile(r"\.\s*([^\W\d]\w*)")
# `getattr(crm, "find")`: a text that is a name may be meant as one.
_QUOTED = re.compile(r"""["']([^\W\d]\w*)["']""")


def binding_code(source: str, names: GuestNames, limits: ProgramLimits) -> str:
    """Guest code that binds, before a program runs, the tools its text names.

    What the program itself bound in an earlier run stays.
    """
    words = set(_WORD.findall(source))
    attributes = sorted({*_ATTRIBUTE.findall(source), *_QUOTED.findall(source)})
    lines = [
        f"_tw_max_argument = {limits.max_argument_bytes}",
        f"_tw_max_value = {limits.max_value_bytes}",
    ]
    for name in _usable(names.namespaces, words):
        tools = [
            (short, tuple(names.positional.get(f"{name}.{short}", ())))
            for short in attributes
            if not is_special(short) and not short.startswith(OWN_PREFIX)
        ]
        lines += _bind(name, f"_tw_Space({name!r})")
        lines += [f"if isinstance({name}, _tw_Space):", f"    _tw_fill({name}, {tools!r})"]
    for name in _usable(names.functions, words):
        parameters = tuple(names.positional.get(name, ()))
        lines += _bind(name, f"_tw_tool({name!r}, {parameters!r})")
    if names.has_handles:
        for name in _usable(("load",), words):
            lines += _bind(name, f"_tw_refuse({NO_LOAD_TEXT!r})")
    if names.has_workers:
        for name in _usable(WORKER_NAMES, words):
            lines += _bind(name, f"_tw_{name}")
    return "\n".join(lines) + "\n"


def _usable(names: Iterable[str], words: set[str]) -> list[str]:
    return [name for name in names if name in words and name.isidentifier() and not iskeyword(name)]


def _bind(name: str, value: str) -> list[str]:
    return ["try:", f"    {name}", "except NameError:", f"    {name} = {value}"]
