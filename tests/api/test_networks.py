"""`network`: layers from a text that run on arrays, and know their sizes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from cnnfilter import convolve, kernel, network, pool
from cnnfilter.api.networks import RunnableNetwork
from cnnfilter.arrays import Array
from cnnfilter.cli import main
from cnnfilter.errors import KernelError, LanguageError, ShapeError
from cnnfilter.nn.network import Network


class TestNetwork:
    def test_it_is_the_network_of_its_text(self) -> None:
        net = network("conv:sobel-x,same@edges relu maxpool:2")
        assert isinstance(net, RunnableNetwork)
        assert isinstance(net, Network)
        assert net.names == ("edges", "relu1", "maxpool1")
        assert str(net) == "conv:sobel-x,same@edges relu maxpool:2"

    def test_equal_texts_are_equal_networks(self) -> None:
        assert network("relu  maxpool:2 # a comment") == network("relu\nmaxpool:2,s2")
        assert network("relu") != network("tanh")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("relu conw:3x3", "layer 2, 'conw:3x3': unknown layer 'conw'; nearest: conv"),
            ("conv:sobelx", "layer 1, 'conv:sobelx': unknown kernel 'sobelx'; nearest: sobel-x"),
            ("maxpool", "layer 1, 'maxpool': one window is needed"),
            ("relu@a tanh@a", "2 layers have the name @a; names must differ"),
        ],
    )
    def test_a_wrong_word_is_named_with_its_layer(self, text: str, message: str) -> None:
        with pytest.raises(LanguageError, match=message):
            network(text)


class TestRun:
    IMAGE = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)

    def test_it_runs_layer_after_layer_as_the_functions_would(self) -> None:
        result = network("dwconv:sobel-x,same,border=edge abs maxpool:2 avgpool:3,s1,p1").run(self.IMAGE)
        edges = np.abs(convolve(self.IMAGE, kernel("sobel-x"), padding="same", border="edge"))
        expected = pool(pool(edges), 3, mode="avg", stride=1, padding=1)
        assert result.dtype == np.float32
        assert np.array_equal(result, expected)

    @pytest.mark.parametrize(
        ("text", "shape"),
        [
            ("", (12, 10, 3)),
            ("relu", (12, 10, 3)),
            ("gray", (12, 10)),
            ("conv:box:3", (10, 8)),
            ("conv:sobel-x,sobel-y", (10, 8, 2)),
            ("dwconv:sobel-x,sobel-y,same", (12, 10, 6)),
            ("maxpool:2", (6, 5, 3)),
            ("globalmaxpool", (1, 1, 3)),
            ("gray globalavgpool", (1, 1)),
            ("channelavg", (12, 10)),
            ("flatten", (360,)),
            ("gray globalmaxpool flatten", (1,)),
        ],
    )
    def test_the_result_has_no_axis_for_a_single_channel(self, text: str, shape: tuple[int, ...]) -> None:
        assert network(text).run(self.IMAGE).shape == shape

    def test_an_image_without_channels_is_one_of_one_channel(self) -> None:
        flat = self.IMAGE[:, :, 0]
        net = network("conv:sharpen relu maxpool:2")
        assert np.array_equal(net.run(flat), net.run(flat[:, :, None]))

    def test_max_pools_keep_the_type(self) -> None:
        assert network("maxpool:2").run(self.IMAGE).dtype == np.uint8

    def test_nested_lists_do_for_an_image(self) -> None:
        image: Any = [[35, 20], [1, -1]]
        assert network("relu maxpool:2").run(image).tolist() == [[35]]

    @pytest.mark.parametrize(
        "text", ["dwconv:sobel-x abs", "gray conv:box:3", "maxpool:2 flatten", "conv:1x1,2@a relu"]
    )
    def test_several_images_run_one_by_one(self, text: str) -> None:
        images = np.stack([self.IMAGE, self.IMAGE[::-1], 255 - self.IMAGE])
        weights = {"a.weight": np.arange(6).reshape(2, 3, 1, 1), "a.bias": np.ones(2)} if "@a" in text else None
        net = network(text)
        result = net.run(images, weights)
        assert result.shape == (3, *net.summary(self.IMAGE.shape).rows[-1].output)
        for one, image in zip(result, images, strict=True):
            assert np.array_equal(np.squeeze(one), net.run(image, weights))

    def test_it_runs_again_and_again_with_the_same_result(self) -> None:
        net = network("dwconv:gaussian:5,same relu")
        assert np.array_equal(net.run(self.IMAGE), net.run(self.IMAGE))

    @pytest.mark.parametrize("text", ["conv:3x3,16", "flatten linear:10", "bn"])
    def test_layers_without_weights_do_not_run(self, text: str) -> None:
        with pytest.raises(KernelError, match="has no weights"):
            network(text).run(self.IMAGE)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("relu maxpool:13", "layer 2, maxpool:13: a window of 13x13 is larger than the input of 12x10"),
            ("maxpool:13", "^maxpool:13: a window of 13x13"),
            ("flatten maxpool:2", "layer 2, maxpool:2: maxpool needs height, width and channels"),
            ("dwconv:box:3,box:3 gray", "layer 2, gray: gray needs 3 channels"),
        ],
    )
    def test_a_layer_that_cannot_take_what_comes_is_named(self, text: str, message: str) -> None:
        with pytest.raises(ShapeError, match=message):
            network(text).run(self.IMAGE)

    @pytest.mark.parametrize("image", [np.ones(3), np.ones((2, 0)), np.ones((2, 2), complex)], ids=str)
    def test_what_is_no_image_is_refused(self, image: Any) -> None:
        with pytest.raises(ShapeError, match=r"^image"):
            network("relu").run(image)


class TestWeights:
    TEXT = "conv:3x3,2@first relu flatten fc:3@last"
    IMAGE = np.random.default_rng(1).normal(size=(4, 5))

    @pytest.fixture
    def tensors(self) -> dict[str, Array]:
        """Return a state dict for `TEXT` on `IMAGE`."""
        generator = np.random.default_rng(2)
        shapes = {"first.weight": (2, 1, 3, 3), "first.bias": (2,), "last.weight": (3, 12), "last.bias": (3,)}
        return {name: generator.normal(size=shape) for name, shape in shapes.items()}

    @pytest.fixture
    def expected(self, tensors: dict[str, Array]) -> Array:
        """Return what comes out: `flatten` of PyTorch goes map by map."""
        maps = [
            np.maximum(convolve(self.IMAGE, weight[0]) + bias, 0)
            for weight, bias in zip(tensors["first.weight"], tensors["first.bias"], strict=True)
        ]
        return np.asarray(tensors["last.weight"] @ np.array(maps).ravel() + tensors["last.bias"])

    def test_they_are_a_mapping(self, tensors: dict[str, Array], expected: Array) -> None:
        assert np.allclose(network(self.TEXT).run(self.IMAGE, tensors), expected, rtol=1e-12)
        assert np.allclose(network(self.TEXT).run(self.IMAGE, weights=tensors), expected, rtol=1e-12)

    @pytest.mark.parametrize("as_text", [True, False], ids=["str", "Path"])
    def test_they_are_a_file(self, as_text: bool, tensors: dict[str, Array], expected: Array, tmp_path: Path) -> None:
        path = tmp_path / "weights.npz"
        np.savez(path, allow_pickle=False, **tensors)
        assert np.allclose(network(self.TEXT).run(self.IMAGE, str(path) if as_text else path), expected, rtol=1e-12)

    def test_a_network_file_names_them_beside_itself(
        self, tensors: dict[str, Array], expected: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "nets").mkdir()
        np.savez(tmp_path / "nets" / "mine.npz", allow_pickle=False, **tensors)
        file = tmp_path / "nets" / "mine.toml"
        file.write_text(f'input = "4x5"\nweights = "mine.npz"\nlayers = {self.TEXT.split()}\n')
        monkeypatch.chdir(tmp_path)
        for path in (file, str(file), Path("nets/mine.toml"), "nets/mine.toml"):
            net = network(path)
            assert net.input == (4, 5, 1)
            assert net.weights == Path(path).parent / "mine.npz"
            assert net.summary().input == (4, 5, 1)
            assert net.summary((8, 8)).input == (8, 8, 1)
            assert np.allclose(net.run(self.IMAGE), expected, rtol=1e-12)

    def test_the_file_is_read_once(self, tensors: dict[str, Array], expected: Array, tmp_path: Path) -> None:
        np.savez(tmp_path / "mine.npz", allow_pickle=False, **tensors)
        (tmp_path / "mine.toml").write_text(f'weights = "mine.npz"\nlayers = {self.TEXT.split()}\n')
        net = network(tmp_path / "mine.toml")
        net.run(self.IMAGE)
        (tmp_path / "mine.npz").unlink()
        assert np.allclose(net.run(self.IMAGE), expected, rtol=1e-12)

    def test_those_that_are_given_count_before_those_of_the_file(
        self, tensors: dict[str, Array], expected: Array, tmp_path: Path
    ) -> None:
        (tmp_path / "mine.toml").write_text(f'weights = "none.npz"\nlayers = {self.TEXT.split()}\n')
        net = network(tmp_path / "mine.toml")
        assert net.summary((4, 5)).totals.parameters == 59
        assert np.allclose(net.run(self.IMAGE, tensors), expected, rtol=1e-12)
        with pytest.raises(KernelError, match=r"none\.npz: No such file"):
            net.run(self.IMAGE)

    def test_they_may_be_nested_lists_and_of_any_type(self, tensors: dict[str, Array]) -> None:
        rounded = {name: np.rint(4 * tensor) for name, tensor in tensors.items()}
        expected = network(self.TEXT).run(self.IMAGE, rounded)
        lists: Any = {name: tensor.tolist() for name, tensor in rounded.items()}
        for given in (lists, *({name: t.astype(kind) for name, t in rounded.items()} for kind in ("int8", "float16"))):
            assert np.allclose(network(self.TEXT).run(self.IMAGE, given), expected, rtol=1e-12)

    def test_small_types_do_not_overflow(self) -> None:
        weight = np.array([[[[8, 2.0**-14]]]], np.float16)
        assert network("conv:1x2,nobias").run(np.ones((1, 2)), {"weight": weight}).tolist() == [[8 + 2.0**-14]]

    @pytest.mark.parametrize(
        ("weight", "message"),
        [
            (np.full((1, 1, 1, 1), np.nan), "weight holds nan or infinity; weights are finite"),
            (np.full((1, 1, 1, 1), None), "weight holds object, and weights are numbers"),
            (np.full((1, 1, 1, 1), 1j), "weight holds complex128, and weights are numbers"),
            (np.full((1, 1, 1, 1), "a"), "weight holds <U1, and weights are numbers"),
        ],
        ids=["nan", "object", "complex", "text"],
    )
    def test_what_is_no_weight_is_refused(self, weight: Array, message: str) -> None:
        with pytest.raises(KernelError, match=f"^{message}$"):
            network("conv:1x1,nobias").run(self.IMAGE, {"weight": weight})

    def test_mistakes_name_the_file(self, tensors: dict[str, Array], tmp_path: Path) -> None:
        path = tmp_path / "mine.npz"
        np.savez(path, allow_pickle=False, **tensors)
        with pytest.raises(KernelError, match=r"mine\.npz: last\.weight is \(3, 12\), and last \(linear:4\) needs"):
            network(self.TEXT.replace(":3@last", ":4@last")).run(self.IMAGE, path)
        with pytest.raises(KernelError, match=r"^weights: nothing for last .*; it has other\.weight \(3, 12\)"):
            network(self.TEXT).run(
                self.IMAGE, {name.replace("last", "other"): tensor for name, tensor in tensors.items()}
            )

    def test_they_are_left_over_where_nothing_learns(self, tensors: dict[str, Array]) -> None:
        with pytest.raises(KernelError, match=r"no layer takes first\.weight"):
            network("relu").run(self.IMAGE, tensors)
        assert np.array_equal(network("relu").run(self.IMAGE, {}), np.maximum(self.IMAGE, 0))

    @pytest.mark.parametrize("shape", [(3,), (2, 0), (0, 4, 1), (1, 2, 3, 4, 1), ()], ids=str)
    def test_what_is_no_image_is_refused_whatever_the_weights(
        self, shape: tuple[int, ...], tensors: dict[str, Array]
    ) -> None:
        with pytest.raises(ShapeError, match=r"^image (is empty|has the shape)"):
            network(self.TEXT).run(np.ones(shape), tensors)


class TestSummary:
    def test_it_tells_the_size_and_the_weights_of_each_layer(self) -> None:
        summary = network("conv:7x7,64,s2,p3@first bn relu maxpool:3,s2,p1").summary((224, 224, 3))
        assert summary.input == (224, 224, 3)
        assert summary.network == "conv:7x7,64,s2,p3@first batchnorm relu maxpool:3,s2,p1"
        assert [row.name for row in summary.rows] == ["first", "batchnorm1", "relu1", "maxpool1"]
        assert [row.output for row in summary.rows] == [(112, 112, 64)] * 3 + [(56, 56, 64)]
        assert [row.parameters for row in summary.rows] == [9472, 128, 0, 0]
        assert [row.statistics for row in summary.rows] == [0, 128, 0, 0]
        assert [row.macs for row in summary.rows] == [118013952, 0, 0, 0]
        assert summary.rows[0].padding == (3, 3, 3, 3)
        assert summary.rows[1].padding is None

    def test_the_totals_are_the_sums_over_the_rows(self) -> None:
        summary = network("conv:5x5,6+relu maxpool:2 conv:5x5,16+relu maxpool:2 flatten fc:120 fc:84 fc:10").summary(
            (32, 32, 1)
        )
        totals = summary.totals
        assert totals.parameters == sum(row.parameters for row in summary.rows) == 61706
        assert totals.macs == sum(row.macs for row in summary.rows)
        assert totals.flops == 2 * totals.macs
        assert totals.activations == sum(row.activations for row in summary.rows)
        assert totals.statistics == 0

    @pytest.mark.parametrize("shape", [(28, 28), (28, 28, 1), [28, 28, 1]], ids=str)
    def test_a_size_without_channels_has_one(self, shape: Any) -> None:
        summary = network("conv:3x3,8").summary(shape)
        assert summary.input == (28, 28, 1)
        assert summary.totals.parameters == 80

    @pytest.mark.parametrize("text", ["conv:sobel-x,sobel-y", "dwconv:box:5,same,s2 relu", "maxpool:2 flatten"])
    def test_the_sizes_are_those_that_run(self, text: str) -> None:
        summary = network(text).summary((20, 18, 3))
        assert network(text).run(np.ones((20, 18, 3))).shape == summary.rows[-1].output

    def test_a_layer_that_cannot_take_what_comes_is_an_error(self) -> None:
        with pytest.raises(ShapeError, match="layer 2, conv:3x3,8: a window of 3x3 is larger than the input of 2x2"):
            network("maxpool:2 conv:3x3,8").summary((4, 4, 3))

    def test_without_a_size_it_is_an_error(self) -> None:
        with pytest.raises(ShapeError, match=r"names no input; give its shape, as in summary"):
            network("conv:3x3,8").summary()

    def test_print_shows_the_table_that_the_command_prints(self, samples: Path) -> None:
        for words in (["32x32x3", "conv:3x3,16,same bn res(conv:3x3,16,p1 | )"], [str(samples / "resnet18.toml")]):
            net = network(words[-1])
            printed = CliRunner().invoke(main, ["shape", *words]).stdout
            assert f"{net.summary(None if net.input else (32, 32, 3))}\n" == printed

    def test_a_notebook_shows_a_line_of_a_network_and_of_its_summary(self, samples: Path) -> None:
        for file in samples.glob("*.toml"):
            net = network(file)
            assert len(repr(net)) < 300
            assert len(repr(net.summary())) < 300
        assert repr(network("conv:3x3,16 relu")) == "<RunnableNetwork of 2 layers: conv:3x3,16 relu>"
        assert repr(network("relu").summary((4, 5))) == (
            "<Summary: 1 row for an input of 4x5x1, 0 parameters, 0 MACs; print shows it>"
        )

    def test_blocks_have_rows_of_their_own(self) -> None:
        summary = network("res(conv:3x3,4,p1+bn | conv:1x1,4,nobias@short)+relu").summary((6, 6, 2))
        assert [row.name for row in summary.rows] == ["conv1", "batchnorm1", "short", "res1", "relu1"]
        assert [(row.depth, row.branch) for row in summary.rows] == [(1, 1), (1, 1), (1, 2), (0, 0), (0, 0)]
        assert summary.totals.parameters == 2 * 4 * 9 + 4 + 8 + 8
        assert summary.totals.statistics == 8
