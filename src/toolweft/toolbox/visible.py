"""Which tools a search may find: those of one source, of one category, or all.

A set is made once for each snapshot and shared by all toolboxes: what a search keeps beside a set
of visible tools is found again by that set.
"""

from collections.abc import Collection
from difflib import get_close_matches

from toolweft.core.errors import InvalidArguments
from toolweft.core.ids import QualifiedName
from toolweft.core.snapshot import Snapshot
from toolweft.programs.clipping import clip_text
from toolweft.programs.per_snapshot import PerSnapshot

__all__ = ("VisibleTools", "callable_tools", "narrow_visible")

# Categories named in a hint; more would not help.
_MAX_NAMED = 12
_MAX_CATEGORY_CHARACTERS = 40


class VisibleTools:
    """The callable tools of the newest snapshot, whole and by filter."""

    def __init__(self) -> None:
        self._sets = PerSnapshot(_Sets)

    def of(
        self, snapshot: Snapshot, *, namespace: str | None = None, category: str | None = None
    ) -> frozenset[QualifiedName] | None:
        """The same set whenever the same tools are asked for; None for all of the snapshot.

        Args:
            snapshot: what is searched.
            namespace: a source, by its Python or original name; None for all.
            category: as tools are declared, in any case; None for all.

        Raises:
            InvalidArguments: no such source, or no such tool is of the category; the hint offers
                near ones.
        """
        return self._sets.of(snapshot).of(namespace, category)

    def check_among(
        self,
        tool: QualifiedName,
        snapshot: Snapshot,
        *,
        namespace: str | None,
        category: str | None,
    ) -> None:
        """Refuse a tool that the filters leave out; not one that nobody may call.

        Raises:
            InvalidArguments: it is of another source or category; else as `of`.
        """
        every = self.of(snapshot)
        if every is not None and tool not in every:
            return
        for kind, asked, names in (
            ("source", namespace, self.of(snapshot, namespace=namespace)),
            ("category", category, self.of(snapshot, category=category)),
        ):
            if asked is not None and names is not None and tool not in names:
                raise InvalidArguments(
                    f"{tool!r} is not of the {kind} {asked[:200]!r}", hint="leave that out"
                )


class _Sets:
    """The sets of one snapshot.

    There are as many as sources and categories have tools, so they need no other bound.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._every = callable_tools(snapshot)
        self._known: dict[tuple[str | None, str | None], frozenset[QualifiedName] | None] = {
            (None, None): self._every
        }

    def of(self, namespace: str | None, category: str | None) -> frozenset[QualifiedName] | None:
        # One key for every spelling.
        source = None if namespace is None else _find_namespace(self._snapshot, namespace)
        folded = None if category is None else _fold(category)
        key = (source, folded)
        if key not in self._known:
            self._known[key] = self._narrow(namespace, category)
        return self._known[key]

    def _narrow(
        self, namespace: str | None, category: str | None
    ) -> frozenset[QualifiedName] | None:
        narrowed = narrow_visible(
            self._every, snapshot=self._snapshot, namespace=namespace, category=category
        )
        count = len(self._snapshot.tools if self._every is None else self._every)
        # Where all are of the one source, they are the set that is known already.
        return self._every if narrowed is None or len(narrowed) == count else narrowed


def callable_tools(snapshot: Snapshot) -> frozenset[QualifiedName] | None:
    """The tools that somebody may call; None for all of them."""
    names = frozenset(
        name for name, tool in snapshot.tools.items() if tool.callers and tool.status != "disabled"
    )
    return None if len(names) == len(snapshot.tools) else names


def narrow_visible(
    visible: frozenset[QualifiedName] | None,
    *,
    snapshot: Snapshot,
    namespace: str | None,
    category: str | None,
) -> frozenset[QualifiedName] | None:
    """The visible tools of one source, of one category, or both.

    Args:
        visible: names; None for all of the snapshot.
        snapshot: what is searched.
        namespace: a source, by its Python or original name; None for all.
        category: as tools are declared, in any case; None for all.

    Raises:
        InvalidArguments: no such source, or no such tool is of the category; the hint offers near
            ones.
    """
    if namespace is None and category is None:
        return visible
    names: Collection[QualifiedName] = snapshot.tools if visible is None else visible
    if namespace is not None:
        source = _find_namespace(snapshot, namespace)
        names = frozenset(name for name in names if name.startswith(f"{source}."))
    return frozenset(names) if category is None else _in_category(names, category, snapshot)


def _find_namespace(snapshot: Snapshot, name: str) -> str:
    """The Python spelling of a source's name, from either spelling."""
    known = {source.python_name: source.python_name for source in snapshot.sources.values()}
    known |= {original: source.python_name for original, source in snapshot.sources.items()}
    if name in known:
        return known[name]
    near = dict.fromkeys(known[match] for match in get_close_matches(name, known, 3))
    raise InvalidArguments(
        f"there is no source named {name[:200]!r}",
        hint=f"did you mean {', '.join(near)}?" if near else "leave namespace out",
    )


def _in_category(
    names: Collection[QualifiedName], category: str, snapshot: Snapshot
) -> frozenset[QualifiedName]:
    by_category: dict[str, set[QualifiedName]] = {}
    spelled: dict[str, str] = {}
    for name in names:
        own = (snapshot.tools[name].definition.category or "").strip()
        if own:
            by_category.setdefault(own.casefold(), set()).add(name)
            spelled[own.casefold()] = min(own, spelled.get(own.casefold(), own))
    asked = _fold(category)
    if asked in by_category:
        return frozenset(by_category[asked])
    largest = sorted(by_category, key=lambda known: (-len(by_category[known]), known))
    near = get_close_matches(asked[:200], largest, 3)
    shown = [clip_text(spelled[known], _MAX_CATEGORY_CHARACTERS) for known in near or largest]
    hint = f"{'did you mean' if near else 'there are'} {', '.join(shown[:_MAX_NAMED])}"
    raise InvalidArguments(
        f"no tool is of the category {category[:200]!r}",
        hint=f"{hint}{'?' if near else ''}" if shown else "no tool has one: leave category out",
    )


def _fold(category: str) -> str:
    """One spelling of a category for all."""
    return category.strip().casefold()
