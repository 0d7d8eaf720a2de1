"""Self-contained schemas out of a description's, with cycles cut and bounded in size. Pure.

What a schema refers to goes along under `$defs`. Where references close a cycle, the last one is
replaced by an object of any shape: providers and validators differ in what they make of recursion,
and the service checks the rest itself. A schema that would still be too large is cut the same way
at a distance from its root.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from toolweft.core.json import Json, JsonSchema
from toolweft.sources.openapi.dialect import Side, Translator
from toolweft.sources.openapi.references import References

__all__ = ("Schemas",)

# Schemas inside one schema when every reference is written out; each is some 15 tokens to a model,
# and the catalog needs some 4 microseconds for it. Arguments have to be written, answers only read.
_MAX_NODES: dict[Side, int] = {"input": 500, "output": 300}
_COMPONENT = re.compile(r"#/components/schemas/([A-Za-z0-9._-]+)\Z")
_SUFFIX_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One translated schema."""

    schema: JsonSchema | bool
    # Names of the parts it refers to, and how often.
    references: Counter[str]
    nodes: int


class Schemas:
    """Makes schemas of one description.

    Args:
        references: of its document.
        is_30: it is OpenAPI 3.0.
    """

    def __init__(self, references: References, *, is_30: bool) -> None:
        self._references = references
        self._is_30 = is_30
        # Definition's name -> the reference it is for.
        self._places: dict[str, str] = {}
        self._parts: dict[tuple[Side, str], _Part] = {}
        # Of references alone: many operations answer the same.
        self._built: dict[tuple[Side, str], JsonSchema] = {}

    def build(self, schema: Json, *, side: Side) -> JsonSchema:
        """One schema that refers to nothing outside itself.

        Raises:
            InvalidDefinition: a reference leads nowhere or out of the description.
        """
        reference = schema.get("$ref") if isinstance(schema, dict) and len(schema) == 1 else None
        key = (side, reference) if isinstance(reference, str) else None
        if key is not None and key in self._built:
            return self._built[key]
        root = self._unwrapped(self._translate(schema, side), side)
        reach = _Reach(root, lambda name: self._part(name, side), max_nodes=_MAX_NODES[side])
        closing = reach.closing_edges()
        dropped = closing | reach.edges_beyond(reach.horizon)
        for distance in range(reach.horizon - 1, -1, -1):
            if reach.count_nodes(dropped) <= _MAX_NODES[side]:
                break
            dropped = closing | reach.edges_beyond(distance)
        made = self._assemble(root, dropped, side)
        if key is not None:
            self._built[key] = made
        return made

    def plain(self, schema: Json, *, what: str) -> Json:
        """The schema itself, where it may be a reference; not translated."""
        if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
            return self._references.follow(schema, what=what)
        return schema

    def _assemble(self, root: _Part, dropped: frozenset[tuple[str, str]], side: Side) -> JsonSchema:
        made = self._without(root, dropped, name="", side=side)
        if not isinstance(made, dict):
            return {} if made is True else {"not": {}}
        definitions: dict[str, JsonSchema | bool] = {}
        pending = list(_kept("", root, dropped))
        while pending:
            name = pending.pop()
            if name not in definitions:
                part = self._part(name, side)
                definitions[name] = self._without(part, dropped, name=name, side=side)
                pending += _kept(name, part, dropped)
        if definitions:
            made = {**made, "$defs": {name: definitions[name] for name in sorted(definitions)}}
        return made

    def _without(
        self, part: _Part, dropped: frozenset[tuple[str, str]], *, name: str, side: Side
    ) -> JsonSchema | bool:
        """The part's schema with some of its references cut; shared where none is."""
        targets = {target for source, target in dropped if source == name}
        if not targets:
            return part.schema
        stubs = {_pointer(target): self._stub(target, side) for target in targets}
        made: JsonSchema | bool = _replaced(part.schema, stubs)
        return made

    def _stub(self, name: str, side: Side) -> JsonSchema:
        schema = self._part(name, side).schema
        kind = schema.get("type") if isinstance(schema, dict) else None
        described = {"description": f"{name}, whose parts are not written out here"}
        return described if kind is None else {"type": kind, **described}

    def _unwrapped(self, root: _Part, side: Side) -> _Part:
        """What the root refers to, where it is nothing but a reference."""
        seen: set[str] = set()
        while isinstance(root.schema, dict) and root.schema.keys() <= {"$ref", "description"}:
            names = list(root.references)
            if len(names) != 1 or names[0] in seen:
                break
            seen.add(names[0])
            root = self._part(names[0], side)
        return root

    def _part(self, name: str, side: Side) -> _Part:
        known = self._parts.get((side, name))
        if known is None:
            target = self._references.target(self._places[name])
            known = self._parts[side, name] = self._translate(target, side)
        return known

    def _translate(self, schema: Json, side: Side) -> _Part:
        translator = Translator(
            is_30=self._is_30, side=side, rename=lambda place: _pointer(self._name(place))
        )
        made = translator.translate(schema)
        references = Counter(
            {self._name(place): count for place, count in translator.references.items()}
        )
        for place in translator.references:
            # Now, so that whoever asked for the schema hears of it.
            self._references.target(place)
        return _Part(schema=made, references=references, nodes=translator.nodes)

    def _name(self, place: str) -> str:
        name = _definition_name(place)
        self._places[name] = place
        return name


