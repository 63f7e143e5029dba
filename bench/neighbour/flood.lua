-- Calls at about RATE a second in all, whatever the answers are; TOKEN goes with each.
local measured = require("measured")

local pause

function init()
  wrk.headers["Authorization"] = "Bearer " .. os.getenv("TOKEN")
  pause = 1000 * tonumber(os.getenv("CONNECTIONS")) / tonumber(os.getenv("RATE"))
end

function delay() return pause end

function done(summary, latency)
  measured(summary, latency)
end
