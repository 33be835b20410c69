"""TIFF (6.0, BigTIFF, and the supplements that are in use): what a page is, whether it is read, and how it is decoded.

`tiff_blocks` decompresses the strips or tiles of a page and makes numbers of their bytes, and `tiff` makes an image of
the numbers, by what they mean. The tables here say what is read; all else is refused.
"""

import struct
from typing import NamedTuple

from cnnfilter.io.tags import ORIENTATION, Directory, read_directories

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, SAMPLES = 254, 256, 257, 258, 259, 262, 266, 277
OLD_SUBFILE, STRIP_ROWS, PLANES, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, INK_SET = 255, 278, 284, 317, 322, 323, 332
EXTRA_SAMPLES, SAMPLE_FORMAT, SUBSAMPLING = 338, 339, 530

MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE, SEPARATED, YCBCR, CIELAB, ICCLAB = 0, 1, 2, 3, 5, 6, 8, 9
"""Photometric interpretations that are read; `SEPARATED` is CMYK."""

_SUB_DIRECTORIES = 330

LOGLUV = 32845

MULTIPLIED, STRAIGHT = 1, 2
"""Extra samples that are alpha."""


class Codec(NamedTuple):
    """A compression."""

    name: str
    is_read: bool = True


OLD_JPEG, JPEG, WEBP = 6, 7, 50001
CCITT = (2, 3, 4, 32771)
CODECS = {
    1: Codec("none"),
    2: Codec("CCITT RLE"),
    3: Codec("CCITT Group 3"),
    4: Codec("CCITT Group 4"),
    5: Codec("LZW"),
    OLD_JPEG: Codec("old-style JPEG"),
    JPEG: Codec("JPEG"),
    8: Codec("Deflate"),
    9: Codec("JBIG", is_read=False),
    10: Codec("JBIG", is_read=False),
    32766: Codec("NeXT RLE", is_read=False),
    32771: Codec("CCITT RLE in words"),
    32773: Codec("PackBits"),
    32809: Codec("ThunderScan", is_read=False),
    32908: Codec("Pixar film", is_read=False),
    32909: Codec("Pixar log", is_read=False),
    32946: Codec("Deflate"),
    33003: Codec("JPEG 2000", is_read=False),
    33004: Codec("JPEG 2000", is_read=False),
    33005: Codec("JPEG 2000", is_read=False),
    33007: Codec("JPEG 2000", is_read=False),
    34661: Codec("JBIG", is_read=False),
    34676: Codec("SGI LogLuv"),
    34677: Codec("SGI LogLuv of 24 bits"),
    34712: Codec("JPEG 2000", is_read=False),
    34887: Codec("LERC", is_read=False),
    34892: Codec("lossy JPEG of DNG", is_read=False),
    34925: Codec("LZMA"),
    50000: Codec("Zstandard"),
    WEBP: Codec("WebP"),
    50002: Codec("JPEG XL", is_read=False),
    52546: Codec("JPEG XL", is_read=False),
}
"""Compressions by their numbers."""

_PREDICTED = {5, 8, 32946, 34925, 50000}
"""Compressions with which a predictor counts; beside others libtiff ignores it."""


class Meaning(NamedTuple):
    """What the samples of a photometric interpretation are, and which of them are read."""

    name: str
    colours: int = 0  # samples of a pixel, without extra ones; 0 of what is not read
    unsigned: frozenset[int] = frozenset()  # their bits, by their type
    signed: frozenset[int] = frozenset()
    floats: frozenset[int] = frozenset()


