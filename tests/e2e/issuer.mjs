// SPDX-License-Identifier: Apache-2.0
// An OpenID Connect issuer on loopback for the stories: npm oidc-provider, whose sign-in says yes at once, as whom it was
// told. What it tells can be made wrong on the way: the id_token is then changed and signed again with the real key.
//   node issuer.mjs PORT REDIRECT_URI     (PORT 0: any free one); prints {"issuer": …}
//   GET /control?user=…&lie=…&rotate=1    lie: nonce, audience, issuer, expired, signature, discovery, none
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT, decodeJwt } from 'jose';
import Provider from 'oidc-provider';

const [port, redirectUri] = process.argv.slice(2);
const groupsOf = { ada: ['staff'], boss: ['staff', 'admins'] };
let user = 'ada';
let lie = 'none';
let signing = null;
let handler = null;

const server = createServer((request, response) => answer(request, response));
await new Promise((done) => server.listen(Number(port), '127.0.0.1', done));
const issuer = `http://127.0.0.1:${server.address().port}`;

async function rotate(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true, modulusLength: 2048 });
  const jwk = { ...await exportJWK(privateKey), kid: `k-${Math.random().toString(36).slice(2)}`, alg, use: 'sig' };
  signing = { privateKey, kid: jwk.kid, alg };
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'berth', client_secret: 'a-secret: with & signs', redirect_uris: [redirectUri], id_token_signed_response_alg: alg }],
    jwks: { keys: [jwk] },
    cookies: { keys: ['a-key-of-a-test'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified', 'groups'], profile: ['name'] },
    features: { devInteractions: { enabled: false } },
    findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.org`, email_verified: true, groups: groupsOf[id] || [] }) }),
    interactions: { url: (context, interaction) => `/interaction/${interaction.uid}` },
    ttl: { Interaction: 600, Session: 600, Grant: 600, IdToken: 300, AccessToken: 300 },
  });
  provider.use(async (context, next) => {
    if (!context.path.startsWith('/interaction/')) return next();
    const { prompt, params, session } = await provider.interactionDetails(context.req, context.res);
    let result = { login: { accountId: user } };
    if (prompt.name === 'consent') {
      const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
      grant.addOIDCScope(params.scope);
      result = { consent: { grantId: await grant.save() } };
    }
    context.respond = false;
    return provider.interactionFinished(context.req, context.res, result, { mergeWithLastSubmission: true });
  });
  handler = provider.callback();
}
await rotate('RS256');

async function bent(body) {
  const said = JSON.parse(body);
  if (lie === 'discovery' && said.issuer) return JSON.stringify({ ...said, issuer: 'http://127.0.0.1:1' });
  if (!said.id_token) return body;
  const claims = decodeJwt(said.id_token);
  if (lie === 'nonce') claims.nonce = 'another';
  if (lie === 'audience') claims.aud = 'another-client';
  if (lie === 'issuer') claims.iss = 'https://evil.example';
  if (lie === 'expired') { claims.iat -= 7200; claims.exp = claims.iat + 60; }
  const key = lie === 'signature' ? (await generateKeyPair(signing.alg)).privateKey : signing.privateKey;
  return JSON.stringify({ ...said, id_token: await new SignJWT(claims).setProtectedHeader({ alg: signing.alg, kid: signing.kid }).sign(key) });
}

async function answer(request, response) {
  const url = new URL(request.url, issuer);
  if (url.pathname === '/control') {
    user = url.searchParams.get('user') || user;
    lie = url.searchParams.get('lie') || lie;
    if (url.searchParams.get('rotate')) await rotate(url.searchParams.get('rotate'));
    response.end('{}');
    return;
  }
  if (lie !== 'none' && (url.pathname === '/token' || url.pathname.startsWith('/.well-known/'))) {
    const end = response.end.bind(response);
    response.end = (chunk) => {
      bent(String(chunk)).then((text) => { response.removeHeader('content-length'); end(text); });
      return response;
    };
  }
  handler(request, response);
}
console.log(JSON.stringify({ issuer }));
