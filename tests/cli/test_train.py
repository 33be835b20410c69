"""`cnnfilter train`: what it learns, prints and keeps, and what it refuses."""

import json
import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

import cnnfilter
from cnnfilter.arrays import Floats
from cnnfilter.cli import main
from cnnfilter.io.weights import CLASSES, SUFFIXES, read_classes
from cnnfilter.learn.examples import divide, find_entries
from cnnfilter.learn.recipe import Shares
from cnnfilter.learn.training import Trainer
from tests.cli.commands import read_lines
from tests.cli.conftest import Run
from tests.learn.lines import draw_lines

NETWORK = "conv:3x3,4,p1@c relu globalmaxpool flatten linear:2@l softmax"
TRAIN = ("--input-scale", "1/255", "--rate", "0.02", "--epochs", "3")


@pytest.fixture
def lines(folder: Path) -> Path:
    """Return the current folder with 60 upright and level lines: `lines.npz`, `lines/CLASS/N.png` and `list.csv`."""
    images, labels = draw_lines(60)
    np.savez(folder / "lines.npz", images=images, labels=labels)
    rows = ["path,class"]
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / "lines" / ("upright" if label else "level") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image)
        rows.append(f"{path.relative_to(folder)},{path.parent.name}")
    (folder / "list.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def weights_of(path: Path) -> dict[str, Floats]:
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays if name != CLASSES}


def test_a_classifier_learns_its_classes_and_pipeline_names_them(run: Run, lines: Path) -> None:
    printed = run("train", NETWORK, "lines", *TRAIN, "--epochs", 12, "-o", "w.npz").stdout
    *epochs, test = printed.splitlines()[1:]
    assert [int(line.split()[0]) for line in epochs] == list(range(1, 13))
    assert re.fullmatch(r"test: loss \S+, accuracy 100.0 % \((\d+) of \1\), weights of epoch \d+", test)
    assert read_classes(lines / "w.npz") == ("level", "upright")
    top = ("--input-scale", "1/255", "--weights", "w.npz", "--top", 1)
    assert run("pipeline", NETWORK, next((lines / "lines" / "upright").iterdir()), *top).stdout.startswith("upright")


@pytest.mark.parametrize("data", ["lines.npz", "list.csv", "lines/"])
def test_the_same_images_in_any_form_train_and_the_same_seed_gives_the_same_bytes(
    run: Run, lines: Path, data: str
) -> None:
    for name in ("a.npz", "b.npz"):
        run("train", NETWORK, data, *TRAIN, "-o", name)
    assert (lines / "a.npz").read_bytes() == (lines / "b.npz").read_bytes()
    run("train", NETWORK, data, *TRAIN, "--seed", 1, "-o", "b.npz")
    assert (lines / "a.npz").read_bytes() != (lines / "b.npz").read_bytes()


def test_weights_have_the_names_and_shapes_of_pytorch_in_both_formats(run: Run, lines: Path) -> None:
    shapes = {"c.weight": (4, 1, 3, 3), "c.bias": (4,), "l.weight": (2, 4), "l.bias": (2,)}
    for name in (f"w{end}" for end in SUFFIXES):
        run("train", NETWORK, "lines.npz", *TRAIN, "-o", name)
        assert read_classes(lines / name) == ("0", "1")
    tensors = weights_of(lines / "w.npz")
    assert {name: tensor.shape for name, tensor in tensors.items()} == shapes
    image = draw_lines(1)[0][0] / np.float32(255)
    first, second = (cnnfilter.network(NETWORK).run(image, weights=lines / f"w{end}") for end in SUFFIXES)
    assert np.array_equal(first, second)


def test_one_unknown_filter_is_found(run: Run, folder: Path, photo: Path) -> None:
    before = cv2.imread(str(photo), cv2.IMREAD_GRAYSCALE)
    assert before is not None
    kernel = np.array([[0.1, 0.2, 0.05], [-0.3, 0.6, 0.1], [0.0, 0.15, 0.05]])
    wanted = cv2.filter2D(before[:64, :64].astype(np.float64), -1, kernel)[1:-1, 1:-1]
    cv2.imwrite(str(folder / "a.png"), before[:64, :64])
    cv2.imwrite(str(folder / "b.png"), np.rint(np.clip(wanted, 0, 255)))
    options = ("--input-scale", "1/255", "--rate", "0.05", "--epochs", 600, "-o", "k.npz")
    run("train", "conv:3x3,1,nobias", "a.png", "--target", "b.png", *options)
    assert np.abs(weights_of(folder / "k.npz")["conv1.weight"][0, 0] - kernel).max() < 0.01