class _Reach:
    """The parts that a root leads to, as a graph; the root's own name is empty.

    Parts are followed as long as they may all be kept: what all of them refer to in a description
    of thousands would be most of it, for every operation.
    """

    def __init__(self, root: _Part, part: Callable[[str], _Part], *, max_nodes: int) -> None:
        self._targets: dict[str, Counter[str]] = {"": root.references}
        self._nodes: dict[str, int] = {"": root.nodes}
        self._distances: dict[str, int] = {"": 0}
        # What parts refer to at this distance from the root is not followed.
        self.horizon = 0
        total, level = root.nodes, [""]
        while level:
            below: list[str] = []
            for name in dict.fromkeys(n for source in level for n in self._targets[source]):
                if name not in self._distances:
                    found = part(name)
                    self._targets[name] = found.references
                    self._nodes[name] = found.nodes
                    self._distances[name] = self.horizon + 1
                    total += found.nodes
                    below.append(name)
            self.horizon += 1
            if total > max_nodes:
                break
            level = below

    def closing_edges(self) -> frozenset[tuple[str, str]]:
        """References that lead back to what they are part of."""
        closing: set[tuple[str, str]] = set()
        done: set[str] = set()
        path: dict[str, Iterator[str]] = {"": self._followed("")}
        while path:
            source = next(reversed(path))
            target = next(path[source], None)
            if target is None:
                done.add(source)
                del path[source]
            elif target in path:
                closing.add((source, target))
            elif target not in done:
                path[target] = self._followed(target)
        return frozenset(closing)

    def _followed(self, source: str) -> Iterator[str]:
        if self._distances[source] >= self.horizon:
            return iter(())
        return iter(self._targets[source])

    def edges_beyond(self, distance: int) -> frozenset[tuple[str, str]]:
        """References of parts at that distance from the root or farther."""
        return frozenset(
            (source, target)
            for source, targets in self._targets.items()
            if self._distances[source] >= distance
            for target in targets
        )

    def count_nodes(self, dropped: frozenset[tuple[str, str]]) -> int:
        """How many schemas the root is when every reference but the dropped is written out."""
        counts: dict[str, int] = {}
        pending = [""]
        while pending:
            source = pending[-1]
            targets = {
                target: times
                for target, times in self._targets[source].items()
                if (source, target) not in dropped
            }
            missing = [target for target in targets if target not in counts]
            if missing:
                pending += missing
                continue
            pending.pop()
            counts[source] = self._nodes[source] + sum(
                times * counts[target] for target, times in targets.items()
            )
        return counts[""]


def _kept(name: str, part: _Part, dropped: frozenset[tuple[str, str]]) -> Iterable[str]:
    return (target for target in part.references if (name, target) not in dropped)


def _replaced(schema: Json, stubs: Mapping[str, JsonSchema]) -> Json:
    if isinstance(schema, list):
        return [_replaced(item, stubs) for item in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference in stubs:
        return {**stubs[reference], **{k: v for k, v in schema.items() if k != "$ref"}}
    return {key: _replaced(value, stubs) for key, value in schema.items()}


def _pointer(name: str) -> str:
    return f"#/$defs/{name}"


def _definition_name(place: str) -> str:
    component = _COMPONENT.match(place)
    if component:
        return component[1]
    last = re.sub(r"[^A-Za-z0-9_]+", "_", place.rsplit("/", 1)[-1]) or "part"
    return f"{last}_{sha256(place.encode('utf-8', 'replace')).hexdigest()[:_SUFFIX_DIGITS]}"
