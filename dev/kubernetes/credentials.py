"""Who may talk to the API server, and the files that say so."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ADMIN_GROUP = "system:masters"


@dataclass(frozen=True)
class User:
    """One who authenticates with a token."""

    name: str
    groups: tuple[str, ...] = ()
    token: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)


def service_account(namespace: str, name: str) -> User:
    """A user whom the API server takes for a service account, so that role bindings to the account apply."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(f"system:serviceaccount:{namespace}:{name}", groups)


def write_tokens(path: Path, users: list[User]) -> None:
    """The file for ``--token-auth-file``."""
    lines = [f'{user.token},{user.name},{user.name},"{",".join(user.groups)}"' for user in users]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)


def write_signing_key(path: Path) -> None:
    """The key with which the API server signs service accounts' tokens."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    path.chmod(0o600)


def write_kubeconfig(path: Path, server: str, ca: Path, user: User, namespace: str = "default") -> None:
    """A kubeconfig for one user."""
    context = {"cluster": "test", "user": user.name, "namespace": namespace}
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": str(ca)}}],
        "users": [{"name": user.name, "user": {"token": user.token}}],
        "contexts": [{"name": "test", "context": context}],
        "current-context": "test",
    }
    # JSON is YAML.
    path.write_text(json.dumps(config, indent=2))
    path.chmod(0o600)
