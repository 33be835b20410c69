"""The help page on formats: its tables are those of the code."""

import re
import struct
import zlib

import numpy as np
import pytest

from cnnfilter.errors import ImageFileError
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.encode import LONGEST_TIMES, MOST_LOOPS, encode_image
from cnnfilter.io.formats import FORMATS, READ_ONLY_SUFFIXES, Depth, Format
from cnnfilter.io.signatures import FORMATS_READ
from cnnfilter.io.tiff_layout import CODECS
from tests.conftest import ROOT

PAGE = (ROOT / "cnnfilter" / "help" / "formats.md").read_text(encoding="utf-8")
IMAGES = {suffix: row for suffix, row in FORMATS.items() if not row.is_matrix}
COLOURS = {1: "grey", 3: "RGB", 4: "RGBA"}


def rows_of(table: str) -> list[list[str]]:
    """Return the cells of a Markdown table, without its head."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def row_of(format_: Format) -> list[str]:
    """Return what the overview says of a format."""
    suffixes = " ".join(f"`{suffix}`" for suffix, row in FORMATS.items() if row is format_)
    depths = ", ".join("float" if depth is Depth.FLOAT else str(depth) for depth in format_.depths)
    return [format_.name, suffixes, depths, ", ".join(COLOURS[count] for count in format_.channels), format_.pages]


def test_the_overview_has_a_row_for_each_format_that_is_written_with_its_depths_and_channels() -> None:
    overview = PAGE.partition("## Overview")[2].partition("\n## ")[0]
    assert sorted(rows_of(overview)) == sorted(row_of(row) for row in dict.fromkeys(IMAGES.values()))


def test_the_overview_lists_the_suffixes_that_are_only_read() -> None:
    (suffixes,) = re.findall(r"^Files with these suffixes are read only: (.*?)\n\n", PAGE, re.DOTALL | re.MULTILINE)
    assert tuple(re.findall(r"`(\.\w+)`", suffixes)) == READ_ONLY_SUFFIXES


def test_the_limits_are_those_of_the_code() -> None:
    table = rows_of(PAGE.partition("\n## What limits the writing\n")[2].partition("\n## ")[0])
    shown = {row[0]: row for row in table}
    for format_ in IMAGES.values():
        sides, time, loops = shown.get(format_.name, ["", "any", "", ""])[1:4]
        least, most = format_.smallest_side, format_.largest_side
        assert sides == (f"at least {least}" if least > 1 else f"at most {most:,}" if most < 1 << 31 else "any")
        longest, often = LONGEST_TIMES.get(format_.name), MOST_LOOPS.get(format_.name)
        assert time.startswith(f"at most {longest / 1000:,} s") if longest else "at most" not in time
        assert loops == f"at most {often:,}" if often else "at most" not in loops


def test_every_format_has_a_section() -> None:
    heads = re.findall(r"^## (.*)", PAGE, re.MULTILINE)
    named = {name for head in heads for name in re.split(", | and ", head)}
    several = {"PNM", "Netpbm"}  # PBM, PGM and PPM
    assert {row.name for row in IMAGES.values()} | set(FORMATS_READ.split(", ")) <= named | several


def test_the_section_on_tiff_names_every_compression_that_is_read() -> None:
    section = PAGE.partition("\n## TIFF\n")[2].partition("\n## ")[0]
    names = {codec.name for codec in CODECS.values() if codec.is_read}
    assert {word for name in names for word in re.findall(r"[A-Z]\w+", name) if word not in section} == set()


def _broken() -> dict[str, bytes]:
    """Return files that the page shows the refusals of, by their names."""
    png = bytes(encode_image(np.zeros((9, 9), np.uint8), "x.png"))
    place = png.index(b"IDAT") + 4
    (length,) = struct.unpack_from(">I", png, place - 8)
    packed = zlib.compress(bytes(90))[:-4] + bytes(4)  # whose own sum is wrong
    chunk = b"IDAT" + packed
    damaged = [png[: place - 8], struct.pack(">I", len(packed)), chunk, struct.pack(">I", zlib.crc32(chunk))]
    return {
        "photo.heic": b"\0\0\0\x18ftypheic" + bytes(99),
        "page.png": b"<!DOCTYPE html><html></html>",
        "notes.png": b"Milk, bread and butter",
        "a.png": png[: place + 3],
        "b.png": b"".join([*damaged, png[place + length + 4 :]]),
    }


def test_the_refusals_shown_are_those_of_such_files() -> None:
    shown = [
        line for block in re.findall(r"^```\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE) for line in block.splitlines()
    ]
    said = []
    for name, data in _broken().items():
        with pytest.raises(ImageFileError) as refusal:
            decode_picture(data, name)
        said.append(str(refusal.value))
    assert shown == said
