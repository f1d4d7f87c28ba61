"""The full-screen app: the one place that owns the terminal.

It holds a `model.State`, draws it with `render.screen`, and speaks to its node through the control
client alone, so that it may come and go while the node stays.
"""

from .app import run
from .setup import Extra, Keeping, Setup

__all__ = ["Extra", "Keeping", "Setup", "run"]
