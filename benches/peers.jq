# The table of benches/peers, from its raw numbers.

def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def rounded($places): pow(10; $places) as $scale | (. * $scale | round) / $scale;
def padded($width): tostring | (" " * ([$width - length, 0] | max) // "") + .;
def named($width): . + ((" " * ([$width - length, 0] | max)) // "");
def line($name; $places): ($name | named(34)) + ([median, min, max] | map(rounded($places) | padded(12)) | add);

"\(.zones) zones on Knot, \(.rounds | length) rounds of \(.seconds) s, \(.cores) cores shared by client and server",
"",
("" | named(34)) + (["median", "lowest", "highest"] | map(padded(12)) | add),
([.rounds[].dnsperf_1] | line("dnsperf, 1 thread, queries/s"; 0)),
([.rounds[].dnsperf_2] | line("dnsperf, 2 threads, queries/s"; 0)),
([.rounds[].reads] | line("reads, queries/s"; 0)),
([.rounds[] | .reads / .dnsperf_1] | line("ratio to 1 thread"; 2)),
([.rounds[] | .reads / .dnsperf] | line("ratio to the faster (goal 0.8)"; 2)),
([.rounds[].dnsperf_signed] | line("dnsperf, signed, queries/s"; 0)),
([.rounds[].reads_signed] | line("reads, signed, queries/s"; 0)),
([.rounds[] | .reads_signed / .dnsperf_signed] | line("ratio, signed"; 2)),
(.plan_one_ms | line("plan, 1 zone, ms (goal 30)"; 1)),
(.zones as $zones | .plan_all_ms | line("plan, \($zones) zones, ms"; 1))
