"""The one exception that carries a message meant for the person at the keyboard."""


class UserError(ValueError):
    """Bad input or a missing precondition, as one plain sentence.

    The message names the thing, the reason and the way out. Pages show it as it
    stands; the command line prints it on stderr and exits with code 2.
    """
