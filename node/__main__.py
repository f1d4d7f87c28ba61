"""p2pchat: the program."""

import sys

from node.cli.verbs import main

if __name__ == "__main__":
    sys.exit(main())
