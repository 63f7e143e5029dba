'use strict';
// A handler's result as status, headers and body bytes; contract section (e.5). The platform checks
// the same rules again and believes nothing; here the developer is told what to change.

class BadResult extends Error {}
class TooLarge extends Error {}

// A web trigger may name one of its static outputs; what a scheduled trigger returns goes nowhere.
function convert(result, rules, moduleType) {
  if (moduleType === 'scheduledTrigger') return [{ status: 204, headers: [] }, Buffer.alloc(0)];
  if (moduleType === 'webtrigger' && typeof result?.outputKey === 'string' && result.statusCode === undefined) {
    const key = encodeURIComponent(result.outputKey.slice(0, 255));
    return [{ status: 204, headers: [['x-sallyport-output', key]] }, Buffer.alloc(0)];
  }
  if (typeof result !== 'object' || result === null || Array.isArray(result)) {
    throw new BadResult(`the handler returned ${kind(result)}; return an object with 'statusCode'`);
  }
  const status = result.statusCode;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new BadResult(`'statusCode' must be an integer from 200 to 599, not ${shown(status)}`);
  }
  const body = bytes(result.body);
  if (body.length > rules.largestBody) throw new TooLarge(rules.tooLarge);
  const headers = pairs(result.headers);
  checkHeaders(headers, rules);
  return [{ status, headers }, body];
}

function bytes(body) {
  if (body === undefined || body === null) return Buffer.alloc(0);
  if (typeof body === 'string') return Buffer.from(body);
  if (ArrayBuffer.isView(body)) return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (body instanceof ArrayBuffer) return Buffer.from(body);
  if (typeof body !== 'object') {
    throw new BadResult(`'body' must be a string, bytes, an object or an array, not ${kind(body)}`);
  }
  let text;
  try {
    text = JSON.stringify(body);
  } catch (error) {
    throw new BadResult(`'body' cannot be sent: ${error.message}`);
  }
  if (text === undefined) throw new BadResult("'body' cannot be sent: it has no JSON");
  return Buffer.from(text);
}

function pairs(headers) {
  if (headers === undefined || headers === null) return [];
  if (typeof headers !== 'object' || Array.isArray(headers)) {
    throw new BadResult(`'headers' must be an object, not ${kind(headers)}`);
  }
  const entries = headers instanceof Headers ? [...headers] : Object.entries(headers);
  const found = [];
  for (const [name, values] of entries) {
    const lower = name.toLowerCase();
    if (lower === 'content-length') continue;
    for (const value of Array.isArray(values) ? values : [values]) {
      if (typeof value !== 'string') {
        throw new BadResult(`the header '${name.slice(0, 64)}' must be a string or an array of strings`);
      }
      found.push([lower, value]);
    }
  }
  return found;
}

function checkHeaders(headers, rules) {
  if (headers.length > rules.mostHeaders) {
    throw new BadResult(`there are ${headers.length} headers; ${rules.mostHeaders} are allowed`);
  }
  const size = headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (size > rules.largestHeaders) throw new BadResult('the headers are larger than 32 KB');
  for (const [name, value] of headers) {
    if (!/^[a-z0-9!#$%&'*+.^_`|~-]{1,256}$/.test(name)) {
      throw new BadResult(`a header's name is not valid: ${shown(name)}`);
    }
    if (rules.refusedHeaders.includes(name)) {
      throw new BadResult(`the header '${name}' may not be set by an app`);
    }
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw new BadResult(`the value of the header '${name}' holds characters that are not allowed`);
    }
  }
}

function kind(value) {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : typeof value;
}

function shown(value) {
  try {
    return (typeof value === 'string' ? JSON.stringify(value) : String(value)).slice(0, 100);
  } catch {
    return kind(value);
  }
}

module.exports = { BadResult, TooLarge, convert };
