"""p2pchat: the program.

Nothing is imported before somebody can be told in one word that Ctrl+C has ended it.
"""

import gc
import sys

# A log's index is hundreds of thousands of small values without cycles: looking through all of them
# for garbage as often as Python does by itself costs a third of a catch-up.
COLLECTED = (20_000, 20, 20)
INTERRUPTED = 130  # as in `node.errors`


def main() -> int:
    """Runs the program; its exit code as `node.errors.EXIT_CODES` lists them."""
    gc.set_threshold(*COLLECTED)
    try:
        from node.cli.verbs import main as run

        return run()
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
