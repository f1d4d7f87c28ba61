"""nds-server: reads the command line, opens the store, serves until it is told to stop."""

import os
import sys
from collections.abc import Sequence

from nds import config
from nds.errors import NdsError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; its exit code: 0 ended as told, 1 could not run, 2 makes no sense."""
    try:
        return _run(config.parse(sys.argv[1:] if arguments is None else arguments))
    except NdsError as error:
        print(f"nds-server: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 1


def _run(settings: config.Config) -> int:
    # Late, so that --help and a wrong flag do not wait for gRPC.
    import asyncio
    from importlib.metadata import version

    from nds.clock import unix_ms
    from nds.logs import start_logging
    from nds.store import open_store

    store = open_store(settings.store, make_directory=settings.is_usual_store)
    # Drawn before gRPC is loaded: the service waits for the clock to pass this second.
    generation = store.start(unix_ms())
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    start_logging(settings.log)
    from nds.certificates import load
    from nds.server import serve

    tls = None if settings.insecure else load(config.key_file(settings))
    asyncio.run(serve(settings, store, generation, f"nds-server/{version('p2pchat')}", tls))
    return 0


if __name__ == "__main__":
    sys.exit(main())
