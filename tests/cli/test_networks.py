"""`cnnfilter pipeline` with network files: weights read or drawn, layers saved, classes listed, pictures prepared."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import cnnfilter
from cnnfilter.arrays import Array
from tests.cli.commands import files, read_lines
from tests.cli.conftest import Run
from tests.cli.pictures import levels, load, rows, save, text_of

GENERATOR = np.random.default_rng(11)
RGB = {
    "features.0.weight": GENERATOR.normal(size=(4, 3, 3, 3)).astype(np.float32),
    "features.0.bias": GENERATOR.normal(size=4).astype(np.float32),
}
GREY = {name: tensor[:, :1] if tensor.ndim == 4 else tensor for name, tensor in RGB.items()}
CONV = "conv:3x3,4@c"


@pytest.fixture(autouse=True)
def _place(folder: Path, samples: Path, colours: Array) -> None:
    """Lay the network of digits, pictures and weights in the current folder."""
    for name in ("digits.toml", "digits.npz", "digit-7.png", "sprite.png", "lines-4x4.txt"):
        shutil.copy(samples / name, folder)
    save(folder / "grey.png", colours[:, :, 0])
    np.savez(folder / "rgb.npz", **RGB)  # type: ignore[arg-type]  # numpy's types have allow_pickle among the names
    np.savez(folder / "grey.npz", **GREY)  # type: ignore[arg-type]
    (folder / "labels.txt").write_text("\n".join(f"digit {number}" for number in range(10)) + "\n")


def scores(run: Run, *words: object) -> list[float]:
    """Return the vector that a network prints."""
    (row,) = rows(run("pipeline", *words).stdout)
    return [float(number) for number in row]


def test_the_seven_is_a_seven(run: Run) -> None:
    result = run("pipeline", "digits.toml", "digit-7.png", "--top", "3")
    assert result.stderr == ""
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [name for name, _ in lines] == ["7", "2", "9"]
    expected = cnnfilter.network("digits.toml").run(cnnfilter.read_image("digit-7.png"))
    assert [float(value) for _, value in lines] == pytest.approx(sorted(expected)[:-4:-1], rel=1e-3)


def test_a_vector_is_printed_as_the_library_gives_it(run: Run) -> None:
    expected = cnnfilter.network("digits.toml").run(cnnfilter.read_image("digit-7.png"))
    assert scores(run, "digits.toml", "digit-7.png") == pytest.approx(expected.tolist(), rel=1e-6)


def test_a_vector_is_written_where_it_shall_be(run: Run) -> None:
    expected = cnnfilter.network("digits.toml").run(cnnfilter.read_image("digit-7.png"))
    run("pipeline", "digits.toml", "digit-7.png", "-o", "out.npy")
    assert np.array_equal(np.load("out.npy"), expected)
    printed = run("pipeline", "digits.toml", "digit-7.png", "-o", "-", "--format", "csv").stdout
    assert rows(printed, ",")[0].tolist() == pytest.approx(expected.tolist(), rel=1e-6)


def test_no_more_classes_are_listed_than_there_are(run: Run) -> None:
    lines = run("pipeline", "digits.toml", "digit-7.png", "--top", "99").stdout.splitlines()
    assert sorted(line.split()[0] for line in lines) == [str(number) for number in range(10)]


def test_labels_name_the_classes(run: Run) -> None:
    words = ("pipeline", "digits.toml", "digit-7.png", "--top", "2", "--labels", "labels.txt")
    assert [line.rpartition("  ")[0] for line in run(*words).stdout.splitlines()] == ["digit 7", "digit 2"]


def test_labels_can_be_named_in_the_file_and_an_option_says_it_louder(run: Run, folder: Path) -> None:
    text = (folder / "digits.toml").read_text().replace("weights =", 'labels = "names/en.txt"\nweights =')
    (folder / "digits.toml").write_text(text)
    (folder / "names").mkdir()
    names = "zero one two three four five six seven eight nine"
    (folder / "names" / "en.txt").write_text(names.replace(" ", "\n"))
    words = ("pipeline", "digits.toml", "digit-7.png", "--top", "1")
    assert run(*words).stdout.split()[0] == "seven"
    assert run(*words, "--labels", "labels.txt").stdout.startswith("digit 7")


@pytest.mark.parametrize(("name", "separator"), [("top.txt", "  "), ("top.csv", ","), ("top.tsv", "\t")])
def test_the_list_goes_into_a_text(run: Run, name: str, separator: str) -> None:
    result = run("pipeline", "digits.toml", "digit-7.png", "--top", "2", "-o", name)
    assert result.output == ""
    assert [line.split(separator)[0] for line in Path(name).read_text().splitlines()] == ["7", "2"]


def test_scores_that_are_no_probabilities_bring_a_warning_unless_quiet(run: Run) -> None:
    words = ("pipeline", "flatten", "lines-4x4.txt", "--top", "1")
    assert "do not add up to 1" in run(*words).stderr
    assert run(*words, "-q").stderr == ""
    assert run("pipeline", "flatten softmax", "lines-4x4.txt", "--top", "1").stderr == ""


def test_several_inputs_are_titled_and_standard_input_is_one(run: Run) -> None:
    data = Path("digit-7.png").read_bytes()
    result = run("pipeline", "digits.toml", "digit-7.png", "-", "--top", "1", given=data)
    first, seven, second, again = result.stdout.splitlines()
    assert first == "# digit-7.png digits.toml"
    assert second == "# standard input digits.toml"
    assert seven == again
    assert seven.startswith("7 ")
    assert run("pipeline", "digits.toml", "-", "--top", "1", given=data).stdout == f"{seven}\n"


@pytest.fixture
def _scaled(folder: Path) -> None:
    """Lay the network of digits, which was trained on 0 to 1, without its scale."""
    (folder / "scaled.toml").write_text((folder / "digits.toml").read_text().replace('input_scale = "1/255"\n', ""))


SATURATED = "softmax gives exactly 1 and zeros"


@pytest.mark.usefixtures("_scaled")
@pytest.mark.parametrize("output", [("--top", "3"), (), ("-o", "out.npy")], ids=" ".join)
def test_weights_trained_on_0_to_1_name_the_scale_that_is_missing(run: Run, output: tuple[str, ...]) -> None:
    words = ("pipeline", "scaled.toml", "digit-7.png", *output)
    (warning,) = run(*words).stderr.splitlines()
    assert warning.startswith(f"cnnfilter: warning: digit-7.png: {SATURATED}")
    assert "--input-scale 1/255 " in warning
    assert run(*words, "--input-scale", "1/255").stderr == ""
    assert SATURATED in run(*words, "--mean", "0.45", "--std", "0.2").stderr  # of 0 to 1, as those of ImageNet


def test_random_weights_are_for_0_to_1_too(run: Run, folder: Path) -> None:
    words = ("pipeline", "lenet5", "photo.png", "--init", "he", "--resize", "32", "--top", "1")
    save(folder / "photo.png", np.random.default_rng(1).integers(0, 255, (40, 40, 3), np.uint8))
    assert f"{SATURATED}: weights are usually for inputs from 0 to 1" in run(*words).stderr
    assert run(*words, "--input-scale", "1/255").stderr == ""


@pytest.mark.usefixtures("_scaled")
def test_levels_of_16_bits_have_a_scale_of_their_own(run: Run, folder: Path) -> None:
    save(folder / "deep.png", load("digit-7.png").astype(np.uint16) * 257)
    assert "--input-scale 1/65535 " in run("pipeline", "scaled.toml", "deep.png", "--top", "1").stderr


@pytest.mark.usefixtures("_scaled")
def test_a_matrix_of_levels_lacks_the_scale_and_one_of_0_to_1_does_not(run: Run, folder: Path) -> None:
    seven = load("digit-7.png")
    (folder / "levels.txt").write_text(text_of(seven))
    (folder / "shares.txt").write_text(text_of(seven / 255))
    assert "--input-scale 1/255 " in run("pipeline", "scaled.toml", "levels.txt").stderr
    assert run("pipeline", "scaled.toml", "shares.txt").stderr == ""


def test_a_network_that_is_sure_of_its_own_levels_brings_no_warning(run: Run, folder: Path) -> None:
    with np.load("digits.npz") as weights:
        trained = {
            name: weights[name] / np.float32(255) if name == "conv1.weight" else weights[name] for name in weights
        }
    np.savez(folder / "levels.npz", **trained)
    text = (folder / "digits.toml").read_text().replace('input_scale = "1/255"\n', "")
    (folder / "levels.toml").write_text(text.replace("digits.npz", "levels.npz"))
    generator = np.random.default_rng(3)
    for number in range(20):
        save(folder / f"n{number}.png", generator.integers(0, 2, (8, 8)).astype(np.uint8) * 255)
    result = run("pipeline", "levels.toml", *(f"n{number}.png" for number in range(20)), "--top", "1", "-j", "1")
    assert result.stderr == ""


def test_a_softmax_of_no_learned_weights_brings_no_warning(run: Run) -> None:
    assert run("pipeline", "conv:[1],bias=0+relu flatten softmax", "lines-4x4.txt").stderr == ""


def test_json_is_a_line_for_each_input_with_every_digit(run: Run) -> None:
    words = ("digits.toml", "digit-7.png", "-", "--top", "3", "--labels", "labels.txt", "--json")
    records = read_lines(run("pipeline", *words, given=Path("digit-7.png").read_bytes()).stdout)
    expected = cnnfilter.network("digits.toml").run(cnnfilter.read_image("digit-7.png")).astype(float)
    order = [7, 2, 9]
    classes = [{"name": f"digit {place}", "index": place, "value": expected[place]} for place in order]
    assert records == [{"input": "digit-7.png", "classes": classes}, {"input": "-", "classes": classes}]


def test_json_without_names_calls_classes_by_their_index(run: Run, folder: Path) -> None:
    (folder / "odd.txt").write_text("1 nan -inf\n")
    (record,) = read_lines(run("pipeline", "flatten", "odd.txt", "--top", "9", "--json", "-q").stdout)
    assert [(one["name"], one["index"], one["value"]) for one in record["classes"]] == [
        ("0", 0, 1),
        ("2", 2, "-Infinity"),
        ("1", 1, "NaN"),
    ]


def test_a_report_holds_the_classes(run: Run) -> None:
    words = ("pipeline", "digits.toml", "digit-7.png", "--top", "2")
    (line,) = read_lines(run(*words, "--json").stdout)
    run(*words, "-o", "top.csv", "--report", "report.jsonl")
    (record,) = read_lines(Path("report.jsonl").read_text())
    assert record["classes"] == line["classes"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--json",), "--json needs --top N or --explain Y,X"),
        (("--top", "3", "--json", "-o", "top.txt"), "--top N --json prints on standard output"),
        (("--top", "3", "--json", "-o", "new/"), "--top N --json prints on standard output"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_json_that_would_go_nowhere_is_a_usage_error(run: Run, words: tuple[str, ...], reason: str) -> None:
    before = set(Path().iterdir())
    assert reason in run("pipeline", "digits.toml", "digit-7.png", *words, status=2).stderr
    assert set(Path().iterdir()) == before


def test_an_input_that_fails_leaves_the_others_their_classes(run: Run) -> None:
    result = run("pipeline", "digits.toml", "none.png", "digit-7.png", "--top", "1", status=1)
    assert result.stderr.splitlines()[0] == "cnnfilter: none.png: No such file or directory"
    assert result.stdout.splitlines()[-1].startswith("7 ")


def test_a_layer_is_saved_as_a_picture_for_each_map(run: Run, folder: Path) -> None:
    assert (
        run("pipeline", "digits.toml", "digit-7.png", "--save", "conv1", "--range", "scale", "-o", "maps/").output == ""
    )
    assert files(folder / "maps") == {f"digit-7-conv1-{number:02}.png" for number in range(1, 17)}
    maps = cnnfilter.network("gray conv:3x3,16,p1@conv1").run(
        cnnfilter.read_image("digit-7.png") / np.float32(255),
        {name: tensor for name, tensor in np.load("digits.npz").items() if name.startswith("conv1.")},
    )
    for number in range(16):
        values = maps[:, :, number].astype(np.float64)
        expected = (values - values.min()) / (values.max() - values.min()) * 255
        assert np.abs(load(f"maps/digit-7-conv1-{number + 1:02}.png") - expected).max() <= 0.51


def test_a_layer_saved_as_a_matrix_is_what_the_layers_up_to_it_give(run: Run) -> None:
    run("pipeline", "digits.toml", "digit-7.png", "--save", "maxpool1", "--save", "softmax1", "-o", "{layer}.npy")
    expected = cnnfilter.network("digits.toml").run(cnnfilter.read_image("digit-7.png"))
    assert np.array_equal(np.load("softmax1.npy"), expected)
    assert np.load("maxpool1.npy").shape == (4, 4, 16)


def test_all_layers_are_saved_in_the_form_that_holds_them(run: Run, folder: Path) -> None:
    run(
        "pipeline",
        "relu@r cat(abs@a | gray@g)@both flatten softmax@p",
        "colours.png",
        "--save",
        "all",
        "-o",
        "out/",
        "-q",
    )
    assert files(folder / "out") == {
        "colours-r.png",
        "colours-a.png",
        "colours-g.png",
        *(f"colours-both-{number:02}.png" for number in range(1, 5)),
        "colours-flatten1.txt",
        "colours-p.txt",
    }
    colours = load("colours.png")
    assert np.array_equal(load("out/colours-r.png"), colours)
    assert np.array_equal(load("out/colours-both-02.png"), colours[:, :, 1])
    assert load("out/colours-g.png").shape == colours.shape[:2]
    assert rows(Path("out/colours-flatten1.txt").read_text()).size == colours.size * 4 // 3


def test_layers_in_blocks_and_repeats_are_saved_by_their_own_names(run: Run, folder: Path) -> None:
    run("pipeline", "2x dwconv:[2]@twice", "lines-4x4.txt", "--save", "all", "-o", "out/")
    assert files(folder / "out") == {"lines-4x4-twice.1.txt", "lines-4x4-twice.2.txt"}
    matrix = rows(Path("lines-4x4.txt").read_text())
    assert np.array_equal(rows(Path("out/lines-4x4-twice.2.txt").read_text()), 4 * matrix)


def test_a_layer_named_twice_is_saved_once(run: Run, folder: Path) -> None:
    run("pipeline", "relu@r", "lines-4x4.txt", "--save", "r", "--save", "r", "-o", "out/")
    assert files(folder / "out") == {"lines-4x4-r.txt"}


def test_saved_layers_of_several_inputs_lie_side_by_side(run: Run, folder: Path) -> None:
    run("pipeline", "relu@r abs@a", "colours.png", "grey.png", "--save", "all", "-o", "{index}-{layer}-of-{name}{ext}")
    made = {"1-r-of-colours.png.png", "1-a-of-colours.png.png", "2-r-of-grey.png.png", "2-a-of-grey.png.png"}
    assert made <= files(folder)
    assert np.array_equal(load("2-a-of-grey.png.png"), load("grey.png"))


def test_what_was_saved_is_skipped_where_that_is_asked(run: Run, folder: Path) -> None:
    words = ("pipeline", CONV, "grey.png", "--weights", "grey.npz", "--save", "c", "--range", "scale", "-o", "out/")
    run(*words)
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").iterdir()}
    assert len(before) == 4
    run(*words, "--no-clobber")
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").iterdir()} == before
    (folder / "out" / "grey-c-01.png").write_bytes(b"kept")
    run(*words, "--no-clobber")
    assert (folder / "out" / "grey-c-01.png").read_bytes() == b"kept"


def test_no_clobber_keeps_each_map_that_stands_and_makes_those_that_lack(run: Run, folder: Path) -> None:
    words = ("pipeline", "conv:[1],[2],[3],[4]@c", "grey.png", "--save", "c", "-o", "out/", "-q")
    run(*words)
    (folder / "out" / "grey-c-01.png").unlink()
    (folder / "out" / "grey-c-02.png").write_bytes(b"kept")
    run(*words, "--no-clobber")
    assert (folder / "out" / "grey-c-02.png").read_bytes() == b"kept"
    assert load(folder / "out" / "grey-c-01.png").shape == load(folder / "grey.png").shape


def test_weights_in_the_order_of_their_names_are_doubted_once(run: Run, folder: Path) -> None:
    save_file({f"{name}.weight": np.ones((1, 1, 1, 1), np.float32) for name in "ba"}, folder / "w.safetensors")
    words = ("pipeline", "2x conv:1x1,nobias", "lines-4x4.txt", "grey.png", "--weights", "w.safetensors", "-o", "out/")
    warning = "cnnfilter: warning: w.safetensors: no name is that of a layer"
    assert run(*words).stderr.count(warning) == 1
    assert run(*words, "-q").stderr == ""


def test_a_dry_run_writes_nothing(run: Run, folder: Path) -> None:
    before = files(folder)
    result = run("pipeline", "digits.toml", "digit-7.png", "--save", "conv1", "-o", "maps/", "--dry-run")
    names = [f"maps/digit-7-conv1-{number:02}.png" for number in range(1, 17)]
    assert result.stdout.splitlines() == [f"digit-7.png 8x8 -> {name} 8x8" for name in names]
    assert files(folder) == before
    assert not (folder / "maps").exists()


def test_a_network_that_fails_leaves_no_file(run: Run, folder: Path) -> None:
    (folder / "old.npy").write_bytes(b"old")
    before = files(folder)
    for output in ("old.npy", "new/"):
        run("pipeline", "gray conv:3x3,4@c", "lines-4x4.txt", "--weights", "rgb.npz", "-o", output, status=1)
        run("pipeline", "relu@c maxpool:9", "lines-4x4.txt", "--save", "c", "-o", output, status=1)
    assert files(folder) == before
    assert (folder / "old.npy").read_bytes() == b"old"


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_weights_are_matched_by_name_or_in_order(run: Run, folder: Path, suffix: str) -> None:
    named = {name.replace("features.0", "c"): tensor for name, tensor in RGB.items()}
    other = {"b.9.weight": RGB["features.0.weight"], "b.9.bias": RGB["features.0.bias"]}
    expected = cnnfilter.network(CONV).run(load("colours.png"), named)
    for number, tensors in enumerate((named, other)):
        path = folder / f"weights{number}{suffix}"
        if suffix == ".npz":
            np.savez(path, **tensors)  # type: ignore[arg-type]
        else:
            save_file(tensors, path)
        run("pipeline", CONV, "colours.png", "--weights", path.name, "-o", "out.npy")
        assert np.array_equal(np.load("out.npy"), expected)


def test_verbose_lists_which_tensors_went_where(run: Run) -> None:
    said = run("pipeline", CONV, "grey.png", "--weights", "grey.npz", "-o", "out.npy", "-v").stderr
    assert "cnnfilter: c <- features.0.weight (4, 1, 3, 3), features.0.bias (4,)\n" in said


def test_the_file_names_its_weights_beside_itself_and_an_option_says_it_louder(run: Run, folder: Path) -> None:
    (folder / "sub").mkdir()
    np.savez(folder / "sub" / "w.npz", **GREY)  # type: ignore[arg-type]
    (folder / "sub" / "net.toml").write_text(f'weights = "w.npz"\nlayers = ["{CONV}"]\n')
    run("pipeline", "sub/net.toml", "grey.png", "-o", "a.npy")
    run("pipeline", CONV, "grey.png", "--weights", "grey.npz", "-o", "b.npy")
    assert np.array_equal(np.load("a.npy"), np.load("b.npy"))
    np.savez(folder / "double.npz", **{name: 2 * tensor for name, tensor in GREY.items()})  # type: ignore[arg-type]
    run("pipeline", "sub/net.toml", "grey.png", "--weights", "double.npz", "-o", "c.npy")
    assert np.allclose(np.load("c.npy"), 2 * np.load("a.npy"), rtol=1e-5)


def test_random_weights_are_the_same_for_the_same_seed(run: Run) -> None:
    def drawn(*words: object) -> Array:
        run("pipeline", f"{CONV} flatten fc:7", "grey.png", *words, "-o", "out.npy")
        return np.asarray(np.load("out.npy"))

    for init in ("he", "uniform"):
        first = drawn("--init", init)
        assert first.shape == (7,)
        assert first.std() > 0
        assert np.array_equal(first, drawn("--init", init, "--seed", "0"))
        assert not np.array_equal(first, drawn("--init", init, "--seed", "1"))
    assert not np.array_equal(drawn("--init", "he", "--seed", "5"), drawn("--init", "uniform", "--seed", "5"))


def test_random_weights_replace_those_of_the_file(run: Run) -> None:
    own = scores(run, "digits.toml", "digit-7.png")
    drawn = scores(run, "digits.toml", "digit-7.png", "--init", "he", "--seed", "3")
    assert len(drawn) == 10
    assert drawn != own
    assert sum(drawn) == pytest.approx(1, abs=1e-5)


def test_a_seed_may_be_any_whole_number_and_inputs_share_the_weights(run: Run, folder: Path) -> None:
    shutil.copy(folder / "grey.png", folder / "twin.png")
    run("pipeline", CONV, "grey.png", "twin.png", "--init", "he", "--seed", str(2**70), "-o", "{stem}.npy")
    assert np.array_equal(np.load("grey.npy"), np.load("twin.npy"))


def test_pictures_are_scaled_and_freed_of_the_mean_as_they_were_in_training(run: Run, folder: Path) -> None:
    colours = load("colours.png").astype(np.float32)
    means, deviations = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    expected = (colours / 255 - np.array(means)) / np.array(deviations)
    options = ["--input-scale", "1/255", "--mean", "0.485,0.456,0.406", "--std", "0.229, 0.224, 0.225"]
    run("pipeline", "dwconv:[1]", "colours.png", *options, "-o", "out.npy")
    assert np.allclose(np.load("out.npy"), expected, rtol=1e-5, atol=1e-6)
    (folder / "net.toml").write_text(
        f'input_scale = "1/255"\nmean = {list(means)}\nstd = ["0.229", 0.224, "225/1000"]\nlayers = ["dwconv:[1]"]\n'
    )
    run("pipeline", "net.toml", "colours.png", "-o", "file.npy")
    assert np.array_equal(np.load("file.npy"), np.load("out.npy"))
    run("pipeline", "net.toml", "colours.png", "--input-scale", "1", "--mean", "0", "--std", "1", "-o", "plain.npy")
    assert np.array_equal(np.load("plain.npy"), colours)


def test_one_mean_is_for_every_channel_and_comes_before_the_padding(run: Run) -> None:
    run("pipeline", "dwconv:[1 0],p=0/1/0/0", "grey.png", "--mean", "100", "-o", "out.npy")
    result, grey = np.load("out.npy"), load("grey.png").astype(np.float64)
    assert not result[:, 0].any()
    assert np.array_equal(result[:, 1:], grey[:, :-1] - 100)


def test_a_picture_is_resized_first(run: Run) -> None:
    colours = load("colours.png")[:20].astype(np.float64)
    save(Path("even.png"), load("colours.png")[:20])
    expected = colours.reshape(10, 2, 13, 2, 3).mean(axis=(1, 3))
    run("pipeline", "dwconv:[1]", "even.png", "--resize", "10x13", "-o", "out.npy")
    assert np.allclose(np.load("out.npy"), expected, atol=1e-3)
    run("pipeline", "dwconv:[1]", "even.png", "--resize", "10x13", "-o", "out.png")
    assert np.abs(load("out.png") - expected).max() <= 0.501
    run("pipeline", "gap", "even.png", "--resize", "7", "-o", "gap.npy")
    assert np.load("gap.npy").ravel() == pytest.approx(colours.mean(axis=(0, 1)), abs=0.01)


def test_a_scaled_picture_comes_out_in_its_own_levels(run: Run, deep: Array) -> None:
    for name, pixels in (("colours.png", load("colours.png")), ("deep.png", deep)):
        run("pipeline", "relu", name, "--input-scale", "1/255", "-o", "out.png")
        assert np.array_equal(load("out.png"), pixels)
    run("pipeline", "dwconv:[2]", "grey.png", "--input-scale", "1/510", "-o", "out.png", "-q")
    assert np.array_equal(load("out.png"), levels(2.0 * load("grey.png")))


def test_a_network_sees_the_colours_alone_and_says_so(run: Run) -> None:
    result = run("pipeline", CONV, "sprite.png", "--weights", "rgb.npz", "-o", "out.npy")
    assert result.stderr == (
        "cnnfilter: warning: sprite.png: the image has alpha, and only its colours are used; --background flattens it\n"
    )
    assert np.load("out.npy").shape == (62, 62, 4)


def test_matrices_are_prepared_too(run: Run) -> None:
    matrix = rows(Path("lines-4x4.txt").read_text())
    result = run("pipeline", "dwconv:[1]", "lines-4x4.txt", "--resize", "2", "--mean", "1", "--std", "2").stdout
    assert np.allclose(rows(result), (matrix.reshape(2, 2, 2, 2).mean(axis=(1, 3)) - 1) / 2)


PER_PICTURE: dict[str, tuple[str, str, str]] = {
    "colour for grey": (
        "colours.png --weights grey.npz",
        CONV,
        "colours.png: grey.npz: .*conv:3x3,4.*(4, 3, 3, 3).*for 1 channel, and 3 are given: gray before",
    ),
    "grey for colour": (
        "grey.png --weights rgb.npz",
        CONV,
        r"grey.png: rgb.npz: .*for 3 channels, and 1 is given: conv:\[1\],\[1\],\[1\] before",
    ),
    "no bias": ("grey.png --weights grey.npz", "conv:3x3,4,nobias", "without nobias it has a bias"),
    "another size": ("grey.png --weights grey.npz", "conv:5x5,4", r"conv:5x5,4.*\(4, 1, 5, 5\).*left is features.0"),
    "one is missing": (
        "grey.png --weights grey.npz",
        f"{CONV} conv:1x1,2",
        "nothing fits conv2 .*conv:1x1,2.*left is nothing",
    ),
    "one is left": ("grey.png --weights grey.npz", "relu", r"no layer takes features.0.weight \(4, 1, 3, 3\)"),
    "another picture": ("grey.png --weights digits.npz", "digits.toml", "linear1 .*128 inputs.*--resize HxW"),
    "means": ("grey.png --mean 1,2,3", "relu", "mean has 3 numbers, for an image whose channels are 1"),
    "deviations": ("colours.png --std 1,2", "relu", "std has 2 numbers, for an image whose channels are 3"),
    "a map is no vector": ("lines-4x4.txt --top 2", "relu", r"--top lists the classes of a vector.*\(4, 4\); flatten"),
    "labels of another network": (
        "lines-4x4.txt --top 2 --labels labels.txt",
        "flatten",
        "labels.txt has 10 lines.* 16 ",
    ),
}


@pytest.mark.parametrize("mistake", PER_PICTURE)
def test_what_does_not_fit_a_picture_is_one_line_and_status_1(run: Run, folder: Path, mistake: str) -> None:
    words, network, reason = PER_PICTURE[mistake]
    before = files(folder)
    output = () if "-o" in words or "--top" in words else ("-o", "new.npy")
    result = run("pipeline", network, *words.split(), *output, status=1)
    assert result.stdout == ""
    assert re.fullmatch(rf"cnnfilter: [^\n]*{reason}[^\n]*\n", result.stderr), result.stderr
    assert files(folder) == before


def test_weights_that_fit_only_some_pictures_fail_the_others(run: Run, folder: Path) -> None:
    result = run("pipeline", CONV, "grey.png", "colours.png", "--weights", "rgb.npz", "-o", "{stem}.npy", status=1)
    assert result.stderr.startswith("cnnfilter: grey.png: rgb.npz: ")
    assert result.stderr.splitlines()[1:] == ["cnnfilter: 1 of 2 inputs failed"]
    assert "colours.npy" in files(folder)


USAGE: dict[str, tuple[str, str]] = {
    "weights for another input": ("rgb.toml grey.png --weights grey.npz", "grey.npz: .*for 1 channel, and 3 are given"),
    "weights of another network": ("digits.toml digit-7.png --weights grey.npz", "grey.npz: nothing fits conv1"),
    "named and missing": ("named.toml grey.png", r"part.npz: nothing for d \(conv:1x1,2"),
    "named and misshapen": (
        "turned.toml digit-7.png",
        r"turned.npz: l.weight is \(64, 3\).*needs \(3, 64\).*fits after `",
    ),
    "vector in a picture": (
        "digits.toml digit-7.png -o new.png",
        r"new.png: the result of the network is a vector; use \.txt",
    ),
    "vector in a folder": (
        "digits.toml digit-7.png -o new/",
        r"new/digit-7.png: the result of the network is a vector",
    ),
    "named and too many": ("many.toml grey.png", "many.npz: no layer takes other.weight"),
    "no weights": (f"{CONV} grey.png", "c .*has no weights.*--weights FILE.*--init he"),
    "no such weights": (f"{CONV} grey.png --weights none.npz", "none.npz: No such file"),
    "weights by another suffix": (f"{CONV} grey.png --weights grey.png", r"grey.png: weights are read from \.npz and"),
    "a folder of weights": (f"{CONV} grey.png --weights folder.npz", "folder.npz: Is a directory"),
    "weights cut off": (f"{CONV} grey.png --weights half.npz", r"half.npz: not a whole \.npz file"),
    "safetensors cut off": (f"{CONV} grey.png --weights half.safetensors", r"half.safetensors: not a whole"),
    "weights of nan": (f"{CONV} grey.png --weights nan.npz", "nan.npz: c.weight holds nan"),
    "weights of words": (f"{CONV} grey.png --weights words.npz", "words.npz: c.weight holds <U1"),
    "no tensor": (f"{CONV} grey.png --weights empty.npz", "empty.npz: holds no weights"),
    "weights twice": (
        f"{CONV} grey.png --weights grey.npz --init he",
        "--init draws weights, and --weights reads them",
    ),
    "seed alone": (f"{CONV} grey.png --weights grey.npz --seed 1", "--seed belongs to --init"),
    "unknown init": (f"{CONV} grey.png --init xavier", "'he', 'uniform'"),
    "negative seed": (f"{CONV} grey.png --init he --seed -1", "-1 is not in the range"),
    "labels alone": ("digits.toml digit-7.png --labels labels.txt", "--labels names the classes that --top N lists"),
    "no such labels": ("digits.toml digit-7.png --top 1 --labels none.txt", "none.txt: No such file"),
    "no label": ("digits.toml digit-7.png --top 1 --labels blank.txt", "blank.txt: holds no names"),
    "labels of bytes": ("digits.toml digit-7.png --top 1 --labels binary.txt", "binary.txt: not a text in UTF-8"),
    "top 0": ("digits.toml digit-7.png --top 0", "0 is not in the range x>=1"),
    "top and save": ("digits.toml digit-7.png --top 1 --save conv1 -o out/", "leave one out"),
    "save without output": ("digits.toml digit-7.png --save conv1", "--save writes files: -o FOLDER/"),
    "save to standard output": ("digits.toml digit-7.png --save conv1 -o -", "--save writes files"),
    "save what is not there": (
        "digits.toml digit-7.png --save con1 -o out/",
        "--save con1: .*nearest: conv1.*softmax1 have",
    ),
    "save two in one": (
        "digits.toml digit-7.png --save conv1 --save conv2 -o new.png",
        r"new.png: the results of two layers would be written to it; use a folder, or a template with \{layer\}",
    ),
    "save maps like a layer": (
        "relu@a+abs@a-1 grey.png --save all -o out/",
        "--save: the maps of a would be written like layer a-1",
    ),
    "save a kernel's name": ("digits.toml digit-7.png --save conv1 -o {kernel}.png", r"unknown field \{kernel\}"),
    "std 0": ("relu grey.png --std 0 -o new.png", "a standard deviation of 0 is not above 0"),
    "negative std": ("relu colours.png --std 1,-1,1 -o new.png", "a standard deviation of -1 is not above 0"),
    "mean of letters": ("relu grey.png --mean a -o new.png", "'a' is not a number"),
    "an empty mean": ("relu grey.png --mean 1,,2 -o new.png", "'' is not a number"),
    "nan": ("relu grey.png --mean nan -o new.png", "'nan' is not a number"),
    "scale by zero": ("relu grey.png --input-scale 1/0 -o new.png", "'1/0' divides by zero"),
    "resize to nothing": ("relu grey.png --resize 0 -o new.png", "size 0 is below 1"),
    "resize to three": ("relu grey.png --resize 2x3x4 -o new.png", "size '2x3x4' is neither a number nor HxW"),
    "no such network": ("none.toml grey.png -o new.png", "none.toml: No such file"),
    "a folder": ("folder.toml grey.png -o new.png", "folder.toml: Is a directory"),
    "half a file": ("half.toml grey.png -o new.png", "half.toml: not TOML"),
    "half JSON": ("half.json grey.png -o new.png", "half.json: not JSON: .*line 1 column"),
    "a list": ("list.json grey.png -o new.png", "list.json: a network file is a JSON object"),
    "unknown key": ("key.toml grey.png -o new.png", "key.toml: unknown key 'wieghts'; nearest: weights"),
    "unknown layer": ("layer.toml grey.png -o new.png", "layer.toml: layer 2, 'rellu': .*nearest: relu"),
    "unknown key of a layer": (
        "kernal.toml grey.png -o new.png",
        "kernal.toml: item 1, conv: unknown key 'kernal'; nearest: kernel",
    ),
    "uneven kernel": ("uneven.toml grey.png -o new.png", "uneven.toml: item 1, conv: a kernel is"),
    "a number for a layer": (
        "number.toml grey.png -o new.png",
        "number.toml: item 1, a layer is a text or a table",
    ),
    "no number": ("mean.toml grey.png -o new.png", "mean.toml: mean 'x' is not a number"),
    "weights are no text": ("text.toml grey.png -o new.png", "text.toml: weights 3 is not a text"),
    "a bad size": ("size.toml grey.png -o new.png", "size.toml: size '28x' is neither"),
    "a word of a text": ("word.txt grey.png -o new.png", "word.txt: line 3, layer 2, 'maxpol:2': .*nearest: maxpool"),
    "an option of a text": (
        "option.txt grey.png -o new.png",
        "option.txt: line 1, layer 1, 'maxpool:2,foo': unknown option 'foo'",
    ),
    "a bracket of a text": ("bracket.txt grey.png -o new.png", r"bracket.txt: line 2, .*'\[' is never closed"),
    "the network as output": ("net.txt grey.png -o net.txt", "net.txt: the output is"),
    "the network by a dot": ("net.txt grey.png -o ./net.txt", "net.txt: the output is"),
    "the labels as output": (
        "digits.toml digit-7.png --top 1 --labels labels.txt -o labels.txt",
        "labels.txt: the output is",
    ),
    "the weights as output": ("digits.toml digit-7.png -o link.npy", "link.npy: the output is"),
    "the input as output": (
        "digits.toml digit-7.png --save gray1 -o digit-7.png",
        "the output is the input digit-7.png",
    ),
}


def write_networks(folder: Path) -> None:
    """Lay good and bad network files and weights in a folder."""
    for name, text in {
        "rgb.toml": f'input = "9x9x3"\nlayers = ["{CONV}"]\n',
        "named.toml": 'input = "9x9x1"\nweights = "part.npz"\nlayers = ["conv:3x3,4@c", "conv:1x1,2@d"]\n',
        "turned.toml": 'input = "8x8x1"\nweights = "turned.npz"\nlayers = ["flatten", "fc:3@l"]\n',
        "many.toml": 'input = "9x9x1"\nweights = "many.npz"\nlayers = ["conv:3x3,4@c"]\n',
        "half.toml": 'layers = ["abs"',
        "half.json": '{"layers": ["abs"',
        "list.json": '["abs"]',
        "key.toml": 'layers = ["relu"]\nwieghts = "a.npz"\n',
        "layer.toml": 'layers = ["abs", "rellu"]\n',
        "kernal.toml": 'layers = [{op = "conv", kernal = 3}]\n',
        "uneven.toml": 'layers = [{op = "conv", kernel = [[1, 2], [3]]}]\n',
        "number.toml": "layers = [1]\n",
        "mean.toml": 'layers = ["relu"]\nmean = "x"\n',
        "text.toml": 'layers = ["relu"]\nweights = 3\n',
        "size.toml": 'layers = ["relu"]\ninput = "28x"\n',
        "word.txt": "relu\n# a comment\nmaxpol:2\n",
        "option.txt": "maxpool:2,foo\n",
        "bracket.txt": "relu\nconv:[1 2\n",
        "net.txt": "relu\n",
        "blank.txt": "\n",
    }.items():
        (folder / name).write_text(text)
    (folder / "folder.toml").mkdir()
    (folder / "folder.npz").mkdir()
    (folder / "link.npy").symlink_to("digits.npz")
    (folder / "binary.txt").write_bytes(b"\xff\xfe\n")
    named = {name.replace("features.0", "c"): tensor for name, tensor in GREY.items()}
    nothing, words = np.full((4, 1, 3, 3), np.nan), np.array(["a"])
    np.savez(folder / "part.npz", **named)  # type: ignore[arg-type]
    np.savez(folder / "many.npz", **named, **{"other.weight": np.ones((2, 2))})  # type: ignore[arg-type]
    np.savez(folder / "turned.npz", **{"l.weight": np.ones((64, 3)), "l.bias": np.ones(3)})  # type: ignore[arg-type]
    np.savez(folder / "nan.npz", **{"c.weight": nothing})  # type: ignore[arg-type]
    np.savez(folder / "words.npz", **{"c.weight": words})  # type: ignore[arg-type]
    np.savez(folder / "empty.npz")
    (folder / "half.npz").write_bytes((folder / "grey.npz").read_bytes()[:100])
    save_file(GREY, folder / "half.safetensors")
    (folder / "half.safetensors").write_bytes((folder / "half.safetensors").read_bytes()[:-9])


@pytest.mark.parametrize("mistake", USAGE)
def test_a_mistake_is_one_line_in_the_form_of_click_before_anything_is_touched(
    run: Run, folder: Path, mistake: str
) -> None:
    write_networks(folder)
    words, reason = USAGE[mistake]
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    output = () if re.search("-o|--top|--save|digit", words) else ("-o", "new.npy")
    result = run("pipeline", *words.split(), *output, status=2)
    assert result.stdout == ""
    usage, _, empty, error = result.stderr.splitlines()
    assert usage.startswith("Usage: cnnfilter pipeline [OPTIONS] ")
    assert empty == ""
    assert re.match(rf"Error: .*{reason}", error), error
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("net.toml", 'layers = ["conv:sub/k.txt,s1", {op = "maxpool", size = 2}]'),
        ("net.toml", 'layers = [{op = "conv", kernel = "sub/k.txt"}, {op = "maxpool", size = [2, 2], stride = 2}]'),
        ("net.toml", 'layers = [{op = "conv", kernel = [[0, 1], [2, 0]]}, "maxpool:2"]'),
        ("net.toml", 'network = "conv:sub/k.txt maxpool:2"'),
        ("net.json", '{"network": "conv:[0 1; 2 0] maxpool:2"}'),
        ("net.json", '{"layers": ["conv:sub/k.txt", "maxpool:2"]}'),
        ("net.txt", "# two layers\nconv:sub/k.txt\nmaxpool:2  # and no more\n"),
    ],
)
def test_network_files_of_every_kind_run_with_kernels_beside_them(run: Run, folder: Path, name: str, text: str) -> None:
    (folder / "nets" / "sub").mkdir(parents=True)
    (folder / "nets" / "sub" / "k.txt").write_text(text_of(np.array([[0.0, 1], [2, 0]])))
    (folder / "nets" / name).write_text(text)
    expected = run("pipeline", "conv:[0 1; 2 0] maxpool:2", "lines-4x4.txt").stdout
    assert run("pipeline", f"nets/{name}", "lines-4x4.txt").stdout == expected


@pytest.mark.parametrize(
    ("network", "source", "layer", "output"),
    [
        ("flatten@f", "vector.txt", "f", "vector.png"),
        ("conv:sobel-x,sobel-y@c", "p-01.png", "c", "p.png"),
        ("vector.txt", "p-01.png", "flatten1", "vector.png"),
    ],
    ids=["a vector on the input", "a map on the input", "a vector on the network"],
)
def test_no_name_made_for_a_layer_is_written_over_what_is_read(
    run: Run, folder: Path, network: str, source: str, layer: str, output: str
) -> None:
    (folder / "vector.txt").write_text("flatten\n" if network == "vector.txt" else "1 2\n3 4\n")
    shutil.copy(folder / "grey.png", folder / "p-01.png")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    result = run("pipeline", network, source, "--save", layer, "-o", output, "-q", status=1)
    assert re.fullmatch(rf"cnnfilter: {source}: [^\n]*overwrite a file that is read[^\n]*\n", result.stderr)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("output", [("-o", "new.npy"), ("-o", "new/"), ("-o", "-", "--format", "png")], ids=" ".join)
def test_a_list_of_classes_goes_into_texts_alone(run: Run, folder: Path, output: tuple[str, ...]) -> None:
    before = files(folder)
    result = run("pipeline", "digits.toml", "digit-7.png", "--top", "2", *output, status=2)
    assert "--top writes lines of text: .txt, .csv or .tsv, or --format txt" in result.stderr
    assert files(folder) == before


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('layers = ["relu"]\nstd = 0\n', "a standard deviation of 0 is not above 0"),
        ('layers = ["relu"]\nstd = [1, "-1/2"]\n', "a standard deviation of -0.5 is not above 0"),
        ('layers = ["relu"]\nmean = []\n', "mean and std need one number, or one for each channel"),
        ('layers = ["relu"]\ninput_scale = 0\n', "an input scale of 0 is not above 0"),
        ('layers = ["relu"]\ninput_scale = inf\n', "input_scale inf is not a number"),
        ('layers = ["relu"]\ninput_scale = [1, 2]\n', "input_scale [1, 2] is not a number"),
        ("layers = []\n", "the network has no layer"),
    ],
)
def test_numbers_that_mean_nothing_are_errors_of_the_file_that_has_them(
    run: Run, folder: Path, text: str, reason: str
) -> None:
    (folder / "net.toml").write_text(text)
    result = run("pipeline", "net.toml", "grey.png", "-o", "new.png", status=2)
    assert f"Error: net.toml: {reason}" in result.stderr


@pytest.mark.parametrize("scale", ["0", "-1", "-1/255"])
def test_a_scale_that_turns_pictures_black_or_over_is_refused(run: Run, scale: str) -> None:
    result = run("pipeline", "relu", "grey.png", "--input-scale", scale, "-o", "new.png", status=2)
    assert "is not above 0" in result.stderr


@pytest.mark.parametrize("option", ["--weights", "--labels"])
def test_a_name_that_is_empty_is_said_to_be(run: Run, option: str) -> None:
    assert "the name is empty" in run("pipeline", "digits.toml", "digit-7.png", option, "", status=2).stderr
