"""`python -m tests.cli.screens [--rewrite] [NAME ...]`: compare or write the files of the scenes.

`--pictures` writes the pictures of the README as well.
"""

import argparse
import sys

from tests.cli.screens import kept


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cli.screens")
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenes; all of them if none")
    parser.add_argument("--rewrite", action="store_true", help="write what is seen to the files")
    parser.add_argument("--pictures", action="store_true", help="write the pictures")
    given = parser.parse_args()
    unknown = set(given.names) - set(kept.SCENES)
    if unknown:
        parser.error(f"no such scene: {', '.join(sorted(unknown))}")
    names = given.names or sorted(kept.SCENES)
    changed = [name for name in names if kept.played(name) != kept.read(name)]
    for name in changed:
        print(f"{'written' if given.rewrite else 'differs'}: {kept.file_of(name)}")
        if given.rewrite:
            kept.file_of(name).write_text(kept.played(name), "utf-8")
    if given.pictures:
        for name in kept.PICTURES:
            kept.picture_of(name).write_text(kept.drawn(name), "utf-8")
            print(f"drawn: {kept.picture_of(name)}")
    return 1 if changed and not given.rewrite else 0


if __name__ == "__main__":
    sys.exit(main())
