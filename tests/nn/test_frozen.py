"""Frozen values: made by place or by name, equal by their fields, never changed."""

import copy
import pickle
from typing import ClassVar, dataclass_transform

import pytest
from hypothesis import given

from cnnfilter.nn.frozen import Value, fields_of, replace
from cnnfilter.nn.network import Network
from cnnfilter.nn.other_layers import Dropout, Linear
from tests.nn.strategies import networks


class Point(Value):
    """A value with a default, a constant and a property."""

    row: int
    column: int = 0
    ORIGIN: ClassVar[int] = 0

    @property
    def total(self) -> int:
        """Both together."""
        return self.row + self.column


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Named(Value):
    """A value whose fields are given by name."""

    NAMED_ONLY = True
    name: str = ""


class Labelled(Named):
    """A field more."""

    label: str


class Positive(Point):
    """A value that is checked."""

    def __post_init__(self) -> None:
        if self.row < 1:
            raise ValueError("row is below 1")


@pytest.mark.parametrize(
    "point", [Point(1, 2), Point(1, column=2), Point(row=1, column=2), Point(column=2, row=1)], ids=repr
)
def test_fields_are_given_by_place_or_by_name(point: Point) -> None:
    assert (point.row, point.column, point.total) == (1, 2, 3)
    assert repr(point) == "Point(row=1, column=2)"
    assert point == Point(1, 2)


def test_a_default_may_be_left_out() -> None:
    assert Point(1) == Point(1, 0)
    assert Labelled(label="a").name == ""


def test_fields_of_the_classes_above_come_first() -> None:
    assert repr(Labelled(name="a", label="b")) == "Labelled(name='a', label='b')"
    assert fields_of(Positive) == ("row", "column")


def test_what_is_missing_unknown_or_too_much_is_an_error() -> None:
    with pytest.raises(TypeError, match="Point needs 'row'"):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Labelled needs 'label'"):
        Labelled()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Point has no field 'total', or it is given twice"):
        Point(1, total=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Point has no field 'row', or it is given twice"):
        Point(1, row=1)  # type: ignore[misc]
    with pytest.raises(TypeError, match="Point takes no 3 values without names"):
        Point(1, 2, 3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Labelled takes no 1 values without names"):
        Labelled("a", label="b")


def test_nothing_is_changed() -> None:
    point = Point(1, 2)
    with pytest.raises(AttributeError, match="Point is frozen"):
        point.row = 3  # type: ignore[misc]
    with pytest.raises(AttributeError, match="Point is frozen"):
        del point.row
    assert point == Point(1, 2)


def test_another_is_made_with_a_field_changed_and_checked_like_any() -> None:
    point = Positive(1, 2)
    assert replace(point, column=5) == Positive(1, 5)
    assert replace(point) == point
    with pytest.raises(ValueError, match="row is below 1"):
        replace(point, row=0)
    with pytest.raises(TypeError, match="no field 'line'"):
        replace(point, line=0)


def test_values_of_two_classes_are_different() -> None:
    assert Point(1, 2) != Positive(1, 2)
    assert Point(1, 2) != (1, 2)
    assert Linear(outputs=3) != Dropout()
    assert len({Point(1, 2), Point(1, 2), Positive(1, 2), Point(2, 1)}) == 3


@given(networks())
def test_a_network_is_copied_pickled_and_found_again(network: Network) -> None:
    for other in (copy.copy(network), copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert other == network
        assert hash(other) == hash(network)
        assert other.names == network.names
