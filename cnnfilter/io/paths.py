"""Paths: inputs that are found, outputs that are named, limits."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import NamedTuple

from cnnfilter.errors import ImageFileError, OutputError
from cnnfilter.io.addresses import Address, FilePath, as_path, is_address, list_objects
from cnnfilter.io.formats import FORMATS, IMAGE_SUFFIXES, READ_ONLY_SUFFIXES, ZARR, find_format, is_array, is_matrix

VARIABLE = "OPENCV_IO_MAX_IMAGE_PIXELS"
OPENCV_LIMIT = 1 << 30
"""So many pixels OpenCV reads unless its environment variable says otherwise (imgcodecs, loadsave.cpp)."""

_WORTH_ASKING = 1 << 28  # bytes below which the system is not asked for its free memory

PIXELS = re.compile(r"(\d{1,12})(KB|Kb|kb|MB|Mb|mb)?", re.ASCII)
"""What OpenCV understands in its variables; anything else ends the process when it is loaded."""


def largest_picture() -> int:
    """Return how many pixels OpenCV reads, by its environment variable or by itself."""
    match = PIXELS.fullmatch(os.environ.get(VARIABLE, ""))
    return int(match[1]) << {"": 0, "K": 10, "M": 20}[(match[2] or "")[:1].upper()] if match else OPENCV_LIMIT


def allow_pixels(number: int) -> None:
    """Let OpenCV read pictures of so many pixels; in effect if it has not been loaded yet."""
    if number > largest_picture():
        os.environ[VARIABLE] = str(number)


def lacks_memory(needed: int) -> str:
    """Return how many bytes are needed and how many are free, if there are fewer; else the empty string."""
    if needed <= _WORTH_ASKING or needed <= (free := free_memory()):
        return ""
    return f"need {needed >> 20} MB of memory, and {free >> 20} MB are free"


def free_memory() -> int:
    """Return how many bytes this process can still have, as far as the system tells; else more than any machine has."""
    free = [1 << 62]
    with suppress(OSError, ValueError, StopIteration):  # what Linux calls available: free, or given back by caches
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free.append(1024 * int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]))
    with suppress(OSError, ValueError):  # what a container's group (version 2) still has
        most, now = (Path(f"/sys/fs/cgroup/memory.{name}").read_text(encoding="ascii") for name in ("max", "current"))
        free.append(max(0, int(most) - int(now)))
    return min(*free, free_addresses())


def free_addresses() -> int:
    """Return how many bytes `ulimit -v` leaves this process; more than any machine has where there is no limit."""
    with suppress(ImportError, OSError, ValueError, IndexError):
        from resource import RLIM_INFINITY, RLIMIT_AS, getpagesize, getrlimit  # noqa: PLC0415  Windows has none

        if (limit := getrlimit(RLIMIT_AS)[0]) != RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            return max(0, limit - pages * getpagesize())
    return 1 << 62


STANDARD = "-"
"""Standard input, or standard output."""

STANDARD_OUTPUTS = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
"""Other names of standard output."""


def name_input(source: str) -> str:
    """Return what an input is called in a message."""
    return "standard input" if source == STANDARD else source


class Job(NamedTuple):
    """One result to be made: an input, which of the kernels, and where it goes."""

    source: str  # the input's path or address, or `-`
    kernel: int  # the place of the kernel among those asked for, from 0
    target: FilePath | None  # the output's path or address; None prints
    format_name: str  # a name whose suffix is the format: the target's, `x.tmp as .png`, or `-.png` if it is printed
    layer: str = ""  # whose output is wanted; empty for what the network gives
    view: str = ""  # `plot`, `animate`, `explain` or `mask` for what is made beside the result; empty for it
    is_stream: bool = False  # whether the target is written into, and not replaced by a file
    page: int = 0  # which page of its input, from 1, where each has an output of its own; 0 for those that are read
    copy: int = 0  # which augmented copy of its input, from 1
    mask: str = ""  # the mask that is moved along, where that is what is made


def identify(path: str | FilePath, folders: dict[str, str]) -> list[str]:
    """Return a path without links, and the number of a file that is there; `folders` keeps where each folder leads."""
    if is_address(path):
        return [str(as_path(str(path)))]
    folder, name = os.path.split(path)
    status = None
    with suppress(OSError):
        status = os.lstat(path)
    is_link = status is not None and stat.S_ISLNK(status.st_mode)
    if is_link or name in {"", os.curdir, os.pardir}:
        real = os.path.realpath(path)
    else:
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        real = os.path.join(folders[folder], name)
    if is_link:
        status = None
        with suppress(OSError):
            status = os.stat(path)
    return [real, f"{status.st_dev}:{status.st_ino}"] if status else [real]


def identify_all(paths: Iterable[str | FilePath]) -> frozenset[str]:
    """Return the identities of files, as of those that are read and that nothing may overwrite."""
    folders: dict[str, str] = {}
    return frozenset(identity for path in paths for identity in identify(path, folders))


class OutputRequest(NamedTuple):
    """What was said of the outputs."""

    output: str | None  # `-o`: a file, a folder, a template, `-`, or None where nothing was said
    format_: str | None = None  # `--format`, without its dot
    kernels: tuple[str, ...] = ()  # a name for each result of an input; empty if each input has one result
    layers: tuple[str, ...] = ()  # whose outputs are wanted, each a result; empty for the network's own
    prints: bool = False  # whether results without `output` are printed for pictures too, as vectors are
    in_place: bool = False  # whether an output may be its own input
    read_files: tuple[Path, ...] = ()  # kernels, networks, weights, labels and lists, which no output may be
    stdin_suffix: str = ""  # what standard input's name would end in, `.txt` for a matrix
    below: Mapping[str, str] = MappingProxyType({})  # where inputs, and so their results, are below a folder
    pages: Mapping[str, int] = MappingProxyType({})  # how many inputs have, where each gets an output; else 1
    page: int | None = None  # which of them is read alone
    copies: int = 0  # how many augmented copies of each input are wanted; 0 where none is augmented


def plan_outputs(sources: Sequence[str], request: OutputRequest, *, only_shows: bool = False) -> list[Job]:
    """Return a job for each input and kernel, every output named and checked; `OutputError` if one cannot be made.

    None where the inputs are named, and what is made of them is only shown.
    """
    if "" in (*sources, request.output):
        raise OutputError("the name of an input or output is empty; a variable of the shell may be unset")
    if sources.count(STANDARD) > 1:
        raise OutputError("standard input can be read once only, and '-' is given twice")
    if only_shows:
        return []
    if request.format_ is not None:
        find_format(f"--format .{request.format_}")
    if request.layers and request.output in {None, STANDARD}:
        raise OutputError("--save writes files: -o FOLDER/, or a template with {layer}")
    labels = request.layers or list(map(as_file_name, request.kernels)) or [""]
    if request.copies:
        labels = [str(copy).zfill(len(str(request.copies))) for copy in range(1, request.copies + 1)]
    width = len(str(len(sources)))
    jobs = [
        _name_job(source, f"{index:0{width}}", page, kernel, label, request)
        for index, source in enumerate(sources, 1)
        for page in ([request.page] if request.page else range(1, request.pages.get(source, 1) + 1))
        for kernel, label in enumerate(labels)
    ]
    for folder in dict.fromkeys(os.path.dirname(job.target) for job in jobs if isinstance(job.target, Path)):
        _check_folder(Path(folder))
    _check_collisions(jobs, sources, request)
    return jobs


def as_file_name(word: str) -> str:
    """Return a word as a part of a file's name: letters, digits, `.` and `-`, and `_` for all else."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", word)


