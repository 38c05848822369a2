-- Sends requests that were made beforehand, all of one length, each once (and from the first again, if they run out).
--   wrk … -s replay.lua URL -- FILE LENGTH FIRST COUNT [PAUSE]
-- With PAUSE each connection waits so many milliseconds on average before a request, as many users would.
local requests, length, count
local at = 0

function init(arguments)
  length, count = tonumber(arguments[2]), tonumber(arguments[4])
  local file = assert(io.open(arguments[1], 'rb'))
  file:seek('set', tonumber(arguments[3]) * length)
  requests = file:read(count * length)
  file:close()
  local pause = tonumber(arguments[5])
  if pause then
    function delay()
      return 2 * pause * math.random()
    end
  end
end

function request()
  local from = at * length
  at = at + 1
  if at == count then at = 0 end
  return string.sub(requests, from + 1, from + length)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"duration_us":%d,"requests":%d,"refused":%d,"broken":%d,"p50_us":%d,"p99_us":%d,"p999_us":%d,"max_us":%d}\n',
    summary.duration, summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max))
end
