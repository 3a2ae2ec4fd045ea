"""Entry file of `infomin segment`."""

from infomin.__main__ import main

if __name__ == "__main__":
    main("segment")
