//! The HRESULTs.

use super::{Check, Dns, Entry, Kind};

const PLAN_MISSING: Check = Check {
    command: "srvkeeper plan",
    tells: "reads the records of every zone at its primary, and lists those that are missing",
};
const PLAN_STALE: Check = Check {
    command: "srvkeeper plan",
    tells: "lists the records of hosts that are down, and the foreign ones, of hosts that are not in the inventory",
};
const CHECK_ZONES: Check = Check {
    command: "srvkeeper check",
    tells: "lists the zones of the configuration, among which the client's suffix should be",
};
const PROBE_ALL: Check = Check {
    command: "srvkeeper probe",
    tells: "resolves every host of the inventory, and asks at each address whether a KMS listens",
};
const PROBE_ONE: Check = Check {
    command: "srvkeeper probe HOST:PORT",
    tells: "asks one host, of the inventory or not",
};
const DOCTOR_SERVERS: Check = Check {
    command: "srvkeeper doctor",
    tells: "asks the servers of every zone over UDP and over TCP, its other name servers too, and says how to repair what fails",
};
const DOCTOR_RIGHT: Check = Check {
    command: "srvkeeper doctor",
    tells: "finds out whether srvkeeper's own account may change the records, and prints the commands that grant it",
};
const HISTORY_ANSWERS: Check = Check {
    command: "srvkeeper history",
    tells: "shows whether srvkeeper's own updates were refused, too; with an ID also what the server answered",
};

const BIND_ONLY: &str = "A host that answers the probe listens. Whether it is activated, its count, its keys and its clock are not visible from outside.";
const CLIENT_ONLY: &str = "Only the client itself can show it.";

const WHICH_ZONE: &str = "Which zone this client asks: under its primary DNS suffix or its AD domain, in a workgroup under DHCP option 15; `slmgr /skms-domain` overrides that.";
const AD_BASED: &str = "Clients in a domain try Active Directory-based activation first, so that a zone without records can be meant; expect = \"empty\" in its [[zone]] says so.";
const HOST_PUBLISHES: &str = "On the KMS hosts: event 12294 (published) or 12293 (publishing failed), and whether publishing is off (`slmgr /cdns`, registry DisableDnsPublishing).";
const SUFFIX_RECORDS: &str =
    "Every suffix of the clients needs records of its own; their targets may lie in another zone.";
const ORDER: &str = "A host configured on the client (`slmgr /skms`) and the cached one come before DNS; `slmgr /ckhc` disables the caching.";
const THRESHOLDS: &str =
    "The threshold is 25 for client editions, and 5 for servers and for Office.";
const PORT: &str =
    "Firewalls between the client and the host: TCP port 1688, unless the record names another.";
const VPN: &str = "The client's VPN: often it is the cause.";

const OWNERSHIP: &str = "It is about publishing. All SRV records of one name share one object in Active Directory. Whoever made it owns it, as a rule the first KMS host; the updates of others are refused.";
const GRANT_GROUP: &str = "Where the hosts publish, too (publisher = \"shared\"): put all KMS hosts, of one domain, and srvkeeper's account into a global security group, give it Full Control on _VLMCS._TCP in each zone, and restart the service on the hosts; or give each host's computer account, and srvkeeper's, Full Control on the record.";
const GRANT_SOLE: &str = "Where srvkeeper alone publishes (publisher = \"sole\"): `slmgr /cdns` on each host, and the same right for srvkeeper's account.";
const SECURE_ONLY: &str =
    "Zones integrated in Active Directory take secure updates only, by default.";
const UPDATE_ANSWER: &str = "The server's answer to an update of the records (RFC 2136), as an HRESULT; event 12293 on the KMS host names the domain.";

