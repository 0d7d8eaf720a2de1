"""Which examples of a tool can be shown: each fits the tool's schemas, or is left out with reasons.

Pure. An example is written by whoever wrote the server, so its size is bounded before anything
looks at it, its text is cleaned as descriptions are, and no message repeats a credential. A bad
example never touches its tool or its neighbours.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import islice
from json import JSONEncoder, loads

from toolweft.catalog.credentials import find_credential
from toolweft.catalog.schemas import build_value_validator
from toolweft.catalog.text import clean_text
from toolweft.core.json import Json, JsonSchema
from toolweft.core.schema_faults import SchemaValidator, describe_faults, render_path
from toolweft.core.tools import ExampleFault, ToolDefinition, ToolExample

__all__ = ("check_examples",)

# A model reads it with every request; the vendor's own advice ends far below.
MAX_EXAMPLE_BYTES = 8 * 1024
MAX_EXAMPLE_LEVELS = 32
# Of one example; whoever mends these sees the rest.
MAX_FAULTS = 20
# A list of which so many are wrong is not read to its end.
_MAX_FAULTY = 20

_encode = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def check_examples(
    definition: ToolDefinition, *, max_examples: int, origin: str = ""
) -> tuple[tuple[ToolExample, ...], tuple[ExampleFault, ...]]:
    """The examples that can be shown, and what is wrong with the others.

    Args:
        definition: its schemas are checked; of its examples nothing is trusted.
        max_examples: more are left out; with 0 all are, and nothing is wrong with that.
        origin: where in the configuration they stand; empty where their source gave them.
    """
    examples = definition.input_examples
    if not examples or not max_examples:
        return (), ()
    reader = _Reader(definition)
    kept: list[ToolExample] = []
    faults: list[ExampleFault] = []
    faulty = 0
    for position, example in enumerate(examples):
        place = f"$.input_examples[{position}]"
        rest = len(examples) - position
        fault = partial(_build_fault, position=position, origin=origin)
        if len(kept) == max_examples:
            counted = "is" if rest == 1 else f"and {rest - 1} after it are"
            reason = f"{counted} more than max_examples = {max_examples}"
            faults.append(fault(place, reason))
            break
        if faulty == _MAX_FAULTY:
            reason = f"and {rest - 1} after it are not read: {faulty} before them are wrong"
            faults.append(fault(place, reason))
            break
        found = reader.read(example)
        if isinstance(found, ToolExample):
            kept.append(found)
            continue
        faulty += 1
        faults += [fault(place + path[1:], reason) for path, reason in found]
    return tuple(kept), tuple(faults)


def _build_fault(path: str, reason: str, *, position: int, origin: str) -> ExampleFault:
    return ExampleFault(position=position, path=path, reason=reason, origin=origin)


class _Reader:
    """Reads the examples of one tool."""

    def __init__(self, definition: ToolDefinition) -> None:
        self._input = _Part(definition.input_schema)
        output = definition.output_schema
        self._output = None if output is None else _Part(output)

    def read(self, example: ToolExample) -> ToolExample | list[tuple[str, str]]:
        """The example, cleaned; or every fault as its path from the example and the reason."""
        given = {
            "scenario": example.scenario,
            "input": example.input,
            "output": example.output,
            "notes": example.notes,
        }
        try:
            # A copy of its own, of plain JSON alone: a tuple is a list in it.
            text = _encode(given)
            size = len(text.encode("utf-8", "surrogatepass"))
            if size > MAX_EXAMPLE_BYTES:
                reason = f"has {size} bytes as JSON, more than {MAX_EXAMPLE_BYTES}: shorten it"
                return [("$", reason)]
            is_simple = _is_simple(text)
            plain = loads(text) if is_simple else _clean(loads(text))
        except RecursionError:
            return [("$", f"is nested deeper than {MAX_EXAMPLE_LEVELS} levels")]
        except (TypeError, ValueError) as error:
            return [("$", f"is not plain JSON: {error!s:.200}")]
        faults = list(_shape_faults(plain))
        if not is_simple or find_credential(text):
            faults += _credential_faults(plain, ())
        if not faults:
            faults = [*islice(self._schema_faults(plain), MAX_FAULTS)]
        return faults or ToolExample(
            scenario=_in_one_line(plain["scenario"]),
            input=plain["input"],
            output=plain["output"],
            notes=_in_one_line(plain["notes"] or "") or None,
        )

    def _schema_faults(self, plain: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
        yield from self._input.faults(plain["input"], name="input")
        output = plain["output"]
        if self._output is None or output is None:
            return
        # Calls unwrap a lone result, and so may the example.
        properties = self._output.schema.get("properties")
        is_lone = isinstance(properties, dict) and list(properties) == ["result"]
        found = list(self._output.faults(output, name="output"))
        if found and is_lone and not list(self._output.faults({"result": output}, name="output")):
            return
        yield from found


class _Part:
    """One side of a tool: what its schema says of values."""

    def __init__(self, schema: JsonSchema) -> None:
        self.schema = schema

    @cached_property
    def _validator(self) -> SchemaValidator:
        return build_value_validator(self.schema)

    def faults(self, value: Json, *, name: str) -> Iterator[tuple[str, str]]:
        try:
            for path, reason in describe_faults(self._validator, value, schema=self.schema):
                yield f"$.{name}{path[1:]}", reason
        except ValueError as error:
            yield f"$.{name}", f"cannot be checked: {error!s:.200}"


def _is_simple(text: str) -> bool:
    """Whether JSON shows all it holds as it is: nothing escaped, hidden or deep.

    So it is with nearly all, and one look at the whole is then enough.
    """
    if "\\" in text or text.count("[") + text.count("{") > MAX_EXAMPLE_LEVELS:
        return False
    return clean_text(text) == text


def _shape_faults(plain: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    if not isinstance(plain["scenario"], str):
        yield "$.scenario", f"{plain['scenario']!r:.60} is not a text"
    if not isinstance(plain["input"], dict):
        yield "$.input", f"{plain['input']!r:.60} is not an object"
    if not isinstance(plain["notes"], str | None):
        yield "$.notes", f"{plain['notes']!r:.60} is not a text"


def _credential_faults(value: Json, path: Sequence[str | int]) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, below in value.items():
            # A key is shown in paths, so what stands below is not looked at any more.
            if kind := find_credential(key):
                yield render_path(path), f"has a key with the shape of {kind}"
            else:
                yield from _credential_faults(below, (*path, key))
    elif isinstance(value, list):
        for position, below in enumerate(value):
            yield from _credential_faults(below, (*path, position))
    elif isinstance(value, str) and (kind := find_credential(value)):
        yield render_path(path), f"has the shape of {kind}: write one that opens nothing"


def _clean(value: Json, *, level: int = 0) -> Json:
    """The value with every text in it cleaned.

    Raises:
        RecursionError: it is nested too deeply.
    """
    if level > MAX_EXAMPLE_LEVELS:
        raise RecursionError
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_clean(item, level=level + 1) for item in value]
    if isinstance(value, dict):
        return {clean_text(key): _clean(item, level=level + 1) for key, item in value.items()}
    return value


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
