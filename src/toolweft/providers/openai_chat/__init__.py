"""Models behind servers that speak Chat Completions: Ollama, vLLM, llama.cpp, OpenRouter, ..."""

from toolweft.providers.openai_chat.client import OpenAIChatProvider
from toolweft.providers.openai_chat.decode import decode
from toolweft.providers.openai_chat.encode import encode
from toolweft.providers.openai_chat.models import MODELS, find_capabilities
from toolweft.providers.openai_chat.options import OpenAIChatOptions
from toolweft.providers.openai_chat.stream import StreamFold
from toolweft.providers.openai_chat.target import Target

__all__ = (
    "MODELS",
    "OpenAIChatOptions",
    "OpenAIChatProvider",
    "StreamFold",
    "Target",
    "decode",
    "encode",
    "find_capabilities",
)
