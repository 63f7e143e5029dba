// The whole flow with openid-client: discovery to revocation.
import * as client from "openid-client";
import { consent, privateKey, report, told } from "./talk.mjs";

const ways = {
  client_secret_basic: () => client.ClientSecretBasic(told.secret),
  client_secret_post: () => client.ClientSecretPost(told.secret),
  private_key_jwt: async () => client.PrivateKeyJwt(await privateKey()),
  none: () => client.None(),
};
const config = await client.discovery(
  new URL(told.issuer),
  told.client_id,
  undefined,
  await ways[told.method](),
  { algorithm: "oauth2", execute: [client.allowInsecureRequests] },
);
const DPoP = told.dpop
  ? client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"))
  : undefined;
const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const asked = {
  redirect_uri: told.redirect_uri,
  scope: told.scope,
  state: expectedState,
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
  ...(told.resource ? { resource: told.resource } : {}),
};
const url = told.par
  ? await client.buildAuthorizationUrlWithPAR(config, asked, { DPoP })
  : client.buildAuthorizationUrl(config, asked);
const back = await consent(url);
const tokens = await client.authorizationCodeGrant(
  config, back, { pkceCodeVerifier, expectedState }, undefined, { DPoP },
);
const call = async (token) => {
  const answer = await client.fetchProtectedResource(
    config, token, new URL(told.call), "GET", undefined, undefined, { DPoP },
  );
  await answer.body?.cancel();
  return answer.status;
};
const seen = { asked: url.href, type: tokens.token_type, first: await call(tokens.access_token) };
const fresh = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
seen.rotated = fresh.refresh_token !== tokens.refresh_token;
seen.second = await call(fresh.access_token);
if (told.method !== "none") {
  seen.active = (await client.tokenIntrospection(config, fresh.access_token)).active;
}
await client.tokenRevocation(config, fresh.refresh_token);
if (told.method !== "none") {
  seen.after = (await client.tokenIntrospection(config, fresh.access_token)).active;
}
try {
  seen.dead = await call(fresh.access_token);
} catch (error) {
  seen.dead = error.code === "OAUTH_WWW_AUTHENTICATE_CHALLENGE" ? error.status : String(error);
}
try {
  await client.refreshTokenGrant(config, fresh.refresh_token, undefined, { DPoP });
} catch (error) {
  seen.refused = error.error;
}
report(seen);
