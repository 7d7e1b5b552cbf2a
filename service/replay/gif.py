"""Export a match as an animated GIF, by Pillow."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from functools import cache
from itertools import chain, pairwise
from typing import TYPE_CHECKING, BinaryIO

from PIL import Image, ImageDraw, ImageFont

from service.replay.colours import PALETTE, PLATE, STAGE
from service.replay.scene import Box, Disc, Label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from service.replay.scene import Frame, Scene, Shape

HZ = 20
"""Frames a second: a GIF counts in hundredths of a second, and browsers slow shorter times down."""

FRAMES_MAX = 6000
"""The most frames of a file, since all of them are in memory: five minutes."""

LAST_MS = 2000
"""How long the last frame is shown before the animation begins again, in ms."""

SUPERSAMPLING = 4
"""Discs are drawn this much larger and scaled down, so that their edges are smooth."""

SHADES = 8
"""The shades of each colour, for the edges of letters and discs."""


def write_gif(scene: Scene, frames: Iterable[Frame], file: BinaryIO) -> None:
    """Write an animation that is played in an endless loop."""
    images = _images(scene, frames)
    first = next(images)
    first.save(file, "GIF", save_all=True, append_images=images, loop=0, optimize=False)


def _images(scene: Scene, frames: Iterable[Frame]) -> Iterator[Image.Image]:
    """Yield an image for each frame, with how long it is shown."""
    ground = Image.new("RGB", (scene.width, scene.height), STAGE)
    for shape in scene.ground():
        _draw(ground, shape)
    palette = _palette()
    for frame, after in pairwise(chain(frames, (None,))):
        if frame is None:
            continue
        image = ground.copy()
        for shape in frame.shapes:
            _draw(image, shape)
        packed = image.quantize(palette=palette, dither=Image.Dither.NONE)
        ends_ms = None if after is None else _rounded_ms(after.at_s)
        packed.info["duration"] = LAST_MS if ends_ms is None else ends_ms - _rounded_ms(frame.at_s)
        yield packed


def _rounded_ms(at_s: float) -> int:
    """Return a time in whole hundredths of a second, so that roundings do not add up."""
    return round(at_s * 100) * 10


def _draw(image: Image.Image, shape: Shape) -> None:
    draw = ImageDraw.Draw(image)
    match shape:
        case Box(_, x, y, width, height, colour):
            right, bottom = round(x + width) - 1, round(y + height) - 1
            if right >= round(x) and bottom >= round(y):
                draw.rectangle((round(x), round(y), right, bottom), fill=colour)
        case Disc(_, x, y, radius, colour, rim):
            mask = _disc(radius, rim)
            at = round(x - mask.width / 2), round(y - mask.height / 2)
            image.paste(colour, (*at, at[0] + mask.width, at[1] + mask.height), mask)
        case Label():
            _write(draw, shape)


FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "arial.ttf")
"""Fonts that most systems have one of; Pillow's own one has no letters beyond ASCII."""


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont | None:
    """Return a font of the system, or None without one."""
    for name in FONTS:
        with suppress(OSError):
            return ImageFont.truetype(name, size)
    return None


def _write(draw: ImageDraw.ImageDraw, label: Label) -> None:
    text, font = label.text, _font(label.size)
    if font is None:
        font = ImageFont.load_default(label.size)
        # Letters without their accents; others are question marks.
        text = unicodedata.normalize("NFKD", text)
        text = "".join(one for one in text if not unicodedata.combining(one))
        text = text.encode("ascii", "replace").decode()
    anchor = {"start": "ls", "middle": "ms", "end": "rs"}[label.anchor]
    draw.text((label.x, label.y), text, fill=label.colour, font=font, anchor=anchor)


@cache
def _disc(radius: float, rim: float) -> Image.Image:
    """Return the mask of a disc or ring with smooth edges."""
    outer = radius + rim / 2
    side = round(2 * outer) + 2
    mask = Image.new("L", (side * SUPERSAMPLING, side * SUPERSAMPLING), 0)
    draw = ImageDraw.Draw(mask)
    for size, shade in ((outer, 255), (outer - rim, 0)) if rim else ((outer, 255),):
        middle, extent = side * SUPERSAMPLING / 2, size * SUPERSAMPLING
        low, high = middle - extent, middle + extent
        draw.ellipse((low, low, high, high), fill=shade)
    return mask.resize((side, side), Image.Resampling.LANCZOS)


def _palette() -> Image.Image:
    """Return an image with the palette: each colour in shades towards both grounds."""
    colours = {
        tuple(
            round(back + (front - back) * step / SHADES)
            for front, back in zip(_rgb(colour), _rgb(ground), strict=True)
        ): None
        for colour in PALETTE
        for ground in (STAGE, PLATE)
        for step in range(SHADES + 1)
    }
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour in list(colours)[:256] for part in colour])
    return palette


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
