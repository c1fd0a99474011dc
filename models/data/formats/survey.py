"""Look at all pictures of an upload before any is stored: one size, channels, ground and range for the dataset."""

from collections import Counter
from dataclasses import dataclass, field
from math import inf, isfinite, sqrt

import numpy as np
from PIL import Image

from athanor.contract import Hints, Warned
from models.data.counted import counted
from models.data.formats.images import Reading, is_deep, is_gray, is_transparent, upright, values
from models.data.formats.limits import Limits
from models.data.table import Layout

MOST_PIXELS = 96 * 96
"""Of a picture that is stored, unless a hint says otherwise: a default cnn then has fewer than five million parameters.
"""
SHOWN = 10
_SAMPLE = 32
"""Transparent pictures that are decoded to choose the ground."""
_BRIGHT = 224
"""Gray from which drawings are as good as invisible on white."""
_GROUNDS = {0: "black", 255: "white"}


@dataclass
class Survey:
    """What is known of the pictures seen so far. `name` is the column whose feature the hints may name."""

    limits: Limits
    hints: Hints
    name: str
    sizes: list[tuple[int, int]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    """The numbers of the pictures with these sizes."""
    animated: list[int] = field(default_factory=list)
    transparent: int = 0
    deep: int = 0
    pixels: int = 0
    is_gray: bool = True
    low: float = inf
    high: float = -inf
    _light: float = 0.0
    _cover: float = 0.0

    def see(self, row: int, name: str, image: Image.Image, cost: int) -> bool:
        """Add the header of picture `row`. Returns whether `look` must have its pixels.

        Raises OverLimit if decoding all pixels would take too long.
        """
        self.sizes.append(upright(image))
        self.rows.append(row)
        self.is_gray = self.is_gray and is_gray(image)
        self.deep += is_deep(image)
        self.transparent += is_transparent(image)
        if getattr(image, "is_animated", False):
            self.animated.append(row)
        wanted = is_deep(image) or (is_transparent(image) and self.transparent <= _SAMPLE)
        self.pixels += cost * (2 if wanted else 1)
        if self.pixels > self.limits.max_pixels:
            what = f"The first {len(self.sizes):,} images, up to {name}, have {self.pixels:,} pixels to decode"
            raise self.limits.refuse("max_pixels", what)
        return wanted

    def look(self, image: Image.Image) -> None:
        """Add the pixels of a deep or transparent picture."""
        if is_deep(image):
            for row in values(image):
                finite = row[np.isfinite(row)]
                if finite.size:
                    self.low, self.high = min(self.low, float(finite.min())), max(self.high, float(finite.max()))
            return
        small = np.asarray(image.convert("RGBA").resize((16, 16), Image.Resampling.BOX).convert("RGBA"), np.float64)
        cover = small[..., 3] / 255
        if cover.min() < 1:
            self._light += float((small[..., :3].mean(axis=2) * cover).sum())
            self._cover += float(cover.sum())

    def reading(self) -> Reading:
        """How pictures become pixels: as the hints say, else as fits what was seen."""
        height, width = self._chosen() or self._usual()
        chosen = self.hints.features.get(self.name)
        resize = getattr(chosen, "resize", Reading.resize)
        ground = 0 if self._cover and self._light / self._cover > _BRIGHT else 255
        span = (self.low, self.high) if self.deep and isfinite(self.low) else None
        if span is not None and self.deep < len(self.sizes):
            # Pictures of 8 bits among others: their brightest is the brightest of 16 bits.
            span = (min(0.0, self.low), max(65_535.0, self.high))
        return Reading((height, width, 1 if self.is_gray else 3), resize, ground, span)

    def layout(self) -> Layout:
        """The layout of the pictures. Raises OverLimit if all of them would take too much space or time."""
        reading, count = self.reading(), len(self.sizes)
        height, width, channels = reading.shape
        if height * width * count > self.limits.max_pixels:
            what = f"{count:,} images, resized to {height}×{width}, are too many pixels"
            raise self.limits.refuse("max_pixels", what)
        layout = Layout("image", reading.shape, reading.told())
        if layout.width * count > self.limits.max_expanded_bytes:
            what = f"{count:,} images of {height}×{width}×{channels} are {layout.width * count:,} bytes"
            raise self.limits.refuse("max_expanded_bytes", what)
        return layout

    def warnings(self) -> list[Warned]:
        """What was done to pictures, with their numbers."""
        reading = self.reading()
        height, width, _ = reading.shape
        found = []
        others = [row for row, size in zip(self.rows, self.sizes, strict=True) if size != (height, width)]
        if others:
            counts = Counter(self.sizes)
            usual = ", ".join(f"{count:,} of {high}×{wide}" for (high, wide), count in counts.most_common(3))
            more = f" and {counted(len(counts) - 3, 'more size', 'more sizes')}" if len(counts) > 3 else ""
            told = counted(len(others), "was", "were", of=f"{len(self.sizes):,} images of another size")
            message = f"{told} resized to {height}×{width} ({reading.resize}); there are {usual}{more} (height × width)"
            cure = f"choose another size, or crop, pad or stretch, in features.{self.name} of the upload"
            found.append(self._warned("resized_images", message, others, cure))
        if self.animated:
            told = counted(len(self.animated), "image has", "images have")
            message = f"{told} several frames or pages; the first is read"
            cure = "upload the frames as images of their own, if they matter"
            found.append(self._warned("first_frame", message, self.animated, cure))
        if self.transparent and self._cover:
            ground = _GROUNDS[reading.ground]
            told = counted(self.transparent, "image", "images")
            message = f"{told} may have transparent pixels, which are put on a {ground} ground"
            cure = "upload images without transparent pixels, if another ground is right"
            found.append(self._warned("transparent_images", message, [], cure))
        if reading.range is not None:
            low, high = reading.range
            message = (
                f"{self.deep:,} gray images have more than 8 bits; all are scaled alike: {low:g} becomes 0, and "
                f"{high:g} becomes 255"
            )
            cure = "upload an npz with the numbers, if 256 levels are too few"
            found.append(self._warned("deep_images", message, [], cure))
        return found

    def _warned(self, code: str, message: str, rows: list[int], suggestion: str) -> Warned:
        return Warned(code=code, message=message, column=self.name, rows=rows[:SHOWN], suggestion=suggestion)

    def _chosen(self) -> tuple[int, int] | None:
        size = getattr(self.hints.features.get(self.name), "size", None)
        if size is None:
            return None
        height, width = (size, size) if isinstance(size, int) else size
        return int(height), int(width)

    def _usual(self) -> tuple[int, int]:
        """The median height and the median width, with at most MOST_PIXELS."""
        height, width = (sorted(lengths)[len(lengths) // 2] for lengths in zip(*self.sizes, strict=True))
        shrink = min(1.0, sqrt(MOST_PIXELS / (height * width)))
        return max(1, int(height * shrink)), max(1, int(width * shrink))
