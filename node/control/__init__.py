"""The local control service: how faces of this machine speak to their node."""
