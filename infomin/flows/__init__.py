r"""Pixel-wise invertible maps on C channels, the family that the view generator g is made of.

A flow y = g(x) acts on *pixel rows*, `(n, c)`: every pixel of every image is one row, and each
output row depends on its own input row alone. It comes with its inverse and with
`log_abs_det_jacobian`, the logarithm of |det dy/dx| at each row.

Why rows: a 1x1 convolution *is* a matrix product over pixel rows. They are stored channel by
channel, as the transpose of `(c, n)` (`to_rows`): then the products are long instead of narrow and
every channel is one piece of memory (`benchmarks/flows.py` measures it). Flows take rows stored in
any other way too. Why float32 under autocast: in bfloat16 a round trip is off by several
grey levels. Every flow here is the identity when it is made, so that a fresh generator gives the
raw colour channels.

Sources: volume-preserving (VP) blocks are NICE's additive coupling (Dinh et al. 2014,
arXiv:1410.8516), the others RealNVP's affine coupling (Dinh et al. 2016, arXiv:1605.08803);
InfoMin (arXiv:2005.10243), section 4.2, uses both.
"""

from infomin.flows.base import Composition, Flow, in_chunks, to_images, to_rows
from infomin.flows.build import KINDS, MIXINGS, build_flow
from infomin.flows.coupling import Coupling
from infomin.flows.linear import FixedAffine, InvertibleMixing, OrthogonalMixing, Rotation

__all__ = [
    "KINDS",
    "MIXINGS",
    "Composition",
    "Coupling",
    "FixedAffine",
    "Flow",
    "InvertibleMixing",
    "OrthogonalMixing",
    "Rotation",
    "build_flow",
    "in_chunks",
    "to_images",
    "to_rows",
]
