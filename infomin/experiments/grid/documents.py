"""The written report of a grid: its table and figure, in a folder and in documents."""

import functools
import shutil
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from infomin.core import files
from infomin.experiments.tables import replace_section


def write_report(
    grids: Path, name: str, section: str, text: str, figure: Figure, documents: Sequence[str]
) -> Path:
    """Write the table and the figure of a grid; return the path of the figure.

    Arguments:
        grids: folder of all grids.
        name: of the figure.
        section: name of the folder of this grid, and of its section in documents.
        text: table and origin, as markdown.
        figure: saved as PNG; copied to `images/` beside the first document.
        documents: paths of documents with a section of this name.
    """
    folder = files.make_folder(grids / section)
    picture = folder / f"{name}.png"
    files.write(picture, functools.partial(figure.savefig, format="png"))
    files.write_bytes(folder / "table.md", text.encode())
    for document in documents:
        replace_section(Path(document), section, text)
    if documents:
        pictures = files.make_folder(Path(documents[0]).parent / "images")
        shutil.copy(picture, pictures / f"{section}.png")
    return picture
