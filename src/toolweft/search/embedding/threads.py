"""Keeps numpy's products on the thread that asks for them.

On a machine with other work the threads of a linear algebra library wait for each other: a short
query took fifteen times as long on two busy cores as on one thread. Requests run beside each other
anyway. Others in the process get their threads back when the last request is through.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # has no types

__all__ = ("OneThread",)


class OneThread:
    """Holds the libraries to one thread while anybody is inside `held`."""

    def __init__(self) -> None:
        self._controller = ThreadpoolController()
        self._lock = Lock()
        self._inside = 0
        self._limits = ExitStack()

    @contextmanager
    def held(self) -> Iterator[None]:
        """For the time of one request."""
        with self._lock:
            if not self._inside:
                self._limits.enter_context(self._controller.limit(limits=1, user_api="blas"))
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._limits.close()
