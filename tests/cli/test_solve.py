"""`cnnfilter shape --solve`: which strides, paddings, kernels, dilations make a size."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnfilter.errors import ShapeError
from cnnfilter.kernels.spec import kernel_shape
from cnnfilter.nn.language import parse_network
from cnnfilter.nn.solve import OpenPart, solve
from tests.cli.conftest import Run


def formula(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Return the output's size by the formula of the texts; 0 where the kernel does not fit."""
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    return span // stride + 1 if span >= 0 else 0


def solved(run: Run, *words: object, status: int = 0) -> list[str]:
    """Return the layers that are printed."""
    return run("shape", *words, status=status).stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("224 --kernel 7 --padding 3 --solve stride --target 112", ["conv:7x7,s2,p3"]),
        ("224 --kernel 7 --stride 2 --solve padding --target 112", ["conv:7x7,s2,p=2/2/3/3", "conv:7x7,s2,p3"]),
        ("224 --stride 2 --padding 3 --solve kernel --target 112", ["conv:7x7,s2,p3", "conv:8x8,s2,p3"]),
        ("224 --kernel 3 --solve dilation --target 112", ["conv:3x3,d56"]),
        ("28 --kernel 5 --solve padding --target 28", ["conv:5x5,p2"]),
        ("28 --kernel 4 --solve padding --target 28", ["conv:4x4,p=1/1/2/2"]),
        ("28x20 --kernel 5x3 --solve padding --target 28x20", ["conv:5x3,p2x1"]),
        ("28x20 --stride 1 --solve kernel --target 24x18", ["conv:5x3"]),
        ("28x20 --kernel 1 --solve stride --target 7x10", ["conv:1x1,s4x2"]),
        ("224x224x3 conv:7x7,64,p3,nobias --solve stride --target 112", ["conv:7x7,64,s2,p3,nobias"]),
        ("224 maxpool:3,p1 --solve stride --target 112", ["maxpool:3,s2,p1"]),
        ("224 conv:sobel-x --solve padding --target 224", ["conv:sobel-x,p1"]),
        ("8x8x4 dwconv:3x3,2 --solve dilation --target 2", ["dwconv:3x3,2,d3"]),
        ("10 --kernel 3 --padding same --solve stride --target 4", ["conv:3x3,s3,same"]),
    ],
)
def test_every_layer_that_makes_the_target_is_printed_as_the_language_has_it(
    run: Run, words: str, expected: list[str]
) -> None:
    assert solved(run, *words.split()) == expected


def test_the_kernel_of_a_layer_can_be_left_out_where_it_is_sought(run: Run) -> None:
    words = ("--solve", "kernel", "--target", "112")
    assert solved(run, "224", "conv:64,s2,p3", *words) == ["conv:7x7,64,s2,p3", "conv:8x8,64,s2,p3"]
    assert solved(run, "224", "conv", *words) == ["conv:113x113"]


def test_what_the_layer_says_of_the_part_itself_is_not_used(run: Run) -> None:
    words = ("224", "--solve", "stride", "--target", "112")
    assert solved(run, *words, "conv:7x7,s5,p3") == solved(run, *words, "conv:7x7,p3") == ["conv:7x7,s2,p3"]


def test_larger_strides_than_all_are_left_out_with_a_warning(run: Run) -> None:
    words = ("shape", "5", "--kernel", "3", "--solve", "stride", "--target", "1")
    result = run(*words)
    assert result.stdout == "conv:3x3,s3\n"
    assert result.stderr == "cnnfilter: warning: larger strides lead there as well, without end\n"
    assert run(*words, "-q").stderr == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "224x100 --kernel 3 --solve stride --target 112x50",
            "no stride gives 112x50; nearest: conv:3x3,s2 gives 111x49, conv:3x3 gives 222x98",
        ),
        ("28 --kernel 3 --solve stride --target 50", "no stride gives 50x50; nearest: conv:3x3 gives 26x26"),
        ("2 --kernel 3 --solve stride --target 1", "no stride gives 1x1"),
        ("28 --kernel 3 --solve padding --target 3", "no padding gives 3x3; nearest: conv:3x3 gives 26x26"),
        ("28 --stride 1 --solve kernel --target 29", "no kernel gives 29x29; nearest: conv:1x1 gives 28x28"),
        ("28 --kernel 3 --solve dilation --target 25", "no dilation gives 25x25; nearest: conv:3x3,d2 gives 24x24"),
    ],
)
@pytest.mark.parametrize("quiet", [(), ("-q",)], ids=["", "-q"])
def test_that_nothing_makes_the_target_is_status_1_and_names_the_nearest(
    run: Run, words: str, said: str, quiet: tuple[str, ...]
) -> None:
    result = run("shape", *words.split(), *quiet, status=1)
    assert result.stdout == ""
    assert result.stderr.startswith(f"cnnfilter: {said}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("224 conv:3x3 relu --solve stride --target 2", "--solve needs one layer, and the network has 2"),
        ("224 --solve stride --target 2", "--solve needs one layer, and the network has 0"),
        ("224 relu --solve stride --target 2", "relu has no stride; conv, dwconv and the pools have"),
        ("224 gap --solve kernel --target 1", "globalavgpool has no kernel"),
        (
            "224 conv:sobel-x --solve kernel --target 2",
            "kernel sobel-x has a fixed size; write a size such as 3x3 in its place",
        ),
        ("224 conv:3x3,same --solve dilation --target 2", "with padding same the size does not depend on the dilation"),
        (
            "224 -p same-lower --solve kernel --target 2",
            "with padding same-lower the size does not depend on the kernel",
        ),
        ("224 conv:3x3 --solve stride", "--solve PART and --target HxW belong together"),
        ("224 conv:3x3 --target 3", "--solve PART and --target HxW belong together"),
        ("224 conv:3x3 --solve stride --target 0", "target 0 is below 1"),
        ("224 conv:3x3 --solve stride --target 2x3x4", "target '2x3x4' is neither a number nor HxW"),
        ("224 conv:3x3 --solve outputs --target 2", "'stride', 'padding', 'kernel', 'dilation'"),
        ("224 conv:wat --solve kernel --target 2", "unknown kernel 'wat'"),
        ("conv:3x3 --solve stride --target 2", "SIZE is missing"),
    ],
)
def test_a_mistake_is_a_usage_error(run: Run, words: str, reason: str) -> None:
    result = run("shape", *words.split(), status=2)
    assert result.stdout == ""
    assert result.stderr.startswith("Usage: cnnfilter shape")
    assert reason in result.stderr


