//! The one table of keys.
//!
//! Unknown keys, type errors, defaults and the reference document all come from [`KEYS`]; there is
//! no second list.

use super::value::words;
use super::{KeyKind, Mode};
use crate::model::{Changes, Expect, Foreign, Publisher, Role};

/// The tables of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// The keys before the first header.
    Top,
    /// `[daemon]`.
    Daemon,
    /// `[record]`.
    Record,
    /// `[health]`.
    Health,
    /// `[policy]`.
    Policy,
    /// `[keys.NAME]`.
    Keys,
    /// `[[server]]`.
    Server,
    /// `[[host]]`.
    Host,
    /// `[[zone]]`.
    Zone,
    /// `[authority]`.
    Authority,
}

/// How often a table may stand in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Once; its keys hold even where its header is left out.
    Single,
    /// Once, or not at all.
    Optional,
    /// Once for each name.
    Named,
    /// As often as needed.
    Many,
}

impl Table {
    /// Every table, in the order of the reference.
    pub const ALL: [Self; 10] = [
        Self::Top,
        Self::Daemon,
        Self::Record,
        Self::Health,
        Self::Policy,
        Self::Keys,
        Self::Server,
        Self::Host,
        Self::Zone,
        Self::Authority,
    ];

    /// The name in the header; empty for the keys before the first header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Top => "",
            Self::Daemon => "daemon",
            Self::Record => "record",
            Self::Health => "health",
            Self::Policy => "policy",
            Self::Keys => "keys",
            Self::Server => "server",
            Self::Host => "host",
            Self::Zone => "zone",
            Self::Authority => "authority",
        }
    }

    /// The header as people write it.
    pub fn header(self) -> &'static str {
        match self {
            Self::Top => "the top of the file",
            Self::Daemon => "[daemon]",
            Self::Record => "[record]",
            Self::Health => "[health]",
            Self::Policy => "[policy]",
            Self::Keys => "[keys.NAME]",
            Self::Server => "[[server]]",
            Self::Host => "[[host]]",
            Self::Zone => "[[zone]]",
            Self::Authority => "[authority]",
        }
    }

    /// How often it may stand.
    pub fn shape(self) -> Shape {
        match self {
            Self::Top | Self::Daemon | Self::Record | Self::Health | Self::Policy => Shape::Single,
            Self::Authority => Shape::Optional,
            Self::Keys => Shape::Named,
            Self::Server | Self::Host | Self::Zone => Shape::Many,
        }
    }

    /// The keys that may stand in it, those of wider tables included.
    pub fn keys(self) -> impl Iterator<Item = &'static Spec> {
        KEYS.iter().filter(move |spec| spec.stands_in(self))
    }

    /// The key of this name, where it may stand in this table.
    pub fn key(self, name: &str) -> Option<&'static Spec> {
        self.keys().find(|spec| spec.key == name)
    }

    /// The table with this header name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|table| *table != Self::Top && table.name() == name)
    }
}

/// One key: where it stands, what it takes, and what holds without it.
#[derive(Debug)]
pub struct Spec {
    /// The table it belongs to.
    pub table: Table,
    /// A narrower table where it may stand too; the nearest wins.
    pub also: Option<Table>,
    /// Its name.
    pub key: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What holds without it.
    pub fallback: Fallback,
    /// What it is for, in one line.
    pub doc: &'static str,
}

impl Spec {
    const fn new(
        table: Table,
        key: &'static str,
        kind: Kind,
        fallback: Fallback,
        doc: &'static str,
    ) -> Self {
        Self {
            table,
            also: None,
            key,
            kind,
            fallback,
            doc,
        }
    }

    const fn also(mut self, table: Table) -> Self {
        self.also = Some(table);
        self
    }

    /// True when the key may stand in this table.
    pub fn stands_in(&self, table: Table) -> bool {
        self.table == table || self.also == Some(table)
    }

    /// A value in TOML: the default where there is one.
    pub fn example(&self) -> &'static str {
        match self.fallback {
            Fallback::Default(value) => value,
            Fallback::Required { example } | Fallback::Omitted { example, .. } => example,
        }
    }
}

/// What holds when a key is left out; values are TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This value.
    Default(&'static str),
    /// Nothing: the key must stand.
    Required {
        /// A value that could stand.
        example: &'static str,
    },
    /// What the words say.
    Omitted {
        /// What leaving the key out means.
        means: &'static str,
        /// A value that could stand.
        example: &'static str,
    },
}

/// What a socket address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// We connect to it.
    Connect,
    /// We listen on it.
    Listen,
    /// We listen on it, for the status page.
    ListenForPage,
}

