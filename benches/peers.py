"""The measurements of benches/peers, which says what they need.

For each server (Knot, BIND) and size, one site (peers_site.py). In each round, one after the other,
again and again for so many seconds (updates: both programs together, their rests aside):

  dnsperf         the two questions that srvkeeper asks of each zone, over UDP, 100 at once; with one
                  thread and with two, of which the faster counts: on two cores now the one wins, now
                  the other, and a longer queue or more sockets lose datagrams
  reads           read_rate.rs: the read path of plan and apply, every answer checked
  plan            `plan --no-probe`, the whole process again and again: start, configuration, reading
                  every zone, planning, digest and report are in it
  dnsperf -u      one signed update in every zone, with the whole RRset as its prerequisite; 64 at
                  once, since BIND drops what is over its quota of 100, and one thread, because
                  Debian 12's dnsperf (2.10.0) crashes when two sign; its own clock, without its start
  apply           `apply --yes`, the whole process: the same updates, every zone read before and read
                  back after, intent and outcome on disk; a new state directory each time; in turn
                  with the one above, two seconds between them
  nsupdate        one script with the same updates, of 1,000 zones at the most
  octodns         octodns-sync with octodns-bind, the plan of up to 1,000 zones; once, and compared
                  by zone

Then, of srvkeeper alone: a host dies (the daemon's log tells, from the line of the verdict to the
line of the last read-back, against what dnsperf -u needed for as many updates on the same site),
memory (the high-water mark of `plan`, of `apply` to every zone, and of the daemon after its first
walk through all zones), start to ready (READY=1 on NOTIFY_SOCKET), the planner (planner.rs) and
probing (kms_hosts.rs).

A ratio compares two neighbours in time. The table shows medians with the lowest and highest beside
them; where these lie far apart the machine was busy.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path

sys.dont_write_bytecode = True
from peers_site import ALGORITHM, SCRIPTED, Site, free_port  # noqa: E402

# Seconds between updates of the same zone: see `rested`.
REST = 2
# The sizes at which memory is measured.
GROWTH = [100, 1000, 10000]


def main():
    options = read_options()
    programs = Programs(Path(options.target).resolve())
    bench = Bench(options, programs)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="srvkeeper-peers-") as folder:
        bench.run(Path(folder))
    raw = Path(options.target) / "peers.json"
    raw.write_text(json.dumps(bench.report(), indent=1) + "\n")
    print(bench.table())
    print(f"\nall numbers: {raw}")


def read_options():
    parser = argparse.ArgumentParser(
        prog="benches/peers", description="srvkeeper beside dnsperf, nsupdate and octoDNS"
    )
    number = lambda text: max(1, int(text))
    listed = lambda text: [int(part) for part in text.split(",")]
    parser.add_argument("--quick", action="store_true", help="short rounds, fewer sizes")
    parser.add_argument("--rounds", type=number, help="rounds of each comparison (7; quick: 3)")
    parser.add_argument("--seconds", type=number, help="of each measurement (10; quick: 1)")
    parser.add_argument("--zones", type=listed, help="sizes (1000,10000; quick: 1000)")
    parser.add_argument("--servers", default="knot,bind", help="knot, bind, or both")
    parser.add_argument(
        "--only",
        default="reads,updates,octodns,dies,memory,ready,planner,probes",
        help="which groups of rows",
    )
    parser.add_argument("--target", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 7)
    options.seconds = options.seconds or (1 if options.quick else 10)
    options.zones = options.zones or ([1000] if options.quick else [1000, 10000])
    options.servers = options.servers.split(",")
    options.only = options.only.split(",")
    return options


class Programs:
    def __init__(self, target: Path):
        self.srvkeeper = str(target / "release" / "srvkeeper")
        self.octodns = str(target / "octodns" / "bin" / "octodns-sync")
        for line in (target / "peers.programs").read_text().splitlines():
            message = json.loads(line)
            if message.get("executable"):
                setattr(self, message["target"]["name"], message["executable"])


class Failed(SystemExit):
    """A program ended with another status than it should; that ends the measurement."""


class Bench:
    def __init__(self, options, programs):
        self.options, self.programs = options, programs
        self.rows = []

    def run(self, folder: Path):
        self.folder = folder
        only = self.options.only
        for server in self.options.servers:
            for zones in self.options.zones:
                self.note(f"{server}, {zones:,} zones")
                with self.site(server, zones) as site:
                    if "reads" in only:
                        self.reads(site)
                    if "updates" in only:
                        self.updates(site)
                    if "octodns" in only:
                        self.against_octodns(site)
                    if "dies" in only and zones == min(self.options.zones):
                        self.host_dies(site)
        for zones in GROWTH if "memory" in only or "ready" in only else []:
            self.note(f"memory, {zones:,} zones")
            with self.site("knot", zones) as site:
                if "ready" in only and zones == max(GROWTH):
                    self.ready(site)
                if "memory" in only:
                    self.memory(site)
        if "planner" in only:
            self.planner()
        if "probes" in only:
            self.probes()

    def note(self, text):
        print(f"benches/peers: {text}", file=sys.stderr, flush=True)

    def site(self, server, zones):
        return Running(Site(self.folder / f"{server}-{zones}", server, zones))

    # What is measured.

    def reads(self, site):
        what = f"{site.server}, {site.zones:,} zones: "
        dnsperf, reads, plans = [], [], []
        plan = [self.programs.srvkeeper, "--config", "unsigned.toml", "plan", "--no-probe"]
        for _round in range(self.options.rounds):
            questions = ["-l", str(self.options.seconds), "-d", "questions", "-q", "100"]
            one = self.dnsperf(site, questions, threads=1)
            times = self.repeat(plan, site.folder)
            plans.append(2 * site.zones / statistics.median(times))
            two = self.dnsperf(site, questions, threads=2)
            reads.append(self.read_rate(site))
            dnsperf.append(max(one, two))
        self.row(what + "dnsperf", "queries/s", dnsperf)
        self.row(what + "reads", "queries/s", reads)
        self.row(what + "reads to dnsperf", "ratio", ratios(reads, dnsperf), least=0.8)
        self.row(what + "plan, whole process", "queries/s", plans)
        self.row(what + "plan to dnsperf", "ratio", ratios(plans, dnsperf), least=0.8)

    def updates(self, site):
        what = f"{site.server}, {site.zones:,} zones: "
        dnsperf, applied, scripted = [], [], []
        self.apply(site, 0)
        for _round in range(self.options.rounds):
            theirs, ours, busy = [], [], 0
            while busy < self.options.seconds:
                theirs.append(self.rested(self.dnsperf_update, site, 1))
                ours.append(self.rested(self.apply, site, 0))
                ours.append(self.rested(self.apply, site, 1))
                theirs.append(self.rested(self.dnsperf_update, site, 0))
                # Each measurement, the rests aside.
                busy = sum(ours) + sum(site.zones / rate for rate in theirs)
            dnsperf.append(statistics.median(theirs))
            applied.append(site.zones / statistics.median(ours))
            scripted += self.nsupdate(site)
        self.row(what + "dnsperf -u, signed", "updates/s", dnsperf)
        self.row(what + "apply, whole process", "updates/s", applied)
        self.row(what + "apply to dnsperf -u", "ratio", ratios(applied, dnsperf), least=0.8)
        if len(scripted) == self.options.rounds:
            self.row(what + "one scripted nsupdate", "updates/s", scripted)
            self.row(what + "apply to nsupdate", "ratio", ratios(applied, scripted), least=5)
        site.update_rate = statistics.median(dnsperf)

    def rested(self, measure, site, weight):
        """Measured after a rest: Knot holds all updates for half a second when one comes soon, within
        a second or so, after the last one of its zone, whoever sends them."""
        time.sleep(REST)
        return measure(site, weight)

    def dnsperf_update(self, site, weight):
        """Updates per second of one pass over every zone."""
        key = f"{ALGORITHM}:bench:{site.secret}"
        once = ["-n", "1", "-u", "-d", f"updates-{weight}", "-q", "64", "-y", key]
        return self.dnsperf(site, once, threads=1)

    def nsupdate(self, site):
        """Its updates per second; nothing where it gave up, as it does when an answer is lost or takes
        longer than it waits: what it had not yet sent is then made good."""
        try:
            both = [self.rested(self.nsupdate_script, site, weight) for weight in (1, 0)]
        except Failed as gave_up:
            self.note(f"nsupdate gave up, and is left out: {gave_up}")
            self.apply(site, 0)
            return []
        return [min(site.zones, SCRIPTED) / statistics.median(both)]

    def nsupdate_script(self, site, weight):
        return self.seconds(["nsupdate", "-k", "bench.key", f"nsupdate-{weight}"], site.folder)

    def against_octodns(self, site):
        zones = min(site.zones, SCRIPTED)
        config = site.write_octodns(zones)
        theirs = self.seconds(
            [self.programs.octodns, "--config-file", str(config)], site.folder, timeout=1800
        )
        plan = [self.programs.srvkeeper, "--config", "unsigned.toml", "plan", "--no-probe"]
        ours = [time / site.zones for time in self.repeat(plan, site.folder)]
        what = f"{site.server}, {site.zones:,} zones: "
        self.row(what + f"octoDNS's plan of {zones:,}", "s", [theirs])
        faster = [theirs / zones / time for time in ours]
        self.row(what + "plan to octoDNS, by zone", "ratio", faster, least=100)

    def host_dies(self, site):
        """Its zones go without it; then it comes back, and all of it again."""
        port = free_port()
        probed = (
            f'check = "tcp"\naddress = ["127.0.0.1"]\nport = {port}\n'
            'interval = "500ms"\ntimeout = "500ms"\n'
        )
        site.write("dies.toml", site.configuration(more=probed))
        shutil.rmtree(site.folder / "state", ignore_errors=True)
        took = []
        log = site.folder / "daemon.log"
        listener = listen(port)
        with Daemon(self, site, "dies.toml", log) as daemon:
            # It stands there already.
            daemon.times_of("state=up", 0)
            for _round in range(self.options.rounds):
                time.sleep(REST)
                listener.close()
                verdict, last = daemon.times_of("state=down", site.zones)
                took.append((last - verdict).total_seconds())
                listener = listen(port)
                daemon.times_of("state=up", site.zones)
        listener.close()
        rate = getattr(site, "update_rate", None)
        what = f"{site.server}: a host of {site.zones:,} zones dies: "
        self.row(what + "verdict to last read-back", "s", took)
        if rate:
            limits = [time / (site.zones / rate) for time in took]
            self.row(what + "to dnsperf -u's time", "ratio", limits, most=1.3)

    def memory(self, site):
        what = f"memory, {site.zones:,} zones: "
        most = 64 if site.zones == max(GROWTH) else None
        srvkeeper = self.programs.srvkeeper
        rounds = range(min(3, self.options.rounds))
        plan = [srvkeeper, "--config", "weight-0.toml", "plan", "--no-probe"]
        self.row(what + "plan", "MiB", [self.peak(plan, site) for _ in rounds], most=most)
        applied, daemon = [], []
        for _ in rounds:
            shutil.rmtree(site.folder / "state", ignore_errors=True)
            with Daemon(self, site, "weight-0.toml", site.folder / "daemon.log") as running:
                running.wait_for_walk()
                daemon.append(running.mebibytes("VmHWM"))
            for weight in (1, 0):
                shutil.rmtree(site.folder / "state", ignore_errors=True)
                command = [srvkeeper, "--config", f"weight-{weight}.toml", "apply", "--yes"]
                applied.append(self.peak(command, site))
        self.row(what + "apply", "MiB", applied, most=most)
        self.row(what + "daemon", "MiB", daemon, most=most)

    def ready(self, site):
        took = []
        for _ in range(self.options.rounds):
            shutil.rmtree(site.folder / "state", ignore_errors=True)
            with Daemon(self, site, "weight-0.toml", site.folder / "daemon.log") as running:
                took.append(running.ready)
        self.row(f"start to ready, {site.zones:,} zones", "s", took, most=0.5)

    def planner(self):
        self.note("planner")
        said = json.loads(self.output([self.programs.planner, "json"], self.folder))
        what = "planner, 10,000 zones of 10 hosts, "
        self.row(what + "at rest", "ms", said["at_rest"], most=50)
        self.row(what + "one down", "ms", said["one_down"], most=50)

    def probes(self):
        """`probe` of 1,000 hosts; the limits of the second are those of its configuration."""
        self.note("probing")
        hosts, fall, interval, timeout = 1000, 3, 1, 1
        with subprocess.Popen(
            [self.programs.kms_hosts, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as fakes:
            ports = json.loads(fakes.stdout.readline())
            for silent in (0, hosts // 10):
                lines = f"""version = 1