_TO_16, _WIDE = frozenset(range(1, 17)), frozenset({32, 64})
_SIGNED, _FLOATS = frozenset({8, 16, 32, 64}), frozenset({16, 32, 64})
MEANINGS = {
    MIN_IS_WHITE: Meaning("grey whose 0 is white", 1, _TO_16, floats=_FLOATS),
    MIN_IS_BLACK: Meaning("grey", 1, _TO_16 | _WIDE, _SIGNED, _FLOATS),
    RGB: Meaning("RGB", 3, _TO_16 | _WIDE, _SIGNED, _FLOATS),
    PALETTE: Meaning("a palette", 1, frozenset(range(1, 9))),
    SEPARATED: Meaning("CMYK", 4, frozenset({8, 16})),
    YCBCR: Meaning("YCbCr", 3, frozenset({8})),
    CIELAB: Meaning("CIELab", 3, frozenset({8, 16})),
    ICCLAB: Meaning("ICCLab", 3, frozenset({8, 16})),
    4: Meaning("a transparency mask"),
    10: Meaning("ITULab"),
    32803: Meaning("a colour filter array (camera raw data)"),
    32844: Meaning("LogL"),
    LOGLUV: Meaning("LogLuv"),
    34892: Meaning("linear raw data of a camera"),
    51177: Meaning("depth"),
}
"""Photometric interpretations by their numbers."""


