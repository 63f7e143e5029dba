'use strict';
// The worker: a Node process that waits until it is given an app, then runs the calls of one
// installation, one at a time. Started as `node worker.cjs <calls> <capabilities> <start> <tickets>`:
// four descriptors. It gets the app over the third, so no folder of any app need be readable to it.
// Calls that come while another runs wait, and begin only with their tickets; docs/decisions/0013.

const fs = require('node:fs');
const net = require('node:net');
const { App, ImportFailure } = require('./app.cjs');
const { Capabilities } = require('./capabilities.cjs');
const { contextOf, requestOf, runtimeOf } = require('./context.cjs');
const forge = require('./forge.cjs');
const frames = require('./frames.cjs');
const { Logs } = require('./logs.cjs');
const { BadResult, TooLarge, convert } = require('./results.cjs');
const { Stacks, describe, trace } = require('./stacks.cjs');

const NO_MEMORY = ['ERR_MEMORY_ALLOCATION_FAILED', 'ERR_WORKER_OUT_OF_MEMORY'];

class Worker {
  constructor(calls, capabilities, tickets) {
    this._calls = calls;
    this._tickets = tickets;
    this._drawn = null;
    this._waiting = [];
    this._logs = new Logs(calls);
    this._stacks = new Stacks();
    this._app = new App(this._stacks);
    this._running = null;
    this._rules = null;
    this._capabilities = new Capabilities(capabilities);
  }

  // Take up an app: its variables, its code; then say hello and serve.
  begin(start, code) {
    Object.assign(process.env, start.variables);
    process.argv = [process.argv[0], '/app'];
    this._rules = start.rules;
    this._logs.install();
    this._stacks.install();
    forge.install(this._capabilities);
    process.on('uncaughtException', (error) => this._died(error));
    let at = 0;
    const text = (length) => code.toString('utf8', at, (at += length));
    for (const module of start.modules) this._app.load(module.name, text(module.code), text(module.map));
    frames.read(this._calls, (kind, id, payload) => {
      if (kind !== frames.CALL && kind !== frames.QUEUED) process.exit(1);
      this._waiting.push({ kind, id, payload });
      if (this._running === null) this._next();
    });
    this._calls.on('end', () => process.exit(0));
    frames.send(this._calls, frames.HELLO, 0, Buffer.alloc(0));
  }

  // Begin the next call that is still ours.
  _next() {
    while (this._waiting.length > 0) {
      const { kind, id, payload } = this._waiting.shift();
      if (kind === frames.CALL || this._draw(id)) {
        this._run(id, payload);
        return;
      }
    }
  }

  // Whether the ticket of this call is ours; else the platform has taken it back.
  _draw(id) {
    if (this._drawn === null) {
      const ticket = Buffer.alloc(4);
      try {
        if (fs.readSync(this._tickets, ticket, 0, 4, null) !== 4) return false;
      } catch {
        return false;
      }
      this._drawn = ticket.readUInt32BE(0);
    }
    // That of a later call is kept: those before it were taken back.
    if (this._drawn !== id) return false;
    this._drawn = null;
    return true;
  }

  async _run(id, payload) {
    this._running = id;
    this._logs.begin();
    try {
      const [call, body] = frames.splitCall(payload);
      const result = await this._invoke(call, body);
      if (this._running !== id) return;
      const [header, content] = convert(result, this._rules, call.context?.moduleType);
      this._settle(frames.RESULT, header, content);
    } catch (error) {
      if (this._running === id) this._settle(frames.FAILURE, failure(error));
    }
  }

  _invoke(call, body) {
    const ends = performance.now() + call.timeoutMs;
    const remaining = () => Math.max(0, Math.floor(ends - performance.now()));
    const handler = this._app.handler(call.handler);
    return forge.within(runtimeOf(call, remaining), () =>
      handler(requestOf(call, body), contextOf(call, remaining)),
    );
  }

  _settle(kind, header, body = Buffer.alloc(0)) {
    const id = this._running;
    this._running = null;
    // A process that the call has started would run on beside later calls.
    if (process.getActiveResourcesInfo().includes('ProcessWrap')) header.children = true;
    frames.sendParts(this._calls, kind, id, header, body);
    // The platform ends a worker in which something runs on.
    if (header.children !== true) setImmediate(() => this._running === null && this._next());
  }

  // Nobody caught it: neither this call nor a later one can trust what is left in memory.
  _died(error) {
    if (this._running === null) {
      fs.writeSync(2, `${trace(error)}\n`);
      process.exit(1);
    }
    this._settle(frames.FAILURE, { ...failure(error), children: true });
  }
}

function failure(error) {
  if (error instanceof BadResult) return { kind: 'bad_result', message: error.message };
  if (error instanceof TooLarge) return { kind: 'too_large', message: error.message };
  if (NO_MEMORY.includes(error?.code) || error?.message === 'Array buffer allocation failed') {
    return { kind: 'out_of_memory', message: describe(error), trace: trace(error), children: true };
  }
  if (error instanceof ImportFailure) {
    // The next worker may load what this one could not.
    return { kind: 'import_error', message: error.message, trace: error.trace, children: true };
  }
  return { kind: 'exception', message: describe(error), trace: trace(error) };
}

function open(descriptor) {
  return new net.Socket({ fd: Number(descriptor), readable: true, writable: true });
}

const [calls, capabilities, start] = process.argv.slice(2, 5).map(open);
const worker = new Worker(calls, capabilities, Number(process.argv[5]));
start.on('end', () => process.exit(0));
frames.read(start, (kind, id, payload) => {
  start.removeAllListeners();
  start.destroy();
  worker.begin(...frames.split(payload));
});
