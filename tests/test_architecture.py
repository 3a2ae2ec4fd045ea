"""The shape of the house: imports point downward, files stay small, only commands know Hydra."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "infomin"

# top to bottom; a module may import from its own row and from rows below
LAYERS = [
    ["cli", "__main__"],
    ["experiments", "export", "runs"],
    ["evaluation"],
    ["training"],
    ["methods", "information"],
    ["models", "data"],
    ["views"],
    ["augment", "generator", "losses"],
    ["color", "flows", "core", "shipped"],
]
ROW = {name: row for row, names in enumerate(LAYERS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))
STUDIES = sorted((ROOT / "studies").rglob("*.py"))


def part(path):
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def imported(path):
    """Names of modules of ours that a file imports, anywhere in it, but for type checking."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "infomin":
                yield from (alias.name for alias in node.names if alias.name in ROW)
            elif node.module.startswith("infomin."):
                yield node.module.split(".")[1]


@pytest.mark.parametrize(
    "path", [f for f in FILES if f.parent != PACKAGE or f.name != "__init__.py"], ids=str
)
def test_imports_point_downward(path):
    own = part(path)
    assert own in ROW, f"{path} has no place in the house: add it to LAYERS"
    for name in imported(path):
        assert ROW[name] >= ROW[own], f"{own} imports {name}, which stands above it"


@pytest.mark.parametrize("path", [f for f in FILES if part(f) not in ("cli", "__main__")], ids=str)
def test_only_commands_know_hydra_and_print(path):
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not any(n.split(".")[0] in ("hydra", "omegaconf") for n in names)
        assert not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print")


@pytest.mark.parametrize("path", FILES + STUDIES, ids=str)
def test_files_are_short_and_say_what_they_are(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text)), f"{path} does not say what it is"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_the_library_imports_no_study(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not any(name.split(".")[0] == "studies" for name in names)


@pytest.mark.parametrize("path", sorted((ROOT / "scripts").glob("*.py")), ids=str)
def test_scripts_are_entry_files(path):
    assert len(path.read_text().splitlines()) <= 8


def test_every_concept_of_the_paper_has_a_row_in_its_table():
    table = (ROOT / "docs" / "paper.md").read_text()
    for name in (
        "flows",
        "color",
        "generator",
        "views",
        "models",
        "augment",
        "losses",
        "information",
    ):
        assert f"infomin/{name}" in table, name
