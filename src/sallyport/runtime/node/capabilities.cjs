'use strict';
// What the app asks of the platform, over the capability socket; docs/reference/capabilities.md.

const frames = require('./frames.cjs');

const LARGEST_BODY = 5 * 1024 * 1024;

class Capabilities {
  constructor(socket) {
    this._socket = socket;
    this._waiting = new Map();
    this._last = 0;
    frames.read(socket, (kind, id, payload) => this._replied(kind, id, payload));
    socket.on('close', () => this._closed());
    socket.unref();
  }

  // Ask, and wait for { status, headers: [[name, value], ...], body }.
  ask(request, body) {
    if (body.length > LARGEST_BODY) {
      return Promise.reject(new RangeError('The body of a request to the platform is larger than 5 MB'));
    }
    this._last = (this._last + 1) % 2 ** 32;
    const id = this._last;
    return new Promise((resolve, reject) => {
      this._waiting.set(id, { resolve, reject });
      frames.sendParts(this._socket, frames.REQUEST, id, request, body);
    });
  }

  _replied(kind, id, payload) {
    const waiting = this._waiting.get(id);
    if (kind !== frames.REPLY || waiting === undefined) return;
    this._waiting.delete(id);
    const [header, body] = frames.split(payload);
    // The payload is a part of a larger buffer, which the app would keep alive or look into.
    waiting.resolve({ status: header.status, headers: header.headers, body: Buffer.from(body) });
  }

  _closed() {
    for (const { reject } of this._waiting.values()) {
      reject(new Error('The platform closed the capability socket'));
    }
    this._waiting.clear();
  }
}

module.exports = { Capabilities };
