"""Entry file of `infomin export-generator`."""

from infomin.__main__ import main

if __name__ == "__main__":
    main("export_generator")
