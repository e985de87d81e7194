"""The WorkerPool that the operator's settings ask for: made, and kept as they say.

Whoever installs the operator asks for it, and nobody else could make it in the same step: its kind comes with the
operator. It is a WorkerPool like others from then on, and stays when the operator goes.
"""

from __future__ import annotations

import logging

from rojak_operator.handlers.context import Context
from rojak_operator.kube import ApiError
from rojak_operator.resources import Key
from rojak_operator.settings import OperatorSettings

logger = logging.getLogger(__name__)


def default_pool_key(settings: OperatorSettings) -> Key | None:
    """Which one it is; None if there is to be none."""
    if settings.worker_pool is None:
        return None
    metadata = settings.worker_pool["metadata"]
    return Key("WorkerPool", metadata.get("namespace") or settings.namespace, metadata["name"])


async def keep_default_pool(context: Context, key: Key) -> bool:
    """Make it as the settings say, if ``key`` is it. Whether it is.

    Raises:
        ApiError: the API server could not be asked, or may answer differently later.
    """
    pool = context.settings.worker_pool
    if pool is None or key != default_pool_key(context.settings):
        return False
    try:
        await context.applier.apply_setting({**pool, "metadata": {**pool["metadata"], "namespace": key.namespace}})
    except ApiError as error:
        if error.is_transient:
            raise
        logger.warning("%s of the operator's settings was refused: %s", key, error)
    return True
