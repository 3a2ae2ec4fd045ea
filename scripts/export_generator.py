"""Entry file of `infomin export-generator`."""

from infomin.cli.export_generator import export_generator

if __name__ == "__main__":
    export_generator()
