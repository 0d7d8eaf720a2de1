"""A model from its name: "anthropic:claude-opus-5-5", "ollama:phi4", "scripted:answers.json"."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from pathlib import Path
from random import SystemRandom
from types import TracebackType
from typing import Any, Final, Protocol, Self

from toolweft.config import Settings, read_environment
from toolweft.core.clock import Clock, SystemClock
from toolweft.core.errors import ConfigError
from toolweft.core.models import Native
from toolweft.core.providers import Provider
from toolweft.providers.options import ModelOptions

__all__ = ("VENDORS", "ClosedModel", "open_model")

# Servers of Chat Completions that have an address or a key of their own.
_SERVERS: Final[Mapping[str, Mapping[str, str]]] = {
    "ollama": {"base_url": "http://127.0.0.1:11434/v1"},
    "vllm": {"base_url": "http://127.0.0.1:8000/v1"},
    "openrouter": {
        "base_url": "https://openrouter.ai/api/v1",
        "key_variable": "OPENROUTER_API_KEY",
    },
}
_OPTIONS_ALONE: Final = frozenset({"origin", "problem", "hint", "capabilities"})


class ClosedModel(Provider, Protocol):
    """A model that answers once it is entered, until it is left."""

    async def __aenter__(self) -> Self:
        """Load the SDK."""
        ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        ...


_Build = Callable[..., ClosedModel]


def open_model(
    name: str,
    settings: Settings | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> ClosedModel:
    """The model of that name, to be entered before it is asked.

        async with open_model("anthropic:claude-opus-5-5") as model: ...

    Args:
        name: vendor and model; "scripted:PATH" replays a transcript.
        settings: what holds for models by name; None for the defaults.
        environment: where keys are taken from; None for the process's own.
        clock: for deadlines and dates; None for the machine's.

    Raises:
        ConfigError: no such vendor, no model named, another vendor's model, no key, no address, or
            an option that this vendor's models do not have. On entering: the SDK is missing.
    """
    vendor, model = _split(name)
    if vendor == "scripted":
        from toolweft.providers.scripted import ScriptedProvider, load_transcript

        return ScriptedProvider(load_transcript(Path(model)), name=name)
    options = ModelOptions() if settings is None else settings.models.by_name.get(name)
    options = options or ModelOptions()
    if options.problem:
        raise ConfigError(f"{options.origin}: {name}: {options.problem}", hint=options.hint)
    if options.base_url is None and options.known_as is None:
        _check_vendor(vendor, model)
    native: Native = "off" if settings is None else settings.models.native
    parts = {
        "environment": read_environment() if environment is None else environment,
        "clock": clock or SystemClock(),
        "random": SystemRandom().random,
    }
    build = _BUILDERS[vendor]
    try:
        built = build(vendor, model, options, options.native or native, parts)
        if not options.capabilities:
            return built
        given: dict[str, Any] = {**options.capabilities}
        capabilities = replace(built.capabilities, **given)
        return build(vendor, model, options, "on", {**parts, "capabilities": capabilities})
    except ConfigError as exc:
        if not options.origin:
            raise
        raise ConfigError(f"{options.origin}: {exc.message}", hint=exc.hint) from exc


def _split(name: str) -> tuple[str, str]:
    vendor, colon, model = name.partition(":")
    if vendor not in VENDORS:
        near = get_close_matches(vendor.lower(), VENDORS, 1)
        offered = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(
            f"{name!r} names no model: there is no vendor {vendor!r}",
            hint=f'{offered}write "vendor:model", with one of {", ".join(VENDORS)}',
        )
    if not colon or not model.strip():
        raise ConfigError(
            f"{name!r} names a vendor and no model",
            hint='write "vendor:model", such as "anthropic:claude-opus-5-5"',
        )
    return vendor, model


def _check_vendor(vendor: str, model: str) -> None:
    """Refuse what the tables know as another vendor's model; nothing is guessed from a name."""
    known = _list_known()
    own = known.get(vendor)
    if own is None or model in own:
        return
    other = next((name for name, models in known.items() if model in models), None)
    if other is not None:
        raise ConfigError(
            f"{vendor}:{model}: {model} is a model of {other}", hint=f'write "{other}:{model}"'
        )


