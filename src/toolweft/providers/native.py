"""What is used of the forms that vendors have for search and programs."""

from dataclasses import replace

from toolweft.core.models import Native
from toolweft.core.providers import ModelCapabilities

__all__ = ("limit_to_native",)


def limit_to_native(
    capabilities: ModelCapabilities, native: Native, *, is_proven: bool
) -> ModelCapabilities:
    """The capabilities without the vendor's own search, added tools and programs, unless wanted.

    Schemas of results go with the programs that they are for.

    Args:
        capabilities: what the vendor documents.
        native: "off" takes those forms away; "auto" does unless they were proven.
        is_proven: they were seen to work at the live API.
    """
    if native == "on" or (native == "auto" and is_proven):
        return capabilities
    return replace(
        capabilities,
        has_deferral=False,
        reveal="none",
        addition="none",
        programs="none",
        has_output_schema=capabilities.has_output_schema and capabilities.programs == "none",
    )
