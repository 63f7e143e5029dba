'use strict';
// Stack traces that speak of the app's own sources: positions are looked up in the source maps of
// its bundles, when a stack is read and not before.

const { SourceMap } = require('node:module');
const path = require('node:path');

const ROOT = '/app';

class Stacks {
  constructor() {
    this._maps = new Map();
  }

  // `text` is the source map, as JSON, of what was loaded under `filename`.
  add(filename, text) {
    this._maps.set(filename, text);
  }

  install() {
    Error.prepareStackTrace = (error, sites) => this._written(error, sites);
  }

  _written(error, sites) {
    const lines = [];
    let needed = 0;
    for (const site of sites) {
      const file = site.getFileName() ?? '';
      if (file.startsWith(__dirname)) continue;
      lines.push(`\n    at ${this._place(site, file)}`);
      if (file.startsWith(ROOT)) needed = lines.length;
    }
    // What called the app is no matter of the app's.
    return title(error) + lines.slice(0, needed || lines.length).join('');
  }

  _place(site, file) {
    const found = this._source(file, site.getLineNumber(), site.getColumnNumber());
    if (found === null) return String(site).replace(`${ROOT}/`, '');
    const name = site.getFunctionName() ?? site.getMethodName();
    const place = `${found.source}:${found.line}:${found.column}`;
    if (!name) return place;
    return `${site.isAsync() ? 'async ' : ''}${site.isConstructor() ? 'new ' : ''}${name} (${place})`;
  }

  _source(file, line, column) {
    let map = this._maps.get(file);
    if (map === undefined || line === null || column === null) return null;
    if (typeof map === 'string') {
      try {
        map = new SourceMap(JSON.parse(map));
      } catch {
        this._maps.delete(file);
        return null;
      }
      this._maps.set(file, map);
    }
    const entry = map.findEntry(line - 1, column - 1);
    if (entry?.originalSource === undefined) return null;
    const source = path.resolve(path.dirname(file), entry.originalSource);
    return {
      source: source.startsWith(`${ROOT}/`) ? source.slice(ROOT.length + 1) : source,
      line: entry.originalLine + 1,
      column: entry.originalColumn + 1,
    };
  }
}

function title(error) {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}

// What was thrown in one line, and with its stack.
function describe(thrown) {
  try {
    const text = thrown instanceof Error ? title(thrown) : `thrown: ${String(thrown)}`;
    return text.slice(0, 1000);
  } catch {
    return 'something was thrown that cannot be shown';
  }
}

function trace(thrown) {
  try {
    let text = typeof thrown?.stack === 'string' ? thrown.stack : describe(thrown);
    for (let cause = thrown?.cause, depth = 0; cause !== undefined && depth < 5; depth += 1) {
      text += `\nCaused by: ${typeof cause?.stack === 'string' ? cause.stack : describe(cause)}`;
      cause = cause?.cause;
    }
    return text.slice(0, 16_000);
  } catch {
    return describe(thrown);
  }
}

module.exports = { ROOT, Stacks, describe, trace };
