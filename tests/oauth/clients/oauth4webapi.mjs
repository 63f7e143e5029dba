// The whole flow with oauth4webapi: from the resource's metadata to revocation.
import * as oauth from "oauth4webapi";
import { consent, privateKey, report, told } from "./talk.mjs";

const http = { [oauth.allowInsecureRequests]: true };
const ways = {
  client_secret_basic: () => oauth.ClientSecretBasic(told.secret),
  client_secret_post: () => oauth.ClientSecretPost(told.secret),
  private_key_jwt: async () => oauth.PrivateKeyJwt(await privateKey()),
  none: () => oauth.None(),
};
const client = { client_id: told.client_id };
const auth = await ways[told.method]();

// The resource names its authorization server (RFC 9728), which names itself (RFC 8414).
const base = new URL(told.resource);
const resource = await oauth.processResourceDiscoveryResponse(
  base, await oauth.resourceDiscoveryRequest(base, http),
);
const issuer = new URL(resource.authorization_servers[0]);
const as = await oauth.processDiscoveryResponse(
  issuer, await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...http }),
);
const DPoP = told.dpop ? oauth.DPoP(client, await oauth.generateKeyPair("ES256")) : undefined;
const options = { DPoP, ...http };

const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
const asked = new URLSearchParams({
  client_id: told.client_id,
  response_type: "code",
  redirect_uri: told.redirect_uri,
  scope: told.scope,
  state,
  resource: resource.resource,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
});
const url = new URL(as.authorization_endpoint);
if (told.par) {
  const pushed = await oauth.processPushedAuthorizationResponse(
    as, client, await oauth.pushedAuthorizationRequest(as, client, auth, asked, options),
  );
  url.searchParams.set("client_id", told.client_id);
  url.searchParams.set("request_uri", pushed.request_uri);
} else {
  url.search = asked.toString();
}
const answer = oauth.validateAuthResponse(as, client, await consent(url), state);
const tokens = await oauth.processAuthorizationCodeResponse(
  as, client,
  await oauth.authorizationCodeGrantRequest(
    as, client, auth, answer, told.redirect_uri, verifier, options,
  ),
);
const call = async (token) => {
  try {
    const said = await oauth.protectedResourceRequest(
      token, "GET", new URL(told.call), undefined, undefined, options,
    );
    await said.body?.cancel();
    return said.status;
  } catch (error) {
    return error.code === oauth.WWW_AUTHENTICATE_CHALLENGE ? error.status : String(error);
  }
};
// What a resource server that nobody here wrote says of the token (RFC 9068).
const headers = { authorization: `Bearer ${tokens.access_token}` };
let claims;
if (!told.dpop) {
  const request = new Request(told.call, { headers });
  claims = await oauth.validateJwtAccessToken(as, request, resource.resource, http);
}
const seen = {
  asked: url.href, type: tokens.token_type, first: await call(tokens.access_token),
  audience: claims?.aud,
};
const fresh = await oauth.processRefreshTokenResponse(
  as, client, await oauth.refreshTokenGrantRequest(as, client, auth, tokens.refresh_token, options),
);
seen.rotated = fresh.refresh_token !== tokens.refresh_token;
seen.second = await call(fresh.access_token);
const introspect = async (token) => (
  await oauth.processIntrospectionResponse(
    as, client, await oauth.introspectionRequest(as, client, auth, token, http),
  )
).active;
if (told.method !== "none") seen.active = await introspect(fresh.access_token);
await oauth.processRevocationResponse(
  await oauth.revocationRequest(as, client, auth, fresh.refresh_token, http),
);
if (told.method !== "none") seen.after = await introspect(fresh.access_token);
seen.dead = await call(fresh.access_token);
try {
  await oauth.processRefreshTokenResponse(
    as, client,
    await oauth.refreshTokenGrantRequest(as, client, auth, fresh.refresh_token, options),
  );
} catch (error) {
  seen.refused = error.error;
}
report(seen);
