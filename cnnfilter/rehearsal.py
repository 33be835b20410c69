"""What a batch would do: each input and its outputs with their sizes, from the heads of the files."""

from collections.abc import Iterator, Sequence

from cnnfilter.accounts import Account, Listener
from cnnfilter.errors import one_line
from cnnfilter.files.outputs import Job, group_by_input
from cnnfilter.files.pictures import Picture
from cnnfilter.inputs import FAILURES, find_reason_to_pass, name_failure, sketch_input
from cnnfilter.plots.sheets import PLOT
from cnnfilter.rendering import name_files
from cnnfilter.results import foresee_shapes
from cnnfilter.spec.layers import show_shape
from cnnfilter.work import Work


def rehearse(work: Work, listener: Listener) -> None:
    """Give the listener a line for each output, `INPUT SIZE -> OUTPUT SIZE`; nothing is run or written.

    What would be passed over is marked so.

    An input that cannot be read, or does not fit the network, is a failure.
    """
    for jobs in group_by_input(work.jobs):
        source = jobs[0].source
        account = Account(source)
        try:
            picture = sketch_input(source, work)
            for line in _foretell(picture, jobs, work):
                account.output(line.encode("utf-8", "surrogateescape"))
        except FAILURES as error:
            account.failure(name_failure(source, error))
        account.close().tell_to(listener)


def _foretell(picture: Picture, jobs: Sequence[Job], work: Work) -> Iterator[str]:
    """Yield a line for each output of an input."""
    for job in jobs:
        if job.view:
            yield _foretell_view(picture, job, work)
            continue
        shape = foresee_shapes(picture, work.models[job.kernel], work.handling, [job.layer] * bool(job.layer))[
            job.layer
        ]
        names = name_files(job, shape, work.handling) if job.target else ["standard output"]
        after = show_shape(shape[:2] if len(names) > 1 else shape)
        reason = find_reason_to_pass(job, names, work)
        end = f" ({reason})" if reason else ""
        for name in names:
            yield one_line(f"{job.source} {show_shape(picture.pixels.shape)} -> {name} {after}{end}") + "\n"


def _foretell_view(picture: Picture, job: Job, work: Work) -> str:
    """Return the line of a figure or an explanation, whose size is known when it has been made."""
    for model in work.models:
        foresee_shapes(picture, model, work.handling)
    reason = find_reason_to_pass(job, [job.format_name], work)
    end = f" ({reason})" if reason else ""
    place = "a window" if job.view == PLOT else "standard output"
    return one_line(f"{job.source} {show_shape(picture.pixels.shape)} -> {job.target or place}{end}") + "\n"
