//! One TOML value → a checked value of the kind its key takes, or what would be right.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::duration;
use super::read::Lines;
use super::table::{Kind, Purpose, Spec};
use super::{KeyKind, Mode};
use crate::model::{Changes, Check, Expect, Foreign, Name, Publisher, Role};

/// A checked value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Versions, numbers, and TTLs in seconds.
    Integer(u32),
    Duration(Duration),
    /// `None` is `"off"`.
    Refresh(Option<Duration>),
    Text(String),
    Texts(Vec<Item>),
    Checks(Vec<Check>),
    Name(Name),
    Addresses(Vec<SocketAddr>),
    Ips(Vec<IpAddr>),
}

/// One text of a list, with its line.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) text: String,
    pub(super) line: usize,
}

/// What is wrong with a value, and on which line.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) text: String,
}

/// An enumeration with the words that the configuration has for it.
pub trait Word: Copy + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

/// The words of an enumeration.
pub(super) fn words<W: Word>() -> Vec<&'static str> {
    W::WORDS.iter().map(|(word, _)| *word).collect()
}

/// The word that the configuration has for a value.
pub fn word_of<W: Word + PartialEq>(value: W) -> &'static str {
    W::WORDS
        .iter()
        .find(|(_word, known)| *known == value)
        .map_or("", |(word, _known)| word)
}

impl Word for Mode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("audit", Self::Audit), ("enforce", Self::Enforce)];
}

impl Word for KeyKind {
    const WORDS: &'static [(&'static str, Self)] = &[("tsig", Self::Tsig), ("gss", Self::Gss)];
}

impl Word for Changes {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("sync", Self::Sync),
        ("upsert-only", Self::UpsertOnly),
        ("create-only", Self::CreateOnly),
    ];
}

impl Word for Foreign {
    const WORDS: &'static [(&'static str, Self)] =
        &[("report", Self::Report), ("remove", Self::Remove)];
}

impl Word for Publisher {
    const WORDS: &'static [(&'static str, Self)] =
        &[("sole", Self::Sole), ("shared", Self::Shared)];
}

impl Word for Role {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("active", Self::Active),
        ("standby", Self::Standby),
        ("retired", Self::Retired),
    ];
}

impl Word for Expect {
    const WORDS: &'static [(&'static str, Self)] =
        &[("hosts", Self::Hosts), ("empty", Self::Empty)];
}

impl Word for Check {
    const WORDS: &'static [(&'static str, Self)] =
        &[("rpc", Self::Rpc), ("tcp", Self::Tcp), ("exec", Self::Exec)];
}

impl Purpose {
    /// An address that could stand; its port is the usual one.
    fn example(self) -> SocketAddr {
        match self {
            Self::Connect => ([10, 0, 0, 53], 53).into(),
            Self::Listen => ([127, 0, 0, 1], 5353).into(),
            Self::ListenForPage => ([127, 0, 0, 1], 9686).into(),
        }
    }
}

impl Kind {
    /// What the key takes, in words that read on after "expected".
    pub fn describe(self) -> String {
        match self {
            Self::Version => "the number 1".to_owned(),
            Self::Integer { min, max } if max == u32::MAX => {
                format!("a whole number, {min} or more")
            }
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Duration => "a duration".to_owned(),
            Self::Ttl => "a duration in whole seconds".to_owned(),
            Self::Refresh => "\"off\" or a duration".to_owned(),
            Self::Word(words) => format!("one of {}", quoted(&words())),
            Self::Checks => format!("a list of {}, or \"none\"", quoted(&words::<Check>())),
            Self::Text => "a text".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Texts => "a list of texts".to_owned(),
            Self::Patterns => "a list of paths or glob patterns".to_owned(),
            Self::Command => "a list of program and arguments".to_owned(),
            Self::HostName => "the full name of a host".to_owned(),
            Self::ZoneName => "the full name of a zone".to_owned(),
            Self::Service => "a service and its transport".to_owned(),
            Self::Address(_) => "an IP address with a port".to_owned(),
            Self::Addresses(_) => "a list of IP addresses with ports".to_owned(),
            Self::Ips => "a list of IP addresses".to_owned(),
        }
    }
}

