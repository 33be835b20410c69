"""Frozen values with named fields, as frozen dataclasses are, but cheap to define.

A dataclass compiles half a dozen functions for each class when its module is loaded, half a millisecond a time;
the thirty classes of the language would cost a command as much as everything else that it loads. Here the
functions stand once, and read a class's fields when they are called.
"""

from inspect import get_annotations
from typing import Any, ClassVar, TypeVar, dataclass_transform

Kind = TypeVar("Kind", bound="Value")


@dataclass_transform(frozen_default=True)
class Value:
    """Fields are the annotations of a class and of those above it, but for names in capitals; a value is the default.

    `kw_only` of a class holds for those below it: their fields are given by name. `__post_init__` is called when all
    are set. Two values are equal if they are of one class and all fields are.

    Examples
    --------
    >>> class Point(Value):
    ...     row: int
    ...     column: int = 0
    >>> Point(3), replace(Point(3), column=1) == Point(3, 1)
    (Point(row=3, column=0), True)
    """

    FIELDS: ClassVar[tuple[str, ...]] = ()
    NAMED_ONLY: ClassVar[bool] = False

    def __init_subclass__(cls, *, kw_only: bool = False) -> None:
        own = [name for name in get_annotations(cls) if not name.isupper() and name not in cls.FIELDS]
        cls.FIELDS = (*cls.FIELDS, *own)
        cls.NAMED_ONLY = kw_only or cls.NAMED_ONLY

    def __init__(self, *args: Any, **given: Any) -> None:
        """Set the fields; `TypeError` for one that is unknown, given twice or missing."""
        if len(args) > (0 if self.NAMED_ONLY else len(self.FIELDS)):
            raise TypeError(f"{type(self).__name__} takes no {len(args)} values without names")
        placed = dict(zip(self.FIELDS, args, strict=False))
        if wrong := [name for name in given if name not in self.FIELDS or name in placed]:
            raise TypeError(f"{type(self).__name__} has no field {wrong[0]!r}, or it is given twice")
        given |= placed
        for name in self.FIELDS:
            if name not in given and not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} needs {name!r}")
            vars(self)[name] = given[name] if name in given else getattr(type(self), name)
        self.__post_init__()

    def __post_init__(self) -> None:
        """Check the fields."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen; replace makes another")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.FIELDS)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in self.FIELDS)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.FIELDS)})"


def replace(value: Kind, /, **changes: Any) -> Kind:
    """Return the value with some of its fields changed."""
    return type(value)(**{**{name: getattr(value, name) for name in value.FIELDS}, **changes})
