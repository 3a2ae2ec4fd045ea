"""Entry file of `infomin linear-eval`."""

from infomin.cli.linear_eval import linear_eval

if __name__ == "__main__":
    linear_eval()
