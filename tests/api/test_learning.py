"""Networks trained on arrays, beside the command, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import cnnfilter
from cnnfilter.cli import main
from cnnfilter.io.weights import CLASSES
from tests.learn.lines import draw_lines

NETWORK = "conv:3x3,4,p1 relu globalmaxpool flatten linear:2"
IMAGES, LABELS = draw_lines(60)
SCALED = IMAGES * np.float32(1 / 255)
OPTIONS: dict[str, Any] = {"epochs": 12, "rate": 0.02, "batch": 16}


def test_classes_are_learned_and_the_weights_run() -> None:
    found = cnnfilter.train(NETWORK, SCALED, ["upright" if label else "level" for label in LABELS], **OPTIONS)
    assert found.classes == ("level", "upright")
    assert [epoch.number for epoch in found.epochs] == list(range(1, 13))
    assert found.epochs[-1].train_loss < found.epochs[0].train_loss / 2
    scores = cnnfilter.network(NETWORK).run(SCALED[..., None], weights=found.weights)
    assert (scores.argmax(axis=1) == LABELS).mean() > 0.9


def test_the_command_learns_the_same_weights(tmp_path: Path) -> None:
    np.savez(tmp_path / "lines.npz", images=IMAGES, labels=LABELS)
    words = ["--split", "100", "--epochs", "3", "--rate", "0.02", "--batch", "16", "--input-scale", "1/255"]
    result = CliRunner().invoke(main, ["train", NETWORK, f"{tmp_path}/lines.npz", *words, "-o", f"{tmp_path}/w.npz"])
    assert result.exit_code == 0, result.stderr
    found = cnnfilter.train(NETWORK, SCALED, LABELS, **{**OPTIONS, "epochs": 3})
    with np.load(tmp_path / "w.npz") as expected:
        assert {*found.weights, CLASSES} == set(expected)
        assert all(np.array_equal(tensor, expected[name]) for name, tensor in found.weights.items())


def test_the_best_epoch_by_dev_data_is_returned() -> None:
    found = cnnfilter.train(NETWORK, SCALED, LABELS, dev=(SCALED[:20], LABELS[:20]), **OPTIONS)
    scores = [epoch.dev.accuracy for epoch in found.epochs if epoch.dev]
    kept = [epoch for epoch in found.epochs if epoch.is_best][-1]
    assert kept.dev
    assert kept.dev.accuracy == max(score for score in scores if score is not None)


@pytest.mark.parametrize("optimizer", ["adam", "momentum", "sgd"])
@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_images_are_made_of_images(optimizer: Any, loss: Any) -> None:
    images = np.random.default_rng(0).random((30, 6, 6, 3))
    targets = images[:, 1:-1, 1:-1] @ np.array([[0.5, 0.0], [0.5, 1.0], [0.0, 0.2]])
    found = cnnfilter.train("conv:3x3,2", images, targets=targets, optimizer=optimizer, loss=loss, rate=0.02, epochs=40)
    assert found.classes == ()
    assert found.epochs[-1].train_loss < found.epochs[0].train_loss / 2


def test_training_goes_on_from_weights() -> None:
    first = cnnfilter.train(NETWORK, SCALED, LABELS, **OPTIONS)
    again = cnnfilter.train(NETWORK, SCALED, LABELS, weights=first.weights, **{**OPTIONS, "epochs": 1})
    assert again.epochs[0].train_loss < first.epochs[0].train_loss / 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": "equalize conv:3x3"}, "layer 1, equalize: cannot be trained"),
        ({"layers": "relu"}, "no layer learns"),
        ({"labels": None}, "train takes labels, the classes of the images, or targets"),
        ({"labels": LABELS[:5]}, "5 labels are given for 60 images"),
        ({"labels": np.full(60, 0.5)}, "are not (N,) whole numbers or names of classes"),
        ({"labels": np.zeros(60, int)}, "all 60 inputs are of one class, 0; two or more are needed"),
        ({"images": SCALED[0]}, "images have the shape (8, 8); (N, H, W) and (N, H, W, C) are images"),
        ({"optimizer": "adma"}, "optimizer 'adma' is unknown: adam, momentum, sgd; nearest: adam"),
        ({"init": "unifrom"}, "init 'unifrom' is unknown: he, uniform; nearest: uniform"),
        ({"rate": 0}, "epochs 12, batch 16 and rate 0 are above 0"),
        ({"labels": None, "targets": SCALED, "loss": "cross-entropy"}, 'targets take "mse" or "mae"'),
        ({"layers": "flatten linear:3"}, "the network gives 3 values, and there are 2 classes"),
        ({"rate": 1e30, "loss": "mse", "optimizer": "sgd"}, "a smaller learning rate helps, such as 1e+29"),
    ],
)
def test_what_cannot_be_learned_is_refused(changes: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"layers": NETWORK, "images": SCALED, "labels": LABELS, **OPTIONS, **changes}
    with pytest.raises(cnnfilter.CnnFilterError) as error:
        cnnfilter.train(**given)
    assert message in str(error.value)