/// What a key takes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// The number of this format.
    Version,
    /// A whole number within these bounds, which belong to it.
    Integer {
        /// The smallest.
        min: u32,
        /// The largest.
        max: u32,
    },
    /// A duration longer than zero.
    Duration,
    /// A duration in whole seconds, 0 to 2³¹ − 1 (RFC 2181 §8).
    Ttl,
    /// `"off"` or a duration longer than zero.
    Refresh,
    /// One of these words.
    Word(fn() -> Vec<&'static str>),
    /// A list of checks, or `"none"`.
    Checks,
    /// A text that is not empty.
    Text,
    /// A path, relative to the main configuration file's folder.
    Path,
    /// A list of texts that are not empty.
    Texts,
    /// A list of glob patterns, relative to the main configuration file's folder.
    Patterns,
    /// A program and its arguments.
    Command,
    /// The full name of a host.
    HostName,
    /// The full name of a zone.
    ZoneName,
    /// A service and its transport, as in `_vlmcs._tcp` (RFC 2782).
    Service,
    /// An IP address with a port.
    Address(Purpose),
    /// A list of IP addresses with ports.
    Addresses(Purpose),
    /// A list of IP addresses.
    Ips,
}

const COUNT: Kind = Kind::Integer {
    min: 0,
    max: u32::MAX,
};
const AT_LEAST_ONE: Kind = Kind::Integer {
    min: 1,
    max: u32::MAX,
};
const SHORT: Kind = Kind::Integer { min: 0, max: 65535 };
const PORT: Kind = Kind::Integer { min: 1, max: 65535 };
const PERCENT: Kind = Kind::Integer { min: 0, max: 100 };

use Fallback::{Default, Omitted, Required};