/// Reads a value as its key's kind; every fault of a list is told.
pub(super) fn read(
    spec: &Spec,
    value: &Spanned<DeValue<'_>>,
    lines: &Lines,
) -> Result<Value, Vec<Fault>> {
    let reader = Reader { spec, value, lines };
    match spec.kind {
        Kind::Version => reader.version(),
        Kind::Integer { min, max } => reader.integer(min, max),
        Kind::Duration => reader.one(|text| positive(text).map(Value::Duration)),
        Kind::Ttl => reader.one(|text| ttl(text).map(Value::Integer)),
        Kind::Refresh => reader.one(|text| match text {
            "off" => Ok(Value::Refresh(None)),
            _ => positive(text).map(|duration| Value::Refresh(Some(duration))),
        }),
        Kind::Word(words) => reader.one(|text| word(text, &words()).map(Value::Text)),
        Kind::Checks => reader.checks(),
        Kind::Text | Kind::Path => reader.one(|text| full(text).map(Value::Text)),
        Kind::Texts | Kind::Patterns => reader.texts(full).map(Value::Texts),
        Kind::Command => reader.command(),
        Kind::HostName => reader.one(|text| host_name(text).map(Value::Name)),
        Kind::ZoneName => reader.one(|text| zone_name(text).map(Value::Name)),
        Kind::Service => reader.one(|text| service(text).map(Value::Name)),
        Kind::Address(purpose) => {
            reader.one(|text| address(text, purpose).map(|one| Value::Addresses(vec![one])))
        }
        Kind::Addresses(purpose) => reader
            .many(|text| address(text, purpose))
            .map(Value::Addresses),
        Kind::Ips => reader.many(ip).map(Value::Ips),
    }
}

/// One value with what its faults need.
struct Reader<'a, 'i> {
    spec: &'a Spec,
    value: &'a Spanned<DeValue<'i>>,
    lines: &'a Lines,
}

impl Reader<'_, '_> {
    fn version(&self) -> Result<Value, Vec<Fault>> {
        match whole(self.value.get_ref()) {
            Some(1) => Ok(Value::Integer(1)),
            Some(other) => Err(self.fault(format!(
                "this program reads version 1 of the format, not version {other}"
            ))),
            None => Err(self.mismatch(self.value)),
        }
    }

