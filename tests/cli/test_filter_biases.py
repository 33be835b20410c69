"""A bias for each filter: the lecture's volume and others, through the command, the language, files and the library."""

import json
from pathlib import Path

import numpy as np
import pytest

import cnnfilter
from cnnfilter.arrays import Array, Doubles
from tests.cli.conftest import Run
from tests.cli.pictures import correlated, load, rows
from tests.reference.worked_examples import ARITHMETIC

FILTERS = [example for example in ARITHMETIC if example.id.startswith("volume-5x5x3-two-filters-filter")]
BANK: Doubles = np.stack([np.array(example.kernel, dtype=np.float64) for example in FILTERS], axis=3)
EXPECTED: Doubles = np.stack([np.array(example.expected, dtype=np.float64) for example in FILTERS], axis=2)
SHARPEN = np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]])
KERNELS = ("-k", "sobel-x", "-k", "sharpen")


@pytest.fixture(autouse=True)
def _filters(folder: Path, samples: Path) -> None:
    """Lay the lecture's volume and its two filters in the current folder: as texts, a slice a block, and as a bank."""
    (folder / "volume.txt").write_text((samples / "volume-5x5x3.txt").read_text())
    np.save(folder / "bank.npy", BANK)
    for number in range(2):
        slices = ("\n".join(" ".join(map(str, row)) for row in BANK[:, :, plane, number]) for plane in range(3))
        (folder / f"f{number}.txt").write_text("\n\n".join(slices))


def maps_of(printed: str) -> list[Array]:
    """Return the maps that a command printed, comments between them or blank lines."""
    lines = ["" if line.startswith("#") else line for line in printed.splitlines()]
    return [rows(block) for block in "\n".join(lines).split("\n\n") if block.strip()]


LAYERS = '[{op = "conv", kernels = ["f0.txt", "f1.txt"], stride = 2, padding = 1, bias = [1, 0]}]'


@pytest.mark.parametrize(
    "words",
    [
        "convolve volume.txt -k f0.txt -k f1.txt -s 2 -p 1 --bias 1,0",
        "convolve volume.txt -k f0.txt,f1.txt -s 2 -p 1 --bias 1,0",
        "convolve volume.txt -k bank.npy -s 2 -p 1 --bias 1,0",
        "pipeline conv:f0.txt,f1.txt,s2,p1,bias=[1,0] volume.txt",
        "pipeline conv:bank.npy,s2,p1,bias=[1,0] volume.txt",
        "pipeline net.toml volume.txt",
        "pipeline net.json volume.txt",
        "pipeline net.txt volume.txt",
    ],
)
def test_the_lecture_adds_a_bias_of_each_filter(run: Run, folder: Path, words: str) -> None:
    (folder / "net.toml").write_text(f"layers = {LAYERS}")
    layer = {"op": "conv", "kernel": BANK.tolist(), "stride": 2, "padding": 1, "bias": [1, 0]}
    (folder / "net.json").write_text(json.dumps({"layers": [layer]}))
    (folder / "net.txt").write_text("conv:f0.txt,f1.txt,s2,p1,bias=[1 0]  # one for each output")
    maps = maps_of(run(*words.split()).stdout)
    assert [one.tolist() for one in maps] == [EXPECTED[:, :, number].tolist() for number in range(2)]


@pytest.mark.usefixtures("folder")
def test_the_library_adds_a_bias_of_each_filter() -> None:
    volume = np.array(FILTERS[0].image, dtype=np.float64)
    assert np.array_equal(cnnfilter.convolve(volume, BANK, stride=2, padding=1, bias=[1, 0]), EXPECTED)
    net = cnnfilter.network("conv:bank.npy,s2,p1,bias=[1 0]")
    assert np.array_equal(net.run(volume), EXPECTED)
    assert str(net) == "conv:bank.npy,s2,p1,bias=[1 0]"
    traced = cnnfilter.trace(volume, BANK, (0, 0), stride=2, padding=1, bias=[1, 0])
    assert traced.result.tolist() == EXPECTED[0, 0].tolist()
    assert [one["bias"] for one in traced.data["maps"]] == [1, 0]


def test_each_output_of_an_image_has_its_bias(run: Run, folder: Path, colours: Array) -> None:
    run("convolve", "colours.png", *KERNELS, "--bias", "0,-7", "-o", "{kernel}.npy")
    assert np.array_equal(np.load("sharpen.npy"), correlated(colours, SHARPEN) - 7)
    run("convolve", "colours.png", "-k", "sobel-x", "-o", "plain.npy")
    assert (folder / "sobel-x.npy").read_bytes() == (folder / "plain.npy").read_bytes()


