"""Secrets on a laptop: from Secret manifests among the files, from the environment, from an env file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from rojak.manifests import Key
from rojak.types.errors import ConfigurationError
from rojak.workerconfig import secret_env_name

_LINE = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*)")


def variables_of(secret: str, key: str) -> tuple[str, str]:
    """The variables in which one key of a Secret is looked for.

    ``openai`` and ``api-key`` are looked for in ``OPENAI_API_KEY``, and before that in the name by which workers know
    it, ``ROJAK_SECRET_OPENAI__API_KEY``.
    """
    return secret_env_name(secret, key), re.sub(r"[^A-Za-z0-9]", "_", f"{secret}_{key}").upper()


class LaptopSecrets:
    """Finds the values of Secrets.

    Args:
        manifests: the data of Secret manifests; they count first.
        environ: the environment.
        more: an env file's variables; those count that the environment does not have.
    """

    def __init__(
        self, manifests: Mapping[Key, Mapping[str, str]], environ: Mapping[str, str], more: Mapping[str, str]
    ) -> None:
        self._manifests = manifests
        self.more = {name: value for name, value in more.items() if name not in environ}
        self.environ = {**environ, **self.more}

    def get(self, namespace: str, secret: str, key: str) -> str | None:
        """The value; None if there is none, or if it is empty."""
        value = self._manifests.get(Key(namespace, secret), {}).get(key)
        for variable in variables_of(secret, key):
            value = value or self.environ.get(variable)
        return value or None

    def all_of(self, namespace: str, secret: str) -> Mapping[str, str] | None:
        """All keys of a Secret that is among the files; None if it is not."""
        return self._manifests.get(Key(namespace, secret))


def read_env_file(path: Path) -> dict[str, str]:
    """The variables of a file with lines ``NAME=value``; quotes around values, ``export`` and comments may be there.

    Raises:
        ConfigurationError: the file cannot be read, or a line is none of these; says which, and not what is in it.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not text in UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise ConfigurationError(f"--env-file {path} cannot be read: {reason}") from None
    found = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise ConfigurationError(f"{path}:{number}: a line of an env file is NAME=value")
        found[match["name"]] = _unquoted(match["value"].strip())
    return found


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value.split(" #")[0].rstrip()
