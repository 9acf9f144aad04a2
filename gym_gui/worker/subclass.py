"""Gives one object a class of its own that adds methods and shows nothing of it.

The new class has the old one's name and module and is its subclass; the object's attributes
are untouched. Pickled, the object is of its old class; deep-copied, ``on_copy`` decides.
"""

from __future__ import annotations

import copy
import copyreg
import weakref
from typing import Any, Callable

MARK = "_gym_gui_tap"


def is_referable(thing: Any) -> bool:
    """Tell whether ``thing`` can be referred to without being kept alive."""
    try:
        weakref.ref(thing)
    except TypeError:
        return False
    return True


def reference(thing: Any) -> Callable[[], Any]:
    """Return a function that gives ``thing``, or None once it is gone."""
    return weakref.ref(thing) if is_referable(thing) else lambda: thing


def tap_of(thing: Any) -> Any:
    """Return the tap that ``extend`` gave this very object, or None."""
    return type(thing).__dict__.get(MARK)


def extend(thing: Any, tap: Any, methods: dict[str, Any], on_copy: Callable[[Any], None]) -> None:
    """Put ``methods`` over those of ``thing``'s class, for ``thing`` alone.

    Raises TypeError where the class cannot be extended (one made in C).
    """
    cls: Any = type(thing)
    if tap_of(thing) is not None:
        return
    body = {
        "__slots__": (),
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
        MARK: tap,
        **methods,
    }
    metaclass: Any = type(cls)
    extended: Any = type.__new__(metaclass, cls.__name__, (cls,), body)
    reduce_ex = _reduce_as(cls, extended)
    extended.__reduce_ex__ = reduce_ex
    extended.__deepcopy__ = _deepcopy_as(cls, reduce_ex, on_copy)
    thing.__class__ = extended


def _reduce_as(cls: Any, extended: Any) -> Any:
    def reduce_ex(self: Any, protocol: Any) -> Any:
        reduced = cls.__reduce_ex__(self, protocol)
        if isinstance(reduced, str):
            return reduced
        function, args, *rest = reduced
        if args == (extended,):  # a pickler refuses __newobj__ with a class that is not obj's
            return (getattr(copyreg, "_reconstructor"), (cls, object, None), *rest)  # noqa: B009
        return (function, tuple(cls if a is extended else a for a in args), *rest)

    return reduce_ex


def _deepcopy_as(cls: Any, reduce_ex: Any, on_copy: Callable[[Any], None]) -> Any:
    reconstruct = getattr(copy, "_reconstruct")  # noqa: B009 - as copy.deepcopy itself does

    def deepcopy(self: Any, memo: dict[int, Any]) -> Any:
        if hasattr(cls, "__deepcopy__"):
            copied = cls.__deepcopy__(self, memo)
        else:
            copied = reconstruct(self, memo, *reduce_ex(self, 4))
        on_copy(copied)
        return copied

    return deepcopy
