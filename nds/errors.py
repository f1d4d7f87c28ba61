"""What can go wrong that a person must put right.  The docstrings are what that person reads."""


class NdsError(Exception):
    """The server cannot run; the text says why and what to do.  Exit code 1."""

    exit_code = 1


class UsageError(NdsError):
    """The command line makes no sense; the text says what would.  Exit code 2."""

    exit_code = 2


class StoreUnusable(NdsError):
    """The store cannot be opened or written: a missing right, a full disk, another server on it."""


class StoreFull(StoreUnusable):
    """The disk of the store has no room left."""


class StoreDamaged(NdsError):
    """The file is not a store, or no longer one.  It is left as it is."""


class StoreTooNew(NdsError):
    """The store was written by a newer version.  It is left as it is."""


class KeyUnusable(NdsError):
    """The key of this service cannot be used; a new one would be another service to all nodes."""


class CannotListen(NdsError):
    """The address cannot be listened on: taken, not ours, or not allowed."""
