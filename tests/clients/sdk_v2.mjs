// The plan of README.md by the TypeScript SDK 2.x: with mode "auto" the stateless protocol 2026-07-28.
import { Client, ClientCredentialsProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const plan = JSON.parse(process.argv[2]);
const capabilities = {};
if (plan.elicitation) capabilities.elicitation = { form: {} };
if (plan.sampling) capabilities.sampling = {};
const client = new Client(
  { name: 'sdk-v2', version: '1' },
  { capabilities, versionNegotiation: { mode: plan.mode === 'legacy' ? 'legacy' : 'auto' } },
);
if (plan.elicitation) client.setRequestHandler('elicitation/create', async () => plan.elicitation);
if (plan.sampling) {
  client.setRequestHandler('sampling/createMessage', async () => ({
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
  answer.protocol = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion ?? null;
  answer.tools = (await client.listTools()).tools.map((tool) => tool.name);
  for (const call of plan.calls ?? []) {
    const progress = [];
    try {
      const options = { onprogress: (report) => progress.push(report.progress) };
      if (call.abort_ms) options.signal = AbortSignal.timeout(call.abort_ms);
      const result = await client.callTool({ name: call.name, arguments: call.arguments }, options);
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
  await client.close();
} catch {
  // What was to be seen has been seen.
}
console.log(JSON.stringify(answer));
process.exit(0);
