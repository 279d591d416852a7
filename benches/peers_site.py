"""What benches/peers measures on: zones at a Knot or BIND primary, and the same for each program.

Everything stands in one folder:

    zones/            the primary's zones: SOA, NS, and four SRV records in each
    names             the zones, one a line
    questions         for dnsperf: the two questions that srvkeeper asks of each zone
    updates-1, -0     for dnsperf -u: in each zone the fourth record's weight becomes 1, or 0
    nsupdate-1, -0    the same as scripts for nsupdate, of the first 1,000 zones
    bench.key         the key, as a BIND key file
    weight-0.toml     srvkeeper's configuration; weight-1.toml with that weight, one.toml of one zone,
                      dies.toml with a fourth host that is probed
    octodns/          the zones as octoDNS wants them
"""

import os
import shutil
import socket
import subprocess
import time
from base64 import b64encode
from pathlib import Path

ALGORITHM = "hmac-sha256"
HOSTS = 4
# Beyond this nsupdate, one update after another, only takes longer.
SCRIPTED = 1000


class Site:
    def __init__(self, folder: Path, server: str, zones: int):
        self.folder, self.server, self.zones = folder, server, zones
        self.secret = b64encode(os.urandom(32)).decode()
        self.names = [f"zone{number:05}.example" for number in range(1, zones + 1)]
        self.process = None
        folder.mkdir()
        self.write_zones()
        self.start()
        self.write_questions()
        self.write_configurations()

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.touch(mode)
        file.write_text(text)
        return file

    def write_zones(self):
        self.write("names", "".join(f"{name}\n" for name in self.names))
        text = "$TTL 3600\n@ SOA ns1 hostmaster 1 3600 600 86400 300\n@ NS ns1\nns1 A 127.0.0.1\n"
        text += "".join(f"_vlmcs._tcp SRV 0 0 1688 {host}\n" for host in hosts())
        for name in self.names:
            self.write(f"zones/{name}.zone", text)
        self.write(
            "bench.key",
            f'key "bench" {{\n  algorithm {ALGORITHM};\n  secret "{self.secret}";\n}};\n',
            0o600,
        )

    def write_questions(self):
        self.write(
            "questions",
            "".join(
                f"_vlmcs._tcp.{name} SRV\n_srvkeeper._vlmcs._tcp.{name} SOA\n"
                for name in self.names
            ),
        )
        for old in (0, 1):
            updates = "".join(dnsperf_update(name, old) for name in self.names)
            self.write(f"updates-{1 - old}", updates)
            script = f"server 127.0.0.1 {self.port}\n" + "".join(
                nsupdate(name, old) for name in self.names[:SCRIPTED]
            )
            self.write(f"nsupdate-{1 - old}", script)

    def write_configurations(self):
        for weight in (0, 1):
            self.write(f"weight-{weight}.toml", self.configuration(weight=weight))
        self.write("one.toml", self.configuration(zone=f'name = "{self.names[0]}"'))
        # For reading alone, unsigned as dnsperf's questions are.
        self.write("unsigned.toml", self.configuration(key=""))

    def configuration(self, weight=0, key='key = "bench"', zone='names_file = "names"', more=""):
        lines = f"""version = 1
[daemon]
mode = "enforce"
state_dir = "state"
[health]
check = "none"
[policy]
max_removals = 1000000
[keys.bench]
kind = "tsig"
file = "bench.key"
[[server]]
name = "primary"
address = "127.0.0.1:{self.port}"
{key}
[[zone]]
{zone}
servers = ["primary"]
"""
        for number, host in enumerate(hosts(), 1):
            lines += f'[[host]]\nname = "{host}"\n'
            if number == HOSTS:
                lines += f"weight = {weight}\n{more}"
        return lines

    def write_octodns(self, zones: int):
        names = self.names[:zones]
        records = "_vlmcs._tcp:\n  type: SRV\n  ttl: 3600\n  values:\n"
        for host in hosts():
            records += f"  - {{priority: 0, weight: 0, port: 1688, target: {host}}}\n"
        records += "ns1:\n  type: A\n  ttl: 3600\n  value: 127.0.0.1\n"
        for name in names:
            apex = f"'':\n  type: NS\n  ttl: 3600\n  value: ns1.{name}.\n"
            self.write(f"octodns/{name}.yaml", apex + records)
        config = f"""manager:
  max_workers: 2
providers:
  config:
    class: octodns.provider.yaml.YamlProvider
    directory: {self.folder}/octodns
    enforce_order: false
  primary:
    class: octodns_bind.Rfc2136Provider
    host: 127.0.0.1
    port: {self.port}
    key_name: bench
    key_secret: {self.secret}
    key_algorithm: {ALGORITHM}
zones:
"""
        for name in names:
            config += f"  {name}.:\n    sources: [config]\n    targets: [primary]\n"
        return self.write("octodns.yaml", config)

    def start(self):
        """On a port that is free now; should another take it in between, once more elsewhere."""
        for _try in range(5):
            self.port = free_port()
            log = self.folder / "server.log"
            with open(log, "wb") as out:
                self.process = subprocess.Popen(self.command(), stdout=out, stderr=out)
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline and self.process.poll() is None:
                text = log.read_text(errors="replace")
                if "cannot bind" in text or "address in use" in text:
                    break
                # Both say it once every zone is loaded.
                if "server started" in text or "running\n" in text:
                    return
                time.sleep(0.05)
            self.stop()
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
        raise SystemExit(f"benches/peers: {self.server} does not start:\n{tail}")

    def command(self):
        if self.server == "knot":
            return ["knotd", "-c", str(self.write("knot.conf", self.knot()))]
        # A copy: AppArmor knows BIND by its path and keeps it out of temporary folders.
        named = self.folder / "named"
        shutil.copy(shutil.which("named"), named)
        return [str(named), "-g", "-c", str(self.write("named.conf", self.bind()))]

    def knot(self):
        """As it comes, but for its places, a key that may update, and a journal."""
        return f"""server:
  rundir: "{self.folder}"
  listen: 127.0.0.1@{self.port}
log:
  - target: stderr
    any: info
database:
  storage: "{self.folder}"
key:
  - id: bench
    algorithm: {ALGORITHM}
    secret: {self.secret}
acl:
  - id: bench
    key: bench
    action: [update, transfer]
template:
  - id: default
    storage: "{self.folder}/zones"
    file: "%s.zone"
    zonefile-sync: -1
    acl: bench
zone:
""" + "".join(f"  - domain: {name}\n" for name in self.names)

    def bind(self):
        return f"""options {{
  directory "{self.folder}/zones";
  pid-file none;
  session-keyfile "{self.folder}/session.key";
  listen-on port {self.port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  recursion no;
  dnssec-validation no;
  empty-zones-enable no;
  check-names primary ignore;
  notify no;
  allow-transfer {{ key bench; }};
}};
controls {{ }};
include "{self.folder}/bench.key";
""" + "".join(
            f'zone "{name}" {{ type primary; file "{name}.zone"; allow-update {{ key bench; }}; }};\n'
            for name in self.names
        )

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def hosts():
    return [f"kms{number}.corp.example." for number in range(1, HOSTS + 1)]


def rrset(weight: int):
    """The data of the records, the fourth with this weight."""
    return [f"0 {weight if host == hosts()[-1] else 0} 1688 {host}" for host in hosts()]


def dnsperf_update(name: str, old: int) -> str:
    prerequisite = "".join(f"require _vlmcs._tcp SRV {data}\n" for data in rrset(old))
    return (
        f"{name}\n{prerequisite}"
        f"delete _vlmcs._tcp SRV {rrset(old)[-1]}\n"
        f"add _vlmcs._tcp 3600 SRV {rrset(1 - old)[-1]}\nsend\n"
    )


def nsupdate(name: str, old: int) -> str:
    owner = f"_vlmcs._tcp.{name}."
    prerequisite = "".join(f"prereq yxrrset {owner} SRV {data}\n" for data in rrset(old))
    return (
        f"zone {name}\n{prerequisite}"
        f"update delete {owner} SRV {rrset(old)[-1]}\n"
        f"update add {owner} 3600 SRV {rrset(1 - old)[-1]}\nsend\n"
    )


def free_port() -> int:
    """Free for TCP and UDP a moment ago."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
