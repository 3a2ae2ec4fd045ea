"""Entry file of `infomin pretrain`."""

from infomin.cli.pretrain import pretrain

if __name__ == "__main__":
    pretrain()