    fn integer(&self, min: u32, max: u32) -> Result<Value, Vec<Fault>> {
        whole(self.value.get_ref())
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (min..=max).contains(number))
            .map(Value::Integer)
            .ok_or_else(|| self.mismatch(self.value))
    }

    fn one(&self, read: impl Fn(&str) -> Result<Value, String>) -> Result<Value, Vec<Fault>> {
        let DeValue::String(text) = self.value.get_ref() else {
            return Err(self.mismatch(self.value));
        };
        read(text).map_err(|text| self.fault(text))
    }

    /// A list, in which a single text may stand without brackets.
    fn many<T>(&self, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, Vec<Fault>> {
        let items = match self.value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![self.value],
        };
        let mut values = Vec::with_capacity(items.len());
        let mut faults = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::String(text) => match read(text) {
                    Ok(value) => values.push(value),
                    Err(text) => faults.push(Fault {
                        line: self.lines.of(item.span().start),
                        text,
                    }),
                },
                _ => faults.append(&mut self.mismatch(item)),
            }
        }
        if faults.is_empty() {
            Ok(values)
        } else {
            Err(faults)
        }
    }

    fn texts(
        &self,
        read: impl Fn(&str) -> Result<String, String>,
    ) -> Result<Vec<Item>, Vec<Fault>> {
        let texts = self.many(read)?;
        let lines: Vec<usize> = match self.value.get_ref() {
            DeValue::Array(items) => items
                .iter()
                .map(|item| self.lines.of(item.span().start))
                .collect(),
            _ => vec![self.lines.of(self.value.span().start)],
        };
        Ok(texts
            .into_iter()
            .zip(lines)
            .map(|(text, line)| Item { text, line })
            .collect())
    }

    fn checks(&self) -> Result<Value, Vec<Fault>> {
        let mut possible = words::<Check>();
        possible.push("none");
        let chosen = self.many(|text| word(text, &possible))?;
        let checks: Vec<Check> = Check::WORDS
            .iter()
            .filter(|(word, _)| chosen.iter().any(|one| one == word))
            .map(|(_, check)| *check)
            .collect();
        if checks.len() < chosen.len() && chosen.len() > 1 {
            return Err(self.fault(if chosen.iter().any(|one| one == "none") {
                "\"none\" stands alone: with it no host is probed".to_owned()
            } else {
                "a check stands twice; name each once".to_owned()
            }));
        }
        if chosen.is_empty() {
            return Err(self.fault(
                "the list is empty; write \"none\" when no host is to be probed".to_owned(),
            ));
        }
        Ok(Value::Checks(checks))
    }

    fn command(&self) -> Result<Value, Vec<Fault>> {
        if let DeValue::String(text) = self.value.get_ref()
            && text.split_whitespace().nth(1).is_some()
        {
            let parts: Vec<&str> = text.split_whitespace().collect();
            return Err(self.fault(format!(
                "write program and arguments as a list: [{}]",
                quoted(&parts)
            )));
        }
        let items = self.texts(|text| Ok(text.to_owned()))?;
        if items
            .first()
            .is_some_and(|program| program.text.trim().is_empty())
        {
            return Err(self.fault("the program's name is empty".to_owned()));
        }
        Ok(Value::Texts(items))
    }

    fn fault(&self, text: String) -> Vec<Fault> {
        vec![Fault {
            line: self.lines.of(self.value.span().start),
            text,
        }]
    }

    /// The value is of another type, or out of bounds.
    fn mismatch(&self, found: &Spanned<DeValue<'_>>) -> Vec<Fault> {
        let expected = self.spec.kind.describe();
        let example = self.spec.example();
        let right = match (self.spec.kind, whole(found.get_ref())) {
            (Kind::Duration | Kind::Ttl | Kind::Refresh, Some(number)) if number > 0 => {
                format!("write it with its unit: \"{number}s\"")
            }
            _ => format!("an example is {} = {example}", self.spec.key),
        };
        vec![Fault {
            line: self.lines.of(found.span().start),
            text: format!(
                "expected {expected}, found {}; {right}",
                found_text(found.get_ref())
            ),
        }]
    }
}

