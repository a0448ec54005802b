"""What can go wrong between a client and a server."""


class ServingError(OSError):
    """A server was not reached, refused a request or answered wrongly; the message names it."""


class TransientServingError(ServingError):
    """A failure of the moment: the same request may well succeed when it is sent again."""
