"""How commands reach Temporal: flags first, then the environment, then Temporal's own profile file.

The environment (``TEMPORAL_ADDRESS``, ``TEMPORAL_NAMESPACE``, ``TEMPORAL_API_KEY``, ``TEMPORAL_TLS*``,
``TEMPORAL_PROFILE``, ``TEMPORAL_CONFIG_FILE``) and the file are read as every Temporal tool reads them. So what works
with ``temporal workflow list`` works with ``rojak``: a laptop, a cluster and Temporal Cloud are alike.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from rojak.cli.errors import CommandError, ExitCode

if TYPE_CHECKING:
    from temporalio.client import Client
    from temporalio.envconfig import ClientConfigProfile

DEFAULT_ADDRESS: Final = "localhost:7233"
#: Seconds after which a server that says nothing at all counts as down.
CONNECT_TIMEOUT: Final = 5.0

#: Which namespace an agent's name is of, as in Kubernetes: ``namespace: NamespaceOption = "default"``.
NamespaceOption = Annotated[
    str, typer.Option("--namespace", "-n", help="Namespace of the manifests.", envvar="ROJAK_NAMESPACE")
]
#: The same where all are meant when it is left out.
OnlyNamespaceOption = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Only those of this namespace of manifests.")
]


@dataclass(frozen=True)
class Connection:
    """What the flags say about Temporal; None where they say nothing.

    Attributes:
        address: host:port of the server.
        temporal_namespace: Temporal's namespace, which is none of Kubernetes'.
        api_key: for Temporal Cloud, or a server that asks for one.
        tls: whether to encrypt, whatever else is set.
        tls_server_name: the name that the server's certificate is for.
        tls_ca_path: certificate of who signed the server's certificate.
        tls_cert_path: the client's certificate.
        tls_key_path: the client's private key.
        profile: in Temporal's profile file.
        config_file: the profile file, where it is not in its place.
    """

    address: Annotated[
        str | None, typer.Option("--address", help=f"Temporal's host:port (TEMPORAL_ADDRESS; {DEFAULT_ADDRESS}).")
    ] = None
    temporal_namespace: Annotated[
        str | None, typer.Option("--temporal-namespace", help="Temporal's namespace (TEMPORAL_NAMESPACE; default).")
    ] = None
    api_key: Annotated[
        str | None, typer.Option("--api-key", help="Temporal's API key (TEMPORAL_API_KEY, which ps does not show).")
    ] = None
    tls: Annotated[bool | None, typer.Option("--tls/--no-tls", help="Encrypt, or not (TEMPORAL_TLS).")] = None
    tls_server_name: Annotated[
        str | None, typer.Option("--tls-server-name", help="Name in the server's certificate.")
    ] = None
    tls_ca_path: Annotated[Path | None, typer.Option("--tls-ca-path", help="Certificate that signed the server's.")] = (
        None
    )
    tls_cert_path: Annotated[Path | None, typer.Option("--tls-cert-path", help="The client's certificate.")] = None
    tls_key_path: Annotated[Path | None, typer.Option("--tls-key-path", help="The client's private key.")] = None
    profile: Annotated[
        str | None, typer.Option("--profile", help="Profile in Temporal's profile file (TEMPORAL_PROFILE).")
    ] = None
    config_file: Annotated[
        Path | None, typer.Option("--config-file", help="Temporal's profile file (TEMPORAL_CONFIG_FILE).")
    ] = None

    def flags(self) -> list[str]:
        """The flags that lead to the same place, for a command that a person is told to type. Without the API key."""
        flags = []
        for field in fields(self):
            value = getattr(self, field.name)
            name = f"--{field.name.replace('_', '-')}"
            if isinstance(value, bool):
                flags.append(name if value else f"--no-{field.name}")
            elif value is not None and field.name != "api_key":
                flags += [name, str(value)]
        return flags

    def resolve(self, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The arguments of `Client.connect`; the server is `DEFAULT_ADDRESS` where nothing names one.

        Args:
            environ: environment variables; those of the process when left out.

        Raises:
            CommandError: the profile is not there, or the file is no profile file.
        """
        return {"target_host": DEFAULT_ADDRESS, **self.resolve_named(environ)}

    def resolve_named(self, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The same, without ``target_host`` where nothing names a server."""
        profile = self._load_profile(environ)
        options: dict[str, Any] = dict(profile.to_client_connect_config())
        if self.address is not None:
            if self.profile is None and self.address != options.get("target_host"):
                # A login that the environment has is for the address that the environment names.
                options = {name: options[name] for name in ("namespace",) if name in options}
            options["target_host"] = self.address
        if self.temporal_namespace is not None:
            options["namespace"] = self.temporal_namespace
        if self.api_key is not None:
            options["api_key"] = self.api_key
            options.setdefault("tls", True)
        if (tls := self._tls(options.get("tls"))) is not None:
            options["tls"] = tls
        return options

    def _load_profile(self, environ: Mapping[str, str] | None) -> ClientConfigProfile:
        from temporalio.envconfig import ClientConfigProfile

        if self.config_file is not None and not self.config_file.is_file():
            raise CommandError(f"--config-file: there is no file {self.config_file}", ExitCode.USAGE)
        try:
            return ClientConfigProfile.load(
                self.profile, config_source=self.config_file, override_env_vars=None if environ is None else environ
            )
        except RuntimeError as error:
            raise CommandError(f"Temporal's profile cannot be read: {error}", ExitCode.USAGE) from None

    def _tls(self, before: Any) -> Any:
        """What the flags say about TLS; None if nothing."""
        from temporalio.service import TLSConfig

        if self.tls is False:
            return False
        paths = {
            "server_root_ca_cert": self.tls_ca_path,
            "client_cert": self.tls_cert_path,
            "client_private_key": self.tls_key_path,
        }
        changed: dict[str, Any] = {name: path.read_bytes() for name, path in paths.items() if path is not None}
        if self.tls_server_name is not None:
            changed["domain"] = self.tls_server_name
        if not changed:
            return (before or True) if self.tls else None
        known = ("domain", "client_cert", "client_private_key", "server_root_ca_cert")
        kept = {name: getattr(before, name) for name in known} if isinstance(before, TLSConfig) else {}
        return TLSConfig(**{**kept, **changed})

    async def connect(self) -> Client:
        """A connected client.

        Raises:
            CommandError: the server is not there; says where it was looked for and how to start one.
        """
        from temporalio.client import Client

        options = self.resolve()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                return await Client.connect(**options)
        except TimeoutError:
            reason = f"no answer within {CONNECT_TIMEOUT:g} s"
        except (RuntimeError, ValueError) as error:
            reason = _short(str(error))
        raise CommandError(
            f"Temporal cannot be reached at {options['target_host']}: {reason}. On a laptop `rojak dev -f DIR` starts"
            " it; elsewhere name it with --address, TEMPORAL_ADDRESS or --profile",
            ExitCode.NO_CONNECTION,
        )


def _short(text: str) -> str:
    """What a person needs of the many words of a failed connection."""
    for sign, reason in (
        ("Connection refused", "nothing listens there"),
        ("dns error", "there is no host of that name"),
        ("NetworkUnreachable", "no network leads there"),
        ("HandshakeFailure", "the TLS handshake failed"),
        ("InvalidContentType", "it does not speak TLS (--no-tls)"),
    ):
        if sign in text:
            return reason
    return " ".join(text.removeprefix("Failed client connect: ").split())[:300]


def with_connection(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags of `Connection`; it gets them as its argument ``connection``."""
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for name, parameter in signature.parameters.items() if name != "connection"]
    hints = inspect.get_annotations(Connection, eval_str=True)
    flags = [
        inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hints[field.name])
        for field in fields(Connection)
    ]
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]

    @functools.wraps(command)
    def run(**arguments: Any) -> Any:
        given = {flag.name: arguments.pop(flag.name) for flag in flags}
        return command(connection=Connection(**given), **arguments)

    run.__signature__ = signature.replace(parameters=[*own, *flags])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in [*own, *flags]} | {"return": signature.return_annotation}
    return run


def show_notes() -> None:
    """Print what the library warns of (nobody polls the task queue, say) as notes for a person."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("note: %(message)s"))
    logger = logging.getLogger("rojak")
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
