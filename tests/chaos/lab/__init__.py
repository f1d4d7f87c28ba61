"""A small network on one machine: hosts, and a switch between them that misbehaves to order."""

from tests.chaos.lab.disks import Disks, small_disks
from tests.chaos.lab.hosts import Lab, Loopback, Namespaces, build
from tests.chaos.lab.rules import CALM, Rules, Weather

__all__ = [
    "CALM",
    "Disks",
    "Lab",
    "Loopback",
    "Namespaces",
    "Rules",
    "Weather",
    "build",
    "small_disks",
]