/// What stands there, in words; never a text's content, which might be a misplaced secret.
fn found_text(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(_) => "a text".to_owned(),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(value) => format!("{value}"),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn whole(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn full(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("the text is empty".to_owned());
    }
    Ok(text.to_owned())
}

fn word(text: &str, possible: &[&str]) -> Result<String, String> {
    if possible.contains(&text) {
        return Ok(text.to_owned());
    }
    let nearest = nearest(text, possible.iter().copied())
        .map(|near| format!("; did you mean \"{near}\"?"))
        .unwrap_or_default();
    Err(format!(
        "\"{text}\" is none of {}{nearest}",
        quoted(possible)
    ))
}

fn positive(text: &str) -> Result<Duration, String> {
    let duration = duration::parse(text).map_err(|error| error.to_string())?;
    if duration.is_zero() {
        return Err("a duration of zero makes no sense here; write one such as \"10s\"".to_owned());
    }
    Ok(duration)
}

fn ttl(text: &str) -> Result<u32, String> {
    const LONGEST: u64 = 0x7fff_ffff;
    let duration = duration::parse(text).map_err(|error| error.to_string())?;
    if duration.subsec_nanos() != 0 {
        return Err(format!(
            "\"{text}\" is not a TTL: a TTL has whole seconds, such as \"1h\""
        ));
    }
    if duration.as_secs() > LONGEST {
        return Err(format!(
            "\"{text}\" is longer than a TTL can be: {LONGEST} seconds"
        ));
    }
    u32::try_from(duration.as_secs()).map_err(|error| error.to_string())
}

fn host_name(text: &str) -> Result<Name, String> {
    if text.parse::<IpAddr>().is_ok() {
        return Err(format!(
            "\"{text}\" is an address; write the host's name, and the address as address = \
            [\"{text}\"]"
        ));
    }
    let name = Name::parse_host(text).map_err(|error| error.to_string())?;
    if name.is_root() {
        return Err(
            "\".\" as a target says that the service is not available (RFC 2782); write the \
            host's full name"
                .to_owned(),
        );
    }
    Ok(name)
}

/// Reads a zone's name, from the configuration or a line of a names file.
pub(super) fn zone_name(text: &str) -> Result<Name, String> {
    let name = Name::parse_host(text).map_err(|error| error.to_string())?;
    if name.is_root() {
        return Err("the root is not a client's DNS suffix; write the suffix".to_owned());
    }
    Ok(name)
}

fn service(text: &str) -> Result<Name, String> {
    let name = Name::parse_host(text).map_err(|error| error.to_string())?;
    let labels: Vec<&[u8]> = name.labels().collect();
    match labels.as_slice() {
        [[b'_', _, ..], transport]
            if transport.eq_ignore_ascii_case(b"_tcp")
                || transport.eq_ignore_ascii_case(b"_udp") =>
        {
            Ok(name)
        }
        _ => Err(format!(
            "\"{text}\" is not a service; write two labels such as \"_vlmcs._tcp\", the second _tcp \
            or _udp"
        )),
    }
}

fn address(text: &str, purpose: Purpose) -> Result<SocketAddr, String> {
    let Ok(address) = text.parse::<SocketAddr>() else {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        return Err(match bare.parse::<IpAddr>() {
            Ok(ip) => format!(
                "\"{text}\" has no port; write \"{}\"",
                SocketAddr::new(ip, purpose.example().port())
            ),
            Err(_) => format!(
                "\"{text}\" is not an IP address with a port; write one such as \"{}\"",
                purpose.example()
            ),
        });
    };
    if purpose == Purpose::Connect && address.port() == 0 {
        return Err(format!(
            "nothing can be reached at port 0; write \"{}\"",
            SocketAddr::new(address.ip(), purpose.example().port())
        ));
    }
    Ok(address)
}

fn ip(text: &str) -> Result<IpAddr, String> {
    let without_interface = text.split('%').next().unwrap_or(text);
    if let Ok(IpAddr::V6(address)) = without_interface.parse()
        && address.is_unicast_link_local()
    {
        return Err(format!(
            "\"{text}\" is a link-local address, which leads to another host on each interface; \
             write another address of the host"
        ));
    }
    text.parse().map_err(|_| match text.parse::<SocketAddr>() {
        Ok(address) => format!(
            "\"{text}\" has a port; write \"{}\", for port is a key of its own",
            address.ip()
        ),
        Err(_) => format!("\"{text}\" is not an IP address; write one such as \"10.0.1.11\""),
    })
}

/// `"a", "b"`.
pub(super) fn quoted(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("\"{word}\""))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The candidate that looks most like the word, where one does.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    const ALIKE: f64 = 0.8;
    let mut best = None;
    let mut score = ALIKE;
    for candidate in candidates {
        let alike = strsim::jaro_winkler(&word.to_lowercase(), &candidate.to_lowercase());
        if alike > score {
            score = alike;
            best = Some(candidate);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::super::table::{KEYS, Table};
    use super::*;

    fn texts(table: Table, key: &str, toml: &str) -> Result<Value, Vec<String>> {
        let spec = table.key(key).unwrap();
        let value = DeValue::parse(toml).unwrap();
        read(spec, &value, &Lines::new(toml))
            .map_err(|faults| faults.into_iter().map(|fault| fault.text).collect())
    }

    #[test]
    fn every_default_and_example_is_of_its_kind() {
        for spec in KEYS {
            let value = DeValue::parse(spec.example()).unwrap();
            let read = read(spec, &value, &Lines::new(spec.example()));
            assert!(read.is_ok(), "{} = {}: {read:?}", spec.key, spec.example());
        }
    }

    /// A value, and below it what is wrong with it.
    const CASES: &str = r#"
.version = 2
    this program reads version 1 of the format, not version 2
.version = "1"
    expected the number 1, found a text; an example is version = 1
.include = [1]
    expected a list of paths or glob patterns, found the number 1; an example is include = ["zones.d/*.toml"]
.include = ""
    the text is empty
daemon.mode = "enforced"
    "enforced" is none of "audit", "enforce"; did you mean "enforce"?
daemon.mode = true
    expected one of "audit", "enforce", found true; an example is mode = "audit"
daemon.interval = 300
    expected a duration, found the number 300; write it with its unit: "300s"
daemon.interval = -3
    expected a duration, found the number -3; an example is interval = "5m"
daemon.interval = "0s"
    a duration of zero makes no sense here; write one such as "10s"
daemon.state_dir = 1.5
    expected a path, found the number 1.5; an example is state_dir = "/var/lib/srvkeeper"
daemon.http = "127.0.0.1"
    "127.0.0.1" has no port; write "127.0.0.1:9686"
daemon.on_change = "/bin/notify --all"
    write program and arguments as a list: ["/bin/notify", "--all"]
daemon.on_change = [""]
    the program's name is empty
daemon.on_alert = { a = 1 }
    expected a list of program and arguments, found a table; an example is on_alert = ["/usr/local/bin/page"]
record.service = "vlmcs._tcp"
    "vlmcs._tcp" is not a service; write two labels such as "_vlmcs._tcp", the second _tcp or _udp
record.service = "_._tcp"
    "_._tcp" is not a service; write two labels such as "_vlmcs._tcp", the second _tcp or _udp
record.service = "_vlmcs._sctp"
    "_vlmcs._sctp" is not a service; write two labels such as "_vlmcs._tcp", the second _tcp or _udp
record.service = "_vlmcs._tcp.corp"
    "_vlmcs._tcp.corp" is not a service; write two labels such as "_vlmcs._tcp", the second _tcp or _udp
record.service = 1979-05-27
    expected a service and its transport, found a date; an example is service = "_vlmcs._tcp"
record.ttl = 3600
    expected a duration in whole seconds, found the number 3600; write it with its unit: "3600s"
record.ttl = "500ms"
    "500ms" is not a TTL: a TTL has whole seconds, such as "1h"
record.ttl = "24855d"
    right
record.ttl = "25000d"
    "25000d" is longer than a TTL can be: 2147483647 seconds
record.port = 0
    expected a whole number from 1 to 65535, found the number 0; an example is port = 1688
record.port = 70000
    expected a whole number from 1 to 65535, found the number 70000; an example is port = 1688
record.port = "1688"
    expected a whole number from 1 to 65535, found a text; an example is port = 1688
record.weight = 65535
    right
health.check = "none"
    right
health.check = ["tcp", "rpc"]
    right
health.check = ["none", "rpc"]
    "none" stands alone: with it no host is probed
health.check = ["rpc", "rpc"]
    a check stands twice; name each once
health.check = []
    the list is empty; write "none" when no host is to be probed
health.check = "icmp"
    "icmp" is none of "rpc", "tcp", "exec", "none"
health.check = 1
    expected a list of "rpc", "tcp", "exec", or "none", found the number 1; an example is check = ["rpc"]
health.rise = 0
    expected a whole number, 1 or more, found the number 0; an example is rise = 2
health.canary = "10.0.0.1:0"
    nothing can be reached at port 0; write "10.0.0.1:53"
health.canary = 7
    expected a list of IP addresses with ports, found the number 7; an example is canary = ["10.0.0.1:53"]
policy.freeze_percent = 101
    expected a whole number from 0 to 100, found the number 101; an example is freeze_percent = 50
policy.min_hosts = 0
    right
policy.min_hosts = 4294967296
    expected a whole number, 0 or more, found the number 4294967296; an example is min_hosts = 1
policy.refresh = "off"
    right
policy.refresh = "24h"
    right
policy.refresh = false
    expected "off" or a duration, found false; an example is refresh = "off"
keys.principal = []
    expected a text, found a list; an example is principal = "svc-srvkeeper@CORP.EXAMPLE"
daemon.http = "localhost:9686"
    "localhost:9686" is not an IP address with a port; write one such as "127.0.0.1:9686"
server.address = "10.0.0.53"
    "10.0.0.53" has no port; write "10.0.0.53:53"
server.address = "[2001:db8::53]"
    "[2001:db8::53]" has no port; write "[2001:db8::53]:53"
server.address = "[2001:db8::53]:53"
    right
server.address = "dc1.corp.example:53"
    "dc1.corp.example:53" is not an IP address with a port; write one such as "10.0.0.53:53"
server.address = 53
    expected an IP address with a port, found the number 53; an example is address = "10.0.0.53:53"
host.name = "."
    "." as a target says that the service is not available (RFC 2782); write the host's full name
host.name = "10.0.1.11"
    "10.0.1.11" is an address; write the host's name, and the address as address = ["10.0.1.11"]
host.name = "kms.bücher.example"
    "kms.bücher.example" has characters outside ASCII; write the name in its A-label form ("xn--…"), as it stands in DNS
host.name = 5
    expected the full name of a host, found the number 5; an example is name = "kms1.corp.example."
host.groups = 5
    expected a list of texts, found the number 5; an example is groups = ["hq"]
host.address = "10.0.1.11:1688"
    "10.0.1.11:1688" has a port; write "10.0.1.11", for port is a key of its own
host.address = "kms1"
    "kms1" is not an IP address; write one such as "10.0.1.11"
host.address = ["fe80::1"]
    "fe80::1" is a link-local address, which leads to another host on each interface; write another address of the host
host.address = "fe80::1%eth0"
    "fe80::1%eth0" is a link-local address, which leads to another host on each interface; write another address of the host
host.address = ["fd00::1", "fec0::1"]
    right
host.address = [2]
    expected a list of IP addresses, found the number 2; an example is address = ["10.0.1.11"]
zone.name = "."
    the root is not a client's DNS suffix; write the suffix
zone.name = 2
    expected the full name of a zone, found the number 2; an example is name = "corp.example."
"#;

    #[test]
    fn each_fault_shows_the_right_form() {
        let lines: Vec<&str> = CASES.trim().lines().collect();
        for case in lines.chunks(2) {
            let (key, value) = case[0].split_once(" = ").unwrap();
            let (table, key) = key.split_once('.').unwrap();
            let table = Table::named(table).unwrap_or(Table::Top);
            let found = match texts(table, key, value) {
                Ok(_) => "right".to_owned(),
                Err(found) => found.join("\n"),
            };
            assert_eq!(found, case[1].trim(), "{}", case[0]);
        }
    }

    #[test]
    fn a_list_tells_all_its_faults() {
        let found = texts(Table::Host, "address", "[1, \"x\", \"10.0.0.1\"]");
        assert_eq!(found.unwrap_err().len(), 2);
    }

    #[test]
    fn the_nearest_word_ignores_case_and_the_unlike() {
        let words = ["interval", "timeout"];
        assert_eq!(nearest("Intervall", words.into_iter()), Some("interval"));
        assert_eq!(nearest("colour", words.into_iter()), None);
    }
}