/// Every key, in the order of the reference.
pub static KEYS: &[Spec] = &[
    Spec::new(
        Table::Top,
        "version",
        Kind::Version,
        Required { example: "1" },
        "The version of this format.",
    ),
    Spec::new(
        Table::Top,
        "include",
        Kind::Patterns,
        Omitted {
            means: "no further files",
            example: "[\"zones.d/*.toml\"]",
        },
        "Files with more [[host]] and [[zone]] tables, read in the order of their names.",
    ),
    Spec::new(
        Table::Daemon,
        "mode",
        Kind::Word(words::<Mode>),
        Default("\"audit\""),
        "Whether `run` writes: audit never writes DNS, enforce does.",
    ),
    Spec::new(
        Table::Daemon,
        "state_dir",
        Kind::Path,
        Default("\"/var/lib/srvkeeper\""),
        "The folder of history, overrides and samples.",
    ),
    Spec::new(
        Table::Daemon,
        "interval",
        Kind::Duration,
        Default("\"5m\""),
        "Time between two full reconciles; a health transition reconciles at once.",
    ),
    Spec::new(
        Table::Daemon,
        "http",
        Kind::Address(Purpose::ListenForPage),
        Omitted {
            means: "no status page",
            example: "\"127.0.0.1:9686\"",
        },
        "Where the status page, API and metrics listen; elsewhere than on loopback with a token only.",
    ),
    Spec::new(
        Table::Daemon,
        "http_token_file",
        Kind::Path,
        Omitted {
            means: "no token is asked for",
            example: "\"http.token\"",
        },
        "The file with the bearer token for API and metrics, accessible by its owner only.",
    ),
    Spec::new(
        Table::Daemon,
        "on_change",
        Kind::Command,
        Omitted {
            means: "no command",
            example: "[\"/usr/local/bin/notify\"]",
        },
        "Command run after a change; gets the outcome as JSON on stdin.",
    ),
    Spec::new(
        Table::Daemon,
        "on_alert",
        Kind::Command,
        Omitted {
            means: "no command",
            example: "[\"/usr/local/bin/page\"]",
        },
        "Command run on freeze, held, contested, an unreadable zone, or an override about to end.",
    ),
    Spec::new(
        Table::Record,
        "service",
        Kind::Service,
        Default("\"_vlmcs._tcp\""),
        "The service whose SRV records are kept.",
    )
    .also(Table::Zone),
    Spec::new(
        Table::Record,
        "ttl",
        Kind::Ttl,
        Default("\"1h\""),
        "The TTL of the RRset.",
    )
    .also(Table::Zone),
    Spec::new(
        Table::Record,
        "port",
        PORT,
        Default("1688"),
        "The port in the record, which is also probed.",
    )
    .also(Table::Host),
    Spec::new(
        Table::Record,
        "priority",
        SHORT,
        Default("0"),
        "The priority in the record; lower is tried first.",
    )
    .also(Table::Host),
    Spec::new(
        Table::Record,
        "weight",
        SHORT,
        Default("0"),
        "The weight in the record: the share among hosts of one priority.",
    )
    .also(Table::Host),
    Spec::new(
        Table::Health,
        "check",
        Kind::Checks,
        Default("[\"rpc\"]"),
        "What must pass, all of it: rpc, tcp, exec; or none, which trusts the inventory.",
    )
    .also(Table::Host),
    Spec::new(
        Table::Health,
        "command",
        Kind::Command,
        Default("[]"),
        "Command of the exec check: exit 0 is up; {host}, {address}, {port} are replaced.",
    )
    .also(Table::Host),
    Spec::new(
        Table::Health,
        "interval",
        Kind::Duration,
        Default("\"10s\""),
        "Time between two probes of a host.",
    )
    .also(Table::Host),
    Spec::new(
        Table::Health,
        "timeout",
        Kind::Duration,
        Default("\"3s\""),
        "Time one probe may take.",
    )
    .also(Table::Host),
    Spec::new(
        Table::Health,
        "rise",
        AT_LEAST_ONE,
        Default("2"),
        "Successes in a row that make a host up.",
    )
    .also(Table::Host),
    Spec::new(
        Table::Health,
        "fall",
        AT_LEAST_ONE,
        Default("3"),
        "Failures that make a host down; fewer than `rise` successes in a row clear none.",
    )
    .also(Table::Host),
    Spec::new(
        Table::Health,
        "canary",
        Kind::Addresses(Purpose::Connect),
        Omitted {
            means: "our own network is not tested",
            example: "[\"10.0.0.1:53\"]",
        },
        "While none of these accepts a connection, no host is declared down: what would leave is held, with an alert.",
    ),
    Spec::new(
        Table::Policy,
        "changes",
        Kind::Word(words::<Changes>),
        Default("\"sync\""),
        "Which changes may be made.",
    )
    .also(Table::Zone),
    Spec::new(
        Table::Policy,
        "foreign",
        Kind::Word(words::<Foreign>),
        Default("\"report\""),
        "What happens to records that no inventory host explains.",
    )
    .also(Table::Zone),
    Spec::new(
        Table::Policy,
        "publisher",
        Kind::Word(words::<Publisher>),
        Default("\"sole\""),
        "Whether the KMS hosts publish themselves too (shared).",
    )
    .also(Table::Zone),
    Spec::new(
        Table::Policy,
        "min_hosts",
        COUNT,
        Default("1"),
        "A removal is held when fewer hosts that are not down would remain published.",
    )
    .also(Table::Zone),
    Spec::new(
        Table::Policy,
        "max_removals",
        COUNT,
        Default("1"),
        "Removals per zone and [daemon] interval.",
    )
    .also(Table::Zone),
    Spec::new(
        Table::Policy,
        "freeze_percent",
        PERCENT,
        Default("50"),
        "Nothing is removed while more than this share of the zone's active hosts is down or \
        suspect.",
    )
    .also(Table::Zone),
    Spec::new(
        Table::Policy,
        "refresh",
        Kind::Refresh,
        Default("\"off\""),
        "How often identical records of hosts that are up are added again, for AD scavenging.",
    )
    .also(Table::Zone),
    Spec::new(
        Table::Keys,
        "kind",
        Kind::Word(words::<KeyKind>),
        Required {
            example: "\"tsig\"",
        },
        "tsig: a shared secret in a file; gss: a Kerberos identity.",
    ),
    Spec::new(
        Table::Keys,
        "file",
        Kind::Path,
        Omitted {
            means: "required for tsig",
            example: "\"ddns.key\"",
        },
        "The BIND key file, accessible by its owner only.",
    ),
    Spec::new(
        Table::Keys,
        "principal",
        Kind::Text,
        Omitted {
            means: "required for gss",
            example: "\"svc-srvkeeper@CORP.EXAMPLE\"",
        },
        "The Kerberos principal.",
    ),
    Spec::new(
        Table::Keys,
        "keytab",
        Kind::Path,
        Omitted {
            means: "the ccache",
            example: "\"svc.keytab\"",
        },
        "The keytab with the principal's keys, accessible by its owner only.",
    ),
    Spec::new(
        Table::Keys,
        "ccache",
        Kind::Text,
        Omitted {
            means: "the default ccache",
            example: "\"FILE:/run/srvkeeper/ccache\"",
        },
        "The credentials cache that holds a ticket, instead of a keytab.",
    ),
    Spec::new(
        Table::Server,
        "name",
        Kind::Text,
        Required { example: "\"dc1\"" },
        "What zones call it.",
    ),
    Spec::new(
        Table::Server,
        "address",
        Kind::Address(Purpose::Connect),
        Required {
            example: "\"10.0.0.53:53\"",
        },
        "Its address with the port.",
    ),
    Spec::new(
        Table::Server,
        "key",
        Kind::Text,
        Omitted {
            means: "updates are not signed",
            example: "\"ddns\"",
        },
        "The [keys.NAME] that signs queries and updates.",
    ),
    Spec::new(
        Table::Host,
        "name",
        Kind::HostName,
        Required {
            example: "\"kms1.corp.example.\"",
        },
        "The full name, which is the record's target; one port per host.",
    ),
    Spec::new(
        Table::Host,
        "role",
        Kind::Word(words::<Role>),
        Default("\"active\""),
        "active: published while up; standby: when too few are; retired: its record must go.",
    ),
    Spec::new(
        Table::Host,
        "groups",
        Kind::Texts,
        Omitted {
            means: "in no group",
            example: "[\"hq\"]",
        },
        "The groups it belongs to.",
    ),
    Spec::new(
        Table::Host,
        "address",
        Kind::Ips,
        Omitted {
            means: "what the name resolves to",
            example: "[\"10.0.1.11\"]",
        },
        "Where to probe.",
    ),
    Spec::new(
        Table::Zone,
        "name",
        Kind::ZoneName,
        Omitted {
            means: "names_file must stand instead",
            example: "\"corp.example.\"",
        },
        "The clients' DNS suffix.",
    ),
    Spec::new(
        Table::Zone,
        "names_file",
        Kind::Path,
        Omitted {
            means: "name must stand instead",
            example: "\"zones.txt\"",
        },
        "A file with many names, one a line; # begins a comment.",
    ),
    Spec::new(
        Table::Zone,
        "servers",
        Kind::Texts,
        Omitted {
            means: "the SOA's primary, when it matches an NS",
            example: "[\"dc1\"]",
        },
        "The [[server]]s to write to, in the order to be tried.",
    ),
    Spec::new(
        Table::Zone,
        "key",
        Kind::Text,
        Omitted {
            means: "updates are not signed",
            example: "\"ad\"",
        },
        "The [keys.NAME] for a primary that was found; only without servers.",
    ),
    Spec::new(
        Table::Zone,
        "groups",
        Kind::Texts,
        Omitted {
            means: "every host",
            example: "[\"hq\"]",
        },
        "The groups whose hosts it publishes.",
    ),
    Spec::new(
        Table::Zone,
        "standby_below",
        COUNT,
        Default("1"),
        "Standbys are published while fewer active hosts than this are up.",
    ),
    Spec::new(
        Table::Zone,
        "expect",
        Kind::Word(words::<Expect>),
        Default("\"hosts\""),
        "empty: no record is wanted (AD-based activation only), and min_hosts is 0.",
    ),
    Spec::new(
        Table::Authority,
        "listen",
        Kind::Addresses(Purpose::Listen),
        Required {
            example: "[\"127.0.0.1:5353\"]",
        },
        "Where the embedded primary listens.",
    ),
    Spec::new(
        Table::Authority,
        "key",
        Kind::Text,
        Required {
            example: "\"ddns\"",
        },
        "The tsig key whose updates it takes.",
    ),
    Spec::new(
        Table::Authority,
        "transfer_key",
        Kind::Text,
        Omitted {
            means: "only key transfers",
            example: "\"secondary\"",
        },
        "A second tsig key, for secondaries: it may transfer the zones and change nothing.",
    ),
    Spec::new(
        Table::Authority,
        "zones",
        Kind::Patterns,
        Required {
            example: "[\"zones/corp.example.zone\"]",
        },
        "Zone files that seed an empty state.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_key_stands_twice_in_a_table() {
        for table in Table::ALL {
            let mut seen = BTreeSet::new();
            for spec in table.keys() {
                assert!(seen.insert(spec.key), "{} in {table:?}", spec.key);
            }
            assert!(!seen.is_empty(), "{table:?}");
        }
    }

    #[test]
    fn tables_are_found_by_their_names() {
        for table in Table::ALL {
            let found = Table::named(table.name());
            assert_eq!(found, (table != Table::Top).then_some(table));
            assert!(table.header().contains(table.name()));
        }
    }

    #[test]
    fn docs_are_one_line() {
        for spec in KEYS {
            assert!(
                !spec.doc.contains('\n') && spec.doc.ends_with('.'),
                "{}",
                spec.key
            );
        }
    }
}
