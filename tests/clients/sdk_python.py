"""The plan of README.md by the Python SDK."""

import asyncio
import json
import os
import sys

import httpx2
from mcp import Client
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CreateMessageResult, ElicitResult, TextContent

plan = json.loads(sys.argv[1])


class Storage:
    """Tokens of this process alone."""

    def __init__(self):
        self.tokens = self.client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


def authorization():
    oauth = plan.get("oauth")
    if not oauth:
        return None
    return ClientCredentialsOAuthProvider(
        server_url=plan["url"],
        storage=Storage(),
        client_id=oauth["clientId"],
        client_secret=oauth["clientSecret"],
        issuer=oauth["expectedIssuer"],
    )


async def elicit(_context, _params):
    return ElicitResult(**plan["elicitation"])


async def sample(_context, _params):
    text = TextContent(type="text", text=plan["sampling"])
    return CreateMessageResult(role="assistant", model="m", content=text)


def dump(value):
    return value.model_dump(mode="json", by_alias=True, exclude_none=True)


async def main():
    answer = {"results": []}
    headers = dict(plan.get("headers", {}))
    if plan.get("token"):
        headers["authorization"] = f"Bearer {plan['token']}"
    options = {"mode": plan.get("mode", "auto")}
    if plan.get("elicitation"):
        options["elicitation_callback"] = elicit
    if plan.get("sampling"):
        options["sampling_callback"] = sample
    try:
        # Long enough for a call that waits.
        async with httpx2.AsyncClient(headers=headers, auth=authorization(), timeout=60) as http:
            if plan.get("command"):
                command, *arguments = plan["command"]
                server = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))
            else:
                server = streamable_http_client(plan["url"], http_client=http)
            async with Client(server, **options) as client:
                answer["protocol"] = str(client.protocol_version)
                answer["tools"] = [tool.name for tool in (await client.list_tools()).tools]
                for call in plan.get("calls", []):
                    progress = []

                    async def report(done, _total, _message, progress=progress):
                        progress.append(done)

                    try:
                        result = await client.call_tool(call["name"], call["arguments"], progress_callback=report)
                        answer["results"].append({
                            "isError": bool(result.is_error),
                            "content": [dump(block) for block in result.content],
                            "structured": result.structured_content,
                            "meta": result.meta,
                            "progress": progress,
                        })
                    except Exception as error:  # what a caller would see is what is reported
                        data = getattr(error, "error", None)
                        answer["results"].append({
                            "error": {"code": getattr(data, "code", None), "message": str(error)},
                        })
    except BaseException as error:
        answer["error"] = repr(error)
    print(json.dumps(answer))


asyncio.run(main())
