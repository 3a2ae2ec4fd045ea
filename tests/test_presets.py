"""Presets of augmentation are what was published, and every part of them can be replaced."""

from pathlib import Path

import pytest
from composing import composed
from hydra.utils import instantiate
from omegaconf import OmegaConf

CONF = Path(__file__).parent.parent / "conf"
OPERATIONS = {"n": 2, "m": 10, "std": 0.5, "p": 0.5, "fill": [0.485, 0.456, 0.406]}
AMOUNTS = ("brightness", "contrast", "saturation", "hue", "jitter", "gray", "blur")
# c; AMOUNTS; operations of RandAugment (PyContrast, datasets/util.py; SimCLR, appendix A)
PRESETS = {
    "instdis": (0.08, (0.4, 0.4, 0.4, 0.4, 1.0, 0.2, 0.0), None),
    "moco": (0.2, (0.4, 0.4, 0.4, 0.4, 1.0, 0.2, 0.0), None),
    "simclr": (0.08, (0.8, 0.8, 0.8, 0.2, 0.8, 0.2, 0.5), None),
    "mocov2": (0.2, (0.4, 0.4, 0.4, 0.1, 0.8, 0.2, 0.5), None),
    "infomin": (0.2, (0.8, 0.8, 0.8, 0.2, 0.8, 0.2, 0.5), "infomin"),
    "infomin_nojigsaw": (0.2, (0.8, 0.8, 0.8, 0.2, 0.8, 0.2, 0.5), "infomin"),
    "cmc": (0.08, (0.4, 0.4, 0.4, 0.1, 1.0, 0.0, 0.0), None),
    "cmc_ra": (0.2, (0.4, 0.4, 0.4, 0.1, 0.8, 0.0, 0.5), "cmc"),
    "cmc_ra_bank": (0.08, (0.4, 0.4, 0.4, 0.1, 0.8, 0.0, 0.5), "cmc"),
}


def test_every_preset_of_augmentation_is_in_the_table():
    plain = {"none", "whole", "crop"}
    assert {path.stem for path in (CONF / "augment").glob("*.yaml")} == {*PRESETS, *plain}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_of_augmentation_is_what_was_published(name):
    c, amounts, operations = PRESETS[name]
    cfg = OmegaConf.to_container(composed("pretrain", f"augment={name}"), resolve=True)
    crop, photometric, size = cfg["augment"], cfg["photometric"], cfg["encoder"]["size"]
    del crop["_target_"], photometric["_target_"]
    assert crop == {"size": size, "scale": [c, 1.0], "ratio": [0.75, 1.3333333], "flip": 0.5}
    given = dict(zip(AMOUNTS, amounts, strict=True))
    assert photometric == {"strength": 1.0, **given, "sigma": [0.1, 2.0]}
    randaugment = cfg.get("randaugment", {})
    randaugment.pop("_target_", None)
    assert randaugment == ({"operations": operations, **OPERATIONS} if operations else {})
    puzzles = {"beta": 0.5, "scale": [0.6, 1.0], "flip": 0.5, "cell": None, "piece": None}
    assert cfg.get("jigsaw", {}) == (puzzles if name == "infomin" else {})


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_parts_of_a_preset_can_be_chosen_beside_it(name):
    c, (*_, hue, _, _, _), _ = PRESETS[name]
    given = ("augment.scale=[0.5,1.0]", "photometric.strength=0.25", "randaugment=none")
    cfg = composed("pretrain", f"augment={name}", *given)
    assert cfg.augment.scale == [0.5, 1.0] and "randaugment" not in cfg
    made = instantiate(cfg.photometric, _convert_="all")
    assert made.strengths["hue"] == pytest.approx(hue / 4)
    assert composed("pretrain", f"augment={name}", "photometric=none").photometric.gray == 0
    assert composed("estimate_information", f"augment={name}").augment.scale == [c, 1.0]


def test_the_jitter_of_small_images_is_half_of_that_of_large_ones():
    given = [f"photometric={name}" for name in ("simclr", "simclr_224")]
    small, large = (dict(composed("pretrain", one).photometric) for one in given)
    assert (small.pop("strength"), large.pop("strength")) == (0.5, 1.0)
    assert (small.pop("blur"), large.pop("blur")) == (0.0, 0.5)
    assert (small.pop("sigma"), large.pop("sigma")) == ([0.1, 1.0], [0.1, 2.0])
    assert small == large


@pytest.mark.slow
def test_without_a_preset_there_is_no_randaugment():
    assert "randaugment" not in composed("pretrain")
    assert "randaugment" not in composed("pretrain", "views=patches", "photometric=simclr")
    assert composed("pretrain", "randaugment=cmc", "randaugment.n=3").randaugment.n == 3
