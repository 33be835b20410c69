"""`cnnfilter train`: a network learns from images, in epochs, and its weights are kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from cnnfilter.cli import Command, options
from cnnfilter.cli.options import FILE, NUMBER, NUMBERS, Word, completing, pair, plot_options, wanted_sheet
from cnnfilter.cli.pipeline import PATH
from cnnfilter.errors import ImageFileError, LanguageError, MissingLibraryError, OutputError
from cnnfilter.learn.recipe import Loss, Optimizer, Shares, TrainingRecipe, TrainingTask, choose_loss, parse_shares
from cnnfilter.learn.steps import AugmentSteps, parse_steps
from cnnfilter.network_files import load_document
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.geometry import Pair
from cnnfilter.nn.network import check_trainable

if TYPE_CHECKING:
    from cnnfilter.compute.state_dict import Init


class TrainOptions(NamedTuple):
    """What the options say, each by its name."""

    output: str | None
    target: str | None
    split: Shares | None
    dev: str | None
    test: str | None
    epochs: int
    batch: int
    rate: float
    optimizer: Optimizer
    loss: Loss | None
    init: Init
    seed: int
    resume: Path | None
    augment: AugmentSteps
    resize: Pair | None
    input_scale: float | None
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    report: str | None
    plot: str | None
    figure_size: tuple[float, float] | None
    dpi: int | None
    json: bool
    explain: bool
    quiet: bool
    verbose: bool


@click.command(
    "train",
    cls=Command,
    epilog="""\b
Examples:
  cnnfilter train "conv:3x3,8,p1 relu maxpool:2 flatten linear:2" shapes/ --input-scale 1/255 -o shapes.npz
  cnnfilter train "flatten linear:2" shapes/ --split 80/20 --augment flip --plot curves.png -o shapes.npz
  cnnfilter train "conv:5x5,3,same" photo.jpg --target photo.jpg --augment noise:20 --input-scale 1/255 -o denoise.npz
  cnnfilter train "conv:3x3,2 relu gap flatten linear:2" shapes/ --input-scale 1/255 --batch 1 --explain
