"""The plan of README.md by FastMCP's client."""

import asyncio
import json
import os
import sys

from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport

plan = json.loads(sys.argv[1])


async def elicit(_message, _response_type, _params, _context):
    return ElicitResult(**plan["elicitation"])


async def sample(_messages, _params, _context):
    return plan["sampling"]


def dump(value):
    return value.model_dump(mode="json", by_alias=True, exclude_none=True)


async def main():
    answer = {"results": []}
    headers = {"authorization": f"Bearer {plan['token']}"} if plan.get("token") else {}
    options = {"mode": plan.get("mode", "auto")}
    if plan.get("elicitation"):
        options["elicitation_handler"] = elicit
    if plan.get("sampling"):
        options["sampling_handler"] = sample
    if plan.get("command"):
        command, *arguments = plan["command"]
        transport = StdioTransport(command=command, args=arguments, env=dict(os.environ))
    else:
        transport = StreamableHttpTransport(plan["url"], headers=headers)
    try:
        async with Client(transport, **options) as client:
            answer["protocol"] = str(getattr(client.session, "protocol_version", None))
            answer["tools"] = [tool.name for tool in await client.list_tools()]
            for call in plan.get("calls", []):
                progress = []

                async def report(done, _total, _message, progress=progress):
                    progress.append(done)

                try:
                    result = await client.call_tool(
                        call["name"], call["arguments"], progress_handler=report, raise_on_error=False
                    )
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
