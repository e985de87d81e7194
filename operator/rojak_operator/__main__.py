"""``python -m rojak_operator``, which is what ``rojak operator`` runs."""

from __future__ import annotations

import asyncio
import gc
import sys

from rojak.types.errors import RojakError
from rojak_operator.app import run
from rojak_operator.logs import configure
from rojak_operator.settings import OperatorSettings


def main() -> int:
    """Run the operator until it is asked to stop."""
    try:
        settings = OperatorSettings.from_environment()
    except RojakError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    configure(settings.log_format)
    # What was imported stays, and is not looked through for garbage each time; and with thousands of objects that come
    # and go, collecting less often spares a tenth of the work.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    return asyncio.run(run(settings))


if __name__ == "__main__":
    sys.exit(main())
