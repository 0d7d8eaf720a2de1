"""Models as clients of their own, without a toolbox: built from a key and a few words."""

import logging
from dataclasses import replace
from random import SystemRandom
from typing import Any, Final

from toolweft.catalog import CatalogOptions
from toolweft.catalog.classification import classify, decide_callers
from toolweft.catalog.options import LIBRARY_SOURCE
from toolweft.config import read_environment
from toolweft.core.clock import SystemClock
from toolweft.core.errors import ConfigError, InvalidValue, ToolFailed
from toolweft.core.given import check_given
from toolweft.core.ids import SourceName
from toolweft.core.secret import Secret
from toolweft.core.tools import ToolDefinition, ToolSpec
from toolweft.providers.anthropic import AnthropicOptions, AnthropicProvider, CompletionClient
from toolweft.sources.python.function import build_spec_tool
from toolweft.sources.python.invoke import Invoker

__all__ = ("AnthropicClient",)

log = logging.getLogger(__name__)

_DEFAULTS: Final = AnthropicOptions(model="claude-sonnet-5")
_RULES: Final = CatalogOptions()
# More than any request takes.
_MAX_KNOWN: Final = 20_000


class AnthropicClient(CompletionClient):
    """One model of Anthropic's, asked turn by turn.

    async with AnthropicClient() as client:
        response = await client.complete([{"role": "user", "content": "Hello."}])
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        model: str | None = None,
        enable_ptc: bool = True,
        base_url: str | None = None,
        options: AnthropicOptions | None = None,
    ) -> None:
        """Nothing is loaded or connected.

        Args:
            api_key: None: from the options, or ANTHROPIC_API_KEY in the environment.
            model: "claude-sonnet-5" where nothing is said.
            enable_ptc: programs may run at the vendor and call those tools that allow it. Without,
                no code tool, callers or betas for them are sent.
            base_url: of another place that speaks the same API.
            options: everything else, such as platform, headers, prices and timeouts; what is said
                beside them wins.

        Raises:
            ConfigError: there is no key, no address for Foundry, or an argument of a wrong type.
        """
        check_given(
            api_key,
            str | None,
            name="api_key",
            hint="the key as a text, or leave it out",
            is_secret=True,
            error=ConfigError,
        )
        check_given(enable_ptc, bool, name="enable_ptc", hint="True or False", error=ConfigError)
        for name, value, kind, hint in (
            ("model", model, str | None, 'its name as a text: "claude-sonnet-5"'),
            ("base_url", base_url, str | None, 'an address as a text: "https://..."'),
            ("options", options, AnthropicOptions | None, "AnthropicOptions(model=...)"),
        ):
            check_given(value, kind, name=name, hint=hint, error=ConfigError)
        chosen = replace(options or _DEFAULTS, native="on" if enable_ptc else "off")
        if not enable_ptc and chosen.capabilities is not None:
            # What is given there is taken as it is, whatever `native` says.
            without = replace(chosen.capabilities, programs="none")
            chosen = replace(chosen, capabilities=without)
        if model is not None:
            chosen = replace(chosen, model=model)
        if base_url is not None:
            chosen = replace(chosen, base_url=base_url)
        if api_key is not None:
            chosen = replace(chosen, key=Secret(api_key, reference="api_key"))
        clock = SystemClock()
        provider = AnthropicProvider(
            chosen, environment=read_environment(), clock=clock, random=SystemRandom().random
        )
        if enable_ptc and provider.capabilities.programs == "none":
            log.warning("anthropic.model_runs_no_programs", extra={"model": provider.name})
        super().__init__(provider, platform=chosen.platform, define=_Definitions(), clock=clock)


class _Definitions:
    """What tools define, remembered for specs: reading a signature takes milliseconds."""

    def __init__(self) -> None:
        # With the spec, so that nothing else comes to have its id.
        self._known: dict[int, tuple[ToolSpec, ToolDefinition]] = {}

    def __call__(self, declared: ToolSpec | ToolDefinition) -> ToolDefinition:
        if isinstance(declared, ToolDefinition):
            return _decide(declared)
        known = self._known.get(id(declared))
        if known is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            known = self._known[id(declared)] = (declared, _decide(_define_spec(declared)))
        return known[1]


def _decide(definition: ToolDefinition) -> ToolDefinition:
    """The tool with its severity and callers, as a catalog without rules of its own decides."""
    severity, _ = classify(definition, (), _RULES)
    callers, _ = decide_callers(definition, severity, (), _RULES)
    return replace(definition, severity=severity, allowed_callers=callers)


def _define_spec(spec: ToolSpec) -> ToolDefinition:
    if spec.handler is None and spec.handler_path is None:
        if spec.parameters is None:
            raise InvalidValue(
                f"the tool {spec.name!r} has neither parameters nor a handler to read them from",
                hint="give a JSON Schema of type object as its parameters",
            )
        spec = replace(spec, handler=_call_elsewhere)
    namespace = SourceName(LIBRARY_SOURCE)
    return build_spec_tool(spec, namespace=namespace, invoker=Invoker()).definition


def _call_elsewhere(**arguments: Any) -> Any:
    raise ToolFailed(
        f"this client calls no tools; the arguments were {', '.join(arguments) or 'none'}",
        hint="call it yourself and answer with response.tool_results(), or use toolweft.Agent",
    )
