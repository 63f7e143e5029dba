'use strict';
// Frames, as ../frames.py describes them: u32 length | u8 kind | u32 id | payload.

const KIND_AND_ID = 5;
const HEAD_SIZE = 9;

const START = 1;
const HELLO = 4;
const RESULT = 5;
const FAILURE = 6;
const LOG = 7;
const CALL = 8;
const REQUEST = 9;
const REPLY = 10;
const QUEUED = 11;

function head(kind, id, length) {
  const made = Buffer.allocUnsafe(HEAD_SIZE);
  made.writeUInt32BE(KIND_AND_ID + length, 0);
  made.writeUInt8(kind, 4);
  made.writeUInt32BE(id, 5);
  return made;
}

// Write one frame. Small ones leave in one piece, so that no other frame's bytes come between.
function send(socket, kind, id, payload) {
  socket.write(Buffer.concat([head(kind, id, payload.length), payload]));
}

// Write a frame of header (JSON) and body; the body is not copied.
function sendParts(socket, kind, id, header, body) {
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(text.length, 0);
  const size = length.length + text.length + body.length;
  socket.write(Buffer.concat([head(kind, id, size), length, text]));
  if (body.length > 0) socket.write(body);
}

// The header and the body of a two-part payload.
function split(payload) {
  const end = 4 + payload.readUInt32BE(0);
  return [JSON.parse(payload.toString('utf8', 4, end)), payload.subarray(end)];
}

// A call's payload: what is to be run, with request and context, and the body.
function splitCall(payload) {
  let at = 12;
  const part = (index) => JSON.parse(payload.toString('utf8', at, (at += payload.readUInt32BE(4 * index))));
  const order = part(0);
  return [{ ...order, request: part(1), context: part(2) }, payload.subarray(at)];
}

// Calls back with kind, id and payload of each frame that arrives.
function read(socket, onFrame) {
  let chunks = [];
  let size = 0;
  let wanted = HEAD_SIZE;
  socket.on('data', (data) => {
    chunks.push(data);
    size += data.length;
    while (size >= wanted) {
      let buffer = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, size);
      const end = 4 + buffer.readUInt32BE(0);
      if (size < end) {
        chunks = [buffer];
        wanted = end;
        return;
      }
      onFrame(buffer.readUInt8(4), buffer.readUInt32BE(5), buffer.subarray(HEAD_SIZE, end));
      buffer = buffer.subarray(end);
      chunks = [buffer];
      size = buffer.length;
      wanted = HEAD_SIZE;
    }
  });
}

module.exports = {
  START,
  HELLO,
  RESULT,
  FAILURE,
  LOG,
  CALL,
  REQUEST,
  REPLY,
  QUEUED,
  send,
  sendParts,
  split,
  splitCall,
  read,
};
