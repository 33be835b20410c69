"""How files begin: the formats that are read, those that are not, and what is not an image."""

import re
import struct
from contextlib import suppress

_READ = {
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8",
    "GIF": rb"GIF8[79]a",
    "WebP": rb"RIFF....WEBP",
    "TIFF": rb"II[*+]\x00|MM\x00[*+]",
    "BMP": rb"BM(?:.{15}\x00|.{0,15}\Z)",  # the fourth byte of the header's size
    "PBM": rb"P[14](?:[\s#]|\Z)",
    "PGM": rb"P[25](?:[\s#]|\Z)",
    "PPM": rb"P[36](?:[\s#]|\Z)",
    "PAM": rb"P7(?:[\r\n#]|\Z)",
    "PFM": rb"P[Ff](?:\s|\Z)",
    "Radiance HDR": rb"#\?",
    "AVIF": rb"....ftyp(?:....){1,14}?avi[fos]|....ftypavi[fos]",
    "JPEG 2000": rb"....jP  |\xff\x4f\xff\x51",
    "Sun raster": rb"\x59\xa6\x6a\x95",
}
"""The formats that are read, and patterns of their first bytes."""

NETPBM = ("PBM", "PGM", "PPM", "PAM", "PFM")
"""Those of Netpbm, which one module reads."""

FORMATS_READ = ", ".join(_READ)

HEAD = 64
"""Bytes that these patterns look at."""

_NOT_READ = {
    "HEIC": rb"....ftyp(?:hei[cmsx]|hev[cmsx])|....ftyp(?:mif[123]|msf1|miaf|Mi..)(?:....){0,20}?hei[cmsx]",
    "camera raw (CR3)": rb"....ftypcrx ",
    "HEIF": rb"....ftyp(?:mif|msf|miaf|Mi|jpeg|jpgs|avci|avcs|vvic|j2k|unif)",
    "JPEG XL": rb"\xff\x0a|\x00\x00\x00\x0cJXL ",
    "JPEG XR": rb"II\xbc",
    "PSD": rb"8BPS",
    "ICO": rb"\x00\x00\x01\x00[^\x00]\x00",
    "CUR": rb"\x00\x00\x02\x00[^\x00]\x00",
    "ICNS": rb"icns",
    "PCX": rb"\n[\x00\x02-\x05][\x00\x01][\x01\x02\x04\x08\x18]",
    "OpenEXR": rb"\x76\x2f\x31\x01",
    "PDF": rb".{0,1024}?%PDF-",
    "PostScript": rb"%!|\xc5\xd0\xd3\xc6|\x04%!",
    "DDS": rb"DDS ",
    "SGI": rb"\x01\xda[\x00\x01][\x01\x02]",
    "QOI": rb"qoif",
    "FITS": rb"SIMPLE  =",
    "DICOM": rb".{128}DICM",
    "camera raw (CRW)": rb"II.{4}HEAPCCDR",
    "camera raw (ORF)": rb"IIR[OS]|MMOR",
    "camera raw (RW2)": rb"IIU\x00",
    "camera raw (RAF)": rb"FUJIFILMCCD-RAW",
    "camera raw (X3F)": rb"FOVb",
    "camera raw (MRW)": rb"\x00MRM",
    "XPM": rb"/\* XPM \*/|! XPM2",
    "XBM": rb"\s*(?:/\*.{0,1000}?\*/\s*)?#define\s+\S*width\s",
    "FLI": rb"....[\x11\x12]\xaf",
    "MNG": rb"\x8aMNG\r\n\x1a\n",
    "JNG": rb"\x8bJNG\r\n\x1a\n",
    "BPG": rb"BPG\xfb",
    "FLIF": rb"FLIF",
    "XCF": rb"gimp xcf",
    "OpenRaster": rb"PK\x03\x04.{26}mimetypeimage/openraster",
    "Krita": rb"PK\x03\x04.{26}mimetypeapplication/x-kr",
    "MIFF": rb"(?i:id=ImageMagick)",
    "farbfeld": rb"farbfeld",
    "ILBM": rb"FORM....(?:ILBM|PBM )",
    "DjVu": rb"AT&TFORM",
    "WMF": rb"\xd7\xcd\xc6\x9a",
    "EMF": rb"\x01\x00\x00\x00.{36} EMF",
    "KTX": rb"\xabKTX ",
    "JBIG2": rb"\x97JB2\r\n\x1a\n",
    "DIB (a BMP without the head of a file)": rb"[\x28\x6c\x7c]\x00{3}.{8}\x01\x00[\x01\x04\x08\x10\x18\x20]\x00",
    "OS/2 bitmap array": rb"BA.{12}(?:BM|IC|CI|CP|PT)",
    "OS/2 icon": rb"(?:IC|CI|CP|PT).{12}[\x0c\x10\x28\x40]\x00\x00\x00",
    "XV thumbnail": rb"P7 332",
    "ANI": rb"RIFF....ACON",
    "DPX": rb"SDPX|XPDS",
    "Cineon": rb"\x80\x2a\x5f\xd7",
    "DCX": rb"\xb1\x68\xde\x3a",
    "XWD": rb"\x00\x00\x00.\x00\x00\x00\x07\x00\x00\x00[\x00-\x02]",
    "Softimage PIC": rb"\x53\x80\xf6\x34",
    "MSP": rb"DanM|LinS",
    "BLP": rb"BLP[12]",
    "FTEX": rb"FTEX",
    "NIfTI": rb".{344}(?:n\+1|ni1)\x00",
    "HDF5": rb"\x89HDF\r\n\x1a\n",
    "NetCDF": rb"CDF[\x01\x02\x05]",
    "MATLAB": rb"MATLAB 5\.0 MAT-file",
}
"""Formats of images that are not read, and how their files begin."""

