"""The host as a client of an MCP server, for the client scenarios of the conformance suite.

    conformance_client.py HOST ADAPTER URL

HOST is the program and ADAPTER the MCP adapter's component. It approves what the server at URL offers, serves it, and calls
each tool once with arguments that its schema takes. The suite watches what arrives at the server.
"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

CONFIG = """
[adapters.mcp]
file = "{adapter}"
[connections.peer]
adapter = "mcp"
url = "{url}"
auth = {{ type = "none" }}
principal = "any"
allow_http = true
allow_loopback = true
[tenants.acme]
"""


def example(schema, name=""):
    """A value that fits a simple schema."""
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        properties = schema.get("properties", {})
        return {key: example(member, key) for key, member in properties.items()}
    if kind == "array":
        return [example(schema.get("items", {}))]
    return {"string": "text", "integer": 5, "number": 5, "boolean": True, "null": None}.get(kind, "text")


def arguments(tool, tools):
    """What the scenario says for this tool, or else an example of its schema."""
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    for call in context.get("toolCalls", []):
        if call.get("name") == tool["name"].split("__", 1)[-1]:
            # An argument that is null is one that is not there.
            return {key: value for key, value in call.get("arguments", {}).items() if value is not None}
    if "schema" in tool["input_schema"].get("properties", {}):
        # It wants to see what arrived of another tool.
        others = [other for other in tools if other is not tool]
        # As the host got it: what a model is shown may be less.
        schema = others and others[0].get("original_input_schema", others[0]["input_schema"])
        return {"schema": schema} if others else {}
    return example(tool["input_schema"])


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        return json.load(error)


def main():
    host, adapter, url = sys.argv[1], sys.argv[2], sys.argv[-1]
    url = url.replace("://localhost:", "://127.0.0.1:")
    with tempfile.TemporaryDirectory() as directory:
        with open(os.path.join(directory, "host.toml"), "w") as file:
            file.write(CONFIG.format(adapter=adapter, url=url))
        environment = {"PATH": os.environ["PATH"], "HOME": directory}
        cache = ["--cache-dir", os.environ.get("TOOLHOST_CACHE", os.path.join(directory, "cache"))]
        words = ["connection", "approve", "peer", "--as-tenant", "acme", "--yes"]
        approved = subprocess.run(
            [host, *words, *cache], cwd=directory, env=environment, stderr=subprocess.PIPE, text=True
        )
        print(approved.stderr, file=sys.stderr)
        if approved.returncode != 0:
            # A scenario about the handshake alone has none; there is nothing to approve then.
            return 0 if "offers no tools" in approved.stderr else approved.returncode
        words = ["run", "--yes", "--dev-tenant", "acme", "--listen", "127.0.0.1:0", "--output", "json"]
        serving = subprocess.Popen(
            [host, *words, *cache], cwd=directory, env=environment, stdout=subprocess.PIPE
        )
        try:
            at = "http://" + json.loads(serving.stdout.readline())["listen"] + "/api/v1/tools"
            tools = [tool for tool in ask(at)["tools"] if tool["name"].startswith("peer__")]
            for tool in tools:
                said = ask(f"{at}/{tool['name']}/call", {"arguments": arguments(tool, tools)})
                print(tool["name"], json.dumps(said), file=sys.stderr)
        finally:
            serving.terminate()
            serving.wait()
    return 0


sys.exit(main())
