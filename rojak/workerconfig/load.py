"""Reading the file of a worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rojak.types.errors import ConfigurationError
from rojak.workerconfig.model import WorkerConfig

#: The version of the file's schema that this version of Rojak reads.
VERSION = 1


def load_worker_config(path: Path) -> WorkerConfig:
    """The configuration in a YAML or JSON file.

    Raises:
        ConfigurationError: the file cannot be read, or is not what a worker needs; says where and what.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: there is no such file; --config names the file of the worker") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None
    return parse_worker_config(_read_data(text, path), str(path))


def parse_worker_config(data: Any, where: str) -> WorkerConfig:
    """The configuration as plain data.

    Args:
        data: what the file holds.
        where: its name, for errors.

    Raises:
        ConfigurationError: it is not what a worker needs.
    """
    if not isinstance(data, dict):
        raise ConfigurationError(f"{where}: the configuration of a worker is a mapping, not a {type(data).__name__}")
    if data.get("version", VERSION) != VERSION:
        raise ConfigurationError(
            f"{where}: version {data['version']!r} of the configuration, and this worker reads version {VERSION};"
            " the image of the worker and what wrote the file should be of the same version of Rojak"
        )
    try:
        return WorkerConfig.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise ConfigurationError(f"{where}: {at or 'the configuration'}: {first['msg']}{more}") from None


def _read_data(text: str, path: Path) -> Any:
    # Here, since rendering needs no YAML: JSON is YAML too.
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise ConfigurationError(f"{path}{line}: not YAML: {getattr(error, 'problem', None) or error}") from None