def _list_known() -> dict[str, set[str]]:
    from toolweft.providers.anthropic import models as anthropic
    from toolweft.providers.gemini import models as gemini
    from toolweft.providers.openai import models as openai

    gemini_names = {model for _, _, model in gemini.MODELS}
    return {
        "anthropic": {model for _, model in anthropic.MODELS},
        "openai": {model for _, model in openai.MODELS},
        "gemini": gemini_names,
        "gemini_interactions": gemini_names,
    }


def _pick(kind: type, options: ModelOptions, *, name: str, **given: Any) -> Any:
    """The vendor's own options, of what was set and what `given` says.

    Raises:
        ConfigError: something was set that this vendor's models do not have.
    """
    known = {field.name for field in fields(kind)}
    values: dict[str, Any] = {}
    for field in fields(options):
        value = getattr(options, field.name)
        if field.name in _OPTIONS_ALONE or value is None or value == {}:
            continue
        if field.name not in known and field.name != "native":
            raise ConfigError(
                f"{name}: models of this vendor have no {field.name!r}",
                hint=f"remove it; there are {', '.join(sorted(known & _names()))}",
            )
        values[field.name] = value
    if options.headers:
        values["headers"] = {key: header.reveal() for key, header in options.headers.items()}
    values.update(given)
    return kind(**{key: value for key, value in values.items() if key in known})


def _names() -> set[str]:
    return {field.name for field in fields(ModelOptions)} - _OPTIONS_ALONE


def _anthropic(
    vendor: str, model: str, options: ModelOptions, native: Native, parts: dict[str, Any]
) -> ClosedModel:
    from toolweft.providers.anthropic import AnthropicOptions, AnthropicProvider

    given = {"model": model, "platform": vendor, "native": native, **_taken(parts)}
    own = _pick(AnthropicOptions, options, name=f"{vendor}:{model}", **given)
    return AnthropicProvider(own, **parts)


def _openai(
    vendor: str, model: str, options: ModelOptions, native: Native, parts: dict[str, Any]
) -> ClosedModel:
    from toolweft.providers.openai import OpenAIOptions
    from toolweft.providers.openai.client import OpenAIProvider

    given = {"model": model, "platform": vendor, "native": native, **_taken(parts)}
    own = _pick(OpenAIOptions, options, name=f"{vendor}:{model}", **given)
    return OpenAIProvider(own, **parts)


def _openai_chat(
    vendor: str, model: str, options: ModelOptions, _native: Native, parts: dict[str, Any]
) -> ClosedModel:
    from toolweft.providers.openai_chat import OpenAIChatOptions
    from toolweft.providers.openai_chat.client import OpenAIChatProvider

    server = dict(_SERVERS.get(vendor, {}))
    base_url = options.base_url or server.pop("base_url", None)
    if base_url is None:
        raise ConfigError(
            f"{vendor}:{model}: a server of Chat Completions needs its base_url",
            hint=f'[models."{vendor}:{model}"] base_url = "http://127.0.0.1:8000/v1", or one of the'
            f" short names {', '.join(_SERVERS)}",
        )
    given = {"model": model, **server, "base_url": base_url, **_taken(parts)}
    if vendor in _SERVERS:
        given["platform"] = vendor
    own = _pick(OpenAIChatOptions, options, name=f"{vendor}:{model}", **given)
    return OpenAIChatProvider(own, **parts)


def _gemini(
    vendor: str, model: str, options: ModelOptions, native: Native, parts: dict[str, Any]
) -> ClosedModel:
    from toolweft.providers.gemini import GeminiOptions, GeminiProvider

    given = {"model": model, "api": vendor, "native": native, **_taken(parts)}
    own = _pick(GeminiOptions, options, name=f"{vendor}:{model}", **given)
    return GeminiProvider(own, **parts)


def _taken(parts: dict[str, Any]) -> dict[str, Any]:
    """What of the parts belongs into the options."""
    capabilities = parts.pop("capabilities", None)
    return {} if capabilities is None else {"capabilities": capabilities}


_BUILDERS: Final[Mapping[str, _Build]] = {
    "anthropic": _anthropic,
    "foundry": _anthropic,
    "openai": _openai,
    "azure": _openai,
    "openai_chat": _openai_chat,
    **dict.fromkeys(_SERVERS, _openai_chat),
    "gemini": _gemini,
    "gemini_interactions": _gemini,
}

# What may stand before the colon of a model's name.
VENDORS: Final = (*_BUILDERS, "scripted")
