"""Put a learned generator where others can take it: a folder of weights and a card.

    python scripts/export_generator.py to=my_generator
    python scripts/export_generator.py generator=runs/learn_views/RUN/generator to=my_generator

Elsewhere: `g = infomin.load_generator("my_generator")`.
"""

from pathlib import Path

from cli import main
from omegaconf import DictConfig

from infomin import artifact, load_generator
from infomin.errors import InputError
from infomin.run import newest


@main("export_generator")
def export_generator(cfg: DictConfig) -> None:
    """Load, which checks it, and save under another name with the same card."""
    if cfg.to is None:
        raise InputError("to: expected the new folder, such as to=my_generator, got none")
    source = cfg.generator or newest(cfg.out, "learn_views", "generator")
    g = load_generator(source)
    card = artifact.read_card(Path(source), "generator")
    folder = g.save(cfg.to, card["training"])
    print(f"{source} -> {folder}")


if __name__ == "__main__":
    export_generator()
