"""Augmented copies of an input, and the masks that move with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnfilter.errors import OutputError, ShapeError
from cnnfilter.io.addresses import FilePath, as_path
from cnnfilter.io.formats import FORMATS, find_format, is_array
from cnnfilter.io.paths import STANDARD, Job, OutputRequest, find_obstacle, identify, identify_all
from cnnfilter.nn.geometry import show_pair

if TYPE_CHECKING:
    from cnnfilter.arrays import Array
    from cnnfilter.io.decode import Picture
    from cnnfilter.learn.augment import Drawn
    from cnnfilter.learn.steps import Augmentation
    from cnnfilter.run.result import Result
    from cnnfilter.run.settings import Settings, Work

# ruff: noqa: PLC0415  what is wrong with names is said without numpy

MASK = "mask"
"""The view of a job that moves a mask."""

_LOSSY = {".jpg", ".jpeg", ".jpe", ".jp2", ".webp", ".avif"}
"""Formats that change levels, which in a mask are classes: masks in them are written as .png."""


def plan_masks(jobs: Sequence[Job], request: OutputRequest, folder: str, output: str | None) -> list[Job]:
    """Return the jobs with one behind each that moves the mask of its input along.

    Masks have the names of their images, in `folder`; they go to `output`, or to masks/ in the folder of the images.
    Raise an `OutputError` if one is missing, or would be written twice or over what is read.
    """
    if not Path(folder).is_dir():
        raise OutputError(f"--with {folder}: no such folder; it holds a mask for each input, of the same name")
    masks = {job.source: _find_mask(job.source, Path(folder, request.below.get(job.source, ""))) for job in jobs}
    read = identify_all((*masks, *masks.values(), *request.read_files))
    planned: list[Job] = []
    taken: dict[str, Job] = {}
    folders: dict[str, str] = {}
    for job in jobs:
        if job.target is None:
            raise OutputError("--with writes masks beside the images; -o FOLDER/ or a template names these")
        target = _name_mask(job.target, masks[job.source], request, job.source, output)
        if obstacle := find_obstacle(target, makes_folder=True):
            raise OutputError(obstacle, path=target)
        if not read.isdisjoint(identify(target, folders)):
            raise OutputError(
                "is read, and a moved mask would overwrite it; --with-output names another folder", path=target
            )
        if (other := taken.setdefault(identify(target, folders)[0], job)) is not job:
            raise OutputError(f"the masks of {other.target} and {job.target} would be written to it", path=target)
        made = job._replace(target=target, format_name=str(target), view=MASK, mask=masks[job.source], is_stream=False)
        planned += [job, made]
    return planned


def _find_mask(source: str, folder: Path) -> str:
    """Return the mask of an input: the file of its name, or of its stem with another suffix."""
    name = Path("stdin" if source == STANDARD else source)
    if (folder / name.name).is_file() or (is_array(name) and (folder / name.name).is_dir()):
        return str(folder / name.name)
    found = [path for suffix in FORMATS if (path := folder / f"{name.stem}{suffix}").is_file()]
    if not found:
        raise OutputError(f"has no mask: {folder / name.name} does not exist, nor one with another suffix", path=source)
    if len(found) > 1:
        raise OutputError(f"has two masks, {found[0]} and {found[1]}", path=source)
    return str(found[0])


def _name_mask(target: FilePath, mask: str, request: OutputRequest, source: str, output: str | None) -> FilePath:
    """Return where the moved mask of an augmented image goes."""
    suffix = Path(mask).suffix
    name = f"{target.stem}{'.png' if suffix.lower() in _LOSSY else suffix}"
    find_format(name)
    below = request.below.get(source, "")
    if output is not None:
        return as_path(output) / below / name
    top = target.parent
    for _ in Path(below).parts:  # the tree of the inputs is below masks/ too
        top = top.parent
    return top / "masks" / below / name


def name_copy(job: Job, work: Work) -> Augmentation:
    """Return the augmentation of one copy of an input; its name is that below the folder that was given."""
    assert work.settings.augmentation
    name = "stdin" if job.source == STANDARD else Path(work.below.get(job.source, ""), Path(job.source).name).as_posix()
    return work.settings.augmentation._replace(name=name, copy=job.copy)


def _draw(picture: Picture, augmentation: Augmentation, settings: Settings) -> list[Drawn]:
    """Return what is drawn for a copy of a picture: the same for its pixels, its mask and the report."""
    from cnnfilter.learn.augment import draw, make_generator

    size = settings.preparation.size if settings.preparation else None
    generator = make_generator(augmentation.seed, augmentation.name, augmentation.copy)
    return draw(augmentation.steps, size or picture.colours.shape[:2], generator)


def list_draws(picture: Picture, augmentation: Augmentation, settings: Settings) -> dict[str, Any]:
    """Return what a report says of a copy: its number, and each step that was done with its numbers."""
    steps = [{"step": step.name, **values} for step, values in _draw(picture, augmentation, settings)]
    return {"copy": augmentation.copy, "steps": steps}


def augment_pixels(
    pixels: Array, picture: Picture, augmentation: Augmentation, settings: Settings, *, has_alpha: bool
) -> Array:
    """Return the pixels of a copy of a picture, perhaps resized ones, with the picture's own levels."""
    import numpy as np

    from cnnfilter.learn.augment import apply

    white, dtype = picture.maximum, picture.pixels.dtype
    result = apply(pixels, _draw(picture, augmentation, settings), white=white, has_alpha=has_alpha)
    if result.dtype.kind == "f" and dtype.kind in "ui":  # it was resized
        result = np.clip(np.rint(result), 0, white).astype(dtype)
    return result


def move_along(mask: Picture, picture: Picture, job: Job, work: Work) -> Result:
    """Return a mask moved as a copy of its image was, to be written."""
    from cnnfilter.io.opencv import cv2
    from cnnfilter.learn.augment import move_mask
    from cnnfilter.run.result import Result

    pixels, size = mask.pixels, picture.colours.shape[:2]
    if pixels.shape[:2] != size:
        given = show_pair((pixels.shape[0], pixels.shape[1]))
        raise ShapeError(f"its mask {job.mask} is {given}, and the image {show_pair((size[0], size[1]))}")
    settings = work.settings
    if settings.preparation and settings.preparation.size:
        height, width = settings.preparation.size
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    moved = move_mask(pixels, _draw(picture, name_copy(job, work), settings))
    return Result(job.format_name, [moved], metadata=mask.metadata, path=str(job.target))
