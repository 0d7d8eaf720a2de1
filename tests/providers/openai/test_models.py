"""The table of models."""

from toolweft.providers.openai import MODELS, find_model


def test_a_name_is_never_guessed_by_how_it_begins() -> None:
    capabilities = find_model("openai", "gpt-5.6-sol-2030-01-01").capabilities

    assert not capabilities.has_deferral
    assert (capabilities.reveal, capabilities.addition) == ("none", "none")
    assert capabilities.programs == "none"


def test_no_deployment_on_azure_has_programs_before_it_confirms_them() -> None:
    rows = [row for (platform, _), row in MODELS.items() if platform == "azure"]

    assert rows
    assert all(row.capabilities.programs == "none" for row in rows)
    assert find_model("azure", "gpt-5.4").capabilities.reveal == "search_item"


def test_the_nano_model_refuses_tool_search() -> None:
    assert not find_model("openai", "gpt-5.4-nano").capabilities.has_deferral


def test_no_price_is_made_up() -> None:
    assert all(row.prices is None for row in MODELS.values())
