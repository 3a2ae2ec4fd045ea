"""Entry file of `infomin estimate-information`."""

from infomin.__main__ import main

if __name__ == "__main__":
    main("estimate_information")
