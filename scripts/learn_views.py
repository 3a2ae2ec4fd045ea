"""Entry file of `infomin learn-views`."""

from infomin.cli.learn_views import learn_views

if __name__ == "__main__":
    learn_views()
