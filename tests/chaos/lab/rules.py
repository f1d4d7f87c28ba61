"""What the switch does to frames, as values that travel to it as JSON, one object a line."""

import json
from typing import TypeAlias

from msgspec import Struct, field
from msgspec.structs import asdict

Cut: TypeAlias = tuple[str, str]  # frames from the first host to the second vanish


class Weather(Struct, frozen=True):
    """What befalls every frame alike."""

    loss: float = 0.0  # share that vanishes
    repeat: float = 0.0  # share that arrives twice
    delay_ms: float = 0.0
    jitter_ms: float = 0.0  # up to so much more, drawn for each frame: they overtake each other

    def and_(self, other: "Weather") -> "Weather":
        """Both at once."""
        return Weather(
            loss=1 - (1 - self.loss) * (1 - other.loss),
            repeat=max(self.repeat, other.repeat),
            delay_ms=self.delay_ms + other.delay_ms,
            jitter_ms=max(self.jitter_ms, other.jitter_ms),
        )


class Rules(Struct, frozen=True):
    """Which frames go where, and how."""

    weather: Weather = Weather()
    cuts: frozenset[Cut] = field(default_factory=frozenset)

    def dump(self) -> str:
        return json.dumps({"weather": asdict(self.weather), "cuts": sorted(self.cuts)})

    @classmethod
    def load(cls, text: str) -> "Rules":
        """Raises ValueError, KeyError or TypeError for what `dump` would not have written."""
        found = json.loads(text)
        return cls(Weather(**found["weather"]), frozenset((a, b) for a, b in found["cuts"]))


CALM = Rules()


def apart(ones: "tuple[str, ...] | list[str]", others: "tuple[str, ...] | list[str]") -> set[Cut]:
    """The cuts that keep two sides apart, both ways."""
    return {pair for a in ones for b in others if a != b for pair in ((a, b), (b, a))}
