"""The sample networks: files that hold what their comments say, with the sizes that are published."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

import cnnfilter
from cnnfilter.cli import main
from tests.cli.commands import read_json
from tests.conftest import ROOT
from tests.reference.shapes import NETWORKS, ReferenceNetwork


@dataclass(frozen=True)
class SampleNetwork:
    """A network file, and what goes in, comes out and is counted in it."""

    name: str
    input: tuple[int, int, int]
    output: tuple[int, ...]
    parameters: int
    macs: int
    statistics: int = 0

    @property
    def path(self) -> Path:
        """The file."""
        return ROOT / "samples" / self.name


# Counted in modules of PyTorch (torch 2.13), written down layer by layer from the sources that the files name. The
# parameters of torchvision's networks (AlexNet, ResNet, SqueezeNet, VGG) are those that its documentation gives.
SAMPLES = (
    SampleNetwork("alexnet.toml", (224, 224, 3), (1000,), 61_100_840, 714_188_480),
    SampleNetwork("convnet.toml", (28, 28, 1), (10,), 29_034, 2_838_080, statistics=96),
    SampleNetwork("digits.toml", (8, 8, 1), (10,), 13_706, 91_776),
    SampleNetwork("googlenet.toml", (224, 224, 3), (1000,), 6_998_552, 1_582_671_872),
    SampleNetwork("inception.toml", (28, 28, 192), (28, 28, 256), 163_696, 128_049_152),
    SampleNetwork("lenet5-1998.toml", (32, 32, 1), (10,), 61_706, 416_520),
    SampleNetwork("lenet5.toml", (32, 32, 3), (10,), 62_958, 849_320),
    SampleNetwork("mobilenet.toml", (224, 224, 3), (1000,), 4_231_976, 568_740_352, statistics=21_888),
    SampleNetwork("resnet18.toml", (224, 224, 3), (1000,), 11_689_512, 1_814_073_344, statistics=9600),
    SampleNetwork("resnet50.toml", (224, 224, 3), (1000,), 25_557_032, 4_089_184_256, statistics=53_120),
    SampleNetwork("squeezenet.toml", (224, 224, 3), (1000,), 1_248_424, 818_924_576),
    SampleNetwork("vgg16.toml", (224, 224, 3), (1000,), 138_357_544, 15_470_264_320),
)

every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


def test_the_table_has_every_network_file(samples: Path) -> None:
    assert [sample.name for sample in SAMPLES] == sorted(path.name for path in samples.glob("*.toml"))


@every_sample
def test_a_file_opens_with_its_source_and_the_variant(sample: SampleNetwork) -> None:
    first, second, third, *_ = sample.path.read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(r"# .+: .*[A-Z]\. [A-Z].+", first)
    assert re.search(r"\b(19|20)\d\d\b", first + second)
    assert second.startswith("# ")
    assert third == f'input = "{"x".join(map(str, sample.input))}"'


@every_sample
def test_a_network_has_the_counts_of_its_source(sample: SampleNetwork) -> None:
    summary = cnnfilter.network(sample.path).summary()
    totals = summary.totals
    assert (summary.input, summary.rows[-1].output) == (sample.input, sample.output)
    assert (totals.parameters, totals.statistics, totals.macs) == (sample.parameters, sample.statistics, sample.macs)


@every_sample
def test_a_network_is_the_one_of_its_text(sample: SampleNetwork) -> None:
    network = cnnfilter.network(sample.path)
    assert cnnfilter.network(str(network)).layers == network.layers


@every_sample
def test_the_command_finds_the_input_in_the_file(sample: SampleNetwork, runner: CliRunner) -> None:
    result = runner.invoke(main, ["shape", str(sample.path)])
    assert result.exit_code == 0
    assert f"\n{sample.parameters:,} parameters" in result.stdout
    assert f"\n{sample.macs:,} MACs" in result.stdout


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        pytest.param(name, reference, id=name)
        for name, reference in zip(
            ["lenet5-1998.toml", "alexnet.toml", "vgg16.toml", "resnet18.toml", "squeezenet.toml"],
            NETWORKS,
            strict=True,
        )
    ],
)
def test_a_network_of_the_tables_has_their_rows(name: str, reference: ReferenceNetwork, samples: Path) -> None:
    rows = cnnfilter.network(samples / name).summary(reference.input).rows
    found = [(row.branch or None, row.output, row.parameters, row.macs) for row in rows]
    assert found == [(row.branch, row.output, row.parameters, row.macs) for row in reference.layers]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_network_is_known_by_its_name(sample: SampleNetwork, runner: CliRunner, tmp_path: Path) -> None:
    name = sample.name.removesuffix(".toml")
    assert cnnfilter.network(name).summary().totals.parameters == sample.parameters
    by_name, by_path = (runner.invoke(main, ["shape", word, "--json"]) for word in (name, str(sample.path)))
    assert by_name.exit_code == 0
    assert by_name.stdout == by_path.stdout


def test_the_known_networks_are_listed_with_what_is_known_of_them(runner: CliRunner) -> None:
    head, *lines = runner.invoke(main, ["shape", "--list"]).stdout.splitlines()
    assert head.split() == ["network", "input", "parameters", "source"]
    rows = [line.split(maxsplit=3) for line in lines]
    expected = [
        (sample.name.removesuffix(".toml"), "x".join(map(str, sample.input)), f"{sample.parameters:,}")
        for sample in SAMPLES
    ]
    assert [tuple(row[:3]) for row in rows] == sorted(expected)
    assert all(re.search(r"\w\. \w.*, (19|20)\d\d$", row[3]) for row in rows)


def test_the_known_networks_are_listed_as_json_too(runner: CliRunner) -> None:
    records = read_json(runner.invoke(main, ["shape", "--list", "--json"]).stdout)
    assert all(list(record) == ["name", "input", "parameters", "source"] for record in records)
    expected = {sample.name.removesuffix(".toml"): (list(sample.input), sample.parameters) for sample in SAMPLES}
    assert {record["name"]: (record["input"], record["parameters"]) for record in records} == expected


@pytest.mark.parametrize("words", [["resnet18"], ["28x28", "relu"], ["--csv"], ["--plot", "a.svg"]], ids=" ".join)
def test_the_list_takes_nothing_else(words: list[str], runner: CliRunner) -> None:
    result = runner.invoke(main, ["shape", "--list", *words])
    assert result.exit_code == 2
    assert "--list prints the known networks" in result.stderr


def test_a_known_name_comes_before_a_file_and_a_path_after_it(
    runner: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("resnet18", "relu", "resnet18.txt"):
        Path(name).write_text("maxpool:2", encoding="utf-8")
    assert runner.invoke(main, ["shape", "resnet18", "-q"]).stdout == "1000\n"
    assert runner.invoke(main, ["shape", "64x64x3", "relu", "-q"]).stdout == "64x64x3\n"
    assert runner.invoke(main, ["shape", "64x64x3", "./resnet18.txt", "-q"]).stdout == "32x32x3\n"
    assert runner.invoke(main, ["shape", "288x288x3", "resnet18", "-q"]).stdout == "1000\n"


@pytest.mark.parametrize(
    "words", [("shape", "alexnt"), ("shape", "224x224x3", "alexnt"), ("pipeline", "alexnt", "x.png")]
)
def test_a_name_that_is_almost_known_is_answered_with_the_known_one(runner: CliRunner, words: tuple[str, ...]) -> None:
    result = runner.invoke(main, list(words))
    assert result.exit_code == 2
    assert "unknown network or layer 'alexnt'; nearest: alexnet" in result.stderr
