# TSIG test vectors from another implementation, dnspython (made with 2.9.2).
#
#   python3 -m venv /tmp/venv && /tmp/venv/bin/pip install dnspython
#   /tmp/venv/bin/python tests/vectors/tsig/generate.py > tests/vectors/tsig/vectors.json
#
# IDs, times and secrets are fixed, so that the output is the same on every run. Each entry has the
# message before and after signing, the request's MAC that an answer's digest begins with, and the
# TSIG error. "compressed" is true where dnspython points the TSIG RR's owner at the zone's name.

import base64
import json
import struct
import time

import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update

NOW = 1_700_000_000
SERVER_NOW = NOW + 3600
time.time = lambda: NOW

ALGORITHMS = {
    "hmac-sha1": 20,
    "hmac-sha256": 32,
    "hmac-sha384": 48,
    "hmac-sha512": 64,
}
ZONE = "corp.example."
OWNER = "_vlmcs._tcp"


def query():
    message = dns.message.make_query(f"{OWNER}.{ZONE}", "SRV", id=0x1234)
    message.flags = 0
    return message


def update():
    message = dns.update.UpdateMessage(ZONE, id=0xBEEF)
    message.present(OWNER, "SRV", "0 0 1688 KMS1.corp.example.")
    message.present(OWNER, "SRV", "0 0 1688 kms2.corp.example.")
    message.delete(OWNER, "SRV", "0 0 1688 KMS1.corp.example.")
    message.add(OWNER, 3600, "SRV", "0 0 1688 kms3.corp.example.")
    return message


def answer(request):
    message = dns.message.make_response(request)
    if request.opcode() == 0:
        message.flags |= dns.flags.AA
        message.answer.append(
            dns.rrset.from_text(f"{OWNER}.{ZONE}", 3600, "IN", "SRV", "0 0 1688 kms1.corp.example.")
        )
    return message


def entry(name, message, key, request_mac, error, other):
    message.tsig = None
    message.want_tsig_sign = False
    unsigned = message.to_wire()
    message.use_tsig(
        key, fudge=300, original_id=message.id, tsig_error=error, other_data=other
    )
    message.request_mac = request_mac
    signed = message.to_wire()
    return {
        "name": name,
        "algorithm": key.algorithm.to_text(omit_final_dot=True),
        "key": key.name.to_text(),
        "secret": base64.b64encode(key.secret).decode(),
        "now": NOW,
        "request_mac": request_mac.hex(),
        "error": error,
        "other": other.hex(),
        "compressed": b"\xc0" in signed[len(unsigned):len(unsigned) + len(key.name.to_wire())],
        "unsigned": unsigned.hex(),
        "signed": signed.hex(),
        "mac": message.mac.hex(),
    }


def main():
    entries = []
    for algorithm, length in ALGORITHMS.items():
        secret = bytes(range(1, length + 1))
        for key_name in ["ddns.", "Update-Key.Corp.Example."]:
            key = dns.tsig.Key(dns.name.from_text(key_name), secret, algorithm)
            for kind, request in [("query", query()), ("update", update())]:
                signed = entry(kind, request, key, b"", 0, b"")
                entries.append(signed)
                mac = bytes.fromhex(signed["mac"])
                entries.append(entry(f"{kind} answer", answer(request), key, mac, 0, b""))
                late = answer(request)
                late.set_rcode(dns.rcode.NOTAUTH)
                clock = struct.pack("!Q", SERVER_NOW)[2:]
                entries.append(
                    entry(f"{kind} answer BADTIME", late, key, mac, dns.rcode.BADTIME, clock)
                )
    print(json.dumps(entries, indent=1))


main()
