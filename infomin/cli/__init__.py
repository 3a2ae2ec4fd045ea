"""Commands: configuration becomes objects in `build`, once; one file per command."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
CONF = CHECKOUT / "conf" if (CHECKOUT / "conf").is_dir() else CHECKOUT / "infomin" / "conf"
"""Configuration: `conf/` of a checkout, or the copy inside an installed package."""
