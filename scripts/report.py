"""Entry file of `infomin report`."""

from infomin.cli.report import report

if __name__ == "__main__":
    report()
