"""What happens to a request: forwarded, redirected, or answered here, as an ALB does it.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
"""

import asyncio
import re
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from embedded_aws.data_plane.load_balancer.figures import Exchange, Figures
from embedded_aws.data_plane.load_balancer.routing import (
    RequestHead,
    action_for,
    redirect_location,
    target_group_for,
)
from embedded_aws.data_plane.load_balancer.targets import Target, TargetGroup
from embedded_aws.protocol import Listener, LoadBalancer

_HOP_BY_HOP = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "proxy-connection",
    ]
)
_REASONS = {
    400: "Bad Request",
    460: "Client Closed Request",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}
_CONNECT_TIMEOUT_SECONDS = 10


class _Relayed(web.StreamResponse):
    """A target's answer, to which nothing is added."""

    async def _prepare_headers(self) -> None:
        is_named = "Server" in self.headers
        await super()._prepare_headers()
        if not is_named:
            del self.headers["Server"]


class Proxy:
    """Answers the requests of one listener."""

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        groups: Mapping[str, TargetGroup],
        figures: Figures,
    ) -> None:
        self.balancer: LoadBalancer
        self.listener: Listener
        self.ports: Mapping[int, int] = {}
        self._session = session
        self._groups = groups
        self._figures = figures

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answers one request."""
        exchange = Exchange(
            balancer=self.balancer,
            protocol=self.listener["protocol"].lower(),
            client=_peer(request),
            request_line=f"{request.method} {request.raw_path} HTTP/1.1",
            host=request.host,
            user_agent=request.headers.get("User-Agent", "-"),
        )
        try:
            answer = await self._answer(request, exchange)
            exchange.status = exchange.status or answer.status
            return answer
        except (ConnectionResetError, asyncio.CancelledError):
            exchange.status = exchange.status or 460
            raise
        finally:
            exchange.seconds = time.monotonic() - exchange.begun
            self._figures.add(exchange)

    async def _answer(self, request: web.BaseRequest, exchange: Exchange) -> web.StreamResponse:
        host = request.headers.get("Host", "")
        head = RequestHead(
            method=request.method,
            host=re.sub(r":\d+$", "", host),
            path=request.raw_path.partition("?")[0],
            query=list(request.query.items()),
            headers=request.headers,
            source_ip=exchange.client.rpartition(":")[0],
        )
        action = action_for(self.listener, head)
        if action["Type"] == "fixed-response":
            given = action["FixedResponseConfig"]
            return web.Response(
                status=int(given["StatusCode"]),
                body=(given.get("MessageBody") or "").encode(),
                headers={"Content-Type": given.get("ContentType") or "text/plain"}
                | {"Server": "awselb/2.0"},
            )
        if action["Type"] == "redirect":
            location = redirect_location(
                action,
                head,
                protocol=self.listener["protocol"],
                port=self.listener["port"],
                query=request.query_string,
                ports=self.ports,
            )
            status = int(action["RedirectConfig"]["StatusCode"].removeprefix("HTTP_"))
            return web.Response(
                status=status, headers={"Location": location, "Server": "awselb/2.0"}
            )
        if action["Type"] != "forward":
            return _error(503)
        group = self._groups.get(target_group_for(action) or "")
        target = group.choose() if group else None
        if group is None or target is None:
            return _error(503)
        exchange.group = group.desired
        return await self._forward(request, exchange, group, target)

    async def _forward(
        self, request: web.BaseRequest, exchange: Exchange, group: TargetGroup, target: Target
    ) -> web.StreamResponse:
        address = group.address(target)
        assert address is not None
        exchange.target = f"{address[0]}:{address[1]}"
        url = f"http://{address[0]}:{address[1]}{request.raw_path}"
        headers = self._request_headers(request, exchange)
        target.in_flight += 1
        cut = asyncio.ensure_future(target.cut.wait())
        is_websocket = request.headers.get("Upgrade", "").lower() == "websocket"
        relay = self._relay_websocket if is_websocket else self._relay
        work = asyncio.ensure_future(relay(request, exchange, url, headers))
        try:
            await asyncio.wait({work, cut}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                # Its deregistration delay is over: what it still answers is cut off.
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work
                return _error(502)
            return work.result()
        finally:
            cut.cancel()
            if not work.done():
                work.cancel()
            target.in_flight -= 1

    async def _relay(
        self,
        request: web.BaseRequest,
        exchange: Exchange,
        url: str,
        headers: "CIMultiDict[str]",
    ) -> web.StreamResponse:
        idle = float(self.balancer["attributes"].get("idle_timeout.timeout_seconds") or 60)
        timeout = aiohttp.ClientTimeout(
            total=None, connect=_CONNECT_TIMEOUT_SECONDS, sock_read=idle
        )
        begun = time.monotonic()
        try:
            upstream = await self._session.request(
                request.method,
                url,
                headers=headers,
                data=request.content if request.body_exists else None,
                allow_redirects=False,
                timeout=timeout,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )
        except TimeoutError:
            return _error(504)
        except (aiohttp.ClientError, OSError, ValueError):
            return _error(502)
        async with upstream:
            exchange.target_seconds = time.monotonic() - begun
            exchange.target_status = exchange.status = upstream.status
            answer = _Relayed(status=upstream.status, reason=upstream.reason)
            for name, value in upstream.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    answer.headers.add(name, value)
            if "Content-Length" not in upstream.headers and upstream.status not in (204, 304):
                answer.enable_chunked_encoding()
            await answer.prepare(request)
            try:
                async for part in upstream.content.iter_any():
                    exchange.sent_bytes += len(part)
                    await answer.write(part)
            except (aiohttp.ClientError, TimeoutError):
                # Half an answer must not look like a whole one.
                if request.transport:
                    request.transport.abort()
            await answer.write_eof()
            return answer

    async def _relay_websocket(
        self,
        request: web.BaseRequest,
        exchange: Exchange,
        url: str,
        headers: "CIMultiDict[str]",
    ) -> web.StreamResponse:
        for name in [name for name in headers if name.lower().startswith("sec-websocket")]:
            del headers[name]
        protocols = tuple(
            each.strip()
            for each in request.headers.get("Sec-WebSocket-Protocol", "").split(",")
            if each.strip()
        )
        try:
            upstream = await self._session.ws_connect(
                url, headers=headers, protocols=protocols, autoping=False, max_msg_size=0
            )
        except aiohttp.WSServerHandshakeError as refusal:
            exchange.target_status = refusal.status
            return _error(refusal.status if refusal.status in _REASONS else 502)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return _error(502)
        exchange.target_status = exchange.status = 101
        given = [upstream.protocol] if upstream.protocol else []
        downstream = web.WebSocketResponse(protocols=given, autoping=False, max_msg_size=0)
        await downstream.prepare(request)
        async with upstream:
            ways = {
                asyncio.ensure_future(_copy(upstream, downstream)),
                asyncio.ensure_future(_copy(downstream, upstream)),
            }
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                code = upstream.close_code or downstream.close_code or 1000
                await downstream.close(code=code)
        return downstream

    def _request_headers(self, request: web.BaseRequest, exchange: Exchange) -> "CIMultiDict[str]":
        attributes = self.balancer["attributes"]
        drops = attributes.get("routing.http.drop_invalid_header_fields.enabled") == "true"
        headers: CIMultiDict[str] = CIMultiDict()
        for name, value in request.headers.items():
            if name.lower() in _HOP_BY_HOP or (drops and not re.fullmatch(r"[-A-Za-z0-9]+", name)):
                continue
            headers.add(name, value)
        client = exchange.client.rpartition(":")[0]
        before = headers.get("X-Forwarded-For")
        headers["X-Forwarded-For"] = f"{before}, {client}" if before else client
        headers["X-Forwarded-Proto"] = self.listener["protocol"].lower()
        headers["X-Forwarded-Port"] = str(self.listener["port"])
        own = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
        given = headers.get("X-Amzn-Trace-Id", "")
        headers["X-Amzn-Trace-Id"] = f"Self={own};{given}" if "Root=" in given else f"Root={own}"
        exchange.trace_id = headers["X-Amzn-Trace-Id"]
        return headers


async def _copy(source: Any, target: Any) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.TEXT:
            await target.send_str(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await target.send_bytes(message.data)
        elif message.type is aiohttp.WSMsgType.PING:
            await target.ping(message.data)
        elif message.type is aiohttp.WSMsgType.PONG:
            await target.pong(message.data)


def _peer(request: web.BaseRequest) -> str:
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return f"{peer[0]}:{peer[1]}" if peer else "127.0.0.1:0"


def _error(status: int) -> web.Response:
    title = f"{status} {_REASONS.get(status, 'Error')}"
    body = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )
    return web.Response(
        status=status,
        reason=_REASONS.get(status),
        text=body,
        content_type="text/html",
        headers={"Server": "awselb/2.0"},
    )
