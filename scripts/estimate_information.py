"""Entry file of `infomin estimate-information`."""

from infomin.cli.estimate_information import estimate_information

if __name__ == "__main__":
    estimate_information()
