"""Entry file of `infomin export-encoder`."""

from infomin.cli.export_encoder import export_encoder

if __name__ == "__main__":
    export_encoder()
