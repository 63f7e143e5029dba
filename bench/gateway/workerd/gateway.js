// Checks the token, with a cache, and the scope; then the function answers, in this worker or another.
import { run } from './function.js';

const known = new Map();
const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
const read = (text) => JSON.parse(new TextDecoder().decode(bytes(text)));
let key;

async function claimsOf(token, env) {
  const held = known.get(token);
  if (held !== undefined) return held;
  const [head, body, signature] = token.split('.');
  key ??= await crypto.subtle.importKey(
    'jwk', JSON.parse(env.JWK), { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
  const signed = new TextEncoder().encode(`${head}.${body}`);
  const isRight = read(head).alg === 'ES256' && await crypto.subtle.verify(
    { name: 'ECDSA', hash: 'SHA-256' }, key, bytes(signature), signed);
  if (!isRight) return null;
  const claims = read(body);
  if (claims.iss !== env.ISSUER || claims.aud !== env.ISSUER) return null;
  claims.scopes = new Set(claims.scope.split(' '));
  if (known.size >= 50000) known.delete(known.keys().next().value);
  known.set(token, claims);
  return claims;
}

export default {
  async fetch(request, env) {
    const token = (request.headers.get('authorization') ?? '').replace(/^Bearer /, '');
    const claims = token === '' ? null : await claimsOf(token, env);
    if (claims === null || claims.exp * 1000 <= Date.now()) return new Response('', { status: 401 });
    if (!claims.scopes.has(env.SCOPE)) return new Response('', { status: 403 });
    return env.FUNCTION === undefined ? run(request) : env.FUNCTION.fetch(request);
  },
};
