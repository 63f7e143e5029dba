'use strict';
// What a call tells the app: the request and the context that its handler gets, and what the stock
// packages read from `__forge_runtime__`; contract sections (e.2), (e.3), (l.5) and (m).

const QUIET_TIMER = { stop() {} };
const METRICS = {
  counter: () => ({ incr() {}, decr() {} }),
  timing: () => ({ measure: () => QUIET_TIMER, set() {} }),
  gauge: () => ({ set() {}, incr() {}, decr() {} }),
};

function requestOf(call, body) {
  const request = { ...call.request, body: body.toString() };
  Object.defineProperty(request, 'rawBody', { value: Buffer.from(body), enumerable: false });
  return request;
}

function contextOf(call, remaining) {
  const { context } = call;
  return {
    ...context,
    installContext: contextAri(context),
    principal: context.accountId ? { accountId: context.accountId } : undefined,
    getRemainingTimeInMillis: remaining,
  };
}

function runtimeOf(call, remaining) {
  const { context } = call;
  return {
    product: context.product,
    appContext: {
      appId: context.appId,
      appVersion: context.appVersion,
      environmentId: context.environmentId,
      environmentType: context.environmentType,
      invocationId: context.invocationId,
      installationId: context.installationId,
      functionKey: context.functionKey,
      moduleType: context.moduleType ?? 'core:apiRoute',
      moduleKey: context.moduleKey,
      license: context.license,
      installation: context.installation,
      permissions: context.permissions,
    },
    contextAri: contextAri(context),
    aaid: context.accountId ?? undefined,
    lambdaContext: {
      awsRequestId: context.invocationId,
      getRemainingTimeInMillis: remaining,
    },
    // The socket says who asks: there is no token to be had.
    proxy: { token: '', url: '' },
    tracing: { traceId: context.traceId, spanId: context.traceId.slice(0, 16) },
    metrics: METRICS,
    featureFlags: () => undefined,
  };
}

function contextAri(context) {
  return `ari:cloud:${context.product}::site/${context.cloudId}`;
}

module.exports = { requestOf, contextOf, runtimeOf };
