"""Entry file of `infomin evaluate`, under its first name."""

from infomin.cli.evaluate import evaluate

if __name__ == "__main__":
    evaluate()