""",
)
@click.argument("network", shell_complete=completing("network"))
@click.argument("data", metavar="DATA...", type=FILE, nargs=-1)
@click.option("-o", "--output", type=FILE, metavar="FILE", help="The weights that did best: .npz or .safetensors.")
@click.option(
    "--target",
    type=FILE,
    metavar="FILE",
    help="DATA are images, and this is the image wanted of them: a file, or a template with {stem} {name} {ext}"
    " {parent} {index}.",
)
@click.option(
    "--split",
    type=Word("TRAIN/DEV/TEST", parse_shares),
    help="Shares of DATA that train, choose the best epoch, and are tested at the end. A hash of its name puts each"
    " input into a part. Default: 80/10/10; below 10 inputs all train.",
)
@click.option("--dev", type=FILE, metavar="DATA", help="Data that choose the best epoch, in place of a share of DATA.")
@click.option("--test", type=FILE, metavar="DATA", help="Data that are tested at the end, in place of a share of DATA.")
@click.option("--epochs", type=click.IntRange(min=0), default=10, metavar="N", help="How often all inputs are taken.")
@click.option("--batch", type=click.IntRange(min=1), default=32, metavar="N", help="Number of inputs in each step.")
@click.option("--rate", type=NUMBER, default=1e-3, metavar="RATE", help="Learning rate, the length of a step.")
@click.option(
    "--optimizer",
    type=options.Choice(Optimizer),
    default="adam",
    help="How weights follow their gradients; adam has 0.9, 0.999 and 1e-8, momentum 0.9.",
)
@click.option(
    "--loss",
    type=options.Choice(Loss),
    help="What is made small. cross-entropy takes the softmax at the network's end, or applies one; mse is the mean"
    " square of the error, mae its mean magnitude. Default: cross-entropy; mse with --target.",
)
@click.option(
    "--init", type=click.Choice(["he", "uniform"]), default="he", help="How the weights to begin with are drawn."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, metavar="N", help="The same seed gives the same weights."
)
@click.option(
    "--resume", type=PATH, metavar="FILE", help="Begin with these weights. With --epochs 0 they are tested alone."
)
@click.option(
    "--augment",
    type=Word("STEPS", parse_steps),
    default=(),
    help="Change the images that train at random, in each epoch anew: the steps of `cnnfilter augment`.",
)
@click.option(
    "--resize",
    type=pair("size"),
    help="Resize images first, as `pipeline` does it: area averages where they shrink, linear where they grow.",
)
@click.option(
    "--input-scale",
    type=NUMBER,
    help="Multiply inputs, and targets, by this, such as 1/255. Default: as the network's file says, or 1.",
)
@click.option("--mean", type=NUMBERS, metavar="M|R,G,B", help="Then subtract this. Default: 0.")
@click.option("--std", type=NUMBERS, metavar="S|R,G,B", help="Then divide by this. Default: 1.")
@click.option("--report", type=FILE, metavar="FILE", help="Write a line of JSON for each epoch, and one for the test.")
@plot_options("Draw the losses, the accuracy, and the filters of the first layer before and after.")
@click.option("--json", is_flag=True, help="Print the lines of --report in place of the table.")
@click.option(
    "--explain",
    is_flag=True,
    help="Print the first step of a small network with all its numbers: values, loss, gradients, new weights.",
)
@click.option("-q", "--quiet", is_flag=True, help="No warnings, hints or progress; errors are still printed.")
@click.option("-v", "--verbose", is_flag=True, help="Say which weights of --resume go into which layer.")
def command(network: str, data: tuple[str, ...], **given: Any) -> None:
    """Train a NETWORK on images, and keep its weights.

    NETWORK is text of the layer language, a known network, or a file (.toml .json .txt). DATA is a folder with a
    folder for each class; a list (.csv .tsv) of lines path,class; a .npz of `images` and `labels`; or images, with
    --target, which the network then learns to make into others.

    The classes are sorted, and kept in the file of weights, so that `cnnfilter pipeline --top` names them. Weights are
    named and laid out as in PyTorch. A line is printed for each epoch. The weights of the epoch that did best on
    the dev data are kept, or those of the last one where there is none; Ctrl-C ends with the best so far.

    Sized convolutions, deconv, linear, prelu and norms learn. Kernels that are named stay as they are.
    `cnnfilter help learning` explains training step by step. Larger networks belong to PyTorch: `cnnfilter export`
    writes a network as its source.
    """
    # Small products are slower on several threads, and much slower where others use the cores.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    chosen = TrainOptions(**given)
    document = load_document(network)
    check_trainable(document.network)
    sheet = wanted_sheet(chosen.plot, chosen.figure_size, chosen.dpi, data)
    changes = {"size": chosen.resize, "scale": chosen.input_scale, "mean": chosen.mean, "std": chosen.std}
    task = TrainingTask(
        network=document.network,
        recipe=TrainingRecipe(
            loss=choose_loss(chosen.loss, target=chosen.target),
            **{name: getattr(chosen, name) for name in ("optimizer", "epochs", "batch", "rate", "seed")},
        ),
        data=data,
        shares=chosen.split,
        preparation=replace(
            document.preparation, **{key: value for key, value in changes.items() if value is not None}
        ),
        steps=chosen.augment,
        **{name: getattr(chosen, name) for name in ("target", "dev", "test", "resume", "init")},
    )
    _check(task, chosen, document.path)
    from cnnfilter.cli.training_lines import run_session  # noqa: PLC0415  a usage error goes without numpy

    try:
        run_session(task, chosen, sheet)
    except ImageFileError as error:
        raise click.ClickException(str(error)) from error


def _check(task: TrainingTask, chosen: TrainOptions, network_file: Path | None) -> None:
    """Raise an error if options contradict each other, or the weights could not be written."""
    if task.recipe.rate <= 0:
        raise LanguageError(f"--rate {task.recipe.rate:g} is not above 0")
    if not task.data and (task.recipe.epochs or not task.test):
        raise click.UsageError("Missing argument 'DATA...'.", click.get_current_context())
    if not task.recipe.epochs and not task.resume:
        raise LanguageError("--epochs 0 evaluates weights, which --resume FILE names")
    if task.target is not None and any(step.kind.moves for step in task.steps):
        raise LanguageError("--augment moves the inputs, and the images of --target stay; noise, colours and blur do")
    if chosen.output is None:
        if task.recipe.epochs and not chosen.explain:
            raise OutputError("the weights need a file: -o WEIGHTS.npz")
        return
    _check_output(Path(chosen.output), [*task.data, *filter(None, (task.dev, task.test, network_file))])


def _check_output(path: Path, read: list[Any]) -> None:
    from importlib.util import find_spec  # noqa: PLC0415

    from cnnfilter.io.atomic import check_replaceable  # noqa: PLC0415
    from cnnfilter.io.weights import NEEDS_SAFETENSORS, SUFFIXES  # noqa: PLC0415

    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(f"weights are written as {' or '.join(SUFFIXES)}", path=path)
    if path.suffix.lower() == ".safetensors" and not find_spec("safetensors"):
        raise MissingLibraryError(NEEDS_SAFETENSORS, path=path)
    check_replaceable(path, read)
