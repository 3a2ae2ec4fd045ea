"""Pictures inside a page, as data URIs."""

import base64
import io

from PIL import Image as Picture


def embedded(image: Picture.Image, quality: int, side: int | None = None) -> str:
    """Return an image as a data URI, reduced to at most `side` pixels."""
    if side is not None and max(image.size) > side:
        image.thumbnail((side, side), Picture.Resampling.BOX)
    written = io.BytesIO()
    image.save(written, format="webp", quality=quality)
    return "data:image/webp;base64," + base64.b64encode(written.getvalue()).decode()