class Layout(NamedTuple):
    """How a page is written."""

    directory: Directory
    height: int
    width: int
    samples: int  # of a pixel
    bits: int  # of a sample
    kind: str  # of a sample: u, i or f, as numpy has them
    compression: int
    photometric: int
    extras: tuple[int, ...]  # what the samples beyond the colours are; none where the file does not say
    block: tuple[int, int]  # rows and columns of a strip or tile
    subsampling: tuple[int, int]  # rows and columns of pixels that share colour differences, in YCbCr
    orientation: int
    refusal: str = ""  # what of it is not supported

    @property
    def planar(self) -> bool:
        """Whether each sample has strips or tiles of its own."""
        return self.directory.number(PLANES, 1) == 2 and self.samples > 1

    @property
    def tiled(self) -> bool:
        """Whether blocks are tiles, which all have one size."""
        return TILE_WIDTH in self.directory.tags

    @property
    def predictor(self) -> int:
        """1, 2 for differences of neighbours, or 3 for those of the bytes of floats."""
        return self.directory.number(PREDICTOR, 1) if self.compression in _PREDICTED else 1

    @property
    def in_library(self) -> bool:
        """Whether only a library decodes the page, as a whole."""
        return self.compression in {OLD_JPEG, JPEG, 34676, 34677}

    @property
    def plain(self) -> bool:
        """Whether OpenCV decodes the page right, and faster than strip by strip."""
        slow = {5, 32773} if self.predictor == 1 else {5, 8, 32946}
        return (
            self.compression in slow
            and self.photometric in {MIN_IS_BLACK, RGB}
            and self.kind + str(self.bits) in {"u8", "u16", "f32", "f64"}
            and not (self.planar or self.bands)
            and (self.alpha == 0 or self.photometric == RGB)
            and self.directory.number(FILL_ORDER, 1) == 1
            and not (self.tiled and any(side % 16 for side in self.block))
        )

    @property
    def numbers(self) -> bool:
        """Whether samples are numbers without a white, as in a matrix."""
        return self.kind == "i" or (self.kind == "u" and self.bits > 16)

    @property
    def alpha(self) -> int:
        """`MULTIPLIED` or `STRAIGHT` where the last sample is alpha, the only one beside the colours; else 0."""
        meaning = MEANINGS.get(self.photometric)
        if not meaning or self.numbers or self.samples != meaning.colours + 1:
            return 0
        if not self.extras:  # RGBA as many programs write it
            return STRAIGHT if self.photometric == RGB else 0
        return self.extras[0] if self.extras[0] in {MULTIPLIED, STRAIGHT} else 0

    @property
    def bands(self) -> bool:
        """Whether samples have no common meaning as a colour."""
        single = {MIN_IS_WHITE: 1, MIN_IS_BLACK: 1, RGB: 3}.get(self.photometric, self.samples)
        return not self.in_library and not self.alpha and self.samples != single

    @property
    def channels(self) -> int:
        """How many the image has; 0 of what is not supported."""
        if self.refusal:
            return 0
        if self.samples == 1 and self.photometric in {MIN_IS_WHITE, MIN_IS_BLACK}:
            return 1
        if self.bands:
            return self.samples
        return 4 if self.alpha else 3

    @property
    def value_bytes(self) -> int:
        """How many bytes a value of the image takes."""
        if self.photometric == LOGLUV:
            return 4
        if self.numbers:
            return 8
        return max(4, self.bits // 8) if self.kind == "f" else 1 + (self.bits > 8)


class Chapter(NamedTuple):
    """The pages of a file, whether their list ends as it must, and what is to be said of it."""

    pages: tuple[Layout, ...]
    is_whole: bool = False
    notes: tuple[str, ...] = ()


def read_pages(data: bytes) -> Chapter:
    """Return the pages of a file: those that are no reduced copy or mask of another, if there are any such."""
    directories = tuple(read_directories(data))
    if not directories:
        return Chapter(())
    chosen = [directory for directory in directories if not _belongs_to_another(directory)]
    pages = tuple(read_layout(data, directory) for directory in chosen or directories[:1])
    if not chosen and _SUB_DIRECTORIES in directories[0].tags:
        pages = (pages[0]._replace(refusal="of camera raw data, with a reduced copy beside it,"),)
    last = directories[-1]
    try:
        (next_,) = struct.unpack_from(last.form, data, last.link)
    except struct.error:
        return Chapter(pages)
    if next_ in {directory.place for directory in directories}:
        return Chapter(pages, True, ("the list of the TIFF's pages leads back to an earlier one, and ends there",))
    return Chapter(pages, not next_)


def _belongs_to_another(directory: Directory) -> bool:
    """Return whether a page is a reduced copy (1) or a mask (4) of another, by either tag that says so."""
    if SUBFILE in directory.tags:
        return bool(directory.number(SUBFILE) & 5)
    return directory.number(OLD_SUBFILE) == 2


def read_layout(data: bytes, directory: Directory) -> Layout:
    """Return how a page is written, and what of it is not supported."""
    height, width, samples = directory.number(HEIGHT), directory.number(WIDTH), directory.number(SAMPLES, 1)
    if directory.number(TILE_WIDTH):
        block = directory.number(TILE_HEIGHT), directory.number(TILE_WIDTH)
    else:
        block = min(directory.number(STRIP_ROWS) or height, height), width
    bits, formats = (_read_each(data, directory, tag, (1,)) for tag in (BITS, SAMPLE_FORMAT))
    across, down, *_ = *_read_each(data, directory, SUBSAMPLING, (2, 2)), 1
    orientation = directory.number(ORIENTATION, 1)
    layout = Layout(
        directory=directory,
        height=height,
        width=width,
        samples=samples,
        bits=bits[0],
        kind=_KINDS.get(formats[0], ""),
        compression=directory.number(COMPRESSION, 1),
        photometric=directory.number(PHOTOMETRIC, -1),
        extras=_read_each(data, directory, EXTRA_SAMPLES, ()),
        block=block,
        subsampling=(down, across),
        orientation=orientation if 1 <= orientation <= 8 else 1,
    )
    if len(set(bits[:samples])) > 1:
        return layout._replace(refusal=f"of samples of {', '.join(map(str, bits))} bits")
    if len(set(formats[:samples])) > 1 or not layout.kind:
        return layout._replace(refusal="of samples of different types" if layout.kind else "of complex numbers")
    return layout._replace(refusal=_find_refusal(layout))


_KINDS = {1: "u", 2: "i", 3: "f", 4: "u"}
"""Types of samples by SampleFormat; 4 is "undefined"."""


def _read_each(data: bytes, directory: Directory, tag: int, default: tuple[int, ...]) -> tuple[int, ...]:
    """Return the values of a tag that has few of them; what is usual where the tag is missing."""
    found = directory.tags.get(tag)
    if not found or not found.length:
        return default
    try:
        return tuple(map(int, found._replace(length=min(found.length, _MOST_SAMPLES)).values(data)))
    except (struct.error, ValueError, OverflowError):  # it may be of floats
        return (found.value,)


_MOST_SAMPLES = 65_535


def _find_refusal(layout: Layout) -> str:
    """Return what of a page is not supported, or the empty string."""
    meaning, codec = MEANINGS.get(layout.photometric), CODECS.get(layout.compression)
    if codec is None or not codec.is_read:
        return f"compressed by {codec.name if codec else 'an unknown method'} ({layout.compression})"
    if layout.in_library and layout.photometric == LOGLUV:
        return ""
    if meaning is None or not meaning.colours:
        what = meaning.name if meaning else "an unknown kind"
        return "without PhotometricInterpretation" if layout.photometric < 0 else f"of {what} ({layout.photometric})"
    types = {"u": ("", meaning.unsigned), "i": ("signed ", meaning.signed), "f": ("float ", meaning.floats)}
    word, known = types[layout.kind]
    if layout.bits not in known:
        return f"of {meaning.name} in {word}samples of {layout.bits} bits"
    if layout.predictor not in {1, 2, 3} or (layout.predictor == 2 and layout.bits not in _SIGNED):
        return f"with predictor {layout.predictor} for samples of {layout.bits} bits"
    if layout.predictor == 3 and layout.kind != "f":
        return "with the predictor of floats for whole numbers"
    return _find_refused_samples(layout, meaning)


def _find_refused_samples(layout: Layout, meaning: Meaning) -> str:
    """Return what is not supported of the number of samples, and what they mean."""
    if layout.photometric == SEPARATED and layout.directory.number(INK_SET, 1) != 1:
        return "of inks that are not CMYK"
    if layout.samples < meaning.colours:
        return f"of {meaning.name} in {layout.samples} samples"
    if layout.photometric not in {MIN_IS_WHITE, MIN_IS_BLACK, RGB} and layout.samples > meaning.colours:
        if not layout.alpha:
            return f"of {meaning.name} with extra samples that are not alpha"
        if layout.alpha == MULTIPLIED and layout.photometric != PALETTE:
            return f"of {meaning.name} multiplied by its alpha"
    if layout.bands and not layout.numbers and MULTIPLIED in layout.extras:
        return f"of {meaning.name} multiplied by its alpha, beside other samples"
    return _find_refused_packing(layout, meaning)


def _find_refused_packing(layout: Layout, meaning: Meaning) -> str:
    """Return which compression does not go with the samples, or how YCbCr is packed."""
    if layout.photometric == YCBCR and not layout.in_library and layout.subsampling != (1, 1):
        down, across = layout.subsampling
        if layout.planar or layout.predictor > 1 or not {down, across} <= {1, 2, 4}:
            return f"of YCbCr of which {down}x{across} pixels share chroma, packed like this,"
    if layout.compression == WEBP and layout.photometric != RGB:
        return f"of {meaning.name} compressed by WebP"
    if layout.compression in CCITT and (layout.bits, layout.samples) != (1, 1):
        return f"compressed by CCITT in {layout.samples} samples of {layout.bits} bits"
    if layout.compression == JPEG and layout.photometric in {PALETTE, CIELAB, ICCLAB}:
        return f"of {meaning.name} compressed by JPEG"
    if layout.compression == JPEG and layout.samples > meaning.colours and not layout.alpha:
        return "compressed by JPEG with extra samples that are not alpha"
    if layout.compression in {JPEG, WEBP} and (layout.bits, layout.kind) != (8, "u"):
        return f"compressed by {CODECS[layout.compression].name} in samples of {layout.bits} bits"
    return ""
