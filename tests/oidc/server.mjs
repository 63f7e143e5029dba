// oidc-provider as an operator's identity provider: `node server.mjs <port> <redirect URI>`.
// Whoever comes is signed in at once as the person that the last line of standard input describes:
// {"sub": "...", ...claims}. Each line is answered with "ok" when it counts.
import { generateKeyPairSync } from 'node:crypto';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const [port, redirectUri] = process.argv.slice(2);
let person = { sub: 'nobody' };
const people = new Map();
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

const provider = new Provider(`http://localhost:${port}`, {
  clients: [{
    client_id: 'sallyport',
    client_secret: 'the secret of sallyport: with + and %',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code'],
    response_types: ['code'],
  }],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: 'one' }] },
  pkce: { required: () => true },
  scopes: ['openid', 'email', 'profile', 'groups'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => people.get(sub) ?? { sub } }),
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_ctx, interaction) => `/sign-in/${interaction.uid}` },
});

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/sign-in/')) return next();
  const { params, prompt } = await provider.interactionDetails(ctx.req, ctx.res);
  let result = { login: { accountId: person.sub } };
  if (prompt.name === 'consent') {
    const grant = new provider.Grant({ accountId: person.sub, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    result = { consent: { grantId: await grant.save() } };
  }
  await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: true });
  ctx.respond = false;
});

provider.listen(Number(port), '127.0.0.1', async () => {
  console.log('listens');
  for await (const line of createInterface(process.stdin)) {
    person = JSON.parse(line);
    people.set(person.sub, person);
    console.log('ok');
  }
});
