"""Colorful-Moving-MNIST (InfoMin, section 4.1, Table 4)."""
