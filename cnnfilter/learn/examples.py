"""Examples to learn from: images with their classes or with the images wanted of them, read, divided, and batched."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Floats
from cnnfilter.compute.forward import as_volume, prepare
from cnnfilter.errors import ImageFileError, ShapeError
from cnnfilter.io.atomic import read_bytes, read_text
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.paths import describe_input, fill_template, find_inputs, lacks_memory, walk_folder
from cnnfilter.learn.augment import augment, make_generator
from cnnfilter.learn.recipe import Shares
from cnnfilter.learn.steps import AugmentSteps, output_shape
from cnnfilter.log import warn
from cnnfilter.network_files import Preparation
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.layers import Shape, show_shape
from cnnfilter.numbers import count

LISTS = {".csv": ",", ".tsv": "\t"}
"""The lists of `path,class`, and what separates the two."""

HEADS = {("path", "class"), ("path", "label"), ("file", "class"), ("image", "class"), ("filename", "class")}
"""First lines of lists that name the columns."""

_PARTS = 3
_SHOWN = 5  # classes that a message names


class InputEntry(NamedTuple):
    """An input: its name, whose hash assigns it to a part, its file or pixels, and its class or its target's."""

    name: str
    source: str
    answer: str
    pixels: Array | None = None
    wanted: Array | None = None


def find_entries(sources: Sequence[str], target: str | None = None) -> list[InputEntry]:
    """Return what folders of classes, lists and `.npz` files name, or images with the template of their targets.

    `ImageFileError` if one cannot be read, or names nothing.
    """
    if target is not None:
        return _pair_files(sources, target)
    entries: list[InputEntry] = []
    for source in sources:
        suffix = Path(source).suffix.lower()
        if Path(source).is_dir():
            entries += _find_folders(Path(source))
        elif suffix in LISTS:
            entries += _read_list(Path(source), LISTS[suffix])
        elif suffix == ".npz":
            entries += _read_arrays(Path(source))
        elif os.path.lexists(source):
            raise ImageFileError(
                "not a folder, a list (.csv, .tsv) or a .npz of images and labels; single images need --target",
                path=source,
            )
        else:
            raise ImageFileError("no such file or folder", path=source)
    return entries


def _pair_files(sources: Sequence[str], target: str) -> list[InputEntry]:
    paths, _, failures, warnings = find_inputs(sources, None)
    for path, reason in failures:
        raise ImageFileError(reason, path=path)
    for warning in warnings:
        warn(warning)
    entries = []
    for index, path in enumerate(paths, 1):
        fields = describe_input(Path(path), f"{index:0{len(str(len(paths)))}}")
        entries.append(InputEntry(Path(path).name, path, fill_template(target, fields)))
    if len(entries) > 1 and len({entry.answer for entry in entries}) == 1:
        raise ImageFileError(
            f"is the target of {len(entries)} images; a template such as targets/{{name}} gives each its own",
            path=target,
        )
    return entries


def _find_folders(folder: Path) -> list[InputEntry]:
    """Return the images in the folders of a folder, which are their classes."""
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir())
    if not names:
        raise ImageFileError("has no folder for each class; images are read from DATA/CLASS/", path=folder)
    entries = []
    for name in names:
        failures: list[tuple[str, str]] = []
        paths = [path for path, _ in walk_folder(str(folder / name), "", failures)]
        for failed, reason in failures:
            raise ImageFileError(reason, path=failed)
        if not paths:
            raise ImageFileError("holds no image", path=folder / name)
        entries += [InputEntry(path.relative_to(folder).as_posix(), str(path), name) for path in paths]
    return entries


def _read_list(path: Path, separator: str) -> list[InputEntry]:
    """Return the lines `path,class` of a list; the paths start from its folder."""
    entries = []
    rows = csv.reader(read_text(path).splitlines(), delimiter=separator)
    for row in rows:
        words = [word.strip() for word in row]
        if not any(words) or (rows.line_num == 1 and tuple(map(str.lower, words)) in HEADS):
            continue
        if len(words) != 2 or not all(words):
            raise ImageFileError(f"{separator.join(row)!r} is not path{separator}class", path=path, line=rows.line_num)
        entries.append(InputEntry(words[0], str(path.parent / words[0]), words[1]))
    if not entries:
        raise ImageFileError("holds no lines path,class", path=path)
    return entries


