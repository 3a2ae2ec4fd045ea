"""Entry file of `infomin segment`."""

from infomin.cli.segment import segment

if __name__ == "__main__":
    segment()
