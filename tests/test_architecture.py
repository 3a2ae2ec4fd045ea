"""The shape of the house: imports point downward, files stay small, only commands know Hydra."""

import ast
from pathlib import Path

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
TREES = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def part(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree):
    """Names of modules that a file imports, anywhere in it, as in `infomin.core`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "infomin":
            yield from (f"infomin.{alias.name}" for alias in node.names if alias.name in ROW)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_imports_point_downward():
    for path, tree in TREES.items():
        own = part(path)
        if own == "__init__":
            continue
        assert own in ROW, f"{path} has no place in the house: add it to LAYERS"
        for name in imported(tree):
            package, _, rest = name.partition(".")
            assert package != "studies", f"{path} imports a study"
            if package == "infomin" and rest:
                assert ROW[rest.split(".")[0]] >= ROW[own], f"{path} imports {name}, which is above"


def test_only_commands_know_hydra_and_print():
    for path, tree in TREES.items():
        if part(path) in ("cli", "__main__"):
            continue
        packages = {name.split(".")[0] for name in imported(tree)}
        assert not packages & {"hydra", "omegaconf"}, path
        calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
        assert not any(getattr(function, "id", "") == "print" for function in calls), path


def test_files_are_short_and_say_what_they_are():
    for path in [*TREES, *(ROOT / "studies").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]:
        text = path.read_text()
        assert len(text.splitlines()) <= 300, path
        assert ast.get_docstring(ast.parse(text)), f"{path} does not say what it is"
    for path in (ROOT / "scripts").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 8, f"{path} is more than an entry"


def test_every_concept_of_the_paper_has_a_row_in_its_table():
    table = (ROOT / "docs" / "paper.md").read_text()
    for name in "flows color generator views models augment losses information".split():
        assert f"infomin/{name}" in table, name
