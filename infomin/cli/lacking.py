"""Samples that lack views: for one process, said before work starts, and kept in the record."""

from typing import Any

from lightning_fabric import Fabric
from omegaconf import DictConfig

from infomin.data import DataSet
from infomin.training.distributed import make_fabric
from infomin.views import View


def launch(cfg: DictConfig, data: DataSet) -> Fabric:
    """Start the processes; several share no batch statistics of views that samples lack."""
    if cfg.devices != 1:
        data.needs_all(f"devices={cfg.devices}, unlike devices=1,")
    fabric = make_fabric(cfg.device, cfg.devices, cfg.precision)
    fabric.launch()
    return fabric


def seen_by(views: View, data: DataSet, fabric: Fabric) -> tuple[DataSet, dict[str, Any]]:
    """Return data as views see them, and what a result tells of samples that lack some."""
    seen = data.seen(views.sources)
    seen.needs_pairs()
    for name, told in seen.lacking.items():
        each = ", ".join(f"v{i} {number}" for i, number in enumerate(told["views"], 1))
        several = f"two or more {told['several']}, all {told['all']}"
        fabric.print(f"{told['samples']} {name} samples, some lack views: {each}, {several}")
    return seen, {"present": seen.lacking} if seen.lacking else {}
