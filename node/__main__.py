"""p2pchat: the program.

Nothing is imported before somebody can be told in one word that Ctrl+C has ended it.
"""

import sys

INTERRUPTED = 130  # as in `node.errors`


def main() -> int:
    """Runs the program; its exit code as `node.errors.EXIT_CODES` lists them."""
    try:
        from node.cli.verbs import main as run

        return run()
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
