// The plan of README.md by the TypeScript SDK 1.x: protocol versions with a handshake.
import { ClientCredentialsProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const plan = JSON.parse(process.argv[2]);
const capabilities = {};
if (plan.elicitation) capabilities.elicitation = {};
if (plan.sampling) capabilities.sampling = {};
const client = new Client({ name: 'sdk-v1', version: '1' }, { capabilities });
if (plan.elicitation) client.setRequestHandler(ElicitRequestSchema, async () => plan.elicitation);
if (plan.sampling) {
  client.setRequestHandler(CreateMessageRequestSchema, async () => ({
    role: 'assistant', model: 'm', content: { type: 'text', text: plan.sampling },
  }));
}
const authProvider = plan.oauth ? new ClientCredentialsProvider(plan.oauth) : undefined;
const headers = { ...plan.headers, ...(plan.token ? { authorization: `Bearer ${plan.token}` } : {}) };
const transport = plan.command
  ? new StdioClientTransport({ command: plan.command[0], args: plan.command.slice(1), env: process.env, stderr: 'inherit' })
  : new StreamableHTTPClientTransport(new URL(plan.url), { requestInit: { headers }, authProvider });

const answer = { results: [] };
try {
  await client.connect(transport);
  answer.protocol = transport.protocolVersion ?? 'stdio';
  answer.tools = (await client.listTools()).tools.map((tool) => tool.name);
  for (const call of plan.calls ?? []) {
    const progress = [];
    try {
      const options = { onprogress: (report) => progress.push(report.progress) };
      if (call.abort_ms) options.signal = AbortSignal.timeout(call.abort_ms);
      const result = await client.callTool({ name: call.name, arguments: call.arguments }, undefined, options);
      answer.results.push({
        isError: result.isError ?? false, content: result.content, structured: result.structuredContent ?? null,
        meta: result._meta ?? null, progress,
      });
    } catch (error) {
      // A client that cancels stays a moment longer: its word is still on the way.
      if (call.abort_ms) await new Promise((resume) => setTimeout(resume, 300));
      answer.results.push({ error: { code: error.code ?? null, message: String(error.message), data: error.data ?? null } });
    }
  }
} catch (error) {
  answer.error = String(error.message ?? error);
}
try {
  if (transport.terminateSession) await transport.terminateSession();
  await client.close();
} catch {
  // What was to be seen has been seen.
}
console.log(JSON.stringify(answer));
process.exit(0);
