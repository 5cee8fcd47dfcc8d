"""Around every call: a request id, the caller's identity, a log line, a metric, and the last resort for errors."""

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from typing import Any, NoReturn, TypeAlias, TypeVar

import grpc
import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.observability.metrics import Metrics
from gateway.rpc.errors import DETAILS_KEY, STATUS, status_of
from gateway.rpc.identity import Callers, Context

REQUEST_ID_KEY = "x-request-id"
"""Metadata key: callers may bring an id of 1 to 64 letters, digits, `.`, `_`, `-`; it is always answered."""

LINGER_SECONDS = 5.0
"""How long a refusal waits for messages that its client is still sending; they are read and dropped."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

_log = structlog.get_logger()

Request = TypeVar("Request")
Response = TypeVar("Response")
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Guard(grpc.aio.ServerInterceptor):
    """The one interceptor: nothing reaches a servicer unidentified, nothing leaves without a status of ours.

    Callers' deadlines are gRPC's own: a call past its deadline is cancelled here and counted as CANCELLED.
    """

    def __init__(self, callers: Callers, metrics: Metrics) -> None:
        self._callers = callers
        self._metrics = metrics

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Request, Response] | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Request, Response] | None":
        """Wrap the method's behaviour; unknown methods stay gRPC's UNIMPLEMENTED."""
        handler = await continuation(handler_call_details)
        return None if handler is None else self._wrapped(handler, handler_call_details.method)

    def _wrapped(self, handler: Handler, method: str) -> Handler:
        behaviour: Any = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        call = partial(self._call, method, streamed=handler.request_streaming)

        async def answer(request: Any, context: Context) -> Any:
            async with call(request, context):
                return await behaviour(request, context)

        async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
            async with call(request, context), aclosing(behaviour(request, context)) as responses:
                async for response in responses:
                    yield response

        make = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[handler.request_streaming, handler.response_streaming]
        wrapped: Handler = make(
            stream if handler.response_streaming else answer,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        return wrapped

    @asynccontextmanager
    async def _call(self, method: str, request: Any, context: Context, *, streamed: bool) -> AsyncIterator[None]:
        request_id = _request_id(context)
        refuse = partial(_refuse, context, request_id, request if streamed else None)
        started = time.perf_counter()
        outcome = grpc.StatusCode.OK
        clear_contextvars()
        bind_contextvars(request_id=request_id, method=method)
        try:
            context.set_trailing_metadata(((REQUEST_ID_KEY, request_id),))
            bind_contextvars(vendor=self._callers.vendor(context))
            yield
        except (asyncio.CancelledError, GeneratorExit):
            outcome = grpc.StatusCode.CANCELLED
            raise
        except grpc.aio.AbortError:
            outcome = context.code()
            raise
        except GatewayError as error:
            _log.info("rpc.refused", reason=error.code.value, fields=[each.path for each in error.violations][:20])
            outcome = STATUS[error.code]
            await refuse(error)
        except Exception:  # noqa: BLE001 - a bug: the trace is logged, the caller learns no more than the id to quote
            _log.exception("rpc.failed")
            outcome = grpc.StatusCode.INTERNAL
            await refuse(GatewayError(ErrorCode.INTERNAL, request_id=request_id))
        finally:
            self._metrics.rpc_seconds.labels(method=method, code=outcome.name).observe(time.perf_counter() - started)
            _log.debug("rpc.ended", code=outcome.name)


async def _refuse(
    context: Context, request_id: str, messages: AsyncIterator[Any] | None, error: GatewayError
) -> NoReturn:
    """End the call with our status; `messages` are what its client streams."""
    if messages is not None:
        await _hear_out(messages)
    status = status_of(error, request_id)
    await context.abort(
        STATUS[error.code],
        status.message,
        ((DETAILS_KEY, status.SerializeToString()), (REQUEST_ID_KEY, request_id)),
    )


async def _hear_out(messages: AsyncIterator[Any]) -> None:
    """Let the client finish sending: one whose message is cut off tells its own error instead of our reason."""
    with suppress(Exception):  # what comes now, however wrong, changes nothing about the refusal
        async with asyncio.timeout(LINGER_SECONDS):
            async for _ in messages:
                pass


def _request_id(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_KEY and isinstance(value, str) and _REQUEST_ID.fullmatch(value):
            return value
    return str(uuid.uuid4())
