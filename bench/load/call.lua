-- One call after another: METHOD, BODY (a number of bytes), TOKENS (a file of tokens, a line each).
-- With one token, every call carries it; with more, each call another, and the run ends with them.
local measured = require("measured")

local tokens, at = {}, 0

function init()
  for token in io.lines(os.getenv("TOKENS")) do tokens[#tokens + 1] = token end
  wrk.method = os.getenv("METHOD")
  local size = tonumber(os.getenv("BODY"))
  if size > 0 then
    wrk.body = string.rep("x", size)
    wrk.headers["Content-Type"] = "application/json"
  end
  wrk.headers["Authorization"] = "Bearer " .. tokens[1]
  if #tokens > 1 then
    request = function()
      at = at + 1
      if at == #tokens then wrk.thread:stop() end
      return wrk.format(nil, nil, { ["Authorization"] = "Bearer " .. (tokens[at] or tokens[1]) })
    end
  else
    local made = wrk.format()
    request = function() return made end
  end
end

function done(summary, latency)
  measured(summary, latency)
end
