r"""Devices, precision and processes, through lightning-fabric.

Every process draws the same batch, embeds its share, gathers all embeddings with their gradients
and computes the whole loss. Averaging parameter gradients over processes then gives exactly the
gradient of the loss of the joined batch, so two processes are one process, only faster.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from infomin.core.allocator import keep_freed_memory
from infomin.core.errors import InputError, one_of, positive
from infomin.training.processes import Count, count_processes

K = TypeVar("K")
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = {
    "32-true": "32-true",
    "32": "32-true",
    "bf16-mixed": "bf16-mixed",
    "bf16": "bf16-mixed",
}
"""Words for the precision, and the one of Fabric that is meant."""


def make_fabric(
    device: str = "auto",
    devices: Count = "auto",
    precision: str | int = "auto",
    nodes: Count = "auto",
    timeout: float = 30.0,
) -> Fabric:
    """Set up device, precision, processes, and the memory of a CPU.

    Arguments:
        device: one of `DEVICES`.
        devices: number of processes on each node, one device each; see `count_processes`. Fabric
            starts them unless torchrun or srun did.
        precision: of the encoders: `auto` (bf16-mixed where the hardware multiplies bfloat16, else
            32-true), or one of `PRECISIONS`. Generators always run in float32.
        nodes: number of machines; see `count_processes`.
        timeout: minutes that a process waits for the others before it gives up.

    Raises:
        InputError: for a device, a precision or a number of processes that would not be what runs.
    """
    one_of("device", device, DEVICES)
    positive("timeout", timeout)
    patience = timedelta(minutes=timeout)
    processes = count_processes(devices, nodes)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    _check_device(device, processes.devices)
    if str(precision) not in ("auto", *PRECISIONS):
        raise InputError(
            f"precision: expected one of auto, 32-true, bf16-mixed, got {precision!r}; bf16-mixed "
            "is the fast one, 32-true the exact one"
        )
    if precision == "auto":
        precision = "bf16-mixed" if _multiplies_bfloat16(device) else "32-true"
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # no news is good news
    launchers = logging.getLogger("lightning_fabric.strategies.launchers")
    launchers.setLevel(logging.INFO)  # but a process that was killed is named
    if device == "cpu":
        keep_freed_memory()
    try:
        return Fabric(
            accelerator=device,
            devices=processes.devices,
            num_nodes=processes.nodes,
            precision=PRECISIONS[str(precision)],  # type: ignore[arg-type]
            strategy=DDPStrategy(timeout=patience) if processes.total > 1 else "auto",
            plugins=[processes.environment],
        )
    except InputError:
        raise
    except (ValueError, RuntimeError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"device={device} devices={processes.devices} precision={precision}: {reason}"
        ) from None


def _check_device(device: str, devices: int) -> None:
    """Raise an InputError where a machine has not this device, or fewer of them."""
    counts = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if device == "cpu" or counts[device] >= devices:
        return
    if not counts[device]:
        raise InputError(
            f"device: torch {torch.__version__} finds no {device} device here, got {device}; set "
            "device=auto or device=cpu"
        )
    raise InputError(
        f"devices: expected at most {counts[device]}, the {device} devices that torch finds here, "
        f"got {devices}"
    )


def _multiplies_bfloat16(device: str) -> bool:
    """Return whether the hardware does so itself; emulation is slow."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    flags = torch.cpu.get_capabilities() if device == "cpu" else {}
    return bool(flags.get("avx512_bf16") or flags.get("amx_bf16"))


def share(fabric: Fabric, batch: int) -> slice:
    """Return this process's share of a batch.

    Raises:
        InputError: when the batch does not divide among the processes.
    """
    if batch % fabric.world_size:
        raise InputError(f"batch {batch} does not divide among {fabric.world_size} processes")
    size = batch // fabric.world_size
    return slice(fabric.global_rank * size, (fabric.global_rank + 1) * size)


