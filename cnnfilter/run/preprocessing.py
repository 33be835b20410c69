"""What a network sees of an image: its colours and alpha, on a background, resized, as light, scaled."""

from __future__ import annotations

from cnnfilter.arrays import Array, Floats, float_type
from cnnfilter.compute.forward import as_volume, prepare, resize
from cnnfilter.compute.tiles import Model
from cnnfilter.io.colours import decode_srgb, encode_srgb
from cnnfilter.io.decode import Picture
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.geometry import Pair
from cnnfilter.nn.layers import Shape
from cnnfilter.run.settings import Settings


def takes_alpha(picture: Picture, model: Model, settings: Settings) -> bool:
    """Return whether a picture has alpha that goes through a network."""
    return picture.has_alpha and not settings.pipeline and model.network.takes_alpha


def seen_shape(picture: Picture, settings: Settings) -> Shape:
    """Return the shape of a picture's colours as a network sees them; `ShapeError` if a crop is too large for it."""
    size = settings.preparation.size if settings.preparation else None
    shape = *(size or picture.colours.shape[:2]), picture.colours.shape[2]
    if not settings.augmentation:
        return shape
    from cnnfilter.learn.steps import output_shape  # noqa: PLC0415  one command augments

    return output_shape(settings.augmentation.steps, shape)


def see(picture: Picture, model: Model, settings: Settings) -> Picture:
    """Return a picture as a network sees it: without alpha where that has no place for it, and resized."""
    pixels = picture.pixels
    if picture.has_alpha and not takes_alpha(picture, model, settings):
        pixels = picture.colours
        if settings.background:
            from cnnfilter.io.background import flatten  # noqa: PLC0415  most images have no alpha

            pixels = flatten(picture.pixels, settings.background, picture.maximum)
    if settings.preparation and settings.preparation.size:
        has_alpha = pixels is picture.pixels and picture.has_alpha
        pixels = _resize(pixels, settings.preparation.size, settings.linear and picture.maximum, has_alpha=has_alpha)
    if settings.augmentation:
        from cnnfilter.run.masks import augment_pixels  # noqa: PLC0415  one command augments

        has_alpha = takes_alpha(picture, model, settings)
        pixels = augment_pixels(pixels, picture, settings.augmentation, settings, has_alpha=has_alpha)
    if pixels is picture.pixels:
        return picture
    return Picture(pixels, picture.depth, matrix=picture.matrix, bands=not picture.has_alpha)


def prepare_colours(seen: Picture, settings: Settings) -> tuple[Array, float]:
    """Return the colours of a picture that a network sees, (H, W, C), as it takes them, and white in their units."""
    colours, white = seen.colours, float(seen.maximum)
    if settings.linear:
        colours = decode_srgb(colours, white)
    if settings.preparation:
        rest = replace(settings.preparation, size=None)
        colours, white = prepare(colours, rest), white * rest.scale
    return colours, white


def _resize(pixels: Array, size: Pair, white: float, *, has_alpha: bool) -> Array:
    """Return pixels of another (height, width), as floats; those of sRGB up to `white` as light, if that is not 0."""
    volume = as_volume(pixels)
    floats: Floats = volume.astype(float_type(volume.dtype))
    if size == volume.shape[:2]:
        return floats
    colours = slice(0, 3 if has_alpha else None)
    if white:
        floats[:, :, colours] = decode_srgb(floats[:, :, colours], white)
    if has_alpha:
        from cnnfilter.compute.alpha import resize_visible  # noqa: PLC0415  most images have no alpha

        floats = resize_visible(floats, size)
    else:
        floats = resize(floats, size)
    if white:
        floats[:, :, colours] = encode_srgb(floats[:, :, colours], white)
    return floats