_NOT_IMAGES = {
    rb"(?:\xef\xbb\xbf)?\s*<(?i:!doctype\s+html|html|head|body)[\s>]": "an HTML page, not an image",
    rb"version https://git-lfs": "a pointer of Git LFS, not the image itself; `git lfs pull` fetches it",
    rb"PK(?:\x03\x04|\x05\x06)": "a ZIP archive, not an image",
    rb"\x1f\x8b": "compressed by gzip; unpack it first",
    rb"BZh[1-9]": "compressed by bzip2; unpack it first",
    rb"\xfd7zXZ\x00": "compressed by xz; unpack it first",
    rb"\x28\xb5\x2f\xfd": "compressed by Zstandard; unpack it first",
    rb"7z\xbc\xaf\x27\x1c": "a 7z archive, not an image",
    rb"Rar!": "a RAR archive, not an image",
    rb"\x93NUMPY": "an array of NumPy; its name must end in .npy",
    rb"\x89[PQ]NG|.PNG|\x89.{0,3}PNG": "the PNG is damaged (in its first 8 bytes, as by a transfer in text mode)",
    rb"\x89(?:P(?:N(?:G[\r\n\x1a]{0,3})?)?)?\Z": "the PNG is cut off (in its first 8 bytes)",
    rb"GIF\d\d[a-z]": "the GIF is damaged (in its first 6 bytes)",
    rb"....ftyp|\x1a\x45\xdf\xa3|RIFF....AVI |\x00\x00\x01[\xb3\xba]|....moov": "a video, not an image",
    rb"RIFF....WAVE|ID3|OggS|fLaC": "sound, not an image",
    rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an OLE document (FlashPix, Word or another), which is not supported",
    rb"\x7fELF|MZ.{58}": "a program, not an image",
}
"""How files begin that are no images, and what they are called."""

_SUFFIXES = {
    (".tga", ".icb", ".vda", ".vst"): "TGA",
    (".pct", ".pict"): "PICT",
    (".wbmp",): "WBMP",
    (".pcd",): "Photo CD",
}
"""Formats that do not begin with anything of their own, by the ends of names."""

