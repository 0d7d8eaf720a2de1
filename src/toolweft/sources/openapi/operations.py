"""A description to its operations. Pure.

An operation that cannot be used keeps its place, with the reason; the others go on.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256

from toolweft.core.errors import InvalidDefinition
from toolweft.core.json import Json, JsonObject, JsonSchema
from toolweft.sources.openapi.answers import read_output
from toolweft.sources.openapi.arguments import ArgumentNames
from toolweft.sources.openapi.bodies import ReadBody, read_body
from toolweft.sources.openapi.model import Operation, SecurityScheme
from toolweft.sources.openapi.parameters import ReadParameter, read_parameters
from toolweft.sources.openapi.references import References
from toolweft.sources.openapi.schemas import Schemas
from toolweft.sources.openapi.security import read_requirements, read_schemes

__all__ = ("Description", "find_idle_globs", "read_description", "select_operations")

_METHODS = frozenset({"get", "head", "options", "trace", "post", "put", "patch", "delete"})
_VARIABLE = re.compile(r"\{([^{}]*)\}")
_UNSAFE = re.compile(r"[^A-Za-z0-9]+")
_SUFFIX_DIGITS = 6
_MAX_ABOUT_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A whole description."""

    # "3.1.0"
    version: str
    # Title and description.
    about: str
    operations: tuple[Operation, ...]
    schemes: dict[str, SecurityScheme]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where one operation stands."""

    method: str
    path: str
    item: JsonObject
    raw: JsonObject
    problem: str = ""


def read_description(document: JsonObject) -> Description:
    """The operations of a description, in its order.

    Raises:
        InvalidDefinition: it has no paths, or its security schemes cannot be read.
    """
    paths = document.get("paths")
    if not isinstance(paths, dict):
        if "paths" not in document and ("webhooks" in document or "components" in document):
            paths = {}
        else:
            raise InvalidDefinition(
                "$.paths is missing"
                if "paths" not in document
                else f"$.paths is {type(paths).__name__}, not an object of paths",
                hint="check that this is a whole description, not a part of one",
            )
    version = str(document["openapi"])
    references = References(document)
    schemas = Schemas(references, is_30=version.startswith("3.0"))
    places = list(_places(paths, references))
    names = _names(places)
    reader = _OperationReader(document, references=references, schemas=schemas)
    return Description(
        version=version,
        about=_about(document.get("info")),
        operations=tuple(
            reader.read(place, name=name) for place, name in zip(places, names, strict=True)
        ),
        schemes=read_schemes(document, references),
    )


def select_operations(
    operations: tuple[Operation, ...], *, include: tuple[str, ...], exclude: tuple[str, ...]
) -> tuple[Operation, ...]:
    """The operations that globs over "name" or "METHOD /path" let through."""
    return tuple(
        operation
        for operation in operations
        if (not include or _fits(operation, include)) and not _fits(operation, exclude)
    )


def find_idle_globs(operations: tuple[Operation, ...], globs: tuple[str, ...]) -> tuple[str, ...]:
    """The globs that fit no operation at all: mistyped, or the service has changed."""
    return tuple(glob for glob in globs if not any(_fits(one, (glob,)) for one in operations))


def _fits(operation: Operation, globs: tuple[str, ...]) -> bool:
    spellings = (operation.name, f"{operation.method} {operation.path}")
    return any(fnmatchcase(spelling, glob) for glob in globs for spelling in spellings)


class _OperationReader:
    """Reads the operations of one document."""

    def __init__(self, document: JsonObject, *, references: References, schemas: Schemas) -> None:
        self._document = document
        self._references = references
        self._schemas = schemas

    def read(self, place: _Place, *, name: str) -> Operation:
        problem = place.problem
        if not problem:
            try:
                return self._read(place, name=name)
            except InvalidDefinition as error:
                problem = error.message
        return Operation(
            name=name,
            method=place.method.upper(),
            path=place.path,
            summary=_summary(place.raw, place.item),
            description=_description(place.raw),
            problem=problem,
        )

    def _read(self, place: _Place, *, name: str) -> Operation:
        raw = place.raw
        names = ArgumentNames()
        parameters = read_parameters(
            place.item.get("parameters"),
            raw.get("parameters"),
            names=names,
            references=self._references,
            schemas=self._schemas,
        )
        _check_path(place.path, parameters)
        body = read_body(
            raw.get("requestBody"), names=names, references=self._references, schemas=self._schemas
        )
        tags = raw.get("tags")
        return Operation(
            name=name,
            method=place.method.upper(),
            path=place.path,
            summary=_summary(raw, place.item),
            description=_description(raw),
            category=tags[0] if isinstance(tags, list) and tags and _text(tags[0]) else None,
            server=self._server(place),
            parameters=tuple(read.parameter for read in parameters),
            body=None if body is None else body.body,
            input_schema=_input_schema(parameters, body),
            output_schema=self._output(raw),
            security=read_requirements(raw.get("security", self._document.get("security"))),
        )

    def _output(self, raw: JsonObject) -> JsonSchema | None:
        try:
            return read_output(
                raw.get("responses"), references=self._references, schemas=self._schemas
            )
        except InvalidDefinition:
            # Nobody needs it to make the call.
            return None

    def _server(self, place: _Place) -> str:
        for holder in (place.raw, place.item, self._document):
            servers = holder.get("servers")
            if isinstance(servers, list) and servers and isinstance(servers[0], dict):
                return _server_url(servers[0])
        return ""


def _places(paths: JsonObject, references: References) -> Iterator[_Place]:
    for path, raw_item in paths.items():
        if not str(path).startswith("/"):
            continue
        try:
            item = references.follow(raw_item, what=f"the path {path!r}")
            if isinstance(raw_item, dict):
                # Beside a reference there may be more of the path.
                item = {**item, **{k: v for k, v in raw_item.items() if k != "$ref"}}
        except InvalidDefinition as error:
            # Nobody knows its methods; one of them tells what is wrong.
            yield _Place(method="get", path=str(path), item={}, raw={}, problem=error.message)
            continue
        for method, raw in item.items():
            if method in _METHODS and isinstance(raw, dict):
                yield _Place(method=method, path=str(path), item=item, raw=raw)


def _names(places: list[_Place]) -> list[str]:
    """The name of each: its operationId where that is its alone, else its method and path."""
    declared = [_text(place.raw.get("operationId")).strip() for place in places]
    ids = Counter(declared)
    wanted = [
        name if name and ids[name] == 1 else _plain_name(place)
        for name, place in zip(declared, places, strict=True)
    ]
    often = Counter(wanted)
    return [
        name if often[name] == 1 or name == own else _with_suffix(name, place)
        for name, own, place in zip(wanted, declared, places, strict=True)
    ]


def _plain_name(place: _Place) -> str:
    safe = _UNSAFE.sub("_", place.path).strip("_")
    return f"{place.method}_{safe or 'root'}"


def _with_suffix(name: str, place: _Place) -> str:
    digest = sha256(f"{place.method} {place.path}".encode("utf-8", "replace")).hexdigest()
    return f"{name}_{digest[:_SUFFIX_DIGITS]}"


def _check_path(path: str, parameters: list[ReadParameter]) -> None:
    if "?" in path or "#" in path:
        raise InvalidDefinition(f"the path {path[:120]!r} holds a query or a fragment")
    described = {p.parameter.name for p in parameters if p.parameter.place == "path"}
    missing = [name for name in _VARIABLE.findall(path) if name not in described]
    if missing:
        raise InvalidDefinition(
            f"the path {path[:120]!r} has {{{missing[0]}}}, and no path parameter is named so"
        )


def _input_schema(parameters: list[ReadParameter], body: ReadBody | None) -> JsonSchema:
    """One object with every argument; what they share stands once."""
    properties = {read.parameter.argument: read.schema for read in parameters}
    required = [read.parameter.argument for read in parameters if read.is_required]
    # A path is told in its own order.
    if body is not None:
        properties |= body.schemas
        required += body.required
    definitions: JsonSchema = {}
    for name, schema in properties.items():
        if "$defs" in schema:
            # One name stands for one place of the description, but may be cut differently.
            definitions = {**schema["$defs"], **definitions}
            properties[name] = {key: value for key, value in schema.items() if key != "$defs"}
    made: JsonSchema = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if required:
        made["required"] = required
    return {**made, "$defs": definitions} if definitions else made


def _server_url(server: JsonObject) -> str:
    variables = server.get("variables")
    known = variables if isinstance(variables, dict) else {}

    def value_of(match: re.Match[str]) -> str:
        variable = known.get(match[1])
        default = variable.get("default") if isinstance(variable, dict) else None
        return match[0] if default is None else str(default)

    return _VARIABLE.sub(value_of, _text(server.get("url")))


def _description(raw: JsonObject) -> str:
    summary, text = _text(raw.get("summary")).strip(), _text(raw.get("description")).strip()
    parts = [summary, "" if text == summary else text]
    return _marked("\n\n".join(filter(None, parts)), raw)


def _summary(raw: JsonObject, item: JsonObject) -> str:
    """One line, where the description has one."""
    said = _text(raw.get("summary")) or _text(item.get("summary"))
    return _marked(said, raw) if said else ""


def _marked(text: str, raw: JsonObject) -> str:
    """The text, and that the operation is deprecated: in its first sentence, which stands alone."""
    if raw.get("deprecated") is not True:
        return text
    return f"Deprecated: {text}" if text else "Deprecated."


def _about(info: Json) -> str:
    if not isinstance(info, dict):
        return ""
    parts = filter(None, (_text(info.get("title")), _text(info.get("description"))))
    return "\n\n".join(parts)[:_MAX_ABOUT_CHARACTERS]


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
