"""Entry file of `infomin evaluate`."""

from infomin.cli.evaluate import evaluate

if __name__ == "__main__":
    evaluate()