def _name_job(source: str, index: str, page: int, kernel: int, label: str, request: OutputRequest) -> Job:
    name = as_path(f"stdin{request.stdin_suffix}" if source == STANDARD else source)
    pages = request.pages.get(source, 1)
    output = source if request.output is None and request.in_place and source != STANDARD else request.output
    copy = kernel + 1 if request.copies else 0
    number = 0 if request.layers or copy else kernel
    if output is None or output == STANDARD:
        return Job(source, number, None, _printed_format(name, output, request), copy=copy)
    suffix = f".{request.format_}" if request.format_ else ".zarr" if is_array(name) else name.suffix
    in_folder, place = _is_folder(output), output
    if is_template := bool(request.output and re.search("[{}]", output)):
        fields = describe_input(name, index) | {"ext": suffix}
        fields["page"] = str(page).zfill(len(str(pages)))
        kind = "layer" if request.layers else "copy" if request.copies else "kernel"
        fields |= {kind: label} if label else {}
        place = fill_template(output, fields)
    ending = f"-{label}{suffix}" if len(request.kernels) > 1 or request.layers or request.copies > 1 else suffix
    if in_folder:
        place = os.path.join(place, request.below.get(source, ""), f"{name.stem}{ending}")
    target = as_path(place)
    format_name, is_stream = str(target), False
    if not request.format_:
        find_format(format_name)
    else:
        is_stream = accepts_bytes(target)
        named = ZARR if is_array(target) else FORMATS.get(target.suffix.lower())
        if named is not find_format(f"-{suffix}"):
            format_name += f" as {suffix}"
    if (obstacle := find_obstacle(target, makes_folder=in_folder or is_template)) and not is_stream:
        raise OutputError(obstacle, path=target)
    layer = label if request.layers else ""
    own = page if pages > 1 and not request.page else 0
    return Job(source, number, target, format_name, layer, is_stream=is_stream, page=own, copy=copy)