/// Every code, in the order of a search: discovery, publishing, the host, the client.
pub(super) const CODES: &[Entry] = &[
    Entry {
        number: 0x8007_232B,
        kind: Kind::Code,
        title: "DNS name does not exist: no SRV record in the suffix zone",
        meaning: "The client asked for the SRV record in the zone of its DNS suffix, and there is no such name.",
        dns: Dns::Yes,
        dns_why: SUFFIX_RECORDS,
        checks: &[PLAN_MISSING, CHECK_ZONES],
        unseen: None,
        look_at: &[WHICH_ZONE, HOST_PUBLISHES, AD_BASED],
        open: &[],
    },
    Entry {
        number: 0x8007_251D,
        kind: Kind::Code,
        title: "No records found for the DNS query",
        meaning: "The query brought no records. Where 0x8007232B says that the name does not exist (NXDOMAIN), this says that there are no records (NODATA).",
        dns: Dns::Yes,
        dns_why: SUFFIX_RECORDS,
        checks: &[PLAN_MISSING, CHECK_ZONES],
        unseen: None,
        look_at: &[WHICH_ZONE, HOST_PUBLISHES, AD_BASED],
        open: &[],
    },
    Entry {
        number: 0x8009_2328,
        kind: Kind::Code,
        title: "SRV record not found, or no DNS suffix to look under",
        meaning: "The SRV record was not found, or the client has no DNS suffix to look under.",
        dns: Dns::Yes,
        dns_why: SUFFIX_RECORDS,
        checks: &[PLAN_MISSING, CHECK_ZONES],
        unseen: Some("The client's suffix: only the client can show it."),
        look_at: &[WHICH_ZONE, HOST_PUBLISHES, AD_BASED],
        open: &["Which of the two it is; 0x8007007B is told in the same words."],
    },
    Entry {
        number: 0x8007_007B,
        kind: Kind::Code,
        title: "SRV record not found, or no DNS suffix to look under",
        meaning: "The SRV record was not found, or the client has no DNS suffix to look under.",
        dns: Dns::Yes,
        dns_why: SUFFIX_RECORDS,
        checks: &[PLAN_MISSING, CHECK_ZONES],
        unseen: Some("The client's suffix: only the client can show it."),
        look_at: &[WHICH_ZONE, HOST_PUBLISHES, AD_BASED],
        open: &["Which of the two it is; 0x80092328 is told in the same words."],
    },
    Entry {
        number: 0x8007_232A,
        kind: Kind::Code,
        title: "DNS server failure, or no DNS server reached",
        meaning: "The DNS server failed, or could not be reached.",
        dns: Dns::Yes,
        dns_why: "The client got no answer about the records, right or wrong.",
        checks: &[DOCTOR_SERVERS],
        unseen: Some(
            "The client may ask other servers than the zone's own; srvkeeper does not ask those.",
        ),
        look_at: &["The DNS servers that the client uses: do they answer over UDP and over TCP?"],
        open: &[],
    },
    Entry {
        number: 0x8007_267C,
        kind: Kind::Code,
        title: "No DNS servers configured on the client",
        meaning: "The client has no DNS servers configured.",
        dns: Dns::Yes,
        dns_why: "But on the client: its settings are to be repaired, and no record helps.",
        checks: &[],
        unseen: Some(CLIENT_ONLY),
        look_at: &["The DNS servers in the client's network settings."],
        open: &[],
    },
    Entry {
        number: 0x8007_2338,
        kind: Kind::Code,
        title: "BADSIG: a KMS host has no rights on the record",
        meaning: "In event 12293 it is what missing rights on the record look like: the host could not publish itself.",
        dns: Dns::Yes,
        dns_why: OWNERSHIP,
        checks: &[DOCTOR_RIGHT, HISTORY_ANSWERS],
        unseen: Some(
            "The rights of the KMS hosts: only the zone's access control list shows them.",
        ),
        look_at: &[GRANT_GROUP, GRANT_SOLE, SECURE_ONLY],
        open: &[],
    },
    Entry {
        number: 0x8007_232D,
        kind: Kind::Code,
        title: "REFUSED: the DNS server refused",
        meaning: UPDATE_ANSWER,
        dns: Dns::Yes,
        dns_why: "It is about publishing: the server refuses the update by its policy.",
        checks: &[DOCTOR_RIGHT, HISTORY_ANSWERS],
        unseen: Some("The answers that KMS hosts get: only event 12293 there shows them."),
        look_at: &[SECURE_ONLY, GRANT_GROUP, GRANT_SOLE],
        open: &[],
    },
    Entry {
        number: 0x8007_2331,
        kind: Kind::Code,
        title: "NOTAUTH: the DNS server is not authoritative for the zone",
        meaning: UPDATE_ANSWER,
        dns: Dns::Yes,
        dns_why: "It is about publishing: the update reached a server that is not authoritative for the zone.",
        checks: &[DOCTOR_RIGHT, HISTORY_ANSWERS],
        unseen: Some("The answers that KMS hosts get: only event 12293 there shows them."),
        look_at: &["Which DNS servers the KMS host uses, and whether they hold the zone."],
        open: &[],
    },
    Entry {
        number: 0x8007_2332,
        kind: Kind::Code,
        title: "NOTZONE: the name lies outside the zone of the update",
        meaning: UPDATE_ANSWER,
        dns: Dns::Yes,
        dns_why: "It is about publishing: the name to change lies outside the zone that the update is for.",
        checks: &[DOCTOR_RIGHT, HISTORY_ANSWERS],
        unseen: Some("The answers that KMS hosts get: only event 12293 there shows them."),
        look_at: &[
            "The domains in the host's registry value DnsDomainPublishList (see `srvkeeper explain 12293`).",
        ],
        open: &[],
    },
    Entry {
        number: 0x8007_06BA,
        kind: Kind::Code,
        title: "RPC server unavailable: a firewall, or a stale record",
        meaning: "The client could not reach the KMS host that it chose.",
        dns: Dns::Possible,
        dns_why: "A stale record sends clients to a host that does not answer. A firewall does the same without DNS.",
        checks: &[PROBE_ALL, PROBE_ONE, PLAN_STALE],
        unseen: Some(
            "A firewall between that client and the host: the probe goes from this machine.",
        ),
        look_at: &[PORT, ORDER],
        open: &[],
    },
    Entry {
        number: 0xC004_F074,
        kind: Kind::Code,
        title: "No KMS host could be contacted",
        meaning: "The client could contact none of the KMS hosts. The cause of each try stands in an event 12288 of its own.",
        dns: Dns::Possible,
        dns_why: "Records may be missing, or lead to hosts that do not answer. One stale record only costs a retry: the client drops that host and tries another.",
        checks: &[PLAN_MISSING, PLAN_STALE, PROBE_ALL],
        unseen: Some(
            "What lies between that client and the hosts: the probe goes from this machine.",
        ),
        look_at: &[
            "Each event 12288 in the client's Application log: its HRESULT and its host:port. One without a 12289 means that the host is unreachable or silent.",
            ORDER,
            PORT,
            WHICH_ZONE,
            "`srvkeeper failover --from HOST` takes a failed host out of every zone, and publishes another.",
        ],
        open: &[],
    },
    Entry {
        number: 0xC004_F038,
        kind: Kind::Code,
        title: "The count is below the threshold of 25 or 5",
        meaning: "The KMS host answered, but has counted too few machines to activate any.",
        dns: Dns::Possible,
        dns_why: "Clients choose among the published hosts at random. Too many of them split the count, so that each may stay below the threshold.",
        checks: &[
            Check {
                command: "srvkeeper plan",
                tells: "lists the foreign records: hosts that are published and not in the inventory",
            },
            Check {
                command: "srvkeeper host list",
                tells: "lists the hosts of the inventory, which may be more than the clients are enough for",
            },
        ],
        unseen: Some("The count: only the host and the clients' event 12289 show it."),
        look_at: &[
            THRESHOLDS,
            "`slmgr /dli` on each KMS host shows its count.",
            "The count in the client's event 12289, and the minimum count in its 12288.",
            "Cloned machines with one CMID in their events 12288 keep the count from rising: generalise the image with sysprep, or run `slmgr /rearm`.",
            "Hosts that are too many: role = \"standby\" or \"retired\" in the inventory.",
        ],
        open: &[],
    },
    Entry {
        number: 0xC004_F039,
        kind: Kind::Code,
        title: "KMS is not enabled",
        meaning: "KMS is not enabled.",
        dns: Dns::Open,
        dns_why: "The documents do not say. Whether a published host runs a KMS, the probe tells.",
        checks: &[PROBE_ALL, PROBE_ONE],
        unseen: None,
        look_at: &["The host that the client asked: host:port in its event 12288."],
        open: &["Whether DNS can be the cause."],
    },
    Entry {
        number: 0xC004_F041,
        kind: Kind::Code,
        title: "The KMS host itself is not activated",
        meaning: "The client reached a KMS host that is not activated itself.",
        dns: Dns::No,
        dns_why: "The host was found. It is to be activated.",
        checks: &[],
        unseen: Some(BIND_ONLY),
        look_at: &[
            "Which host it is: host:port in the client's event 12288.",
            "`srvkeeper host down HOST` withdraws its records until that is done.",
        ],
        open: &[],
    },
    Entry {
        number: 0xC004_F042,
        kind: Kind::Code,
        title: "The KMS host lacks the key for this product",
        meaning: "The client reached a KMS host that has no key for the client's product.",
        dns: Dns::No,
        dns_why: "The host was found. It lacks a key.",
        checks: &[],
        unseen: Some(BIND_ONLY),
        look_at: &[
            "Which host it is: host:port in the client's event 12288.",
            "The keys on that host. On the client a KMS key is no repair: it makes a client a KMS host that publishes itself.",
        ],
        open: &[],
    },
    Entry {
        number: 0xC004_F06C,
        kind: Kind::Code,
        title: "The clocks of client and host are over 4 hours apart",
        meaning: "The clocks of the client and of the KMS host are more than 4 hours apart.",
        dns: Dns::No,
        dns_why: "The host was found. One of the clocks is to be set.",
        checks: &[],
        unseen: Some("The clocks: a bind does not tell them."),
        look_at: &[
            "The clock on the client and on the host; the client time in event 12288, the time in 12289.",
        ],
        open: &[],
    },
    Entry {
        number: 0xC002_0017,
        kind: Kind::Code,
        title: "KMS host not reachable (event 8198), often a VPN",
        meaning: "The client could not reach the KMS host; event 8198 has the code.",
        dns: Dns::Possible,
        dns_why: "A stale record leads to a host that is not reachable; but often it is a VPN.",
        checks: &[PROBE_ALL, PROBE_ONE, PLAN_STALE],
        unseen: Some("The client's way to the host: the probe goes from this machine."),
        look_at: &[VPN, PORT, ORDER],
        open: &["How it differs from 0x8007139F, which is told in the same words."],
    },
    Entry {
        number: 0x8007_139F,
        kind: Kind::Code,
        title: "KMS host not reachable (event 8198), often a VPN",
        meaning: "The client could not reach the KMS host; event 8198 has the code.",
        dns: Dns::Possible,
        dns_why: "A stale record leads to a host that is not reachable; but often it is a VPN.",
        checks: &[PROBE_ALL, PROBE_ONE, PLAN_STALE],
        unseen: Some("The client's way to the host: the probe goes from this machine."),
        look_at: &[VPN, PORT, ORDER],
        open: &["How it differs from 0xC0020017, which is told in the same words."],
    },
    Entry {
        number: 0x8007_0005,
        kind: Kind::Code,
        title: "The command needs elevation",
        meaning: "The command was not run with elevated rights.",
        dns: Dns::No,
        dns_why: "It is about rights on the machine itself.",
        checks: &[],
        unseen: Some(CLIENT_ONLY),
        look_at: &["Run the command again in an elevated prompt."],
        open: &[],
    },
    Entry {
        number: 0x8007_000D,
        kind: Kind::Code,
        title: "The registry's access control list stands in the way",
        meaning: "An access control list in the registry stands in the way.",
        dns: Dns::No,
        dns_why: "It is about rights on the machine itself.",
        checks: &[],
        unseen: Some(CLIENT_ONLY),
        look_at: &["The access control lists in that machine's registry."],
        open: &["Which key of the registry it is."],
    },
    Entry {
        number: 0x8004_FE21,
        kind: Kind::Code,
        title: "The machine is not genuine",
        meaning: "Windows on this machine is not taken for genuine.",
        dns: Dns::No,
        dns_why: "It is about the machine itself.",
        checks: &[],
        unseen: Some(CLIENT_ONLY),
        look_at: &[],
        open: &["What repairs it."],
    },
    Entry {
        number: 0x8007_2EE2,
        kind: Kind::Code,
        title: "Internet time-out: activation with a MAK, not by KMS",
        meaning: "A time-out on the way to the internet, where activation with a MAK goes.",
        dns: Dns::No,
        dns_why: "It is about activation with a MAK over the internet, not about the SRV records.",
        checks: &[],
        unseen: Some(CLIENT_ONLY),
        look_at: &[
            "The client's way to the internet.",
            "If it was to be activated by KMS: which key is installed; a KMS client has the client key (GVLK).",
        ],
        open: &[],
    },
];