def test_json_and_the_report_have_a_record_for_each_epoch_and_the_test(run: Run, lines: Path) -> None:
    printed = run("train", NETWORK, "lines.npz", *TRAIN, "-o", "w.npz", "--json", "--report", "r.jsonl").stdout
    assert (lines / "r.jsonl").read_text(encoding="utf-8") == printed
    *epochs, test = read_lines(printed)
    assert [set(record) for record in epochs] == [
        {"epoch", "train_loss", "dev_loss", "dev_accuracy", "seconds", "best"}
    ] * 3
    assert set(test) == {"test_loss", "test_accuracy", "inputs", "epoch", "classes", "confusion"}
    assert test["classes"] == ["0", "1"]
    assert sum(map(sum, test["confusion"])) == test["inputs"]
    best = [record for record in epochs if record["best"]][-1]
    assert test["epoch"] == best["epoch"]
    assert best["dev_accuracy"] == max(record["dev_accuracy"] for record in epochs)


def test_weights_are_tested_without_training(run: Run, lines: Path) -> None:
    trained = run("train", NETWORK, "lines", *TRAIN, "-o", "w.npz", "--test", "lines").stdout.splitlines()[-1]
    options = ("--epochs", 0, "--resume", "w.npz", "--test", "lines", "--input-scale", "1/255")
    tested, head, *rows = run("train", NETWORK, *options).stdout.splitlines()
    assert trained.startswith(tested)
    assert head.split() == ["class", "level", "upright", "right"]
    assert [row.split()[0] for row in rows] == ["level", "upright"]


def test_training_goes_on_from_weights(run: Run, lines: Path) -> None:
    run("train", NETWORK, "lines", *TRAIN, "-o", "w.npz")
    first = run("train", NETWORK, "lines", *TRAIN, "--epochs", 1, "--resume", "w.npz", "-o", "v.npz", "--json").stdout
    anew = run("train", NETWORK, "lines", *TRAIN, "--epochs", 1, "-o", "u.npz", "--json").stdout
    assert json.loads(first.splitlines()[0])["train_loss"] < json.loads(anew.splitlines()[0])["train_loss"]


def test_curves_are_drawn_and_images_are_augmented(run: Run, lines: Path) -> None:
    run("train", NETWORK, "lines", *TRAIN, "-o", "w.npz", "--plot", "curves.png", "--augment", "flip noise:9")
    figure = cv2.imread(str(lines / "curves.png"))
    assert figure is not None
    assert figure.std() > 10
    run("train", NETWORK, "lines", *TRAIN, "-o", "v.npz")
    assert (lines / "w.npz").read_bytes() != (lines / "v.npz").read_bytes()


def test_a_step_is_explained_and_is_the_one_that_training_does(run: Run, folder: Path) -> None:
    (folder / "a.txt").write_text("1 2 3\n4 5 6\n7 8 10\n")
    (folder / "b.txt").write_text("1 3\n4 5\n")
    words = ("train", "conv:2x2,1,nobias@c", "a.txt", "--target", "b.txt", "--optimizer", "sgd", "--rate", "0.01")
    text = run(*words, "--explain").stdout
    heads = [line.split(":")[0] for line in text.splitlines() if line and not line.startswith(" ")]
    assert heads == ["One step", "Initialise", "Forward", "Loss", "Backpropagation", "Update"]
    run(*words, "--epochs", 1, "-o", "w.npz")
    printed = [float(number) for line in text.splitlines()[-2:] for number in line.split()]
    assert printed == pytest.approx(weights_of(folder / "w.npz")["c.weight"].ravel().tolist(), rel=1e-4)


def failed(run: Run, *words: object, status: int = 2) -> str:
    """Return the last line of a failure, which is one line but for the usage."""
    lines = run("train", *words, status=status).stderr.splitlines()
    assert len(lines) == (4 if status == 2 else 1)
    return lines[-1]


