"""Runs a function once a named module has been imported, whoever imports it and however often.

The finder stands first on ``sys.meta_path``, lets the other finders find the module, and hangs
a note on that one loader instance. A ``find_spec`` probe uses nothing up; other post-import hooks
see an ordinary spec with its ordinary loader. Should another finder keep a module from us, each
later import looks again for modules that have arrived unseen.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, Callable, Optional

Patch = Callable[[ModuleType], None]


class PostImportFinder:
    """A meta-path finder. ``patches`` maps a module's name, or ``package.*``, to its patch."""

    def __init__(self, patches: dict[str, Patch], on_error: Callable[[BaseException], None]):
        self._patches = {k: v for k, v in patches.items() if not k.endswith(".*")}
        self._prefixes = tuple((k[:-1], v) for k, v in patches.items() if k.endswith(".*"))
        self._on_error = on_error
        self._done: set[str] = set()

    def install(self) -> None:
        """Stand first in line, and patch what is already there."""
        sys.meta_path.insert(0, self)  # type: ignore[arg-type] - a finder by its methods
        self._look_again()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Return the other finders' spec, with our note on its loader if we want the module."""
        self._look_again()
        patch = self._patch_for(name)
        if patch is None:
            return None
        spec = self._others_spec(name, path, target)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            self._hook_loader(spec.loader, name, patch)
        return spec

    def _patch_for(self, name: str) -> Optional[Patch]:
        patch = self._patches.get(name)
        if patch is None:
            for prefix, candidate in self._prefixes:
                if name.startswith(prefix):
                    return candidate
        return patch

    def _others_spec(self, name: str, path: Any, target: Any) -> Any:
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec = find(name, path, target)
            if spec is not None:
                return spec
        return None

    def _hook_loader(self, loader: Any, name: str, patch: Patch) -> None:
        original = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            original(module)
            self._apply(name, module, patch)

        try:
            loader.exec_module = exec_module
        except AttributeError:
            return  # a loader that cannot carry a note: _look_again sees the module later

    def _look_again(self) -> None:
        for name, patch in self._patches.items():
            if name in self._done:
                continue
            module = sys.modules.get(name)
            if module is not None and not _is_initializing(module):
                self._apply(name, module, patch)

    def _apply(self, name: str, module: ModuleType, patch: Patch) -> None:
        self._done.add(name)
        try:
            patch(module)
        except Exception as error:  # noqa: BLE001 - the edge to the user's import
            self._on_error(error)


def _is_initializing(module: ModuleType) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))