@pytest.mark.parametrize("channels", ["each", "sum", "gray", "luma"])
@pytest.mark.parametrize("rest", [(), ("--linear",), ("--range", "offset"), ("--border", "edge")], ids=str)
@pytest.mark.usefixtures("colours")
def test_each_kernel_gives_what_it_gives_alone(run: Run, channels: str, rest: tuple[str, ...]) -> None:
    options = ("--channels", channels, *rest, "-q")
    run("convolve", "colours.png", *KERNELS, "--bias", "3,-0.25", *options, "-o", "{kernel}.png")
    for kernel, bias in (("sobel-x", "3"), ("sharpen", "-0.25")):
        run("convolve", "colours.png", "-k", kernel, "--bias", bias, *options, "-o", "alone.png")
        assert np.array_equal(load(f"{kernel}.png"), load("alone.png"))


@pytest.mark.parametrize("combine", ["magnitude", "max", "sum", "mean"])
@pytest.mark.parametrize("channels", ["each", "sum", "gray"])
@pytest.mark.usefixtures("colours")
def test_biases_come_before_results_are_combined(run: Run, channels: str, combine: str) -> None:
    given = ("--channels", channels)
    for kernel, bias in (("sobel-x", "100"), ("sharpen", "-40")):
        run("convolve", "colours.png", "-k", kernel, "--bias", bias, *given, "-o", f"{kernel}.npy")
    run("convolve", "colours.png", *KERNELS, "--bias", "100,-40", *given, "--combine", combine, "-o", "out.npy")
    both: Doubles = np.stack([np.load("sobel-x.npy"), np.load("sharpen.npy")]).astype(np.float64)
    expected = np.sqrt(np.square(both).sum(axis=0)) if combine == "magnitude" else getattr(both, combine)(axis=0)
    assert np.allclose(np.load("out.npy"), expected, rtol=1e-6)


def test_transparent_pixels_take_the_bias_of_their_kernel(run: Run, folder: Path) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (12, 9, 4)).astype(np.uint8)
    cnnfilter.write_image(folder / "alpha.png", pixels)
    for kernels, biases in ((("box:3", "gaussian:3"), ("5", "0")), (("sharpen", "sobel-x"), ("-8", "20"))):
        words = [word for kernel in kernels for word in ("-k", kernel)]
        run("convolve", "alpha.png", *words, "--bias", ",".join(biases), "-p", "1", "-o", "{kernel}.png", "-q")
        for kernel, bias in zip(kernels, biases, strict=True):
            run("convolve", "alpha.png", "-k", kernel, "--bias", bias, "-p", "1", "-o", "alone.png", "-q")
            assert np.array_equal(load(f"{kernel.replace(':', '_')}.png"), load("alone.png"))


def test_whole_sums_stay_exact_under_biases_with_fractions(run: Run, folder: Path) -> None:
    image = np.random.default_rng(4).integers(0, 2**16, (20, 30)).astype(np.uint16)
    np.save(folder / "deep.npy", image)
    bank = np.random.default_rng(5).integers(-999, 999, (3, 3, 1, 2)).astype(np.float64)
    np.save(folder / "whole.npy", bank)
    run("convolve", "deep.npy", "-k", "whole.npy", "--bias", "0.5,-0.25", "-o", "out.npy")
    found = np.load("out.npy")
    for number, bias in enumerate((0.5, -0.25)):
        assert np.array_equal(found[:, :, number], correlated(image, bank[:, :, 0, number]) + bias)


@pytest.mark.parametrize("cut", [0, 7, 64, 200], ids=lambda cut: f"row {cut}")
def test_a_part_of_the_result_has_the_biases_of_the_whole(run: Run, folder: Path, cut: int) -> None:
    image = np.random.default_rng(6).random((230, 90)).astype(np.float32)
    np.save(folder / "large.npy", image)
    words = ("pipeline", "conv:gaussian:5:1,box:5,bias=[0.1 7]", "large.npy")
    run(*words, "-o", "whole.npy")
    run(*words, "--region", f"{cut}:{cut + 20},3:50", "-o", "part.npy")
    assert np.array_equal(np.load("part.npy"), np.load("whole.npy")[cut : cut + 20, 3:50])


