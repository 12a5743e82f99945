"""An MCP server by the Python SDK: `upstream.py PORT modern|stateful|stateless`.

`modern` is what the SDK does by itself. The other two are a server of before 2026-07-28, with sessions and without.
"""

import asyncio
import json
import sys

import uvicorn
from mcp.server.mcpserver import Context, MCPServer

port, kind = int(sys.argv[1]), sys.argv[2]
server = MCPServer("tickets")
cancelled = 0


@server.tool()
def add(a: int, b: int) -> int:
    """The sum of two numbers."""
    return a + b


@server.tool()
def session(ctx: Context) -> str:
    """The session that the request came in."""
    return (ctx.headers or {}).get("mcp-session-id", "none")


@server.tool()
async def count(to: int, ctx: Context) -> str:
    """Counts."""
    for done in range(1, to + 1):
        await ctx.report_progress(done, to, f"at {done}")
        await asyncio.sleep(0.02)
    return f"counted to {to}"


@server.tool()
async def wait() -> str:
    """Never answers."""
    global cancelled
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        cancelled += 1
        raise
    return "woke up"


@server.tool()
def dropped() -> str:
    """How many calls of `wait` were cancelled."""
    return str(cancelled)


@server.tool()
def fail() -> str:
    """Fails."""
    raise ValueError("what the SDK keeps to itself")


app = server.streamable_http_app(stateless_http=kind == "stateless")


async def of_last_year(scope, receive, send):
    """Does not know the version of today."""
    if scope["type"] == "http" and dict(scope["headers"]).get(b"mcp-protocol-version") == b"2026-07-28":
        error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32000, "message": "Unsupported protocol version"}}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(error).encode()})
        return
    await app(scope, receive, send)


uvicorn.run(app if kind == "modern" else of_last_year, host="127.0.0.1", port=port, log_level="warning")