def _check_folder(folder: Path) -> None:
    """Raise an `OutputError` if something that is no folder has the name of one, or of the nearest one above."""
    if not os.path.isdir(folder):
        nearest = next(above for above in (folder, *folder.parents) if os.path.lexists(above))
        if not os.path.isdir(nearest):
            raise OutputError("is not a folder", path=nearest)


DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,9})|/dev/stderr")
"""The names of files that are open already, by their numbers."""


def accepts_bytes(path: FilePath) -> bool:
    """Return whether a path is that of a pipe, a character device or an open file, into which a result is written."""
    if isinstance(path, Address):
        return False
    if DESCRIPTOR.fullmatch(str(path)):
        return path.exists()
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


SPECIAL = "is not a regular file; --format png writes into a pipe or a device"


def find_obstacle(path: FilePath, *, makes_folder: bool = False) -> str:
    """Return why no file can be written at a path, or nothing; the folder may be missing if it is made."""
    if isinstance(path, Address):
        return ""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # it is not there, or nothing can have this name
        mode = 0
    if stat.S_ISDIR(mode) and not _is_zarr(path):
        return "is a folder"
    if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return SPECIAL
    if not mode and DESCRIPTOR.fullmatch(str(path)):
        return "no file is open under this number"
    return "" if makes_folder or os.path.isdir(path.parent) else f"no such folder: {path.parent}"


def _printed_format(name: FilePath, output: str | None, request: OutputRequest) -> str:
    """Return the name whose suffix is the format of what goes to standard output."""
    if output is None and not request.prints and not is_matrix(name):
        is_stdin = name.name == f"stdin{request.stdin_suffix}"
        given = "standard input is not a matrix, and an image" if is_stdin else f"{name.name}: an image"
        raise OutputError(
            f"{given} needs an output: -o FILE, -o FOLDER/ or -o - with --format; --plot FILE draws it, and --region"
            " Y1:Y2,X1:X2 prints a part"
        )
    if request.format_:
        return f"-.{request.format_}"
    if output is None:
        return "-.txt"
    if not name.suffix:
        raise OutputError("standard output needs a format, such as --format png")
    find_format(name)
    return f"-{name.suffix}"


def _is_folder(output: str) -> bool:
    return not is_array(output) and (output.endswith(("/", os.sep)) or os.path.isdir(output))


def _is_zarr(path: Path) -> bool:
    """Return whether a folder holds a Zarr array, in whose place another may come."""
    return is_array(path) and any(os.path.isfile(path / name) for name in ("zarr.json", ".zarray"))


def describe_input(name: FilePath, index: str) -> dict[str, str]:
    """Return the fields of a template that an input fills, by its name and its place among all inputs."""
    return {"stem": name.stem, "name": name.name, "ext": name.suffix, "parent": str(name.parent), "index": index}


