'use strict';
// The two globals that the stock packages @forge/api and @forge/kvs stand on, and `fetch`; contract
// section (m). All of them lead to the capability socket.

const { AsyncLocalStorage } = require('node:async_hooks');

const calls = new AsyncLocalStorage();
const BODILESS = new Set([101, 204, 205, 304]);
const PRODUCTS = 'fpp';

// Loaded before there is a call to wait for it.
const { Request, Response, Headers } = globalThis;

class EgressError extends Error {
  constructor(code, status, message) {
    super(message);
    this.name = code;
    this.status = status;
  }
}

function install(capabilities) {
  Object.defineProperty(globalThis, '__forge_runtime__', {
    get: () => calls.getStore(),
    configurable: true,
  });
  globalThis.__forge_fetch__ = (target, path, init) => forgeFetch(capabilities, target, path, init);
  globalThis.fetch = (input, init) => outboundFetch(capabilities, input, init);
}

// Run `work` as a part of the call that `runtime` describes.
function within(runtime, work) {
  return calls.run(runtime, work);
}

async function forgeFetch(capabilities, target, path, init = {}) {
  if (target.type === 'kvs') {
    return response(await send(capabilities, { capability: 'kvs', path }, init));
  }
  if (target.type !== PRODUCTS) {
    throw new Error(`Sallyport has no '${target.type}' for apps to call`);
  }
  if (target.provider !== 'app' && target.provider !== 'user') {
    throw new Error('Say who calls the product: asApp() or asUser()');
  }
  const product = target.remote ?? calls.getStore()?.product;
  if (typeof product !== 'string') throw new Error('No product is called outside of an invocation');
  const options = { product, as: target.provider };
  if (target.provider === 'user' && target.accountId !== undefined) {
    options.accountId = String(target.accountId);
  }
  const request = { capability: 'product', path: path.startsWith('/') ? path : `/${path}`, options };
  return response(await send(capabilities, request, init));
}

// One request with what `init` holds as `fetch` takes it: method, headers, body, signal.
async function send(capabilities, request, init) {
  const method = (init.method ?? 'GET').toUpperCase();
  const headers = new Headers(init.headers);
  let body = Buffer.alloc(0);
  if (init.body !== undefined && init.body !== null) {
    const given = new Response(init.body);
    if (!headers.has('content-type') && given.headers.has('content-type')) {
      headers.set('content-type', given.headers.get('content-type'));
    }
    body = Buffer.from(await given.arrayBuffer());
  }
  return unlessAborted(
    init.signal,
    capabilities.ask({ ...request, method, headers: [...headers] }, body),
  );
}

async function outboundFetch(capabilities, input, init) {
  const request = new Request(input, init);
  const url = new URL(request.url);
  url.hash = '';
  if (url.protocol === 'data:' || url.protocol === 'blob:') {
    throw new TypeError(`fetch failed: ${url.protocol} is not fetched here`);
  }
  const body = Buffer.from(await request.arrayBuffer());
  const asked = {
    capability: 'fetch',
    path: url.href,
    method: request.method,
    headers: [...request.headers],
    options: { redirect: request.redirect },
  };
  const reply = await unlessAborted(request.signal, capabilities.ask(asked, body));
  const code = reply.headers.find(([name]) => name === 'forge-proxy-error')?.[1];
  if (code === undefined) return response(reply, url.href);
  let message = code;
  try {
    message = JSON.parse(reply.body.toString()).message ?? code;
  } catch {
    // The code says it too.
  }
  if (reply.status === 403) throw new EgressError(code, reply.status, message);
  throw new TypeError('fetch failed', { cause: new EgressError(code, reply.status, message) });
}

function response(reply, url = '') {
  const made = new Response(BODILESS.has(reply.status) ? null : reply.body, {
    status: reply.status,
    headers: reply.headers,
  });
  if (url !== '') Object.defineProperty(made, 'url', { value: url });
  return made;
}

function unlessAborted(signal, promise) {
  if (signal === undefined || signal === null) return promise;
  if (signal.aborted) {
    promise.catch(() => {});
    return Promise.reject(signal.reason);
  }
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

module.exports = { install, within };