def gather(parts: Mapping[K, Tensor]) -> dict[K, Tensor]:
    """Join tensors `b d` of all processes in order of rank, with gradients, in one message.

    Every process has to compute the same loss of the joined rows; then no message is needed for the
    gradient: that of its own rows, times the number of processes, has the right mean over them.
    """
    columns = torch.cat([*parts.values()], 1)
    joined: Tensor = _Gather.apply(columns)
    sizes = [part.shape[1] for part in parts.values()]
    return dict(zip(parts, joined.split(sizes, 1), strict=True))


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        return _joined(own)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return distributed.get_world_size() * _own(gradient)


def _joined(own: Tensor) -> Tensor:
    """Return the rows of all processes, in order of rank."""
    rows = own.new_empty(distributed.get_world_size() * len(own), *own.shape[1:])
    with _answered():
        distributed.all_gather_into_tensor(rows, own.contiguous())
    return rows


def _add(values: Tensor) -> None:
    """Replace values by their sum over processes."""
    with _answered():
        distributed.all_reduce(values)


@contextmanager
def _answered() -> Iterator[None]:
    """Raise an InputError when another process does not take part in a message."""
    try:
        yield
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        if not isinstance(error, distributed.DistError) and "gloo" not in reason:
            raise
        reason = reason.rpartition("] ")[2].split(". ")[0] or reason
        raise InputError(
            "another process of this training ended, or did not answer for timeout= minutes; look "
            "for its own message, resume=true goes on from the last checkpoint "
            f"({reason})"
        ) from None


def _own(rows: Tensor) -> Tensor:
    """Return the rows of this process."""
    return rows.chunk(distributed.get_world_size())[distributed.get_rank()]


def average_gradients(parameters: Iterable[nn.Parameter], numbers: Tensor) -> Tensor:
    """Average gradients over processes, and some numbers with them; in one message.

    Returns:
        The averaged numbers.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([*(g.flatten() for g in gradients), numbers.detach().to(gradients[0])])
    _add(flat)
    flat /= distributed.get_world_size()
    *parts, averaged = flat.split([*(g.numel() for g in gradients), len(numbers)])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))
    return averaged


def share_batch_norm(fabric: Fabric, module: nn.Module) -> nn.Module:
    """Let batch norm see the joined batch; a no-op in one process."""
    if fabric.world_size == 1:
        return module
    if fabric.device.type == "cuda":
        return cast(nn.Module, nn.SyncBatchNorm.convert_sync_batchnorm(module))
    for child in module.modules():
        if isinstance(child, _BatchNorm):
            child.__class__ = SharedBatchNorm
    return module


class SharedBatchNorm(_BatchNorm):
    """Batch norm over all processes on any device; torch's own is for GPUs only.

    Deviations are taken from means before they are squared: the difference of two large sums would
    lose a small channel that stands on a large offset.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """Normalise by the joint mean and variance in training, by running ones otherwise."""
        if not self.training:
            return super().forward(input)
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        rows = input.to(self.running_mean.dtype).movedim(1, -1)
        axes = tuple(range(rows.ndim - 1))
        own_mean = rows.mean(axes)
        own_variance = (rows - own_mean).square().mean(axes)
        means, variances = _GatherEach.apply(torch.stack([own_mean, own_variance])[None]).unbind(1)
        mean = means.mean(0)
        variance = (variances + (means - mean).square()).mean(0)
        rows = rows - mean
        n = rows.numel() // len(mean) * distributed.get_world_size()
        if self.track_running_stats:
            with torch.no_grad():
                self.num_batches_tracked.add_(1)
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * n / (n - 1), self.momentum)
        rows = rows * (variance + self.eps).rsqrt()
        if self.affine:
            rows = rows * self.weight + self.bias
        return rows.movedim(-1, 1).to(input.dtype)


class _GatherEach(torch.autograd.Function):
    """Rows of all processes; each of them goes on with the rows in its own way."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        return _joined(own)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous()
        _add(gradient)
        return _own(gradient)