def fill_template(template: str, fields: dict[str, str]) -> str:
    """Return a template with its fields filled in; `OutputError` for a field that is unknown, or a way out of a folder.

    Only a template that begins with {parent} leads wherever the input is.
    """
    pieces = re.split(r"\{([^{}]*)\}", template)  # every other one is the name of a field
    if re.search("[{}]", "".join(pieces[::2])):
        raise OutputError("a brace is not closed, or not opened", path=template)
    for field in pieces[1::2]:
        if field not in fields:
            known = ", ".join(f"{{{name}}}" for name in fields)
            raise OutputError(f"unknown field {{{field}}}; known are {known}", path=template)
    pieces[1::2] = [fields[field] for field in pieces[1::2]]
    filled = "".join(pieces)
    named = fields["parent"] + template.removeprefix("{parent}") if template.startswith("{parent}") else template
    before, after = Path(named), Path(filled)
    if after.parts.count("..") > before.parts.count("..") or after.is_absolute() > before.is_absolute():
        raise OutputError(f"the name of an input leads out of the folder that {template} names", path=filled)
    return filled


def _check_collisions(jobs: list[Job], sources: Sequence[str], request: OutputRequest) -> None:
    """Raise an `OutputError` if outputs fall together, or on an input."""
    if request.output == STANDARD and len(jobs) > 1:
        raise OutputError(f"{len(jobs)} results cannot share standard output; use a folder or a template")
    folders: dict[str, str] = {}
    inputs = {identity: source for source in sources for identity in identify(source, folders)}
    read = {identity for path in request.read_files for identity in identify(path, folders)}
    arrays = {identity: source for identity, source in inputs.items() if is_array(source)}
    taken: dict[str, Job] = {}
    for job in jobs:
        if job.target is None:
            continue
        real, *number = identify(job.target, folders)
        _check_around(job.target, real, arrays)
        if real in taken:
            raise OutputError(_explain_collision(job, taken[real], request))
        taken[real] = job
        for identity in (real, *number):
            owner = inputs.get(identity)
            if owner is not None and not (request.in_place and owner == job.source):
                remedy = "--in-place allows replacing it"
                if request.in_place:
                    remedy = "--in-place replaces an input by its own result only"
                elif is_array(owner):
                    remedy = "an array is read while its result is written, so use another name"
                raise OutputError(f"the output is the input {owner}; {remedy}", path=job.target)
            if identity in read:
                reason = "the output is read too, as a kernel, a network, weights, labels or a list"
                raise OutputError(reason, path=job.target)


def _check_around(target: FilePath, real: str, arrays: Mapping[str, str]) -> None:
    """Raise an `OutputError` if an output is inside the folder of an array that is read, or around it."""
    for identity, source in arrays.items():
        if as_path(identity) in as_path(real).parents:
            raise OutputError(f"the output is inside the input {source}", path=target)
        if as_path(real) in as_path(identity).parents:
            raise OutputError(f"the output holds the input {source}", path=target)


def _explain_collision(job: Job, other: Job, request: OutputRequest) -> str:
    """Return what is wrong with two results of one name, and what keeps both."""
    in_folder = bool(request.output) and _is_folder(request.output or "")
    if job._replace(target=other.target, format_name=other.format_name) == other:
        return f"{job.target}: its input {job.source} is given twice"
    if job.source == other.source and job.copy != other.copy:
        return f"{job.target}: two copies would be written to it; use a folder, or a template with {{copy}}"
    if job.source == other.source:
        kind = "layer" if request.layers else "kernel"
        remedy = "their names must differ" if in_folder else f"use a folder, or a template with {{{kind}}}"
        return f"{job.target}: the results of two {kind}s would be written to it; {remedy}"
    remedy = "use a folder" if request.output and not in_folder else "a template with {index} separates them"
    return f"{job.target}: the outputs of {other.source} and {job.source} would be written to it; {remedy}"


