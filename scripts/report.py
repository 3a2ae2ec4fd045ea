"""Entry file of `infomin report`."""

from infomin.__main__ import main

if __name__ == "__main__":
    main("report")
