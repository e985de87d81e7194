"""Secrets, from where the configuration says they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from rojak.manifests.values import EnvVar, Header, SecretKeyRef
from rojak.types.errors import ConfigurationError
from rojak.workerconfig.model import SecretEntry


class MissingSecretError(ConfigurationError):
    """A Secret that something refers to is not there."""


class Secrets:
    """Finds the values of Secrets.

    Args:
        entries: where each is.
        environ: the environment of the process.
    """

    def __init__(self, entries: Iterable[SecretEntry], environ: Mapping[str, str]) -> None:
        self._entries = {(entry.name, entry.key): entry for entry in entries}
        self.environ = environ

    def get(self, ref: SecretKeyRef, used_by: str) -> str | None:
        """The value; None if it is missing and may be.

        Args:
            ref: which key of which Secret.
            used_by: what needs it, for the error.

        Raises:
            MissingSecretError: it is not there.
        """
        entry = self._entries.get((ref.name, ref.key))
        value, where = (None, "the configuration does not say where it is") if entry is None else self._read(entry)
        if value is None and not ref.optional:
            raise MissingSecretError(f"{used_by} needs key {ref.key!r} of Secret {ref.name!r}: {where}")
        return value

    def fill(self, items: Iterable[Header | EnvVar], used_by: str) -> dict[str, str]:
        """Headers or variables with their values; those are left out whose optional value is missing.

        Raises:
            MissingSecretError: a value is missing.
        """
        filled = {}
        for item in items:
            value = item.value
            if item.value_from is not None and item.value_from.secret_key_ref is not None:
                value = self.get(item.value_from.secret_key_ref, used_by)
            if value is not None:
                filled[item.name] = value
        return filled

    def _read(self, entry: SecretEntry) -> tuple[str | None, str]:
        """The value, and what is the matter if there is none."""
        if entry.env is not None:
            value = self.environ.get(entry.env)
            return value or None, f"set the environment variable {entry.env}"
        path = Path(entry.file or "")
        try:
            return path.read_text(encoding="utf-8").strip() or None, f"the file {path} is empty"
        except OSError as error:
            return None, f"the file {path} cannot be read ({error.strerror})"
