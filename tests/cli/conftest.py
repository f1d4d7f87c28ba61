"""Laws of the faces are tried without a deadline: a machine that is busy fails no test."""

from hypothesis import settings

settings.register_profile("faces", deadline=None)
settings.load_profile("faces")
