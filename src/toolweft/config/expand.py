"""Variables in configuration texts, as MCP clients expand them.

`${NAME}`, `${NAME:-default}` and `${env:NAME}` inside a text, and `env:NAME` as the whole of a
value that is a secret. What a variable holds is never expanded again. Pure.
"""

import re
from collections.abc import Mapping, Sequence

from toolweft.core.secret import Secret

__all__ = (
    "MissingVariable",
    "clear_text",
    "expand_secret",
    "expand_text",
    "is_reference",
    "is_secret_name",
    "secret_arguments",
    "secret_variables",
)

_VARIABLE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
# Other kinds a client may fill in, such as VS Code's `${input:token}`.
_FOREIGN = re.compile(r"\$\{([A-Za-z]+:[^}]*)\}")
_SECRET = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
_SECRET_NAME = re.compile(
    r"token|secret|passw|credential|authori[sz]ation|cookie|key|auth", re.IGNORECASE
)
# Variables of every shell, which hide nothing.
_OPEN = frozenset({"HOME", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "TERM", "TMPDIR", "USER"})


class MissingVariable(Exception):
    """A variable that has no value; becomes a failed server, never leaves this package."""

    def __init__(self, name: str, *, hint: str) -> None:
        super().__init__(name)
        self.name = name
        self.hint = hint


def expand_text(text: str, variables: Mapping[str, str]) -> str:
    """The text with its variables replaced.

    As in a shell, `:-` also covers a variable that is set but empty.

    Raises:
        MissingVariable: a variable is not set and has no default.
    """

    def value_of(match: re.Match[str]) -> str:
        name, default = match.groups()
        value = variables.get(name)
        if default is not None:
            return value or default
        if value is None:
            raise _missing(name)
        return value

    parts: list[str] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        parts += (_checked(text[end : match.start()]), value_of(match))
        end = match.end()
    parts.append(_checked(text[end:]))
    return "".join(parts)


def expand_secret(text: str, variables: Mapping[str, str]) -> Secret:
    """The value of an environment entry or header, always a secret.

    Which of them are harmless, no name tells.

    Raises:
        MissingVariable: a variable is not set and has no default.
    """
    reference = _SECRET.fullmatch(text)
    if reference is not None:
        variable = reference[1]
        if variable not in variables:
            raise _missing(variable)
        return Secret(variables[variable], reference=text)
    used = ",".join(match[1] for match in _VARIABLE.finditer(text))
    return Secret(
        expand_text(text, variables), reference=f"env:{used}" if used else "configuration"
    )


def is_secret_name(name: str) -> bool:
    """Whether a variable, header or option of this name probably holds a secret."""
    return _SECRET_NAME.search(name) is not None


def secret_variables(*texts: str, variables: Mapping[str, str]) -> tuple[Secret, ...]:
    """What the variables inside texts hold: any may be a secret, but those of every shell."""
    used = {match[1] for text in texts for match in _VARIABLE.finditer(text)} - _OPEN
    return tuple(
        Secret(variables[name], reference=f"env:{name}")
        for name in sorted(used)
        if variables.get(name)
    )


def secret_arguments(args: Sequence[str]) -> tuple[Secret, ...]:
    """Values written into `--token VALUE` and `--token=VALUE`."""
    found: list[str] = []
    for option, following in zip(args, (*args[1:], ""), strict=False):
        name, separator, value = option.partition("=")
        if name.startswith("-") and is_secret_name(name):
            found.append(value if separator else following)
    return tuple(
        Secret(text, reference="configuration")
        for text in found
        if text and not text.startswith("-") and not is_reference(text)
    )


def is_reference(text: str) -> bool:
    """Whether a value is the name of a variable and nothing more, so that it may be shown."""
    if _SECRET.fullmatch(text) is not None:
        return True
    variable = _VARIABLE.fullmatch(text)
    # A default is written out, and may be the secret itself.
    return variable is not None and variable[2] is None


def clear_text(text: str, *, instead: str = "") -> str:
    """What a text says itself, without the variables in it; a default is said itself.

    Args:
        text: with its variables.
        instead: stands for each variable that has no default.
    """
    if _SECRET.fullmatch(text) is not None:
        return ""
    # Behind the last brace no variable can end, and looking for it from each would take long.
    end = text.rfind("}") + 1
    return _VARIABLE.sub(lambda match: match[2] or instead, text[:end]) + text[end:]


def _missing(name: str) -> MissingVariable:
    return MissingVariable(name, hint=f"set it where toolweft starts: export {name}=...")


def _checked(literal: str) -> str:
    foreign = _FOREIGN.search(literal)
    if foreign is not None:
        raise MissingVariable(
            foreign[1],
            hint="only ${NAME}, ${NAME:-default} and ${env:NAME} are known; "
            "use ${NAME} and set the variable",
        )
    return literal
