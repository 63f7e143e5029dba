// The employee directory in JavaScript: an app written for Forge, which runs here unchanged.
//
// A handler gets the request and returns an object with a `statusCode`. What is kept in the
// key-value store belongs to this one installation.

import { kvs } from '@forge/kvs';

const FIRST_EMPLOYEES = { 1234: 'Ada Lovelace', 1235: 'Grace Hopper', 1236: 'Katherine Johnson' };

// GET /getEmployeeName?id=1234, and GET /getEmployeeName/1234
export const getEmployeeName = async (request) => {
  const id = request.queryParameters.id?.[0] ?? request.userPath.split('/').pop();
  if (!id) return answer(400, { error: 'Say whose name you want: ?id=1234' });
  const name = await find(id);
  return name === undefined ? noSuchEmployee(id) : answer(200, { id, name });
};

// POST /editEmployeeName {"id": "1234", "name": "Ada King"}
export const editEmployeeName = async (request) => {
  let wish;
  try {
    wish = JSON.parse(request.body);
  } catch {
    wish = null;
  }
  if (typeof wish?.id !== 'string' || typeof wish.name !== 'string' || !wish.name.trim()) {
    return answer(400, { error: 'Send JSON: {"id": "1234", "name": "Ada King"}' });
  }
  const name = wish.name.trim().slice(0, 100);
  if ((await find(wish.id)) === undefined) return noSuchEmployee(wish.id);
  await kvs.set(`employee:${wish.id}`, name);
  console.log(`renamed employee ${wish.id}`);
  return answer(200, { id: wish.id, name });
};

async function find(id) {
  if (!/^[0-9]{1,10}$/.test(id)) return undefined;
  return (await kvs.get(`employee:${id}`)) ?? FIRST_EMPLOYEES[id];
}

function answer(statusCode, body) {
  return {
    statusCode,
    headers: { 'Content-Type': ['application/json'] },
    body: JSON.stringify(body),
    customHeader: 'done',
  };
}

function noSuchEmployee(id) {
  return answer(404, { error: `There is no employee ${JSON.stringify(id.slice(0, 20))}.` });
}
