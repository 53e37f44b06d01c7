-- SPDX-License-Identifier: Apache-2.0
--
-- load.lua: what wrk sends, and what it prints of it: one line of JSON that begins with RESULT.
--
--   wrk ... -s load.lua URL -- path=/me 'header=X-API-Key: KEY' [list=FILE] [cycle=1] [deep=N] [delay=MS] [status=401]
--
-- list: one value a line, put in where a header has %s; each is sent once and the load ends with the last,
-- or they go round (cycle). deep: N requests are sent at once (pipelined). delay: mean pause of a connection before it sends,
-- exponentially distributed.
-- status: every answer must have it; without it, every answer must be below 400 (which wrk counts itself).

local requests, position, cycle, mean = {}, 0, false, nil
local threads = {}
wrong = 0

function setup(thread)
    thread:set('seed', #threads + 1)
    table.insert(threads, thread)
end

-- So many requests at a time; where there are fewer, they are repeated.
local function pipelined(each, depth)
    local together, at = {}, 0
    repeat
        local some = {}
        for i = 1, depth do some[i] = each[at % #each + 1]; at = at + 1 end
        table.insert(together, table.concat(some))
    until at >= #each
    return together
end

function init(args)
    local given = { headers = {} }
    for _, arg in ipairs(args) do
        local name, value = arg:match('^(%a+)=(.*)$')
        if name == 'header' then
            table.insert(given.headers, { value:match('^([^:]+): ?(.*)$') })
        elseif name then
            given[name] = value
        end
    end
    local function add(value)
        local headers = {}
        for _, header in ipairs(given.headers) do
            headers[header[1]] = (header[2]:gsub('%%s', value))
        end
        table.insert(requests, wrk.format('GET', given.path, headers))
    end
    if given.list then
        for line in io.lines(given.list) do add(line) end
    else
        add('')
    end
    cycle = given.cycle or not given.list
    if given.deep then requests = pipelined(requests, tonumber(given.deep)) end
    if given.delay then
        mean = tonumber(given.delay)
        math.randomseed(seed)
        delay = function() return math.floor(0.5 - mean * math.log(1 - math.random())) end
    end
    if given.status then
        local expected = tonumber(given.status)
        response = function(status)
            if status ~= expected then wrong = wrong + 1 end
        end
    end
end

function request()
    position = position + 1
    if position > #requests then
        if not cycle then
            wrk.thread:stop()
            return requests[#requests]
        end
        position = 1
    end
    return requests[position]
end

function done(summary, latency, _)
    local unexpected, errors = 0, summary.errors
    for _, thread in ipairs(threads) do unexpected = unexpected + thread:get('wrong') end
    io.write(string.format('RESULT {"requests":%d,"seconds":%.3f,"refused":%d,"unexpected":%d,"broken":%d,'
            .. '"p50":%.0f,"p99":%.0f,"p999":%.0f,"max":%.0f}\n',
        summary.requests, summary.duration / 1e6, errors.status, unexpected,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max))
end
