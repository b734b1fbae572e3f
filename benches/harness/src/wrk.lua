-- Sends `args[1]` requests in one write when that is above 1, and ends with one line of JSON.

function init(args)
    local depth = tonumber(args[1])
    if depth > 1 then
        local batch = string.rep(wrk.format(), depth)
        -- Only defined here: a request function is slower than wrk's own request.
        request = function() return batch end
    end
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '{"requests":%d,"duration_us":%d,"p99_us":%d,' ..
        '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
        summary.requests, summary.duration, latency:percentile(99.0),
        errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
