-- One client credentials grant after another: CREDENTIALS is the Authorization header, SCOPE what is asked for.
local measured = require("measured")

wrk.method = "POST"
wrk.headers["Authorization"] = os.getenv("CREDENTIALS")
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
wrk.body = "grant_type=client_credentials&scope=" .. os.getenv("SCOPE")

function done(summary, latency)
  measured(summary, latency)
end
