"""`python -m tests.locks`: audits the lock files of this checkout, and says what it has looked at.

Nothing is fetched: no advisory service is asked, and what the list beside this file does not name
is not known.  Exit code 1 where there is something to complain about.
"""

import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import msgspec
from packaging.version import Version

from tests.locks.audit import Advisory, Installed, complaints, declared, elsewhere, pins_of

ROOT = Path(__file__).resolve().parent.parent.parent
LOCKS = {"requirements.lock": "", "requirements-dev.lock": "dev"}  # with the group of each


def find(name: str) -> Installed | None:
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return None
    return Installed(Version(found.version), tuple(found.requires or ()))


def known() -> list[Advisory]:
    table = tomllib.loads((Path(__file__).parent / "advisories.toml").read_text("utf-8"))
    return msgspec.convert(table["advisory"], list[Advisory])


def main(root: Path = ROOT) -> int:
    """Look at every lock file under `root`; the exit code."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    advisories, said, looked = known(), [], []
    versions: dict[str, set[Version]] = {}
    for file, group in LOCKS.items():
        pins, wrong = pins_of((root / file).read_text("utf-8"))
        wrong += complaints(pins, declared(project, group), find, advisories)
        said += [f"{file}: {one}" for one in wrong]
        hashes = sum(pin.hashes for pin in pins.values())
        away = elsewhere(pins)
        note = f" (needs of {', '.join(away)} not known here)" if away else ""
        looked.append(f"{file}: {len(pins)} pins, {hashes} hashes{note}")
        for pin in pins.values():
            versions.setdefault(pin.name, set()).add(pin.version)
    for name, each in versions.items():
        if len(each) > 1:
            said.append(f"{name} is locked at {' and at '.join(map(str, sorted(each)))}")
    for line in said:
        print(line, file=sys.stderr)
    print("; ".join(looked))
    print(f"{len(advisories)} advisories of the list here; no advisory service was asked")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