def _read_arrays(path: Path) -> list[InputEntry]:
    """Return the `images` (N, H, W) or (N, H, W, C) of a `.npz`, and their `labels` (N,), whole numbers or names."""
    arrays = _load_arrays(path)
    if missing := [name for name in ("images", "labels") if name not in arrays]:
        raise ImageFileError(f"has no {missing[0]}; it holds {', '.join(arrays) or 'nothing'}", path=path)
    images, labels = arrays["images"], arrays["labels"]
    if images.ndim not in {3, 4} or images.dtype.kind not in "buif" or not images.size:
        shown = f"{images.dtype} of shape {images.shape}"
        raise ImageFileError(f"images are {shown}, not numbers (N, H, W) or (N, H, W, C)", path=path)
    if labels.shape != images.shape[:1]:
        raise ImageFileError(f"labels have the shape {labels.shape}, and there are {len(images)} images", path=path)
    try:
        names = name_labels(labels)
    except ShapeError as error:
        raise ImageFileError(error, path=path) from error
    return [InputEntry(str(place), f"{path}[{place}]", names[place], image) for place, image in enumerate(images)]


def name_labels(labels: Array) -> list[str]:
    """Return the names of classes in an array (N,) of names or whole numbers, or raise a `ShapeError`."""
    wholes = labels.dtype.kind in "bui" or (labels.dtype.kind == "f" and bool((labels == np.rint(labels)).all()))
    if labels.ndim != 1 or (labels.dtype.kind != "U" and not wholes):
        raise ShapeError(
            f"labels of {labels.dtype} and shape {labels.shape} are not (N,) whole numbers or names of classes"
        )
    return labels.tolist() if labels.dtype.kind == "U" else [str(int(label)) for label in labels]