small = st.integers(1, 5)


@given(st.integers(1, 16), st.integers(1, 17), small, small, st.integers(0, 4), small)
@settings(max_examples=200)
def test_what_is_found_is_what_trying_every_number_finds(
    size: int, target: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    layer = f"conv:{kernel}x{kernel},s{stride},p{padding},d{dilation}"
    tried: dict[OpenPart, list[int]] = {
        OpenPart.STRIDE: [s for s in range(1, 40) if formula(size, kernel, s, padding, dilation) == target],
        OpenPart.KERNEL: [k for k in range(1, 40) if formula(size, k, stride, padding, dilation) == target],
        OpenPart.DILATION: [d for d in range(1, 40) if formula(size, kernel, stride, padding, d) == target],
    }
    for part, values in tried.items():
        found = found_numbers(layer, part, size, target)
        if part is OpenPart.STRIDE and target == 1 and values:
            assert found == values[:1]
        elif part is OpenPart.DILATION and kernel == 1 and values:
            assert found == [1]
        else:
            assert found == values


def found_numbers(layer: str, part: OpenPart, size: int, target: int) -> list[int]:
    """Return the numbers that --solve finds for a part of a conv on a square of this size."""
    (conv,) = parse_network(layer, kernel_shape).layers
    field = {OpenPart.KERNEL: "size"}.get(part, part.value)
    found = solve(conv, part, (size, size, 1), (target, target)).layers
    pairs = [getattr(other.window, field) for other in found]  # type: ignore[attr-defined]  # of convs
    assert all(down == across for down, across in pairs)
    return [down for down, _ in pairs]


@given(st.integers(1, 12), st.integers(1, 20), small, small, small)
def test_every_padding_that_is_even_or_has_one_more_at_the_end_is_found(
    size: int, target: int, kernel: int, stride: int, dilation: int
) -> None:
    (conv,) = parse_network(f"conv:{kernel}x{kernel},s{stride},d{dilation}", kernel_shape).layers
    found = [
        layer.window.padding[0] + layer.window.padding[2]  # type: ignore[attr-defined]  # of convs
        for layer in solve(conv, OpenPart.PADDING, (size, size, 1), (target, target)).layers
    ]
    tried = [
        total
        for total in range(200)
        if size + total >= dilation * (kernel - 1) + 1
        and (size + total - dilation * (kernel - 1) - 1) // stride + 1 == target
    ]
    assert found == tried


@given(
    st.sampled_from(list(OpenPart)),
    st.integers(1, 14),
    st.integers(1, 14),
    st.integers(1, 14),
    st.integers(1, 14),
    st.sampled_from(
        ["conv:3x2", "conv:3x2,s2,p1x0", "dwconv:2x3,d2", "maxpool:3", "avgpool:2x3,s1,ceil", "l2pool:3,s2"]
    ),
)
def test_every_layer_that_is_found_makes_the_target(
    part: OpenPart, height: int, width: int, rows: int, columns: int, layer: str
) -> None:
    (start,) = parse_network(layer, kernel_shape).layers
    solution = solve(start, part, (height, width, 2), (rows, columns))
    for found in solution.layers:
        assert found.output((height, width, 2))[:2] == (rows, columns)
    for near in solution.nearest:
        assert near.output((height, width, 2))[:2] != (rows, columns)
    assert not (solution.layers and solution.nearest)


def test_what_is_printed_reads_back_and_gives_the_target(run: Run) -> None:
    for part in OpenPart:
        printed = solved(run, "30x20x4", "conv:3x3,8,s2,p1,g2", "--solve", part, "--target", "15x10")
        assert printed
        for layer in printed:
            assert run("shape", "30x20x4", layer, "-q").stdout == "15x10x8\n"
            assert re.match(r"conv:\d+x\d+,8,g2", layer)


def test_a_block_is_no_layer_to_be_solved() -> None:
    (block,) = parse_network("res(relu)", kernel_shape).layers
    with pytest.raises(ShapeError, match="res has no stride"):
        solve(block, OpenPart.STRIDE, (8, 8, 1), (4, 4))
