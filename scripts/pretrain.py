"""Entry file of `infomin pretrain`."""

from infomin.__main__ import main

if __name__ == "__main__":
    main("pretrain")
