"""What `cnnfilter train` writes: a line for each epoch, the test, the report, the weights, the curves."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import gettempdir
from time import monotonic
from typing import TYPE_CHECKING, Any, TextIO

import click

from cnnfilter.cli import STATUS, is_terminal, say
from cnnfilter.cli.progress import show_progress
from cnnfilter.errors import DivergenceError, ImageFileError, OutputError
from cnnfilter.io.atomic import write_whole
from cnnfilter.io.weights import encode_weights
from cnnfilter.learn.session import Session
from cnnfilter.learn.training import Epoch, Score
from cnnfilter.log import warn
from cnnfilter.numbers import align, to_json

if TYPE_CHECKING:
    from cnnfilter.cli.train import TrainOptions
    from cnnfilter.learn.recipe import TrainingTask
    from cnnfilter.plot.sheet import Sheet

_PAUSE = 0.1
"""Seconds between two states of the bar."""

_MOST_CLASSES = 20
"""So many have a row each in the table of what was taken for what."""


def run_session(task: TrainingTask, chosen: TrainOptions, sheet: Sheet | None) -> None:
    """Train a network as a task says, or evaluate it, and write what comes of it."""
    session = Session(task)
    if chosen.explain:
        from cnnfilter.learn.worked_step import explain_step  # noqa: PLC0415  seldom asked for

        click.echo(explain_step(session), nl=False)
        return
    with ExitStack() as files:
        lines = TrainingLines(session, chosen, files)
        lines.train()
        lines.test()
        if sheet:
            lines.plot(sheet)


class TrainingLines:
    """Writes what comes of each epoch of a session, and keeps its best weights in a file."""

    def __init__(self, session: Session, chosen: TrainOptions, files: ExitStack) -> None:
        self.epochs: list[Epoch] = []
        self._session, self._chosen = session, chosen
        self._path = Path(chosen.output) if chosen.output else None
        self._saved = True
        self._drawn = 0.0
        self._begun = monotonic()
        self._shows = is_terminal() and not chosen.quiet
        self._report: TextIO | None = None
        if chosen.report is not None:
            try:
                file = Path(chosen.report).open("w", encoding="utf-8")  # noqa: SIM115  `files` closes it
                self._report = files.enter_context(file)
            except OSError as error:
                raise OutputError(error.strerror or error, path=chosen.report) from error

    def train(self) -> None:
        """Go through all epochs; what was best so far stays in its file whatever happens."""
        session = self._session
        if session.train is None:
            return
        try:
            for epoch in session.trainer.learn(session.train, session.dev, self._show_progress):
                self._add(epoch)
        except DivergenceError as error:
            raise click.ClickException(f"{error}; {self._finish()}") from error
        except KeyboardInterrupt as error:
            say(f"interrupted; {self._finish()}")
            raise click.exceptions.Exit(130) from error  # 128 + SIGINT, as shells have it
        if not self._saved:
            self._finish()

    def _show_progress(self, done: int, total: int) -> None:
        now = monotonic()
        if self._shows and now - self._drawn > _PAUSE:
            self._drawn = now
            batches = len(self.epochs) * total + done, self._chosen.epochs * total
            STATUS.draw(show_progress(batches, now - self._begun, name=f"epoch {len(self.epochs) + 1}"))

    def _add(self, epoch: Epoch) -> None:
        """Write a line for an epoch, and its weights if it is the best."""
        self.epochs.append(epoch)
        if epoch.is_best:
            self._saved = self._save()
        dev = epoch.dev
        self._write(
            {
                "epoch": epoch.number,
                "train_loss": epoch.train_loss,
                "dev_loss": dev and dev.loss,
                "dev_accuracy": dev and dev.accuracy,
                "seconds": round(epoch.seconds, 6),
                "best": epoch.is_best,
            },
            self._show_epoch(epoch),
        )

    def _show_epoch(self, epoch: Epoch) -> str:
        cells = {"epoch": str(epoch.number), "train loss": f"{epoch.train_loss:.5g}"}
        if epoch.dev:
            cells["dev loss"] = f"{epoch.dev.loss:.5g}"
            if epoch.dev.accuracy is not None:
                cells["dev accuracy"] = f"{100 * epoch.dev.accuracy:.1f} %"
        cells["seconds"] = f"{epoch.seconds:.2f}"
        widths = [max(len(title), 10 if "loss" in title else 0) for title in cells]
        row = "  ".join(cell.rjust(width) for cell, width in zip(cells.values(), widths, strict=True))
        head = "  ".join(title.rjust(width) for title, width in zip(cells, widths, strict=True)) + "\n"
        return (head if epoch.number == 1 else "") + row

    def _write(self, record: dict[str, Any], text: str) -> None:
        """Write a record to the report, and it or a text to standard output, at once."""
        STATUS.clear()
        line = to_json(record)
        if self._report:
            try:
                self._report.write(f"{line}\n")
                self._report.flush()
            except OSError as error:
                warn(f"{self._report.name}: {error.strerror or error}; the report ends here")
                self._report = None
        click.echo(line if self._chosen.json else text)
        sys.stdout.flush()

    def _encode(self) -> bytes:
        assert self._path
        return encode_weights(self._session.trainer.best, self._path.suffix.lower(), self._session.classes)

    def _save(self) -> bool:
        """Return whether the best weights are in their file; a failure does not end the training."""
        if self._path is None:
            return True
        try:
            write_whole(self._path, self._encode())
        except ImageFileError as error:
            warn(f"{error}; training goes on, and it is tried again at the end")
            return False
        return True

    def _finish(self) -> str:
        """Return where the best weights are; `ClickException` if they cannot be where they were to be."""
        best = self._session.trainer.best_epoch
        if not best or self._path is None:
            return "no epoch was complete, and nothing was written"
        try:
            if not self._saved:
                write_whole(self._path, self._encode())
        except ImageFileError as error:
            spare = Path(gettempdir()) / self._path.name
            try:
                write_whole(spare, self._encode())
            except ImageFileError:
                raise click.ClickException(f"{error}; the weights are lost") from error
            raise click.ClickException(f"{error}; the weights are in {spare}") from error
        self._saved = True
        return f"{self._path} has the weights of epoch {best}"

    def test(self) -> None:
        """Test the best weights once."""
        session = self._session
        score = session.evaluate()
        if score is None or session.test is None:
            return
        record: dict[str, Any] = {
            "test_loss": score.loss,
            "test_accuracy": score.accuracy,
            "inputs": session.test.count,
            "epoch": session.trainer.best_epoch,
            "classes": list(session.classes),
            "confusion": None if score.confusion is None else score.confusion.tolist(),
        }
        self._write(record, self._show_test(score, session.test.count))

    def plot(self, sheet: Sheet) -> None:
        """Draw the curves, and the first filters."""
        from cnnfilter.plot.sheet import Paper, open_sheet  # noqa: PLC0415  for figures alone
        from cnnfilter.plot.training_curves import draw_training  # noqa: PLC0415

        with open_sheet(sheet) as figure:
            paper = Paper(figure, sheet)
            draw_training(paper, self.epochs, self._session)
            if paper.warning:
                warn(f"{sheet.target}: {paper.warning}")

    def _show_test(self, score: Score, inputs: int) -> str:
        of_epoch = f", weights of epoch {self._session.trainer.best_epoch}" if self.epochs else ""
        right = ""
        if score.accuracy is not None:
            right = f", accuracy {100 * score.accuracy:.1f} % ({round(score.accuracy * inputs)} of {inputs:,})"
        text = f"test: loss {score.loss:.5g}{right}{of_epoch}"
        if score.confusion is not None and not self.epochs and len(self._session.classes) <= _MOST_CLASSES:
            text += "\n" + "\n".join(show_confusion(self._session.classes, score.confusion.tolist()))
        return text


def show_confusion(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> list[str]:
    r"""Return a table of how many inputs of each class, a row, were taken for which class.

    Examples
    --------
    >>> print("\n".join(show_confusion(["cat", "dog"], [[8, 2], [0, 9]])))
    class  cat  dog  right
    cat      8    2   80 %
    dog      0    9  100 %
    """
    rows = [("class", *classes, "right")]
    for number, (name, row) in enumerate(zip(classes, counts, strict=True)):
        share = f"{100 * row[number] / sum(row):.0f} %" if sum(row) else "-"
        rows.append((name, *map(str, row), share))
    return align(rows, flush_right=range(1, len(classes) + 2))
