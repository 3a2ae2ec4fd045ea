"""Entry file of `infomin learn-views`."""

from infomin.__main__ import main

if __name__ == "__main__":
    main("learn_views")
