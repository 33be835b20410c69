"""Whether what is asked of results can be had: layers that are there, files that hold what is to go into them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cnnfilter.errors import LanguageError, OutputError, nearest
from cnnfilter.files.formats import Depth, Range, find_format, formats_taking, is_matrix
from cnnfilter.spec.layers import Flatten, Linear
from cnnfilter.telling import warn

if TYPE_CHECKING:
    from cnnfilter.files.outputs import Job
    from cnnfilter.spec.network import Network
    from cnnfilter.work import Settings


def saved_layers(network: Network, save: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the layers whose outputs are wanted, each once; `all` is every one."""
    names = network.names
    for name in save:
        if name not in names and name != "all":
            raise LanguageError(f"--save {name}: no layer has this name{nearest(name, names)}; {', '.join(names)} have")
    wanted = names if "all" in save else tuple(dict.fromkeys(save))
    for name in wanted:
        if re.fullmatch(r".*-\d+", name) and name[: name.rfind("-")] in wanted:
            raise LanguageError(f"--save: the maps of {name[: name.rfind('-')]} would be written like layer {name}")
    return wanted


def gives_vector(network: Network) -> bool:
    """Return whether a vector comes out at the end, whatever goes in."""
    return any(isinstance(node.layer, Flatten | Linear) for node in network.nodes)


def check_results(jobs: list[Job], network: Network, settings: Settings) -> None:
    """Raise a `CnnFilterError` if the files that are named cannot hold what comes out."""
    jobs = [job for job in jobs if not job.view]
    if settings.range_ is Range.NONE:
        _check_floats(jobs, settings)
    if settings.pipeline and settings.top is not None:
        _check_text(jobs)
    elif settings.pipeline and not settings.save and gives_vector(network):
        _check_vector(jobs)


def _check_floats(jobs: list[Job], settings: Settings) -> None:
    """Raise an `OutputError` if one of the files cannot hold floats, or shall not."""
    if settings.depth not in {None, Depth.FLOAT}:
        raise OutputError(f"--range none keeps floats as they are, and --depth {settings.depth} does not")
    for job in jobs:
        format_ = find_format(job.format_name)
        if Depth.FLOAT not in format_.depths:
            raise OutputError(
                f"--range none needs a file that holds floats, such as .npy, .pfm or .tiff, not {format_.name}"
            )


def remark_on_encoding(jobs: list[Job], settings: Settings) -> None:
    """Warn if no output can take the quality or the compression that was asked for."""
    names = {find_format(job.format_name).name for job in jobs if not job.view}
    for option, value in (("quality", settings.quality), ("compression", settings.compression)):
        takers = formats_taking(option)
        if value is not None and names.isdisjoint(takers):
            warn(
                f"--{option} is of {', '.join(takers)}, and changes nothing in {', '.join(sorted(names)) or 'figures'}"
            )


def _check_text(jobs: list[Job]) -> None:
    """Raise an `OutputError` if classes shall go into a file that is no text."""
    for job in jobs:
        if not job.format_name.lower().endswith((".txt", ".csv", ".tsv")):
            where = job.target or "standard output"
            raise OutputError(f"{where}: --top writes lines of text: .txt, .csv or .tsv, or --format txt")


def _check_vector(jobs: list[Job]) -> None:
    """Raise an `OutputError` if a vector shall go into a picture."""
    for job in jobs:
        if not is_matrix(job.format_name):
            where = job.target or "standard output"
            raise OutputError(f"{where}: the network gives a vector, for .txt, .csv, .tsv or .npy, or --format txt")
