"""Talks to Temporal. The one module of the operator that has its client; `deployments` asks through it.

Connections are shared by all that name the same address, namespace and login; requests are limited for each namespace.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.schedule.v1 import BackfillRequest, SchedulePatch, TriggerImmediatelyRequest
from temporalio.api.workflowservice.v1 import (
    DeleteScheduleRequest,
    DescribeScheduleRequest,
    DescribeScheduleResponse,
    ListWorkflowExecutionsRequest,
    PatchScheduleRequest,
)
from temporalio.client import Client, TLSConfig
from temporalio.service import RPCError, RPCStatusCode

from rojak.schedules import DesiredSchedule, create_request, update_request
from rojak_operator.limits import TokenBucket
from rojak_operator.metrics import Metrics

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: How long one request may take.
RPC_TIMEOUT: Final = timedelta(seconds=10)
IDENTITY: Final = "rojak-operator"
#: Seconds that a connection nobody uses is kept: after a change of a login nobody asks for the old one again.
_KEEP: Final = 3600.0
_PASSING: Final = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.ABORTED,
        RPCStatusCode.FAILED_PRECONDITION,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.UNKNOWN,
    }
)
_LOGIN: Final = frozenset({RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED})


class TemporalError(Exception):
    """Temporal did not do it.

    Attributes:
        is_passing: the same may succeed later without anybody changing a manifest.
        code: gRPC's word for it.
        said: what the server said.
    """

    def __init__(self, message: str, *, code: str, is_passing: bool, said: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.said = said
        self.is_passing = is_passing


@dataclass(frozen=True)
class Login:
    """Where and how to log in, with the secrets themselves.

    Attributes:
        address: host:port.
        namespace: of Temporal.
        tls: whether the connection is encrypted; a key or a certificate does so by itself.
    """

    address: str
    namespace: str
    tls: bool = False
    server_name: str | None = None
    ca: bytes | None = None
    cert: bytes | None = None
    key: bytes | None = None
    api_key: str | None = None

    def __repr__(self) -> str:
        return f"Login({self.address!r}, {self.namespace!r})"

    @property
    def digest(self) -> str:
        """Tells logins apart without keeping their secrets as a key."""
        parts = (self.address, self.namespace, self.tls, self.server_name, self.ca, self.cert, self.key, self.api_key)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def tls_config(self) -> TLSConfig | bool:
        """As the client takes it."""
        if not (self.tls or self.ca or self.cert or self.api_key or self.server_name):
            return False
        return TLSConfig(
            server_root_ca_cert=self.ca, domain=self.server_name, client_cert=self.cert, client_private_key=self.key
        )


class Connection:
    """One namespace of Temporal under one login."""

    def __init__(self, client: Client, bucket: TokenBucket, metrics: Metrics, forget: Callable[[], None]) -> None:
        self._client = client
        self._bucket = bucket
        self._metrics = metrics
        self._forget = forget
        self._has_attributes: bool | None = None

    @property
    def namespace(self) -> str:
        """Of Temporal."""
        return self._client.namespace

    async def has_attributes(self) -> bool:
        """Register our search attributes, once; whether the namespace knows them."""
        if self._has_attributes is None:
            keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
            request = AddSearchAttributesRequest(
                namespace=self.namespace, search_attributes=dict.fromkeys(("RojakAgent", "RojakStatus"), keyword)
            )
            try:
                await self._call("add_search_attributes", self._client.operator_service.add_search_attributes, request)
            except TemporalError as error:
                if error.is_passing:
                    raise
                # Already there is an answer too; a managed namespace has its own way to add them.
                self._has_attributes = error.code == "ALREADY_EXISTS"
            else:
                self._has_attributes = True
        return self._has_attributes

    async def describe(self, schedule_id: str) -> DescribeScheduleResponse | None:
        """The schedule as it is; None if there is none."""
        request = DescribeScheduleRequest(namespace=self.namespace, schedule_id=schedule_id)
        try:
            return await self._call("describe_schedule", self._client.workflow_service.describe_schedule, request)
        except TemporalError as error:
            # A namespace that does not exist is no schedule that does not exist.
            if error.code == "NOT_FOUND" and not error.said.lower().startswith("namespace"):
                return None
            raise

    async def create(self, desired: DesiredSchedule, *, request_id: str) -> bool:
        """Create the schedule; False if there is one of that id."""
        with _sensible():
            request = await create_request(desired, namespace=self.namespace, identity=IDENTITY, request_id=request_id)
        try:
            await self._call("create_schedule", self._client.workflow_service.create_schedule, request)
        except TemporalError as error:
            if error.code == "ALREADY_EXISTS":
                return False
            raise
        return True

    async def update(
        self, desired: DesiredSchedule, described: DescribeScheduleResponse, *, paused: bool | None
    ) -> None:
        """Make it as it should be. Its state, such as a pause made elsewhere, stays unless ``paused`` is given."""
        with _sensible():
            request = await update_request(
                desired, described, paused=paused, namespace=self.namespace, identity=IDENTITY
            )
        await self._call("update_schedule", self._client.workflow_service.update_schedule, request)

    async def trigger(self, schedule_id: str, *, request_id: str) -> None:
        """Run it now. The same ``request_id`` runs it once."""
        await self._patch(schedule_id, SchedulePatch(trigger_immediately=TriggerImmediatelyRequest()), request_id)

    async def backfill(self, schedule_id: str, start: datetime, end: datetime, *, request_id: str) -> None:
        """Make up for the runs of that time."""
        wanted = BackfillRequest()
        wanted.start_time.FromDatetime(start.astimezone(UTC))
        wanted.end_time.FromDatetime(end.astimezone(UTC))
        await self._patch(schedule_id, SchedulePatch(backfill_request=[wanted]), request_id)

    async def delete(self, schedule_id: str) -> None:
        """Delete it, if it is there."""
        request = DeleteScheduleRequest(namespace=self.namespace, schedule_id=schedule_id, identity=IDENTITY)
        try:
            await self._call("delete_schedule", self._client.workflow_service.delete_schedule, request)
        except TemporalError as error:
            if error.code != "NOT_FOUND" and "already completed" not in str(error):
                raise

    async def runs(self, schedule_id: str, *, limit: int = 30) -> list[dict[str, Any]]:
        """The newest runs, in the form of the status."""
        quoted = schedule_id.replace("\\", "\\\\").replace('"', '\\"')
        request = ListWorkflowExecutionsRequest(
            namespace=self.namespace, page_size=limit, query=f'TemporalScheduledById = "{quoted}"'
        )
        answer = await self._call(
            "list_workflow_executions", self._client.workflow_service.list_workflow_executions, request
        )
        return [_run(info) for info in answer.executions]

    async def ask(self, rpc: str, request: Any) -> Any:
        """The answer to a request of the workflow service.

        Raises:
            TemporalError: it was refused, or there was none.
        """
        return await self._call(rpc, getattr(self._client.workflow_service, rpc), request)

    async def _patch(self, schedule_id: str, patch: SchedulePatch, request_id: str) -> None:
        request = PatchScheduleRequest(
            namespace=self.namespace, schedule_id=schedule_id, patch=patch, identity=IDENTITY, request_id=request_id
        )
        await self._call("patch_schedule", self._client.workflow_service.patch_schedule, request)

    async def _call(self, rpc: str, call: Callable[..., Awaitable[T]], request: Any) -> T:
        await self._bucket.take()
        code = "UNKNOWN"
        try:
            answer = await call(request, retry=False, timeout=RPC_TIMEOUT)
            code = "OK"
            return answer
        except RPCError as error:
            code = error.status.name
            if error.status in _LOGIN:
                # A login that was refused may have been replaced: the next one who asks makes a new connection.
                self._forget()
            raise TemporalError(
                f"Temporal refused {rpc} in namespace {self.namespace!r}: {error.message}",
                code=code,
                is_passing=error.status in _PASSING,
                said=error.message,
            ) from None
        except RuntimeError as error:
            # A connection that was never made.
            code = "UNAVAILABLE"
            raise TemporalError(f"Temporal cannot be reached: {error}", code=code, is_passing=True) from None
        finally:
            self._metrics.asked_temporal(rpc, code)


class Connections:
    """Connections by login.

    Args:
        requests_per_second: to each namespace of Temporal, and twice that in a burst.
        clock: seconds, from any beginning.
    """

    def __init__(
        self, metrics: Metrics, *, requests_per_second: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._metrics = metrics
        self._rate = requests_per_second
        self._clock = clock
        self._known: dict[str, Connection] = {}
        self._used: dict[str, float] = {}
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    async def get(self, login: Login) -> Connection:
        """The connection; it is made with the first request.

        Raises:
            TemporalError: the login cannot be one, for instance because a certificate is none.
        """
        digest = login.digest
        if digest not in self._known:
            place = (login.address, login.namespace)
            bucket = self._buckets.setdefault(place, TokenBucket(self._rate, burst=2 * self._rate))
            try:
                client = await Client.connect(
                    login.address,
                    namespace=login.namespace,
                    tls=login.tls_config(),
                    api_key=login.api_key,
                    identity=IDENTITY,
                    lazy=True,
                )
            except (RuntimeError, ValueError) as error:
                raise TemporalError(
                    f"the connection to Temporal at {login.address} makes no sense: {error}",
                    code="INVALID_ARGUMENT",
                    is_passing=False,
                ) from None
            for old in [known for known, used in self._used.items() if used < self._clock() - _KEEP]:
                self._forget(old)
            self._known[digest] = Connection(client, bucket, self._metrics, lambda: self._forget(digest))
        self._used[digest] = self._clock()
        return self._known[digest]

    def _forget(self, digest: str) -> None:
        self._known.pop(digest, None)
        self._used.pop(digest, None)


@contextlib.contextmanager
def _sensible() -> Iterator[None]:
    """A schedule that makes no sense does not get any by waiting."""
    try:
        yield
    except ValueError as error:
        raise TemporalError(str(error), code="INVALID_ARGUMENT", is_passing=False) from None


_STATUSES: Final = {
    1: "Running", 2: "Completed", 3: "Failed", 4: "Canceled", 5: "Terminated", 6: "ContinuedAsNew", 7: "TimedOut"
}  # fmt: skip


def _run(info: Any) -> dict[str, Any]:
    run = {
        "workflowID": info.execution.workflow_id,
        "runID": info.execution.run_id,
        "status": _STATUSES.get(info.status, "Running"),
        "startTime": info.start_time.ToDatetime(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if info.HasField("close_time"):
        run["endTime"] = info.close_time.ToDatetime(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return run
