-- For wrk: what Vapi reports of one call after the other, each event once.
--
--     wrk -s webhooks.lua URL -- EVENTS FIRST      EVENTS has one event a line, the call's id as CALL; FIRST is the first call

local events, call, step = {}, 0, 0

function init(arguments)
    for line in io.lines(arguments[1]) do events[#events + 1] = line end
    call = tonumber(arguments[2])
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    wrk.headers["X-Vapi-Secret"] = "secret"
end

function request()
    step = step + 1
    if step > #events then step, call = 1, call + 1 end
    return wrk.format(nil, nil, nil, (events[step]:gsub("CALL", "call-" .. call)))
end
