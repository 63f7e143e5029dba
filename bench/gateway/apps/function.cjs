// The function as a Node app of ours.
const headers = { 'Content-Type': 'application/json' };

exports.hello = async (request) => ({
  statusCode: 200,
  headers,
  body: JSON.stringify({ hello: request.path }),
});

exports.echo = async (request) => ({ statusCode: 200, headers, body: request.body });
