-- For wrk: what Vapi reports of one call after the other, each event once.
--
--     wrk -s webhooks.lua URL -- EVENTS FIRST      EVENTS has one event a line, the call's id as CALL; FIRST is the first call
--
-- Whatever is the same for all calls is put together once: who asks must not be slower than who answers.

local events, call, step = {}, 0, 0

function init(arguments)
    local head = "POST " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port
        .. "\r\nContent-Type: application/json\r\nX-Vapi-Secret: secret\r\nContent-Length: "
    for line in io.lines(arguments[1]) do
        local parts = {}
        for part in (line .. "CALL"):gmatch("(.-)CALL") do parts[#parts + 1] = part end
        events[#events + 1] = { head = head, parts = parts, gaps = #parts - 1, length = #line - 4 * (#parts - 1) }
    end
    call = tonumber(arguments[2])
end

function request()
    step = step + 1
    if step > #events then step, call = 1, call + 1 end
    local event, id = events[step], "call-" .. call
    return event.head .. event.length + event.gaps * #id .. "\r\n\r\n" .. table.concat(event.parts, id)
end
