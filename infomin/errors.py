"""The one error that a user can mend: what was wrong, what was expected, what came, what to do."""


class InputError(ValueError):
    """A wrong argument, path, shape, range or file. Its text is one line, fit to be shown as is."""
