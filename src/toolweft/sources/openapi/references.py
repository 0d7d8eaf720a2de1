"""Where a description's `$ref`s lead: to places inside it, and nowhere else. Pure.

A reference to another file or address is refused: whoever wrote the description must not make the
host read or fetch anything.
"""

from referencing import Registry, Specification
from referencing.exceptions import Unresolvable

from toolweft.core.errors import InvalidDefinition
from toolweft.core.json import Json, JsonObject

__all__ = ("References",)

# A reference that leads to a reference, and so on.
_MAX_HOPS = 20
_SHOWN_CHARACTERS = 120


class References:
    """Looks up places of one document."""

    def __init__(self, document: JsonObject) -> None:
        resource = Specification.OPAQUE.create_resource(document)
        self._resolver = Registry[Json]().with_resource("", resource).resolver()
        self._known: dict[str, Json] = {}

    def target(self, reference: str) -> Json:
        """What stands at the place.

        Raises:
            InvalidDefinition: it is outside the document, or not in it.
        """
        if reference in self._known:
            return self._known[reference]
        shown = reference[:_SHOWN_CHARACTERS]
        if not reference.startswith("#"):
            raise InvalidDefinition(
                f"the reference {shown!r} leads out of the description, and is not followed",
                hint="bundle the description into one file",
            )
        try:
            found = self._resolver.lookup(reference).contents
        except (Unresolvable, ValueError, TypeError) as error:
            raise InvalidDefinition(
                f"the reference {shown!r} leads nowhere", hint="mend the description"
            ) from error
        self._known[reference] = found
        return found

    def follow(self, value: Json, *, what: str) -> JsonObject:
        """The object itself, where there may be a reference to it in its place.

        Args:
            value: an object, or `{"$ref": ...}`.
            what: it is, for messages: "parameter 2".

        Raises:
            InvalidDefinition: it is no object, or its reference leads nowhere or in a circle.
        """
        for _ in range(_MAX_HOPS):
            if not isinstance(value, dict):
                raise InvalidDefinition(f"{what} is {str(value)[:40]!r}, not an object")
            reference = value.get("$ref")
            if not isinstance(reference, str):
                return value
            value = self.target(reference)
        raise InvalidDefinition(f"the reference of {what} leads in a circle")
