"""Talks to the API server. The one module that imports the ``kubernetes`` client.

Objects are dictionaries in the API's form. The client's typed methods are left alone: they raise after a write that
succeeded when an answer lacks a field that their models require, and answer None where an apply created something.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

import aiohttp
import yaml
from kubernetes.aio import config as kube_config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from rojak.types.errors import ConfigurationError
from rojak_operator.limits import TokenBucket
from rojak_operator.resources import BY_KIND, Key, Resource

#: Whose fields they are, in the words of server-side apply.
FIELD_MANAGER = "rojak-operator"
#: Seconds that one request may take.
REQUEST_TIMEOUT = 30.0
_APPLY = "application/apply-patch+yaml"
_JSON_PATCH = "application/json-patch+json"
_MERGE_PATCH = "application/merge-patch+json"
_MALFORMED = ("failed to convert new object", "failed to create typed patch object")
_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class ApiError(Exception):
    """The API server refused, or did not answer.

    Attributes:
        status: the HTTP status; 0 if there was no answer.
        reason: the API's word for it, such as NotFound.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason

    @property
    def is_transient(self) -> bool:
        """Whether the same request may succeed later without anybody changing a manifest."""
        return self.status in (0, 408, 409, 429) or self.status >= 500


class NotFoundError(ApiError):
    """There is no such object, or no such kind."""


class ConflictError(ApiError):
    """The object changed in the meantime, or exists already."""


