# TKEY test vectors from another implementation, dnspython (made with 2.9.2).
#
#   python3 -m venv /tmp/venv && /tmp/venv/bin/pip install dnspython
#   /tmp/venv/bin/python tests/vectors/tkey/generate.py > tests/vectors/tkey/vectors.json
#
# Times and tokens are fixed, so that the output is the same on every run. "query" is uncompressed;
# the answers are as dnspython compresses them.

import json

import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdtypes.ANY.TKEY import TKEY

INCEPTION = 1_700_000_000
EXPIRY = INCEPTION + 3600
ALGORITHM = dns.name.from_text("gss-tsig.")
KEYS = ["0123456789abcdef.srvkeeper.", "k."]


def rrset(key, token, error=0, mode=TKEY.GSSAPI_NEGOTIATION, algorithm=ALGORITHM):
    rdata = TKEY(
        dns.rdataclass.ANY, dns.rdatatype.TKEY, algorithm, INCEPTION, EXPIRY, mode, error, token, b""
    )
    return dns.rrset.from_rdata(dns.name.from_text(key), 0, rdata)


def query(key):
    message = dns.message.QueryMessage(id=0)
    message.flags = 0
    message.find_rrset(
        message.question,
        dns.name.from_text(key),
        dns.rdataclass.ANY,
        dns.rdatatype.TKEY,
        create=True,
        force_unique=True,
    )
    return message


def uncompressed(request, records):
    wire = request.to_wire()
    name = records.name.to_wire()
    rdata = records[0].to_wire(origin=None)
    wire = wire[:10] + b"\x00\x01" + wire[12:]
    return wire + name + b"\x00\xf9\x00\xff" + bytes(4) + len(rdata).to_bytes(2, "big") + rdata


def answer(key, rcode=0, record=None):
    message = query(key)
    message.flags = dns.flags.QR
    message.set_rcode(rcode)
    if record is not None:
        message.answer.append(record)
    return message.to_wire().hex()


def main():
    entries = []
    for key in KEYS:
        for token in [b"", bytes(range(1, 100)), b"\xc0" * 3000]:
            entries.append(
                {
                    "key": key,
                    "inception": INCEPTION,
                    "expiry": EXPIRY,
                    "token": token.hex(),
                    "query": uncompressed(query(key), rrset(key, token)).hex(),
                    "answer": answer(key, 0, rrset(key, token)),
                    "badkey": answer(key, 0, rrset(key, token, error=17)),
                    "other_mode": answer(key, 0, rrset(key, token, mode=2)),
                    "other_algorithm": answer(
                        key, 0, rrset(key, token, algorithm=dns.name.from_text("hmac-md5."))
                    ),
                    "other_key": answer(key, 0, rrset("x." + key, token)),
                    "refused": answer(key, 5),
                    "missing": answer(key, 0),
                }
            )
    print(json.dumps(entries, indent=1))


main()
