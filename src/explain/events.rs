//! The events.

use std::ops::RangeInclusive;

use super::{Check, Dns, Entry, Field, Kind};

/// The numbers of the events of KMS itself; the documents do not tell of each of them.
pub(super) const KMS_EVENTS: RangeInclusive<u32> = 12288..=12294;

const APPLICATION: &str = "Application";

const VALUES_OPEN: &str = "What its values mean is left open.";
const LOOK_UP: &str = "The code of a failure: `srvkeeper explain CODE` tells what it means, and whether DNS can be the cause.";
const THRESHOLD: &str = "The threshold of the product: 25 for client editions, 5 for servers and Office. A host whose count is below it refuses with 0xC004F038.";
const SKEW: &str = "Client and host more than 4 hours apart: 0xC004F06C.";

/// Every event, by number.
pub(super) const EVENTS: &[Entry] = &[
    Entry {
        number: 8198,
        kind: Kind::Event {
            log: APPLICATION,
            fields: &[],
        },
        title: "Event: the client could not reach the KMS host",
        meaning: "The client could not reach the KMS host, often because of a VPN. It comes with 0xC0020017 or 0x8007139F.",
        dns: Dns::Possible,
        dns_why: "A stale record leads to a host that is not reachable; but often it is a VPN.",
        checks: &[
            Check {
                command: "srvkeeper probe",
                tells: "resolves every host of the inventory, and asks at each address whether a KMS listens",
            },
            Check {
                command: "srvkeeper plan",
                tells: "lists the records of hosts that are down, and the foreign ones",
            },
        ],
        unseen: Some("The client's way to the host: the probe goes from this machine."),
        look_at: &[
            "The code in the event: `srvkeeper explain CODE`.",
            "The client's VPN.",
        ],
        open: &["Its fields.", "Other codes that it may come with."],
    },
    Entry {
        number: 12288,
        kind: Kind::Event {
            log: APPLICATION,
            fields: &[
                Field {
                    name: "HRESULT",
                    text: LOOK_UP,
                },
                Field {
                    name: "flags",
                    text: VALUES_OPEN,
                },
                Field {
                    name: "host:port",
                    text: "The host that was asked. One that is not in the inventory: a foreign or stale record, or the client has it configured (`slmgr /skms`) or cached. Another port than the inventory's: the record, the inventory or the client's setting is wrong.",
                },
                Field {
                    name: "CMID",
                    text: "The same on several machines: clones, which keep the host's count from rising. Generalise the image with sysprep, or run `slmgr /rearm`.",
                },
                Field {
                    name: "client time",
                    text: SKEW,
                },
                Field {
                    name: "VM",
                    text: VALUES_OPEN,
                },
                Field {
                    name: "status",
                    text: VALUES_OPEN,
                },
                Field {
                    name: "minutes",
                    text: VALUES_OPEN,
                },
                Field {
                    name: "ActID",
                    text: VALUES_OPEN,
                },
                Field {
                    name: "minimum count",
                    text: THRESHOLD,
                },
            ],
        },
        title: "Event: the client's request to a KMS host",
        meaning: "The client sent a request to a KMS host. Without an event 12289 after it, the host is unreachable or silent.",
        dns: Dns::Possible,
        dns_why: "Where the host came from DNS, its record may be stale or foreign: look at host:port.",
        checks: &[
            Check {
                command: "srvkeeper probe HOST:PORT",
                tells: "asks the host of the event, and says why it does not answer",
            },
            Check {
                command: "srvkeeper plan",
                tells: "says whether that host is published, and whether it should be",
            },
        ],
        unseen: Some("The client's way to the host: the probe goes from this machine."),
        look_at: &[
            "The event 12289 that answers it.",
            "A configured host and the cached one come before DNS; `slmgr /ckhc` disables the caching.",
        ],
        open: &["The values of flags, VM, status, minutes and ActID."],
    },
    Entry {
        number: 12289,
        kind: Kind::Event {
            log: APPLICATION,
            fields: &[
                Field {
                    name: "HRESULT",
                    text: LOOK_UP,
                },
                Field {
                    name: "flags",
                    text: VALUES_OPEN,
                },
                Field {
                    name: "activated",
                    text: "Whether the client is activated now. If it is not: compare the count with the minimum count of event 12288.",
                },
                Field {
                    name: "count",
                    text: "The host's count. Below 25 for client editions, or 5 for servers and Office: too few clients, too many published hosts that share them, or clones with one CMID. `slmgr /dli` on the host shows it, too.",
                },
                Field {
                    name: "activation interval",
                    text: "120 minutes: until it is activated, the client tries every 2 hours. What another value means is left open.",
                },
                Field {
                    name: "renewal interval",
                    text: "10080 minutes: the client renews every 7 days. What another value means is left open.",
                },
                Field {
                    name: "time",
                    text: "Client and host more than 4 hours apart: 0xC004F06C. Whose clock this is, is left open.",
                },
            ],
        },
        title: "Event: the KMS host's response to the client",
        meaning: "A KMS host answered the client's request, event 12288.",
        dns: Dns::Possible,
        dns_why: "The host was found, and answered. Only a low count can come from DNS: too many published hosts split it.",
        checks: &[Check {
            command: "srvkeeper plan",
            tells: "lists the foreign records: hosts that are published and not in the inventory, and take part of the count",
        }],
        unseen: Some(
            "The count, the state of activation and the clocks: the probe does not tell them.",
        ),
        look_at: &["The event 12288 before it: which host answered, and the minimum count."],
        open: &[
            "The values of flags and activated.",
            "Whose clock the time is.",
        ],
    },
    Entry {
        number: 12290,
        kind: Kind::Event {
            log: "Key Management Service",
            fields: &[],
        },
        title: "Event: the KMS host's side of a request",
        meaning: "The KMS host logged a request. It is the only one of these events in the host's \"Key Management Service\" log.",
        dns: Dns::No,
        dns_why: "The request reached the host.",
        checks: &[],
        unseen: Some("The host's log: only the host shows it."),
        look_at: &[
            "The client's events 12288 and 12289.",
            "`slmgr /dli` on the host: its count.",
        ],
        open: &["Its fields."],
    },
    Entry {
        number: 12293,
        kind: Kind::Event {
            log: APPLICATION,
            fields: &[
                Field {
                    name: "HRESULT",
                    text: "Why publishing failed: `srvkeeper explain CODE`. 0x80072338 (BADSIG) is what missing rights on the record look like.",
                },
                Field {
                    name: "domain",
                    text: "The domain in which the host could not publish itself. One where it need not: look into the registry value DnsDomainPublishList on that host.",
                },
            ],
        },
        title: "Event: a KMS host could not publish its SRV record",
        meaning: "The KMS host tried to register its SRV record, at the start of its service or 24 hours after the last time, and failed.",
        dns: Dns::Yes,
        dns_why: "It is about publishing. All SRV records of one name share one object in Active Directory, which belongs to whoever made it; the updates of others are refused, every day.",
        checks: &[
            Check {
                command: "srvkeeper plan",
                tells: "shows whether the host's record is missing in that zone",
            },
            Check {
                command: "srvkeeper doctor",
                tells: "finds out whether srvkeeper's own account may change the records, and prints the commands that grant it",
            },
            Check {
                command: "srvkeeper history",
                tells: "shows whether srvkeeper's own updates were refused, too; with an ID also what the server answered",
            },
        ],
        unseen: Some(
            "The rights of the KMS hosts: only the zone's access control list shows them.",
        ),
        look_at: &[
            "Where srvkeeper alone publishes (publisher = \"sole\"), the event comes as long as the host tries, too: `slmgr /cdns` there ends that.",
            "Where the hosts publish, too (publisher = \"shared\"): the rights that `srvkeeper explain 0x80072338` describes.",
            "DnsDomainPublishList has lines of domain,priority,weight, under HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\SoftwareProtectionPlatform.",
        ],
        open: &[],
    },
    Entry {
        number: 12294,
        kind: Kind::Event {
            log: APPLICATION,
            fields: &[Field {
                name: "domain",
                text: "The domain in which the host published itself. One where it should not: look into the registry value DnsDomainPublishList on that host.",
            }],
        },
        title: "Event: a KMS host published its SRV record",
        meaning: "The KMS host registered its SRV record. It does so at the start of its service and every 24 hours, so that a record that was deleted comes back within a day.",
        dns: Dns::No,
        dns_why: "It tells of a success. On a machine that should be no KMS host it tells of a rogue one: a KMS key on an ordinary client makes it publish itself.",
        checks: &[Check {
            command: "srvkeeper plan",
            tells: "lists the foreign records: hosts that are published and not in the inventory",
        }],
        unseen: None,
        look_at: &[
            "A rogue host: install the client key (GVLK) there, delete its SRV record, and restart.",
            "Where srvkeeper alone publishes (publisher = \"sole\"): `slmgr /cdns` on the host ends it.",
        ],
        open: &[],
    },
];
