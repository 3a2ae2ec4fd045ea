"""Backbones: networks of named stages, each of which can be read.

The paper's backbone is the small AlexNet that its lab used on STL-10 (the `alex64x64` of Deep
InfoMax; 64-pixel input, 3x3 convolutions, 96-192-384-384-192), and on Colorful-Moving-MNIST
`StridedConv`. `FourConv` is ours, for quick runs on 32-pixel images; it pools before it normalises,
which costs a quarter of the elementwise work.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise, takewhile

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from infomin.core.errors import InputError, at_least, one_of
from infomin.core.registry import Registry
from infomin.core.shapes import Images


class Backbone(nn.Module):
    """Named stages, applied in order; every stage's name is a tap.

    Channels are standardised first, without parameters and in float32. Otherwise a generator can
    hide a channel: shrunk beside a large offset, it vanishes in bfloat16 and in the epsilon of the
    first batch norm, and I_NCE falls although nothing was taken away (docs/decisions/0004).

    Arguments:
        in_channels: of the images.
        stages: (name, module) pairs; images go in, `(b, d)` or `b d h w` comes out of each.
    """

    def __init__(self, in_channels: int, stages: Sequence[tuple[str, nn.Module]]) -> None:
        super().__init__()
        self.standardize = nn.BatchNorm2d(in_channels, eps=1e-8, affine=False)
        self.stages = nn.ModuleDict(dict(stages))
        self.to(memory_format=torch.channels_last)

    @property
    def taps(self) -> tuple[str, ...]:
        """The names of the stages, first to last."""
        return tuple(self.stages)

    @property
    def dense_taps(self) -> tuple[str, ...]:
        """The names of the stages with rows and columns: those before a fully connected one."""

        def dense(name: str) -> bool:
            return not any(isinstance(part, nn.Linear) for part in self.stages[name].modules())

        return tuple(takewhile(dense, self.taps))

    def tap(self, name: str | None) -> str:
        """Return the name of a tap, the last one for None.

        Raises:
            InputError: for an unknown tap.
        """
        if name is not None and name not in self.stages:
            raise InputError(f"tap: expected one of {', '.join(self.taps)}, got {name!r}")
        return name or self.taps[-1]

    def forward(self, x: Images, tap: str | None = None) -> Float[Tensor, "b d"]:
        """Return the features at a tap, flattened; see `maps`."""
        return self.maps(x, [self.tap(tap)])[0].flatten(1)

    def maps(self, x: Images, taps: Sequence[str]) -> list[Float[Tensor, "b d ..."]]:
        """Return the features at several taps, in any order, before flattening.

        Convolutions take images of any size, so a backbone that was trained on small squares takes
        whole frames. A fully connected stage takes its own size only. Stages after the last tap are
        not computed.

        Raises:
            InputError: for an unknown tap.
        """
        wanted = {self.tap(name) for name in taps}
        maps: dict[str, Tensor] = {}
        # batch statistics of one or two channels are ten times slower in channels_last
        x = self.standardize(x.contiguous()).contiguous(memory_format=torch.channels_last)
        for name, stage in self.stages.items():
            x = stage(x)
            if name in wanted:
                maps[name] = x
            if len(maps) == len(wanted):
                break
        return [maps[name] for name in taps]


BACKBONES: Registry[Callable[..., Backbone]] = Registry("encoder.name")
"""Backbones by name; the decorator `@BACKBONES.register(NAME)` above a class adds one."""


@BACKBONES.register("fourconv")
class FourConv(Backbone):
    """Four 3x3 convolutions, 16-32-64-64, three 2x2 max-pools; taps conv1..conv4.

    Arguments:
        size: side of the input, at least 2 to the power of `pools`.
        widths: of the convolutions; more or fewer than four make a deeper or shallower net.
        pools: how many of the first convolutions are followed by a pool.

    Raises:
        InputError: for no convolution, more pools than convolutions, or too small an input.
    """

    def __init__(
        self,
        in_channels: int,
        size: int = 32,
        widths: Sequence[int] = (16, 32, 64, 64),
        pools: int = 3,
    ) -> None:
        _check_widths(widths)
        if type(pools) is not int or not 0 <= pools <= len(widths):
            raise InputError(f"encoder.pools: expected 0 to {len(widths)}, got {pools!r}")
        _check_size(size, 2**pools, "FourConv")
        stages = []
        for i, (before, width) in enumerate(pairwise([in_channels, *widths])):
            convolution = nn.Conv2d(before, width, 3, padding=1, bias=False)
            pool = [nn.MaxPool2d(2)] if i < pools else []
            stage = nn.Sequential(convolution, *pool, nn.BatchNorm2d(width), nn.ReLU())
            stages.append((f"conv{i + 1}", stage))
        super().__init__(in_channels, stages)


@BACKBONES.register("alexnet")
class SmallAlexNet(Backbone):
    """The STL-10 AlexNet of Deep InfoMax and CMC; taps conv1..conv5, fc6, fc7 (d = 4096).

    Arguments:
        size: side of the input, 64 in the paper.
        width: multiplies all widths; 1/2 gives the half encoders of CMC's ImageNet code.
    """

    def __init__(self, in_channels: int, size: int = 64, width: float = 1.0) -> None:
        _check_size(size, 16, "SmallAlexNet")
        widths = [round(width * w) for w in (96, 192, 384, 384, 192)]
        hidden = round(width * 4096)
        stages, side = [], size
        for i, (before, out) in enumerate(pairwise([in_channels, *widths])):
            layers: list[nn.Module] = [
                nn.Conv2d(before, out, 3, padding=1, bias=False),
                nn.BatchNorm2d(out),
                nn.ReLU(),
            ]
            if i in (0, 1, 4):
                layers.append(nn.MaxPool2d(3, 2))
                side = (side - 3) // 2 + 1
            stages.append((f"conv{i + 1}", nn.Sequential(*layers)))
        for name, inputs in (("fc6", widths[-1] * side * side), ("fc7", hidden)):
            linear = nn.Linear(inputs, hidden, bias=False)
            layers = [nn.Flatten(), linear, nn.BatchNorm1d(hidden), nn.ReLU()]
            stages.append((name, nn.Sequential(*layers)))
        super().__init__(in_channels, stages)


@BACKBONES.register("strided")
class StridedConv(Backbone):
    """Four convolutions of stride 2, then the mean over places; taps conv1..conv4, pool (d = 64).

    The paper's net for Colorful-Moving-MNIST has four layers, these widths and an average pool.
    Kernel, stride and normalisation are ours. The mean over places keeps the position of an object
    only because zero padding marks the borders; with a kernel of 5 every place sees one of them.

    Arguments:
        size: side of the input, at least 2 to the power of the number of layers.
        widths: of the convolutions.
        kernel: side of their kernels, odd.

    Raises:
        InputError: for no convolution, an even kernel, or too small an input.
    """

    def __init__(
        self,
        in_channels: int,
        size: int = 64,
        widths: Sequence[int] = (8, 16, 32, 64),
        kernel: int = 5,
    ) -> None:
        _check_widths(widths)
        at_least("encoder.kernel", kernel, 1)
        if kernel % 2 != 1:
            raise InputError(f"encoder.kernel: expected an odd number of pixels, got {kernel}")
        _check_size(size, 2 ** len(widths), "StridedConv")
        stages: list[tuple[str, nn.Module]] = []
        for i, (before, width) in enumerate(pairwise([in_channels, *widths])):
            convolution = nn.Conv2d(before, width, kernel, 2, padding=kernel // 2, bias=False)
            stage = nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU())
            stages.append((f"conv{i + 1}", stage))
        super().__init__(in_channels, [*stages, ("pool", nn.AdaptiveAvgPool2d(1))])


@BACKBONES.register("resnet")
class ResNet(Backbone):
    """torchvision's ResNet; taps stem, layer1..layer4, pool (d = 512 or 2048).

    Arguments:
        depth: 18 or 50.
        stem: `small` (3x3, stride 1, no pool), for small images, or `imagenet`, torchvision's own
            (7x7, stride 2, max-pool), for those of 224 pixels.

    Raises:
        InputError: for another depth or stem.
    """

    def __init__(
        self, in_channels: int, depth: int = 18, size: int = 32, stem: str = "small"
    ) -> None:
        from torchvision.models import resnet

        if depth not in (18, 50):
            raise InputError(f"encoder.depth: expected 18 or 50, got {depth}")
        one_of("encoder.stem", stem, ("small", "imagenet"))
        net = {18: resnet.resnet18, 50: resnet.resnet50}[depth]()
        kernel, stride = (3, 1) if stem == "small" else (7, 2)
        first = nn.Conv2d(in_channels, 64, kernel, stride, padding=kernel // 2, bias=False)
        nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")
        pool = [] if stem == "small" else [nn.MaxPool2d(3, 2, 1)]
        begin = nn.Sequential(first, nn.BatchNorm2d(64), nn.ReLU(), *pool)
        layers = [(f"layer{i}", getattr(net, f"layer{i}")) for i in (1, 2, 3, 4)]
        end = nn.AdaptiveAvgPool2d(1)
        super().__init__(in_channels, [("stem", begin), *layers, ("pool", end)])


def feature_width(backbone: Backbone, channels: int, size: int, tap: str | None = None) -> int:
    """Return d, the number of features of an image at a tap, the last one for None.

    The backbone runs on the meta device, so an image of any size costs neither time nor memory.
    """
    weights = {name: w.to("meta") for name, w in backbone.state_dict().items()}
    images = torch.zeros(1, channels, size, size, device="meta")
    backbone.eval()
    with torch.no_grad():
        width = int(functional_call(backbone, weights, (images, tap)).shape[1])
    backbone.train()
    return width


@contextmanager
def uncounted(module: nn.Module) -> Iterator[None]:
    """Let batch normalisation use the statistics of a batch without adding them to its own."""
    counting = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    for m in counting:
        m.track_running_stats = False
    try:
        yield
    finally:
        for m in counting:
            m.track_running_stats = True


def _check_widths(widths: Sequence[int]) -> None:
    if not widths:
        raise InputError("encoder.widths: expected the width of one convolution or more, got []")


def _check_size(size: int, least: int, name: str) -> None:
    if size < least:
        raise InputError(f"size: {name} needs images of at least {least} pixels, got {size}")
