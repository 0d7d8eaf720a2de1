"""What was answered about tools: read at the start, kept when more is answered."""

import anyio.to_thread

from toolweft.catalog import Catalog
from toolweft.config import Settings
from toolweft.core.answers import Answers
from toolweft.stores import AnswerFile

__all__ = ("AnswerBook",)


class AnswerBook:
    """The answers, in the catalog and on disk.

    Args:
        settings: where they are kept.
        catalog: decides with them.

    Attributes:
        known: all of them.
    """

    def __init__(self, settings: Settings, *, catalog: Catalog) -> None:
        self._file = AnswerFile(settings.answers_path, reached=settings.pins.servers)
        self._catalog = catalog
        self.known: Answers = self._file.read()
        if any(self.known.values()):
            catalog.answered(self.known)

    async def add(self, answers: Answers) -> None:
        """Decide with more answers, and keep them.

        Raises:
            ConfigError: they count, but what is kept cannot be read, and is not written over.
            OSError: they count, but cannot be written.
        """
        names = {*self.known, *answers}
        self.known = {n: {**self.known.get(n, {}), **answers.get(n, {})} for n in names}
        self._catalog.answered(self.known)
        await anyio.to_thread.run_sync(self._file.add, answers)
