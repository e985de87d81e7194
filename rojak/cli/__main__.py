"""``python -m rojak.cli``: the command, where its script is not on the path."""

import sys

from rojak.cli import main

sys.exit(main())