_SVG = rb"(?:\xef\xbb\xbf)?\s*<(?:.{0,4000}?<)?(?:\w+:)?svg[\s>]"

_TGA_END = b"TRUEVISION-XFILE.\0"

_SAMPLE = 4096
"""Bytes that tell texts and the formats that are not read."""

_CONTROL = bytes({*range(32), 127} - {*b"\t\n\v\f\r\x1b"})


def recognise(head: bytes) -> str:
    """Return the name of the format of a file that is read, by its first bytes, or nothing."""
    return next((name for name, pattern in _READ.items() if re.match(pattern, head, re.DOTALL)), "")


def explain_unknown(data: bytes, name: str = "") -> str:
    """Return what a file is that is of no format that is read, in words for a message; its name helps.

    Examples
    --------
    >>> explain_unknown(b"8BPS")
    'PSD is not supported; convert it to PNG or TIFF first'
    >>> explain_unknown(b"Dear Sir")
    'a text, not an image'
    """
    sample = data[:_SAMPLE]
    for what, pattern in _NOT_READ.items():
        if re.match(pattern, sample, re.DOTALL):
            return not_supported(what)
    for pattern, what in _NOT_IMAGES.items():
        if re.match(pattern, sample, re.DOTALL):
            return what
    if re.match(_SVG, sample, re.DOTALL):
        return not_supported("SVG")
    if _is_text(sample):
        return "a text, not an image"
    suffixes = (what for ends, what in _SUFFIXES.items() if name.lower().endswith(ends))
    what = "TGA" if data[-len(_TGA_END) :] == _TGA_END else next(suffixes, "")
    return not_supported(what) if what else f"not an image of a known format ({FORMATS_READ})"


def find_camera_raw(data: bytes) -> str:
    """Return what a TIFF is that holds a camera's raw data, or nothing.

    Its first directory, or one below it, has colour filters (TIFF/EP, 32803) or linear raw data (DNG, 34892), or DNG's
    version; the image that others see is a preview. Canon marks the head.
    """
    if data[8:10] == b"CR":
        return "camera raw (CR2)"
    from cnnfilter.io.tags import read_directories, read_directory  # noqa: PLC0415  for TIFFs alone

    first = next(read_directories(data), None)
    if first is None:
        return ""
    if _DNG_VERSION in first.tags:
        return "camera raw (DNG)"
    directories = [first]
    with suppress(struct.error, OverflowError):
        below = first.tags[_BELOW].values(data) if _BELOW in first.tags else ()
        directories += [read_directory(data, int(place)) for place in below[:_MOST_BELOW]]
    if not any(directory.number(_PHOTOMETRIC) in _RAW_COLOURS for directory in directories):
        return ""
    maker = first.tags.get(_MAKER)
    start = data[maker.offset : maker.offset + 5].upper() if maker else b""
    return f"camera raw{_MAKERS.get(start, '')}"


_PHOTOMETRIC, _MAKER, _BELOW, _DNG_VERSION = 262, 271, 330, 50706

_RAW_COLOURS = {32803, 34892}

_MAKERS = {b"NIKON": " (NEF)", b"SONY ": " (ARW)", b"SONY\0": " (ARW)", b"PENTA": " (PEF)", b"SAMSU": " (SRW)"}

_MOST_BELOW = 16  # directories that are looked at


def not_supported(what: str) -> str:
    """Return that a format, or a variant of one, is not read, and what to do."""
    return f"{what} is not supported; convert it to PNG or TIFF first"


def _is_text(sample: bytes) -> bool:
    """Return whether bytes are the beginning of a text: UTF-8, UTF-16 with its mark, or mostly ASCII."""
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if not sample or len(sample.translate(None, _CONTROL)) < len(sample):
        return False
    try:
        sample.decode()
    except UnicodeDecodeError as error:  # the sample may end within a character
        return error.start > len(sample) - 4 or sum(byte < 128 for byte in sample) > 0.9 * len(sample)
    return True
