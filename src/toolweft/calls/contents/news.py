"""Passes changes of resources and prompts on, from sources to whoever shows them."""

from collections.abc import Callable, Set

from toolweft.core.contents import ContentKind, ContentListener, ResourceChanged
from toolweft.core.ids import SourceName

__all__ = ("ContentNews",)


class ContentNews:
    """A `ContentListener` for any number of others."""

    def __init__(self) -> None:
        self._listeners: list[ContentListener] = []

    def subscribe(self, listener: ContentListener) -> Callable[[], None]:
        """Tell one more; what is returned ends it."""
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def contents_changed(self, source: SourceName, kinds: Set[ContentKind]) -> None:
        """Lists of a source are no longer what they were."""
        for listener in tuple(self._listeners):
            listener.contents_changed(source, kinds)

    def resource_changed(self, change: ResourceChanged) -> None:
        """A resource that somebody subscribed to changed."""
        for listener in tuple(self._listeners):
            listener.resource_changed(change)