[daemon]
state_dir = "state"
[health]
check = "rpc"
fall = {fall}
interval = "{interval}s"
timeout = "{timeout}s"
[[zone]]
name = "corp.example."
"""
                for number in range(hosts):
                    port = ports["silent" if number < silent else "answering"]
                    lines += f'[[host]]\nname = "kms{number}.corp.example."\n'
                    lines += f'address = ["127.0.0.1"]\nport = {port}\n'
                (self.folder / "probe.toml").write_text(lines)
                command = [self.programs.srvkeeper, "--config", "probe.toml", "probe"]
                status = 2 if silent else 0
                took = [
                    self.seconds(command, self.folder, status=status)
                    for _ in range(self.options.rounds)
                ]
                if silent:
                    what = f"probing {hosts:,} hosts, 10 % time out"
                    self.row(what, "s", took, most=(fall - 1) * interval + timeout + 1)
                else:
                    self.row(f"probing {hosts:,} hosts, all answer", "s", took, most=1)
            fakes.stdin.close()

    # How it is measured.

    def dnsperf(self, site, arguments, threads):
        said = self.output(
            ["dnsperf", "-s", "127.0.0.1", "-p", str(site.port)]
            + ["-c", str(threads), "-T", str(threads)]
            + arguments,
            site.folder,
        )
        good = re.search(r"NOERROR [0-9]+ \(([0-9.]+)%\)", said)
        wrong = re.search(r"(NXRRSET|SERVFAIL|REFUSED|NOTAUTH) |Updates lost: +[1-9]", said)
        if "-u" in arguments and (wrong or not good):
            raise SystemExit(f"benches/peers: not every update of dnsperf was accepted:\n{said}")
        return float(re.search(r"(?:Queries|Updates) per second: +([0-9.]+)", said)[1])

    def read_rate(self, site):
        seconds = str(self.options.seconds)
        said = self.output(
            [self.programs.read_rate, f"127.0.0.1:{site.port}", "names", seconds], site.folder
        )
        return json.loads(said)["queries_per_second"]

    def apply(self, site, weight):
        shutil.rmtree(site.folder / "state", ignore_errors=True)
        srvkeeper = self.programs.srvkeeper
        return self.seconds(
            [srvkeeper, "--config", f"weight-{weight}.toml", "apply", "--yes"], site.folder
        )

    def repeat(self, command, folder):
        """Seconds of each run; it is run at least twice, and for as long as a measurement takes."""
        times, began = [], time.monotonic()
        while len(times) < 2 or time.monotonic() - began < self.options.seconds:
            times.append(self.seconds(command, folder))
        return times

    def seconds(self, command, folder, timeout=600, status=0):
        with open(self.folder / "output", "w+") as out:
            began = time.monotonic()
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
            # Python's own time-out looks whether the process has ended after 16, 32 and 64 ms, and
            # every 50 ms then, which is what it would measure.
            watchdog = threading.Timer(timeout, process.kill)
            watchdog.start()
            try:
                ended = process.wait()
                took = time.monotonic() - began
            finally:
                watchdog.cancel()
                process.kill()
            if ended != status:
                out.seek(0)
                raise Failed(f"benches/peers: {command}: {ended}\n{out.read()[-3000:]}")
        return took

    def output(self, command, folder):
        ended = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=self.options.seconds * 2 + 120,
        )
        if ended.returncode:
            raise SystemExit(f"benches/peers: {command}: {ended.returncode}\n{ended.stderr[-3000:]}")
        return ended.stdout

    def peak(self, command, site):
        """The high-water mark only rises, so what is read last is it, but for the last moment, in
        which a process only frees."""
        peak = 0.0
        with subprocess.Popen(command, cwd=site.folder, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None:
                peak = max(peak, mebibytes(process.pid, "VmHWM"))
                time.sleep(0.001)
        if process.returncode:
            raise SystemExit(f"benches/peers: {command}: {process.returncode}")
        return peak

    # What comes of it.

    def row(self, what, unit, values, least=None, most=None):
        self.rows.append(
            {"what": what, "unit": unit, "values": values, "least": least, "most": most}
        )
        self.note(self.line(self.rows[-1]).strip())

    def line(self, row):
        values = row["values"]
        median = statistics.median(values)
        goal, verdict = "", ""
        if row["least"] is not None:
            goal, verdict = f">= {row['least']}", median >= row["least"]
        elif row["most"] is not None:
            goal, verdict = f"<= {row['most']}", median <= row["most"]
        if goal:
            verdict = "met" if verdict else "MISSED"
        spread = f"{shown(min(values))} to {shown(max(values))}"
        return (
            f"{row['what']:<62} {shown(median):>9} {row['unit']:<9} {spread:>20}  {goal:>7} {verdict}"
        )

    def table(self):
        o = self.options
        head = (
            f"{o.rounds} rounds of {o.seconds} s, {os.cpu_count()} cores shared by client and server"
        )
        names = f"{'':<62} {'median':>9} {'':<9} {'lowest to highest':>20}  {'goal':>7}"
        missed = [row for row in self.rows if self.line(row).endswith("MISSED")]
        end = f"\n{len(missed)} goals missed" if missed else "\nevery goal met"
        return "\n".join([head, "", names] + [self.line(row) for row in self.rows] + [end])

    def report(self):
        o = self.options
        return {
            "rounds": o.rounds,
            "seconds": o.seconds,
            "cores": os.cpu_count(),
            "rows": self.rows,
        }


class Running:
    """A site that ends with its block."""

    def __init__(self, site):
        self.site = site

    def __enter__(self):
        return self.site

    def __exit__(self, *_):
        self.site.stop()
        shutil.rmtree(self.site.folder, ignore_errors=True)


class Daemon:
    """`run`, with a notification socket as systemd gives it."""

    def __init__(self, bench, site, config, log):
        self.command = [bench.programs.srvkeeper, "-v", "--config", config, "run"]
        self.site, self.log, self.offset = site, log, 0

    def __enter__(self):
        path = self.site.folder / "notify"
        path.unlink(missing_ok=True)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(path))
        # Heard all the time: who tells waits while nobody does.
        self.heard = {"READY=1": threading.Event(), "STATUS=": threading.Event()}
        threading.Thread(target=self.hear, daemon=True).start()
        began = time.monotonic()
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.site.folder,
                env={**os.environ, "NOTIFY_SOCKET": str(path)},
                stdout=out,
                stderr=out,
            )
        self.wait_for("READY=1")
        self.ready = time.monotonic() - began
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", str(self.site.folder / "notify"))

    def hear(self):
        while told := self.notify.recv(65536).decode():
            for word, heard in self.heard.items():
                if word in told:
                    heard.set()

    def wait_for(self, word):
        if not self.heard[word].wait(300):
            raise SystemExit(f"benches/peers: the daemon never says {word}; see {self.log}")

    def wait_for_walk(self):
        # Its status is told after each walk.
        self.wait_for("STATUS=")

    def mebibytes(self, key):
        return mebibytes(self.process.pid, key)

    def times_of(self, verdict, zones):
        """When the log says so, and when the last of so many read-backs after it; it is read from
        where it was left."""
        deadline = time.monotonic() + 300
        seen, said, last = 0, None, None
        with open(self.log, "rb") as log:
            log.seek(self.offset)
            while time.monotonic() < deadline:
                line = log.readline()
                if not line.endswith(b"\n"):
                    log.seek(self.offset)
                    time.sleep(0.01)
                    continue
                self.offset = log.tell()
                line = line.decode(errors="replace")
                if verdict in line:
                    said = time_of(line)
                elif said and "outcome=applied" in line:
                    last, seen = time_of(line), seen + 1
                if said and seen >= zones:
                    return said, last
        raise SystemExit(f"benches/peers: {seen} of {zones} zones after {verdict}")


def listen(port):
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    return listener


def mebibytes(pid, key):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(rf"{key}:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def time_of(line):
    text = re.search(r"\d{4}-\d\d-\d\dT[0-9:.]+", line)[0]
    return datetime.fromisoformat(text[:26])


def ratios(ours, theirs):
    return [one / other for one, other in zip(ours, theirs)]


def shown(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


if __name__ == "__main__":
    main()
