// The function.
const headers = { 'content-type': 'application/json' };

export async function run(request) {
  if (request.method === 'POST') return new Response(await request.text(), { headers });
  return new Response(JSON.stringify({ hello: new URL(request.url).pathname }), { headers });
}

export default { fetch: run };
