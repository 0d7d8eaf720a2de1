"""Packages whose `__init__` runs once something in it is asked for, not with their first module.

The protocol's SDK imports its client, its servers, HTTP on both sides and logins with whatever
module of it is imported first. A gateway's first answer needs half of that. Only for processes that
run nobody else's code and import such packages on one thread.
"""

import sys
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

__all__ = ("defer_packages",)

# Whose `__init__` runs. What these ask of themselves meanwhile is there, or is not, as always.
_filling: list[ModuleType] = []


def defer_packages(*names: str) -> None:
    """From here on these packages are imported without what is in their `__init__`.

    It runs, once and whole, when a name is asked of the package that is none of its imported
    modules. A package that is imported already, or not found on `sys.path`, is left as it is.

    Args:
        names: full ones, of packages.
    """
    sys.meta_path.insert(0, _Finder(frozenset(names)))


class _Finder:
    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self._names:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None and spec.submodule_search_locations:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        # Whoever asks the package for its files asks the loader that has them.
        module.__spec__.loader = module.__loader__ = self._loader
        module.__class__ = _Package


class _Package(ModuleType):
    """A package as `import` made it, empty so far."""

    def __getattr__(self, name: str) -> Any:
        if type(self) is _Package and self not in _filling:
            self._fill()
        return ModuleType.__getattribute__(self, name)

    def _fill(self) -> None:
        assert self.__spec__ is not None
        assert self.__spec__.loader is not None
        _filling.append(self)
        try:
            self.__spec__.loader.exec_module(self)
            self.__class__ = ModuleType  # type: ignore[assignment]  # a module like any other now
        finally:
            _filling.remove(self)
