"""The environment of workers and MCP servers: their variables, and the secrets among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from rojak.laptop.secrets import LaptopSecrets, variables_of
from rojak.manifests import Agent, Bundle, Key
from rojak.manifests.values import EnvSource, EnvVar
from rojak.workerconfig import WorkerConfig

#: The Secret that stands for the key of a scripted model.
SCRIPT_SECRET: Final = "rojak-model-script"
#: And its key.
SCRIPT_KEY: Final = "key"
#: Where a provider's SDK looks for a key that no manifest names.
KEY_VARIABLES: Final = {
    "openai": ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"),
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
}


def agents_without_key(bundle: Bundle, secrets: LaptopSecrets) -> list[Agent]:
    """The Agents whose model's key is nowhere to be found."""
    return [agent for agent in bundle.agents.values() if not _has_key(agent, secrets)]


def _has_key(agent: Agent, secrets: LaptopSecrets) -> bool:
    model = agent.spec.model
    if model.api_key is not None:
        ref = model.api_key.secret_key_ref
        return ref.optional is True or secrets.get(agent.namespace, ref.name, ref.key) is not None
    variables = KEY_VARIABLES.get(model.provider, ())
    return not variables or any(secrets.environ.get(name) for name in variables)


class Environments:
    """Finds what programs get in their environment, and notes what is missing.

    Args:
        bundle: the manifests, which ConfigMaps are among.
        secrets: where Secrets are.
        problems: to which what is missing is added.
    """

    def __init__(self, bundle: Bundle, secrets: LaptopSecrets, problems: list[str]) -> None:
        self._config_maps = bundle.config_maps
        self._secrets = secrets
        self._problems = problems

    def of_program(
        self, namespace: str, env: list[EnvVar] | None, sources: list[EnvSource] | None, label: str
    ) -> dict[str, str]:
        """What a manifest's ``env`` and ``envFrom`` say.

        Args:
            namespace: of the manifest.
            env: single variables.
            sources: Secrets and ConfigMaps whose keys are variables.
            label: whose they are, for problems.
        """
        found: dict[str, str] = {}
        for source in sources or ():
            ref = source.secret_ref or source.config_map_ref
            assert ref is not None
            kind = "Secret" if source.secret_ref is not None else "ConfigMap"
            data = (
                self._secrets.all_of(namespace, ref.name)
                if kind == "Secret"
                else self._config_maps.get(Key(namespace, ref.name))
            )
            if data is None and not getattr(ref, "optional", False):
                self._problems.append(f"{label}: {kind} {ref.name!r} of envFrom is not among the files; add it")
            found |= {f"{source.prefix or ''}{name}": value for name, value in (data or {}).items()}
        for variable in env or ():
            value = variable.value
            if variable.value_from is not None:
                if (secret := variable.value_from.secret_key_ref) is not None:
                    value = self._secret(namespace, secret.name, secret.key, bool(secret.optional), label)
                elif (plain := variable.value_from.config_map_key_ref) is not None:
                    value = self._config_maps.get(Key(namespace, plain.name), {}).get(plain.key)
                    if value is None and not plain.optional:
                        self._problems.append(
                            f"{label}: ConfigMap {plain.name!r} with key {plain.key!r} is not among the files; add it"
                        )
            if value is not None:
                found[variable.name] = value
        return found

    def of_worker(self, config: WorkerConfig, namespace: str, label: str) -> dict[str, str]:
        """The variables where a worker's configuration says that its Secrets are.

        Args:
            config: of the worker.
            namespace: of its agents.
            label: whose they are, for problems.
        """
        found = {}
        for entry in config.secrets:
            if entry.name == SCRIPT_SECRET:
                value: str | None = "scripted"
            else:
                value = self._secret(namespace, entry.name, entry.key, entry.optional, label)
            if value is not None and entry.env is not None:
                found[entry.env] = value
        for agent in config.agents:
            variables = KEY_VARIABLES.get(agent.spec.model.provider, ())
            if agent.spec.model.api_key is None and variables and not self._has_any({**found}, variables):
                self._problems.append(
                    f"Agent/{agent.name} has no API key: set {variables[0]}, or give spec.model.apiKey; without any,"
                    " a model_script.py beside the manifests can play the model's part"
                )
        return found

    def _has_any(self, found: Mapping[str, str], variables: Iterable[str]) -> bool:
        return any(found.get(name) or self._secrets.environ.get(name) for name in variables)

    def _secret(self, namespace: str, name: str, key: str, optional: bool, label: str) -> str | None:
        value = self._secrets.get(namespace, name, key)
        if value is None and not optional:
            long, short = variables_of(name, key)
            self._problems.append(
                f"{label} needs key {key!r} of Secret {name!r}: set the environment variable {short} (or {long}), write"
                " it into a file and name that with --env-file, or add the Secret to the files"
            )
        return value
