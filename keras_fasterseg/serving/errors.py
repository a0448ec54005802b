"""Errors between a client and a server."""


class ServingError(OSError):
    """A server was unreachable, rejected a request or answered wrongly; the message names it."""


class TransientServingError(ServingError):
    """A temporary failure: the same request may succeed if it is sent again."""
