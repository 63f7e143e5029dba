-- Chains of refreshes: each answer's token is presented next, by whichever connection is free.
-- TOKENS is a file with the first ones, a line each, more than there are connections.
local measured = require("measured")

wrk.method = "POST"
wrk.headers["Authorization"] = os.getenv("CREDENTIALS")
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"

local tokens, first, last = {}, 1, 0

function init()
  for token in io.lines(os.getenv("TOKENS")) do
    last = last + 1
    tokens[last] = token
  end
end

function request()
  local token = tokens[first]
  if token == nil then error("no refresh token is left: too many were refused") end
  tokens[first] = nil
  first = first + 1
  return wrk.format(nil, nil, nil, "grant_type=refresh_token&refresh_token=" .. token)
end

function response(status, _headers, body)
  local token = status == 200 and body:match('"refresh_token":%s*"([^"]+)"')
  if token then
    last = last + 1
    tokens[last] = token
  end
end

function done(summary, latency)
  measured(summary, latency)
end
