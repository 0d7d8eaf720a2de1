"""Models of OpenAI, and of Azure, behind the Responses API."""

from toolweft.providers.openai.client import OpenAIProvider
from toolweft.providers.openai.decode import decode
from toolweft.providers.openai.encode import encode
from toolweft.providers.openai.models import MODELS, ModelRow, find_model
from toolweft.providers.openai.options import OpenAIOptions
from toolweft.providers.openai.stream import StreamFold
from toolweft.providers.openai.target import Target

__all__ = (
    "MODELS",
    "ModelRow",
    "OpenAIOptions",
    "OpenAIProvider",
    "StreamFold",
    "Target",
    "decode",
    "encode",
    "find_model",
)
