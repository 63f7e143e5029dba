// oidc-provider with its own store in memory: `node server.mjs <port> <jwt|opaque>`.
// Prints its client as a line of JSON when it listens; for each number that it is told on a line, as
// many refresh tokens that nobody has used.
import { generateKeyPairSync } from 'node:crypto';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const [port, format] = process.argv.slice(2);
const RESOURCE = 'urn:bench:api';
const SCOPE = 'read:employee write:employee';
const CLIENT = { client_id: 'bench', client_secret: 'bench-secret-bench-secret-bench-secret' };
const DAY = 24 * 3600;
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    ...CLIENT,
    grant_types: ['client_credentials', 'authorization_code', 'refresh_token'],
    redirect_uris: ['http://127.0.0.1/callback'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_basic',
  }],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid: 'bench' }] },
  enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  scopes: ['offline_access', ...SCOPE.split(' ')],
  rotateRefreshToken: true,
  ttl: { AccessToken: 3600, ClientCredentials: 3600, RefreshToken: 90 * DAY, Grant: 90 * DAY },
  findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: SCOPE,
        audience: RESOURCE,
        accessTokenFormat: format,
        accessTokenTTL: 3600,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});

async function refreshToken() {
  const client = await provider.Client.find(CLIENT.client_id);
  const grant = new provider.Grant({ accountId: 'person', clientId: CLIENT.client_id });
  grant.addOIDCScope('offline_access');
  grant.addResourceScope(RESOURCE, SCOPE);
  return new provider.RefreshToken({
    accountId: 'person',
    client,
    grantId: await grant.save(),
    gty: 'authorization_code',
    resource: RESOURCE,
    scope: `offline_access ${SCOPE}`,
  }).save();
}

async function refreshTokens(count) {
  const made = [];
  for (let at = 0; at < count; at += 1) made.push(await refreshToken());
  return made;
}

provider.listen(Number(port), '127.0.0.1', async () => {
  console.log(JSON.stringify(CLIENT));
  for await (const count of createInterface(process.stdin)) {
    console.log(JSON.stringify(await refreshTokens(Number(count))));
  }
});
