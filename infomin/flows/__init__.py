r"""Invertible maps of C channels, pixel by pixel: the family of the view generator g.

A flow y = g(x) acts on *pixel rows*, `(n, c)`: each pixel of each image is one row, and an output
row depends on its input row only. A flow has an inverse and `log_abs_det_jacobian`, the logarithm
of |det dy/dx| at each row. Every flow is the identity at initialisation, so a fresh generator gives
the raw colour channels.

`to_rows` stores rows channel by channel, as the transpose of `(c, n)`, so that each channel is
contiguous (`benchmarks/flows.py` measures it). Flows take rows of any layout. They compute in
float32 under autocast too: in bfloat16 a round trip would be off by several grey levels.

Sources: volume-preserving (VP) blocks are NICE's additive coupling (Dinh et al. 2014,
arXiv:1410.8516), the others RealNVP's affine coupling (Dinh et al. 2016, arXiv:1605.08803).
InfoMin (arXiv:2005.10243), section 4.2, uses both.
"""

from infomin.flows.base import Composition, Flow, in_chunks, to_images, to_rows
from infomin.flows.build import FLOW_DEFAULTS, KINDS, MIXINGS, build_flow
from infomin.flows.coupling import Coupling
from infomin.flows.linear import FixedAffine, InvertibleMixing, OrthogonalMixing, Rotation

__all__ = [
    "FLOW_DEFAULTS",
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