class Kube:
    """A connection to the API server; close it with ``await kube.close()``.

    Args:
        requests_per_second: on average, and twice that in a burst.
        field_manager: whose fields those are that it applies.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        requests_per_second: float = 100.0,
        field_manager: str = FIELD_MANAGER,
    ) -> None:
        self._field_manager = field_manager
        # We retry on our own terms: a reconciler starts again from what it reads then.
        configuration.retries = None
        # Else a file of passwords (.netrc) is looked for at every request, in a thread. kopf does without as well.
        configuration.client_session_kwargs = {"trust_env": False}
        self._client = ApiClient(configuration)
        self._bucket = TokenBucket(requests_per_second, burst=2 * requests_per_second)

    @classmethod
    async def connect(
        cls,
        *,
        requests_per_second: float = 100.0,
        kubeconfig: str | None = None,
        field_manager: str = FIELD_MANAGER,
    ) -> Self:
        """Connect as the kubeconfig or, without one, as the pod's service account says; else as the usual kubeconfig.

        Raises:
            ConfigurationError: there is none that can be used.
        """
        configuration = Configuration()
        kubeconfig = kubeconfig or os.environ.get("KUBECONFIG")
        try:
            if kubeconfig is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
                kube_config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            else:
                await kube_config.load_kube_config(  # type: ignore[no-untyped-call]
                    config_file=kubeconfig, client_configuration=configuration
                )
        # The loader lets through what goes wrong in a file that is no mapping, or no YAML.
        except (kube_config.ConfigException, TypeError, OSError, yaml.YAMLError) as error:
            where = kubeconfig or kube_config.KUBE_CONFIG_DEFAULT_LOCATION
            raise ConfigurationError(
                f"no cluster to work for: {error} (looked at {where}); run it in a pod with a service account, or let"
                " KUBECONFIG name a kubeconfig whose current context is the cluster"
            ) from None
        return cls(configuration, requests_per_second=requests_per_second, field_manager=field_manager)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def get(self, resource: Resource, namespace: str, name: str) -> dict[str, Any] | None:
        """The object, or None if there is none."""
        try:
            return await self._request("GET", resource.path(namespace, name))
        except NotFoundError:
            return None

    async def list_all(
        self, resource: Resource, namespace: str | None = None, *, label_selector: str | None = None
    ) -> list[dict[str, Any]]:
        """The objects of a namespace, or of all."""
        return [obj async for obj in self.iterate(resource, namespace, label_selector=label_selector)]

    async def iterate(
        self, resource: Resource, namespace: str | None = None, *, label_selector: str | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """The objects of a namespace, or of all, a hundred at a time."""
        named = {"apiVersion": resource.api_version, "kind": resource.kind}
        query = {"limit": "100"} | ({"labelSelector": label_selector} if label_selector else {})
        while True:
            answer = await self._request("GET", resource.path(namespace), query)
            for item in answer.get("items") or []:
                yield named | item
            proceed = answer.get("metadata", {}).get("continue")
            if not proceed:
                return
            query["continue"] = proceed

    async def versions(
        self, resource: Resource, namespace: str | None, *, label_selector: str | None = None
    ) -> dict[Key, str]:
        """ResourceVersion of each object of a namespace, or of all; nothing else is transferred."""
        found: dict[Key, str] = {}
        query = {"limit": "2000"} | ({"labelSelector": label_selector} if label_selector else {})
        while True:
            answer = await self._request("GET", resource.path(namespace), query, accept=_NAMES_ONLY)
            for item in answer.get("items") or []:
                metadata = item["metadata"]
                key = Key(resource.kind, metadata.get("namespace", ""), metadata["name"])
                found[key] = metadata["resourceVersion"]
            proceed = answer.get("metadata", {}).get("continue")
            if not proceed:
                return found
            query["continue"] = proceed

    async def apply(
        self, obj: Mapping[str, Any], *, subresource: str | None = None, force: bool = True
    ) -> dict[str, Any]:
        """Server-side apply: the fields in ``obj`` become ours and get its values; what we had and left out goes.

        Raises:
            ConflictError: others have set fields to other values, and ``force`` does not take them away.
        """
        path = self._path_of(obj, subresource)
        query = {"fieldManager": self._field_manager} | ({"force": "true"} if force else {})
        return await self._request("PATCH", path, query, dict(obj), _APPLY)

    async def json_patch(
        self, resource: Resource, namespace: str, name: str, operations: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Change an object by a JSON patch; begin it with a test of resourceVersion."""
        query = {"fieldManager": self._field_manager}
        return await self._request("PATCH", resource.path(namespace, name), query, operations, _JSON_PATCH)

    async def merge_patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Mapping[str, Any],
        *,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        """Change an object by a JSON merge patch."""
        path = resource.path(namespace, name, subresource)
        return await self._request("PATCH", path, {"fieldManager": self._field_manager}, dict(patch), _MERGE_PATCH)

    async def create(self, obj: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object.

        Raises:
            ConflictError: it exists.
        """
        resource = BY_KIND[obj["kind"]]
        return await self._request("POST", resource.path(obj["metadata"]["namespace"]), {}, dict(obj))

    async def replace(self, obj: Mapping[str, Any]) -> dict[str, Any]:
        """Replace an object.

        Raises:
            ConflictError: it changed since its resourceVersion.
        """
        return await self._request("PUT", self._path_of(obj, None), {}, dict(obj))

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str | None = None) -> bool:
        """Delete an object, if it is (still) the one with that uid. Whether there was one."""
        body: dict[str, Any] = {"propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            await self._request("DELETE", resource.path(namespace, name), {}, body)
        except (NotFoundError, ConflictError):
            return False
        return True

    async def serves(self, resource: Resource) -> bool:
        """Whether the API server knows the kind."""
        path = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
        try:
            answer = await self._request("GET", path)
        except NotFoundError:
            return False
        return any(entry.get("name") == resource.plural for entry in answer.get("resources") or [])

    @staticmethod
    def _path_of(obj: Mapping[str, Any], subresource: str | None) -> str:
        metadata = obj["metadata"]
        return BY_KIND[obj["kind"]].path(metadata["namespace"], metadata["name"], subresource)

    async def _request(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> dict[str, Any]:
        await self._bucket.take()
        headers = {"Accept": accept, "Content-Type": content_type}
        arguments = await self._client.param_serialize(
            method, path, query_params=list((query or {}).items()), header_params=headers, body=body,
            auth_settings=["BearerToken"],
        )  # fmt: skip
        try:
            response = await self._client.call_api(
                *arguments, _request_timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT), _preload_content=False
            )
            text: bytes = await response.read()  # type: ignore[no-untyped-call]
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise ApiError(0, "Unreachable", f"the API server does not answer: {type(error).__name__}") from error
        if response.status >= 400:
            raise _error(response.status, text)
        answer = json.loads(text)
        return answer if isinstance(answer, dict) else {}


def _error(status: int, text: bytes) -> ApiError:
    said: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        said = json.loads(text)
    reason = str(said.get("reason") or status)
    message = str(said.get("message") or f"the API server answered {status}")
    if status == 500 and message.startswith(_MALFORMED):
        # The API server calls it its own fault when what is applied cannot be read as the kind that it says it is.
        status, reason = 422, "Invalid"
    kinds = {404: NotFoundError, 409: ConflictError}
    return kinds.get(status, ApiError)(status, reason, message)
