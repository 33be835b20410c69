"""Frozen values with named fields, as frozen dataclasses are, but cheap to define.

A dataclass compiles half a dozen functions for each class when its module is loaded, half a millisecond a time;
the thirty classes of the language would cost a command as much as everything else that it loads. Here each
function exists once, and reads a class's fields when it is called.
"""

from inspect import get_annotations
from typing import Any, ClassVar, TypeVar, dataclass_transform

Kind = TypeVar("Kind", bound="Value")


@dataclass_transform(frozen_default=True)
class Value:
    """Fields are the annotations of a class and of those above it, except names in capitals; a value is the default.

    All fields are given by name where `NAMED_ONLY`. `__post_init__` is called when all are set. Two values are equal if
    they are of one class and all fields are.

    Examples
    --------
    >>> class Point(Value):
    ...     row: int
    ...     column: int = 0
    >>> Point(3), replace(Point(3), column=1) == Point(3, 1)
    (Point(row=3, column=0), True)
    """

    NAMED_ONLY: ClassVar[bool] = False

    def __init__(self, *args: Any, **given: Any) -> None:
        """Set the fields; `TypeError` for one that is unknown, given twice or missing."""
        kind = type(self)
        names = fields_of(kind)
        if len(args) > (0 if self.NAMED_ONLY else len(names)):
            raise TypeError(f"{kind.__name__} takes no {len(args)} values without names")
        if wrong := [name for name in given if name not in names or name in names[: len(args)]]:
            raise TypeError(f"{kind.__name__} has no field {wrong[0]!r}, or it is given twice")
        given |= zip(names, args, strict=False)
        for name in names:
            if name not in given and not hasattr(kind, name):
                raise TypeError(f"{kind.__name__} needs {name!r}")
            vars(self)[name] = given[name] if name in given else getattr(kind, name)
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
        return all(getattr(self, name) == getattr(other, name) for name in fields_of(type(self)))

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in fields_of(type(self)))))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in fields_of(type(self)))
        return f"{type(self).__name__}({fields})"


def fields_of(kind: type) -> tuple[str, ...]:
    """Return the names of a class's fields, those of the classes above it first."""
    if kind not in _FIELDS:
        names = [name for base in reversed(kind.__mro__) for name in get_annotations(base) if not name.isupper()]
        _FIELDS[kind] = tuple(dict.fromkeys(names))
    return _FIELDS[kind]


_FIELDS: dict[type, tuple[str, ...]] = {}


def replace(value: Kind, /, **changes: Any) -> Kind:
    """Return the value with some of its fields changed."""
    return type(value)(**{**{name: getattr(value, name) for name in fields_of(type(value))}, **changes})