def test_an_explanation_names_the_bias_of_each_map(run: Run) -> None:
    words = ("convolve", "volume.txt", "-k", "bank.npy", "-s", "2", "-p", "1", "--bias", "1,0", "--explain", "0,0")
    shown = run(*words).stdout
    assert [line.strip() for line in shown.splitlines() if line.startswith("  bias")] == [
        "bias      -3 + 1 = -2",
        "bias      0 + 0 = 0",
    ]
    data = json.loads(run(*words, "--json").stdout)
    assert data["layer"] == "conv:bank.npy,s2,p1,bias=[1 0]"
    assert [(one["sum"], one["bias"], one["value"]) for one in data["maps"]] == [(-3, 1, -2), (0, 0, 0)]


def test_a_dwconv_adds_the_bias_of_each_kernel_on_every_channel(run: Run, colours: Array) -> None:
    run("pipeline", "dwconv:sobel-x,sharpen,bias=[10 -4]", "colours.png", "-o", "out.npy")
    sobel_x = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    each = np.stack([correlated(colours, sobel_x) + 10, correlated(colours, SHARPEN) - 4], axis=3)
    assert np.array_equal(np.load("out.npy"), each.reshape(*each.shape[:2], 6))  # a channel's outputs are neighbours


@pytest.mark.parametrize(
    ("layer", "shape", "biases"),
    [
        ("dwconv:2x3", (3, 1, 2, 3), (1, -2, 0.5)),
        ("dwconv:2x3,2", (6, 1, 2, 3), (1, -2, 0.5, 0, 4, -8)),
        ("conv:2x3,4", (4, 3, 2, 3), (1, -2, 0.5, 0)),
        ("conv:2x3,6,g3", (6, 1, 2, 3), (1, -2, 0.5, 0, 4, -8)),
    ],
)
def test_trained_weights_take_a_bias_of_each_output_from_the_layer(
    run: Run, folder: Path, colours: Array, layer: str, shape: tuple[int, ...], biases: tuple[float, ...]
) -> None:
    weights = np.random.default_rng(9).integers(-9, 9, shape).astype(np.float32)
    np.savez(folder / "w.npz", **{"a.weight": weights})  # type: ignore[arg-type]
    listed = f"[{' '.join(map(str, biases))}]"
    run("pipeline", f"{layer},bias={listed}@a", "colours.png", "--weights", "w.npz", "-o", "out.npy")
    channels = np.moveaxis(colours, 2, 0)
    inputs, per = shape[1], shape[0] // (3 // shape[1])
    expected = [
        sum(correlated(channels[number // per * inputs + plane], kernel[plane]) for plane in range(inputs)) + bias
        for number, (kernel, bias) in enumerate(zip(weights, biases, strict=True))
    ]
    assert np.array_equal(np.load("out.npy"), np.stack(expected, axis=2))


MISTAKES = {
    "convolve volume.txt -k f0.txt -k f1.txt --bias 1,0,3": "--bias has 3 numbers, for 2 kernels; give one number",
    "convolve volume.txt -k f0.txt --bias 1,0": "--bias has 2 numbers, for 1 kernel; give one number",
    "convolve volume.txt -k bank.npy --bias 1,0,3": "--bias has 3 numbers, for 2 outputs of kernels (kh, ",
    "convolve volume.txt -k bank.npy -k f0.txt --bias 1,0": "--bias has 2 numbers, for 3 outputs of kernels (kh, ",
    "convolve volume.txt -k f0.txt -k f1.txt --combine sum --bias 1,0,3": "--bias has 3 numbers, for 2 kernels",
    "convolve volume.txt -k f0.txt -k f1.txt --bias 1,": "'' is not a number",
    "pipeline conv:f0.txt,f1.txt,bias=[1,0,3] volume.txt": "bias has 3 numbers, for 2 outputs",
    "pipeline dwconv:sobel-x,bias=[1,0] volume.txt": "bias has 2 numbers, for 1 kernel",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_count_that_does_not_fit_names_both_numbers(run: Run, folder: Path, words: str) -> None:
    before = sorted(folder.iterdir())
    result = run(*words.split(), "-o", "out/", status=2)
    assert MISTAKES[words] in result.stderr
    assert sorted(folder.iterdir()) == before


def test_one_number_is_added_to_all_as_ever(run: Run) -> None:
    several = maps_of(run("convolve", "volume.txt", "-k", "f0.txt", "-k", "f1.txt", "--bias", "2").stdout)
    plain = maps_of(run("convolve", "volume.txt", "-k", "bank.npy").stdout)
    assert [one.tolist() for one in several] == [(one + 2).tolist() for one in plain]
