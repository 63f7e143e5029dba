'use strict';
// What app code writes with `console` becomes lines with a level, sent as they are written.

const { Console } = require('node:console');
const frames = require('./frames.cjs');

const DEBUG = 0;
const INFO = 1;
const WARN = 2;
const ERROR = 3;

// The platform counts exactly; past its bounds, sending more would only cost time.
const MOST_LINES = 110;
const MOST_BYTES = 256 * 1024;
const LONGEST_LINE = 32 * 1024;

const LEVELS = { debug: DEBUG, warn: WARN, error: ERROR, trace: ERROR, assert: ERROR };
const SHAPED = ['log', 'info', 'dir', 'dirxml', 'table', 'group', 'groupCollapsed', 'count', 'timeEnd', 'timeLog'];

class Logs {
  constructor(socket) {
    this._socket = socket;
    this._held = [];
    this._begun = false;
    this._lines = 0;
    this._bytes = 0;
    this._level = INFO;
    const stream = { write: (text) => this._written(text) };
    this._console = new Console({ stdout: stream, stderr: stream, ignoreErrors: false });
  }

  // Take the place of the methods of `console`.
  install() {
    const own = this._console;
    for (const method of [...SHAPED, ...Object.keys(LEVELS)]) {
      const level = LEVELS[method] ?? INFO;
      console[method] = (...values) => {
        const before = this._level;
        this._level = level;
        try {
          own[method](...values);
        } finally {
          this._level = before;
        }
      };
    }
    for (const method of ['groupEnd', 'countReset', 'time']) console[method] = own[method].bind(own);
  }

  // A call begins: it gets what was written while the modules were loaded, and allowances anew.
  begin() {
    this._lines = this._bytes = 0;
    this._begun = true;
    const held = this._held;
    this._held = [];
    for (const [level, line] of held) this.write(level, line);
  }

  write(level, text) {
    if (!this._begun) {
      if (this._held.length < MOST_LINES) this._held.push([level, text.slice(0, LONGEST_LINE)]);
      return;
    }
    if (this._lines >= MOST_LINES || this._bytes >= MOST_BYTES) return;
    const line = Buffer.from(text).subarray(0, LONGEST_LINE);
    this._lines += 1;
    this._bytes += line.length;
    frames.send(this._socket, frames.LOG, 0, Buffer.concat([Buffer.from([level]), line]));
  }

  _written(text) {
    this.write(this._level, text.endsWith('\n') ? text.slice(0, -1) : text);
    return true;
  }
}

module.exports = { Logs, DEBUG, INFO, WARN, ERROR };
