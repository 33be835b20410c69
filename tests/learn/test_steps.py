"""The words of an augmentation: what they mean, and what is wrong with them."""

import pytest

from cnnfilter.errors import LanguageError, ShapeError
from cnnfilter.learn.steps import KINDS, Span, output_shape, parse_steps
from cnnfilter.nn.geometry import Border, BorderMode


@pytest.mark.parametrize("name", KINDS)
def test_the_example_of_every_step_is_read(name: str) -> None:
    (step,) = parse_steps(KINDS[name].example)
    assert step.name == name


@pytest.mark.parametrize(
    ("word", "span"),
    [
        ("rotate:-15..15", Span(-15, 15)),
        ("rotate:30", Span(30, 30)),
        ("shift:-10%..10%", Span(-0.1, 0.1, relative=True)),
        ("shift:-3..4", Span(-3, 4)),
        ("blur:.5..1.5", Span(0.5, 1.5)),
        ("salt:2%", Span(0.02, 0.02, relative=True)),
    ],
)
def test_a_value_is_a_number_or_a_span(word: str, span: Span) -> None:
    assert parse_steps(word)[0].span == span


def test_options_say_how_often_a_step_is_done_and_what_is_beyond_the_edge() -> None:
    rotate, flip, vertical, gray = parse_steps("rotate:-15..15,p=0.3,border=reflect flip flip:v,p=1 gray,p=1/4")
    assert (rotate.chance, rotate.border) == (0.3, Border(BorderMode.REFLECT))
    assert (flip.chance, flip.vertical) == (0.5, False)
    assert (vertical.chance, vertical.vertical) == (1, True)
    assert gray.chance == 0.25


def test_crops_and_pads_are_known_before_any_work() -> None:
    assert output_shape(parse_steps("pad:4x2 crop:30x20 rotate:9"), (32, 32, 3)) == (30, 20, 3)
    with pytest.raises(ShapeError, match=r"crop:50x20 is larger than the image, 40x40; pad enlarges it"):
        output_shape(parse_steps("pad:4 crop:50x20"), (32, 32, 3))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no step is given"),
        ("flipp", "unknown step 'flipp'; nearest: flip"),
        ("conv:3x3", "steps are crop, pad, flip"),
        ("rotate", "rotate needs a value, as in rotate:-15..15"),
        ("rotate:", "'' is not a number or A..B"),
        ("rotate,p=0.5", "rotate needs a value"),
        ("rotate:-15,15", r"two numbers are written A\.\.B, as in rotate:-15\.\.15"),
        ("rotate:15..-15", r"write -15\.\.15"),
        ("rotate:a..b", r"'a\.\.b' is not a number or A\.\.B"),
        ("rotate:10%", "rotate takes no percent"),
        ("shift:-10%..10", "one end of '-10%..10' is in percent and the other is not"),
        ("scale:0", "scale takes numbers from 0.01 to 100"),
        ("blur:-1", "blur takes numbers from 0 to 1000"),
        ("noise:-1", "noise takes numbers at least 0"),
        ("salt:1.5", "salt takes numbers from 0 to 1"),
        ("flip:x", "flip mirrors left and right, flip:v top and bottom"),
        ("gray:1", "gray takes no value, and '1' is given"),
        ("crop:a", "neither a number nor HxW"),
        ("crop:8,p=0.5", "crop is always done, because it sets the size"),
        ("rotate:5,p=0", "p=0 is not a chance, above 0 and up to 1"),
        ("rotate:5,p=2", "p=2 is not a chance"),
        ("rotate:5,border=mirror", "border 'mirror' is unknown"),
        ("noise:5,border=reflect", "'border=reflect' is not an option; noise takes p=0.3"),
    ],
)
def test_a_mistake_names_the_word_and_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(LanguageError, match=message):
        parse_steps(text)
