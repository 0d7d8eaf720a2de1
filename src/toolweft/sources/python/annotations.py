"""Annotations made fit for pydantic. Pure.

Bytes become base64 text in JSON, and the `TypedDict` of `typing` works before Python 3.12 too.
Only what the annotation itself names is changed: the fields of a model or a dataclass are its own.
"""

import base64
import binascii
from types import UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic.fields import FieldInfo
from typing_extensions import TypedDict, is_typeddict

from toolweft.core.calls import Blob, RawResult

__all__ = ("adapt_annotation", "gives_blobs")

_BINARY = (bytes, bytearray, memoryview, Blob, RawResult)
_LISTS = (list, tuple)


def _decode(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    # Programs write either alphabet, with or without what fills it up.
    text = "".join(value.split()).rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ValueError("bytes are written as base64 text") from exc


_BASE64 = (
    BeforeValidator(_decode),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}, mode="validation"),
)


def adapt_annotation(annotation: Any) -> Any:
    """The annotation with bytes as base64 text and typed dictionaries as pydantic takes them."""
    return _Adapter().adapt(annotation)


def gives_blobs(annotation: Any) -> bool:
    """Whether what it describes may arrive as bytes, alone or in a list, and not as JSON."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return gives_blobs(inner[0])
    if origin in (Union, UnionType):
        return any(map(gives_blobs, inner))
    if origin in _LISTS:
        return any(part in _BINARY for part in inner)
    return annotation in _BINARY


class _Adapter:
    def __init__(self) -> None:
        # A typed dictionary may hold itself.
        self._known: dict[int, Any] = {}

    def adapt(self, annotation: Any) -> Any:
        if annotation is bytes:
            return Annotated[bytes, *_BASE64]
        if is_typeddict(annotation):
            return self._typed_dict(annotation)
        origin, inner = get_origin(annotation), get_args(annotation)
        if origin is None or origin is Literal or not inner:
            return annotation
        if origin is Annotated:
            return self._annotated(annotation, *inner)
        adapted = tuple(map(self.adapt, inner))
        if all(new is old for new, old in zip(adapted, inner, strict=True)):
            return annotation
        if origin is UnionType:
            origin = Union
        return origin[adapted[0]] if len(adapted) == 1 else origin[adapted]

    def _annotated(self, annotation: Any, inner: Any, *told: Any) -> Any:
        # A text beside the type describes it, as many libraries read it.
        said = [part.description for part in told if isinstance(part, FieldInfo)]
        said += [part for part in told if isinstance(part, str)]
        description = next(filter(None, said), None)
        if description is not None:
            told = (*told, Field(description=description))
            annotation = Annotated[inner, *told]
        if inner is bytes:
            # After limits, so that they are on the bytes and the schema has none on the text.
            told = (*told, *_BASE64, *told[-1:]) if description else (*told, *_BASE64)
            return Annotated[bytes, *told]
        adapted = self.adapt(inner)
        return annotation if adapted is inner else Annotated[adapted, *told]

    def _typed_dict(self, annotation: Any) -> Any:
        known = self._known.get(id(annotation))
        if known is not None:
            return known
        hints = get_type_hints(annotation, include_extras=True)
        required = annotation.__required_keys__
        qualifiers: dict[str, Any] = {
            key: _qualifier(hint, otherwise=Required if key in required else NotRequired)
            for key, hint in hints.items()
        }
        make: Any = TypedDict
        made = make(annotation.__name__, {key: kind[Any] for key, kind in qualifiers.items()})
        self._known[id(annotation)] = made
        made.__module__, made.__doc__ = annotation.__module__, annotation.__doc__
        made.__annotations__ = {
            key: qualifiers[key][self.adapt(_bare(hint))] for key, hint in hints.items()
        }
        return made


def _qualifier(hint: Any, *, otherwise: Any) -> Any:
    """As the annotation itself says: postponed ones are not seen where the class is made."""
    origin = get_origin(hint)
    return origin if origin in (Required, NotRequired) else otherwise


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) in (Required, NotRequired) else hint
