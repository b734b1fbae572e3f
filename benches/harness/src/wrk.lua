-- Sends `args[1]` requests in one write when that is above 1, and ends with one line of JSON. With
-- "varied" behind it each request has an id that the one before it had not; with "tree" it is for one of
-- `args[4]` files in each of `args[3]` folders.

function init(args)
    local depth = tonumber(args[1])
    if args[2] == "tree" then
        local folders, files = tonumber(args[3]), tonumber(args[4])
        request = function()
            local path = string.format(
                "/tree/%d/%d.bin", math.random(0, folders - 1), math.random(0, files - 1))
            return wrk.format(nil, path)
        end
        return
    end
    if depth == 1 then
        return
    end
    -- Only defined here: a request function is slower than wrk's own request.
    if not args[2] then
        local batch = string.rep(wrk.format(), depth)
        request = function() return batch end
        return
    end
    local batches = {}
    for batch = 1, 64 do
        local requests = {}
        for place = 1, depth do
            wrk.headers["X-Request-Id"] = string.format("%08x", batch * depth + place)
            requests[place] = wrk.format()
        end
        batches[batch] = table.concat(requests)
    end
    local next = 0
    request = function()
        next = next % #batches + 1
        return batches[next]
    end
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '{"requests":%d,"bytes":%d,"cpu_us":%d,"duration_us":%d,"p99_us":%d,' ..
        '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
        summary.requests, summary.bytes, os.clock() * 1e6, summary.duration, latency:percentile(99.0),
        errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
