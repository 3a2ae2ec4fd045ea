"""Entry file of `infomin share-factors`."""

from infomin.cli.share_factors import share_factors

if __name__ == "__main__":
    share_factors()