def save_image(path: Path, size: tuple[int, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros(size, np.uint8))


def test_what_contradicts_itself_is_refused_before_any_work(run: Run, lines: Path) -> None:
    for words, message in {
        (NETWORK, "lines"): "the weights need a file: -o WEIGHTS.npz",
        (NETWORK, "lines", "-o", "w.pt"): "w.pt: weights are written as .npz or .safetensors",
        (NETWORK, "lines.npz", "-o", "lines.npz"): "lines.npz: is read too, and would be overwritten",
        ("conv:3x3,2 equalize", "lines", "-o", "w.npz"): "layer 2, equalize: cannot be trained",
        ("conv:sobel-x", "lines", "-o", "w.npz"): "no layer learns",
        (NETWORK, "lines", "--epochs", "0"): "--epochs 0 evaluates weights, which --resume FILE names",
        (NETWORK, "lines", "--rate", "0", "-o", "w.npz"): "--rate 0 is not above 0",
        (NETWORK, "lines", "--split", "0/1", "-o", "w.npz"): "the share that trains is above 0",
        (NETWORK, "lines", "--split", "nan", "-o", "w.npz"): "split 'nan' is not TRAIN/DEV/TEST",
        (NETWORK, "-o", "w.npz"): "Missing argument 'DATA...'",
        ("conv:3x3,1", "a.png", "--target", "b.png", "--loss", "cross-entropy", "-o", "w.npz"): "is for classes",
        ("conv:3x3,1", "a.png", "--target", "b.png", "--augment", "flip", "-o", "w.npz"): "--augment moves the inputs",
        (NETWORK.replace("2@l", "3@l"), "lines", "-o", "w.npz"): "gives 3 values, and there are 2 classes",
    }.items():
        assert message in failed(run, *words)
    assert not (lines / "w.npz").exists()
    assert "--explain prints up to 600 numbers" in failed(run, NETWORK.replace("3x3,4", "3x3,90"), "lines", "--explain")


def test_data_that_cannot_be_learned_from_are_one_line(run: Run, folder: Path) -> None:
    save_image(folder / "one" / "cat" / "1.png", (8, 8))
    save_image(folder / "sizes" / "cat" / "1.png", (8, 8))
    save_image(folder / "sizes" / "dog" / "1.png", (8, 9))
    save_image(folder / "colours" / "cat" / "1.png", (8, 8))
    save_image(folder / "colours" / "dog" / "1.png", (8, 8, 3))
    save_image(folder / "hollow" / "cat" / "1.png", (8, 8))
    (folder / "hollow" / "dog").mkdir()
    (folder / "empty").mkdir()
    (folder / "list.csv").write_text("one/cat/1.png,cat\none/cat/1.png\n")
    (folder / "text.png").write_text("hello")
    images = np.zeros((3, 8, 8), np.uint8)
    np.savez(folder / "halves.npz", images=images, labels=[0.5, 1, 0])
    np.savez(folder / "few.npz", images=images, labels=[0, 1])
    np.savez(folder / "nothing.npz", images=images)
    np.savez(folder / "flat.npz", images=images[0], labels=[0, 1])
    for data, message in {
        "one": "all 1 inputs are of one class, cat; two or more are needed",
        "sizes": "sizes/dog/1.png: is 8x9x1, and sizes/cat/1.png is 8x8x1; --resize HxW makes them one size",
        "colours": "colours/dog/1.png: has 3 channels, and colours/cat/1.png has 1",
        "hollow": "hollow/dog: holds no image",
        "empty": "empty: has no folder for each class; images are read from DATA/CLASS/",
        "list.csv": "list.csv: line 2: 'one/cat/1.png' is not path,class",
        "text.png": "single images need --target",
        "absent": "absent: no such file or folder",
        "halves.npz": "halves.npz: labels of float64 and shape (3,) are not (N,) whole numbers or names of classes",
        "few.npz": "few.npz: labels have the shape (2,), and there are 3 images",
        "nothing.npz": "nothing.npz: has no labels; it holds images",
        "flat.npz": "flat.npz: images are uint8 of shape (8, 8), not numbers (N, H, W) or (N, H, W, C)",
    }.items():
        assert message in failed(run, NETWORK, data, "-o", "w.npz", status=1)
    save_image(folder / "two" / "cat" / "1.png", (8, 8))
    save_image(folder / "two" / "dog" / "1.png", (8, 8))
    message = failed(run, NETWORK, "two", "--dev", "sizes", "--test", "one", "-o", "w.npz", status=1)
    assert "sizes/dog/1.png: is 8x9x1" in message
    save_image(folder / "more" / "cow" / "1.png", (8, 8))
    message = failed(run, NETWORK, "two", "--dev", "more", "-o", "w.npz", status=1)
    assert message.endswith("more/cow/1.png: its class 'cow' is not among those of the network: cat, dog")


def test_a_target_of_another_size_is_refused(run: Run, folder: Path) -> None:
    save_image(folder / "a.png", (8, 8))
    save_image(folder / "c.png", (8, 8, 3))
    words = ("conv:3x3,1", "a.png", "--target")
    message = failed(run, *words, "a.png", "-o", "w.npz", status=1)
    assert message.endswith("a.png: is 8x8x1, and the network makes 6x6x1 of a.png; padding `same` keeps the size")
    assert "as many outputs as the target has channels" in failed(run, *words, "c.png", "-o", "w.npz", status=1)


def test_a_loss_that_is_not_finite_stops_and_the_best_is_kept(run: Run, lines: Path) -> None:
    options = ("--optimizer", "sgd", "--rate", 1e9, "--loss", "mse", "--epochs", 9, "-o", "w.npz")
    result = run("train", "flatten linear:2", "lines", *options, status=1)
    last = result.stderr.splitlines()[-1]
    assert re.search(r"the loss is (inf|nan) in epoch \d; a smaller learning rate helps, such as 1e\+08", last)
    assert last.endswith("no epoch was complete, and nothing was written") or (lines / "w.npz").exists()


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ctrl-C be pressed in the third epoch."""
    step, epochs = Trainer._step, list[int]()

    def press(self: Trainer, *words: object) -> float:
        epochs.append(int(words[2]))  # type: ignore[call-overload]
        if epochs[-1] == 3:
            raise KeyboardInterrupt
        return step(self, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "_step", press)


@pytest.mark.usefixtures("interrupted")
def test_ctrl_c_keeps_the_best_so_far(runner: CliRunner, lines: Path) -> None:
    result = runner.invoke(main, ["train", NETWORK, "lines", *TRAIN, "-o", "w.npz"], prog_name="cnnfilter")
    assert result.exit_code == 130
    assert re.fullmatch(r"cnnfilter: interrupted; w.npz has the weights of epoch [12]\n", result.stderr)
    assert set(weights_of(lines / "w.npz")) == {"c.weight", "c.bias", "l.weight", "l.bias"}


def test_a_full_disk_loses_neither_the_old_file_nor_the_new_weights(
    run: Run, lines: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    spare = tmp_path_factory.mktemp("spare")
    monkeypatch.setattr("cnnfilter.cli.training_lines.gettempdir", lambda: str(spare))
    (lines / "w.npz").write_bytes(b"old")
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        if Path(target).parent != spare:
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    result = run("train", NETWORK, "lines", *TRAIN, "-o", "w.npz", status=1)
    *warnings, last = result.stderr.splitlines()
    assert warnings
    assert all("training goes on, and it is tried again at the end" in line for line in warnings)
    assert last == f"cnnfilter: w.npz: No space left on device; the weights are in {spare / 'w.npz'}"
    assert (lines / "w.npz").read_bytes() == b"old"
    assert set(weights_of(spare / "w.npz")) == {"c.weight", "c.bias", "l.weight", "l.bias"}
    assert {path.name for path in lines.iterdir()} == {"w.npz", "lines", "lines.npz", "list.csv"}


def test_more_files_move_none_to_another_part(lines: Path) -> None:
    before = [set(part) for part in divide(find_entries(["lines"]), Shares())]
    save_image(lines / "lines" / "level" / "new.png", (8, 8))
    entries = find_entries(["lines"])
    after = [set(part) for part in divide(entries, Shares())]
    assert all(part for part in before)
    assert all(own <= later for own, later in zip(before, after, strict=True))
    assert sum(map(len, before)) + 1 == sum(map(len, after)) == len(entries)
