"""Docstrings of every style say the same."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
from tests.sources.python.support import define

GOOGLE = """Sum the expenses
    of a category.

    Slow on large tables.

    Args:
        category (str): as in the
            budget plan.
        limit: at most so many rows.

    Returns:
        float: Euros.

    Raises:
        LookupError: there is no such category.
    """
NUMPY = """Sum the expenses
    of a category.

    Slow on large tables.

    Parameters
    ----------
    category : str
        as in the
        budget plan.
    limit : int, optional
        at most so many rows.

    Returns
    -------
    float
        Euros.
    """
SPHINX = """Sum the expenses
    of a category.

    Slow on large tables.

    :param category: as in the
        budget plan.
    :type category: str
    :param int limit: at most so many rows.
    :returns: Euros.
    """
EPYDOC = """Sum the expenses
    of a category.

    Slow on large tables.

    @param category: as in the
        budget plan.
    @param limit: at most so many rows.
    @return: Euros.
    """


def documented(text: str | None) -> Callable[..., float]:
    def total(category: str, limit: int = 10) -> float: ...

    total.__doc__ = text
    return total


@pytest.mark.parametrize(
    "text", [GOOGLE, NUMPY, SPHINX, EPYDOC], ids=["google", "numpy", "sphinx", "epydoc"]
)
def test_every_style_gives_the_description_and_the_parameters(text: str) -> None:
    definition = define(documented(text))
    properties = definition.input_schema["properties"]
    assert definition.description == "Sum the expenses of a category."
    assert properties["category"]["description"] == "as in the budget plan."
    assert properties["limit"]["description"] == "at most so many rows."


@pytest.mark.parametrize(
    ("text", "description"),
    [
        (None, ""),
        ("", ""),
        ("One line.", "One line."),
        ("One: with a colon.\n\nAnother paragraph: left out.", "One: with a colon."),
    ],
)
def test_a_plain_docstring_is_its_first_paragraph(text: str | None, description: str) -> None:
    definition = define(documented(text))
    assert definition.description == description
    assert "description" not in definition.input_schema["properties"]["category"]


def test_numpys_names_in_one_line_share_their_description() -> None:
    def add(a: int, b: int) -> int:
        """Add.

        Parameters
        ----------
        a, b : int
            a summand.
        """

    properties = define(add).input_schema["properties"]
    assert [told["description"] for told in properties.values()] == ["a summand."] * 2


def test_a_callable_object_is_described_by_its_call_or_else_by_its_class() -> None:
    class Adder:
        """A class."""

        def __call__(self, number: int) -> int:
            """Add one.

            Args:
                number: any.
            """

    class Silent:
        """A class."""

        def __call__(self) -> None: ...

    assert define(Adder()).description == "Add one."
    assert define(Adder()).input_schema["properties"]["number"]["description"] == "any."
    assert define(Silent()).description == "A class."


def test_a_wrapped_and_a_cached_function_keep_their_words() -> None:
    def passed(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*arguments: Any, **named: Any) -> Any:
            return function(*arguments, **named)

        return wrapper

    total = documented(GOOGLE)
    plain = define(total)
    for kept in (passed(total), functools.cache(total), passed(passed(total))):
        definition = define(kept)
        assert definition.name == "total"
        assert definition.description == plain.description
        assert definition.input_schema == plain.input_schema
        assert definition.output_schema == plain.output_schema


def test_what_a_partial_filled_in_is_not_shown() -> None:
    def send(text: str, token: str = "none", retries: int = 3) -> str:
        """Send a text."""

    definition = define(functools.partial(functools.partial(send, token="hunter2"), retries=1))
    assert definition.description == "Send a text."
    assert list(definition.input_schema["properties"]) == ["text"]
    assert "hunter2" not in repr(definition)


@pytest.mark.parametrize("title", ["Keyword Args", "Keyword Arguments", "Other Parameters"])
@pytest.mark.parametrize("first", ["    Args:\n        category: as planned.\n\n", ""])
def test_googles_keyword_arguments_are_parameters(title: str, first: str) -> None:
    text = f"Sum.\n\n{first}    {title}:\n        limit (int): at most so many.\n"

    definition = define(documented(text))

    properties = definition.input_schema["properties"]
    assert definition.description == "Sum."
    assert properties["limit"]["description"] == "at most so many."
    assert properties["category"].get("description") == ("as planned." if first else None)
