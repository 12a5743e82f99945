// A certified OpenID provider (oidc-provider) on a free port of loopback: access tokens as JWTs for one resource
// (RFC 8707, RFC 9068), each client's tenant in the claim `tenant`.
//
//   node identity.mjs RESOURCE SECRET [opaque]
//
// With `opaque` its tokens say nothing by themselves, and are asked about (RFC 7662) and revoked (RFC 7009) by `tool-host`.
//
// The first line on stdout is {"issuer": "…"}. `rotate` on stdin puts another signing key in the place of the one before.
// The end of stdin ends it.
import http from 'node:http';
import { createInterface } from 'node:readline';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const [, , RESOURCE, SECRET, FORMAT] = process.argv;
const accessTokenFormat = FORMAT === 'opaque' ? 'opaque' : 'jwt';
const TENANTS = { 'acme-svc': 'acme', 'globex-svc': 'globex', 'initech-svc': 'initech', 'homeless-svc': undefined, 'tool-host': undefined };
const SCOPE = 'tools:call';

let generation = 0;
async function provider(issuer) {
  generation += 1;
  const keys = [];
  for (const [alg, use] of [['ES256', 'sig'], ['RS256', 'sig']]) {
    const { privateKey } = await generateKeyPair(alg, { extractable: true });
    keys.push({ ...(await exportJWK(privateKey)), kid: `${alg}-${generation}`, alg, use });
  }
  const client = (id) => ({
    client_id: id, client_secret: SECRET, grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
    token_endpoint_auth_method: 'client_secret_basic', id_token_signed_response_alg: 'ES256', scope: SCOPE,
  });
  const made = new Provider(issuer, {
    jwks: { keys },
    clients: Object.keys(TENANTS).map(client),
    scopes: [SCOPE],
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (_context, client) => client.clientId === 'tool-host' },
      revocation: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context, audience) => ({
          scope: SCOPE, audience, accessTokenFormat, accessTokenTTL: 300, jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
    extraTokenClaims: (context) => {
      const client = context.oidc.client?.clientId;
      // What is said of an opaque token of a client has no subject of its own.
      return { tenant: TENANTS[client], ...(FORMAT === 'opaque' && { sub: client }) };
    },
  });
  made.on('server_error', (_context, error) => console.error(error));
  return made.callback();
}

const server = http.createServer((request, response) => handle(request, response));
let handle = (_request, response) => response.writeHead(503).end();
server.listen(0, '127.0.0.1', async () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  handle = await provider(issuer);
  console.log(JSON.stringify({ issuer }));
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'rotate') {
      handle = await provider(issuer);
      console.log(JSON.stringify({ generation }));
    }
  }
  process.exit(0);
});
