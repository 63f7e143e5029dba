'use strict';
// The app's code: the bundles that came with START, loaded once, and the handlers in them.

const Module = require('node:module');
const path = require('node:path');
const { ROOT, describe, trace } = require('./stacks.cjs');

class ImportFailure extends Error {
  constructor(message, trace) {
    super(message);
    this.trace = trace;
  }
}

class App {
  constructor(stacks) {
    this._stacks = stacks;
    this._modules = new Map();
    this._handlers = new Map();
  }

  // Load one bundle; what it throws is told to the calls that need it.
  load(name, code, map) {
    const filename = path.join(ROOT, 'dist', `${name}.cjs`);
    if (map !== '') this._stacks.add(filename, map);
    const module = new Module(filename, null);
    module.filename = filename;
    module.paths = [];
    try {
      module._compile(code, filename);
      module.loaded = true;
      this._modules.set(name, { exports: module.exports });
    } catch (error) {
      this._modules.set(name, { failure: new ImportFailure(describe(error), trace(error)) });
    }
  }

  // The function that a handler such as `index.run` names. Throws `ImportFailure`.
  handler(named) {
    let found = this._handlers.get(named);
    if (found === undefined) {
      const at = named.lastIndexOf('.');
      const module = this._modules.get(named.slice(0, at));
      if (module === undefined) throw new ImportFailure(`there is no module for ${named}`, null);
      if (module.failure !== undefined) throw module.failure;
      found = module.exports?.[named.slice(at + 1)];
      if (typeof found !== 'function') {
        const message = `src/${named.slice(0, at)} exports no function '${named.slice(at + 1)}'`;
        throw new ImportFailure(message, null);
      }
      this._handlers.set(named, found);
    }
    return found;
  }
}

module.exports = { App, ImportFailure };
