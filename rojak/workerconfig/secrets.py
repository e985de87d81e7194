"""The environment variables in which a worker finds the Secrets that manifests refer to."""

from __future__ import annotations

import hashlib
import re

_PLAIN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def secret_env_name(secret: str, key: str) -> str:
    """The variable that holds one key of a Secret; no two have the same one.

    ``openai`` and ``api-key`` make ``ROJAK_SECRET_OPENAI__API_KEY``. A name that would not be told from another one
    once it is written in capitals gets a digest at its end.
    """
    words = [re.sub(r"[^A-Za-z0-9]", "_", part).upper() for part in (secret, key)]
    name = f"ROJAK_SECRET_{words[0]}__{words[1]}"
    if _PLAIN.fullmatch(secret) and _PLAIN.fullmatch(key):
        return name
    digest = hashlib.blake2b(f"{secret}/{key}".encode(), digest_size=4).hexdigest().upper()
    return f"{name}___{digest}"