def find_inputs(
    words: Sequence[str], output: str | None
) -> tuple[list[str], dict[str, str], list[tuple[str, str]], list[str]]:
    """Return all inputs that words name: files, `-`, and folders or addresses for the pictures in them and below.

    They are in the order of the words, those of a folder by name. Behind them are where each is below its folder, what
    holds no picture or cannot be read with the reason, and warnings on what was skipped.
    Hidden files and folders are skipped, and so is the folder that the results go into, by `-o`.
    """
    excluded = ""
    if output:
        folder = as_path(output) if _is_folder(output) else as_path(output).parent
        excluded = str(folder) if isinstance(folder, Address) else os.path.realpath(folder)
    sources: list[str] = []
    below: dict[str, str] = {}
    failures: list[tuple[str, str]] = []
    skipped: dict[str, list[str]] = defaultdict(list)
    for word in words:
        before = len(sources) + len(failures)
        walked = _walk(word, excluded, failures)
        if walked is None:
            if word == STANDARD or is_address(word) or os.path.lexists(word):
                sources.append(word)
            else:
                failures.append((word, os.strerror(errno.ENOENT)))
            continue
        for path, inner in walked:
            source = str(path)
            if source.lower().endswith(READ_ONLY_SUFFIXES):
                skipped["have a format that is only read; --format, or a template, chooses another"].append(source)
            elif isinstance(path, Path) and _is_special(source):  # reading would wait for ever
                skipped["are not regular files"].append(source)
            else:
                sources.append(source)
                below[source] = inner
        if len(sources) + len(failures) == before:
            failures.append((word, f"no image in this folder, or below it ({' '.join(IMAGE_SUFFIXES)})"))
    warnings = [f"{len(paths)} skipped, such as {paths[0]}: they {why}" for why, paths in skipped.items()]
    return sources, below, failures, warnings


def _is_special(path: str) -> bool:
    """Return whether a path is that of something else than a regular file."""
    return not os.path.isfile(path) and os.path.exists(path)


def _walk(word: str, excluded: str, failures: list[tuple[str, str]]) -> Iterable[tuple[FilePath, str]] | None:
    """Return the images in a folder, or below an address, and where below; None where a word names neither."""
    if is_array(word):
        return None
    if not is_address(word):
        return walk_folder(word, excluded, failures) if Path(word).is_dir() else None
    try:
        names = list_objects(word)
    except ImageFileError as error:
        failures.append((word, error.reason))
        return ()
    return None if names is None else _choose_objects(as_path(word), names, excluded)


def _choose_objects(top: FilePath, names: Iterable[str], excluded: str) -> Iterator[tuple[FilePath, str]]:
    """Yield the images among the objects below an address, and where below, as those of a folder."""
    for name in names:
        folders = PurePosixPath(name).parent.parts
        below = [str(top.joinpath(*folders[:number])) for number in range(1, len(folders) + 1)]
        if any(part.startswith(".") for part in PurePosixPath(name).parts) or excluded in below:
            continue
        if name.lower().endswith((*IMAGE_SUFFIXES, *READ_ONLY_SUFFIXES)):
            yield top / name, "/".join(folders)


def walk_folder(top: str, excluded: str, failures: list[tuple[str, str]]) -> Iterator[tuple[Path, str]]:
    """Yield the images in a folder and below, and where below; links to folders are not followed."""

    def fail(error: OSError) -> None:
        failures.append((str(error.filename), error.strerror or str(error)))

    for folder, folders, names in os.walk(top, onerror=fail):
        kept = (name for name in folders if not name.startswith("."))
        folders[:] = sorted(name for name in kept if os.path.realpath(Path(folder, name)) != excluded)
        inner, here = os.path.relpath(folder, top), Path(folder)
        for name in sorted(names):
            if name.lower().endswith((*IMAGE_SUFFIXES, *READ_ONLY_SUFFIXES)) and not name.startswith("."):
                yield here / name, "" if inner == "." else inner


def parse_list(data: bytes, *, null: bool) -> tuple[str, ...]:
    r"""Return the names in a list, a line each, or each ended by a NUL; empty ones are none.

    Examples
    --------
    >>> parse_list(b"a b.png\r\n\nc.png", null=False)
    ('a b.png', 'c.png')
    """
    names = data.split(b"\0") if null else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    if any(b"\0" in name for name in names):
        raise ImageFileError("the list of inputs contains NUL characters; -0 reads such a list")
    return tuple(os.fsdecode(name) for name in names if name)