def _load_arrays(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as loaded:
            return dict(loaded)
    except Exception as error:  # zipfile, zlib and numpy's own parser raise what they like
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a whole .npz file of arrays"
        raise ImageFileError(reason, path=path) from error


def sort_classes(entries: Sequence[InputEntry]) -> tuple[str, ...]:
    """Return the classes of entries in order: as numbers where all are, else as texts. At least two are needed."""
    names = {entry.answer for entry in entries}
    if len(names) == 1:
        raise ImageFileError(f"all {len(entries)} inputs are of one class, {names.pop()}; two or more are needed")
    are_numbers = all(name.isascii() and name.isdecimal() for name in names)
    return tuple(sorted(names, key=int if are_numbers else None))


def divide(entries: Sequence[InputEntry], shares: Shares) -> list[list[InputEntry]]:
    """Return entries in three parts, train, dev and test: which one a hash of the name says, whatever else there is."""
    total = shares.train + shares.dev + shares.test
    ends = shares.train / total, (shares.train + shares.dev) / total
    parts: list[list[InputEntry]] = [[] for _ in range(_PARTS)]
    for entry in entries:
        number = int.from_bytes(blake2b(os.fsencode(entry.name), digest_size=8).digest(), "big") / 2**64
        parts[sum(number >= end for end in ends)].append(entry)
    return parts


class ImageExamples:
    """Images in memory, with the class or the wanted image of each; `shape` is what a network sees of them.

    They are prepared batch by batch, as `pipeline` does it; with `steps` each is augmented anew in every epoch, by
    numbers that depend on the seed, its name and the epoch. Without `classes`, `read_targets` reads what is wanted.
    """

    def __init__(
        self,
        entries: Sequence[InputEntry],
        preparation: Preparation,
        classes: tuple[str, ...] = (),
        steps: AugmentSteps = (),
        seed: int = 0,
    ) -> None:
        self.count, self._entries = len(entries), entries
        self.names = [entry.source for entry in entries]
        self._preparation, self._steps, self._seed = preparation, steps, seed
        self._now = Preparation(size=None if steps else preparation.size)  # what is done once
        self._later = preparation if steps else replace(preparation, size=None)
        self._images = self._read_images()
        first = self._images[0]
        size = preparation.size or output_shape(steps, first.shape)[:2]
        self.shape: Shape = (*size, first.shape[2])
        self._stack = np.empty(0) if steps else np.stack(self._images)
        self._labels = np.array([_find_class(entry, classes) for entry in entries]) if classes else np.empty(0, int)
        self._targets: Floats = np.empty(0, np.float32)

    def _read_images(self) -> list[Array]:
        """Return all images as (H, W, C), resized if that can be done once; they must be of one size then."""
        images, transparent = [], list[str]()
        for entry in self._entries:
            volume, has_alpha = _read_volume(entry)
            transparent += [entry.source] * has_alpha
            images.append(prepare(volume, self._now))
            if len(images) == 1 and (lack := lacks_memory(2 * images[0].nbytes * self.count)):
                raise ImageFileError(f"{count(self.count, 'image')} of this size {lack}", path=entry.source)
            self._check_alike(entry, images)
        if transparent:
            warn(f"{transparent[0]}: has alpha, which networks do not see ({count(len(transparent), 'input')} in all)")
        return images

    def _check_alike(self, entry: InputEntry, images: Sequence[Array]) -> None:
        first, last = images[0], images[-1]
        if first.dtype != last.dtype:
            reason = f"is {last.dtype}, and {self._entries[0].source} is {first.dtype}; inputs need one depth"
        elif first.shape[2] != last.shape[2]:
            reason = f"has {count(last.shape[2], 'channel')}, and {self._entries[0].source} has {first.shape[2]}"
        elif first.shape != last.shape and not self._preparation.size:
            reason = (
                f"is {show_shape(last.shape)}, and {self._entries[0].source} is {show_shape(first.shape)}; "
                "--resize HxW makes them one size"
            )
        else:
            return
        raise ImageFileError(reason, path=entry.source)

    def read_targets(self, shape: Shape) -> None:
        """Read what is wanted: images of the shape that the network gives, prepared as inputs are."""
        targets = []
        for entry in self._entries:
            volume, _ = _read_volume(InputEntry(entry.answer, entry.answer, "", entry.wanted))
            size = shape[:2] if self._preparation.size and len(shape) == 3 else None
            if (*(size or volume.shape[:2]), volume.shape[2]) != shape:
                raise ImageFileError(
                    f"is {show_shape(volume.shape)}, and the network makes {show_shape(shape)} of {entry.source}"
                    f"{_advise(volume.shape, shape)}",
                    path=entry.answer,
                )
            targets.append(prepare(volume, replace(self._preparation, size=size)).astype(np.float32))
        self._targets = np.stack(targets).transpose(0, 3, 1, 2)

    def batch(self, places: Array, epoch: int = 0) -> Floats:
        """Return some images, (C, H, W, N), augmented for an epoch of training; as they are if that is 0."""
        if self._steps:
            images = np.stack([self._prepare_one(place, epoch) for place in places.tolist()])
        else:
            chosen = self._stack[places]
            rows = prepare(chosen.reshape(-1, *chosen.shape[2:]), self._later)
            images = rows.reshape(chosen.shape)
        return np.ascontiguousarray(images.transpose(3, 1, 2, 0), np.float32)

    def _prepare_one(self, place: int, epoch: int) -> Array:
        image = self._images[place]
        if epoch:
            image = augment(image, self._steps, make_generator(self._seed, self._entries[place].name, epoch))
        return prepare(image, self._later)

    def answers(self, places: Array) -> Array:
        """Return the classes of some images, (N,), or what is wanted of them, (C, H, W, N)."""
        return self._labels[places] if len(self._labels) else np.moveaxis(self._targets[places], 0, -1)


def _advise(given: Shape, wanted: Shape) -> str:
    """Return what would make a network's result as large as its target."""
    if len(wanted) == 3 and given[2] == wanted[2] and given[0] >= wanted[0]:
        return "; padding `same` keeps the size"
    return "; the last layer needs as many outputs as the target has channels" if given[2] != wanted[-1] else ""


def _find_class(entry: InputEntry, classes: tuple[str, ...]) -> int:
    if entry.answer not in classes:
        shown = ", ".join(classes[:_SHOWN]) + ", ..." * (len(classes) > _SHOWN)
        raise ImageFileError(
            f"its class {entry.answer!r} is not among those of the network: {shown}", path=entry.source
        )
    return classes.index(entry.answer)


def _read_volume(entry: InputEntry) -> tuple[Array, bool]:
    """Return the colours of an input, (H, W, C), and whether it has alpha beside them."""
    if entry.pixels is not None:
        return as_volume(entry.pixels), False
    picture = decode_picture(read_bytes(entry.source), entry.source)
    return as_volume(picture.colours), picture.has_alpha
