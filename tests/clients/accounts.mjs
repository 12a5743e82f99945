// A certified OpenID provider (oidc-provider) on a free port of loopback, with one client and accounts of users: client
// credentials, authorization code with PKCE, refresh tokens that rotate at every use.
//
//   node accounts.mjs SECRET REDIRECT_URI
//
// The first line on stdout is {"issuer": "…"}. A URL on stdin is visited as a user's browser would, who logs in and
// consents; {"location": "…"} is where the user is sent in the end. The end of stdin ends it.
import http from 'node:http';
import { createInterface } from 'node:readline';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const [, , SECRET, REDIRECT_URI] = process.argv;

async function provider(issuer) {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const made = new Provider(issuer, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'key-1', alg: 'RS256', use: 'sig' }] },
    clients: [{
      client_id: 'toolhost', client_secret: SECRET, redirect_uris: [REDIRECT_URI], response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
      token_endpoint_auth_method: 'client_secret_basic',
    }],
    cookies: { keys: ['a key of a test'] },
    features: { clientCredentials: { enabled: true } },
    pkce: { required: () => true },
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    ttl: { AccessToken: 600, ClientCredentials: 600 },
  });
  made.on('server_error', (_context, error) => console.error(error));
  return made.callback();
}

async function visit(url) {
  const cookies = new Map();
  let next = { url };
  for (let step = 0; step < 20; step += 1) {
    const response = await fetch(next.url, {
      method: next.form ? 'POST' : 'GET',
      body: next.form && new URLSearchParams(next.form),
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [pair] = cookie.split(';');
      const at = pair.indexOf('=');
      if (pair.slice(at + 1) === '') cookies.delete(pair.slice(0, at));
      else cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
    const location = response.headers.get('location');
    if (location) {
      next = { url: new URL(location, next.url).href };
      if (next.url.startsWith(REDIRECT_URI)) return next.url;
      continue;
    }
    const page = await response.text();
    const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1];
    const prompt = /name="prompt" value="([^"]+)"/.exec(page)?.[1];
    if (!action || !prompt) throw new Error(`no form: ${response.status} ${page.slice(0, 2000)}`);
    next = { url: new URL(action, next.url).href, form: { prompt, login: 'user-1', password: 'x' } };
  }
  throw new Error('too many steps');
}

const server = http.createServer((request, response) => handle(request, response));
let handle = (_request, response) => response.writeHead(503).end();
server.listen(0, '127.0.0.1', async () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  handle = await provider(issuer);
  console.log(JSON.stringify({ issuer }));
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      console.log(JSON.stringify({ location: await visit(line) }));
    } catch (error) {
      console.log(JSON.stringify({ error: error.message }));
    }
  }
  process.exit(0);
});
