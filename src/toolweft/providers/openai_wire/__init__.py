"""What OpenAI's two APIs have in common on the wire, and the one place that loads its SDK.

Used by the folders of both APIs; knows neither requests nor replies of either.
"""

from toolweft.providers.openai_wire.arguments import parse_arguments
from toolweft.providers.openai_wire.connection import OpenAIConnection, OpenAIConnectionOptions
from toolweft.providers.openai_wire.content import (
    data_url,
    describe_blob,
    is_image,
    join_text,
    render_error,
)
from toolweft.providers.openai_wire.descriptions import render_description
from toolweft.providers.openai_wire.failures import build_error, error_of_body
from toolweft.providers.openai_wire.strictness import is_strict_schema
from toolweft.providers.openai_wire.usage import decode_usage

__all__ = (
    "OpenAIConnection",
    "OpenAIConnectionOptions",
    "build_error",
    "data_url",
    "decode_usage",
    "describe_blob",
    "error_of_body",
    "is_image",
    "is_strict_schema",
    "join_text",
    "parse_arguments",
    "render_description",
    "render_error",
)
