//! dig and nsupdate: a second implementation to read back with, and to write behind our back.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A TSIG key that the test servers know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TsigKey {
    pub(crate) name: &'static str,
    pub(crate) algorithm: &'static str,
    /// In base64.
    pub(crate) secret: &'static str,
}

/// May update SRV records at `_vlmcs._tcp`.
pub(crate) const SRVKEEPER: TsigKey = TsigKey {
    name: "srvkeeper",
    algorithm: "hmac-sha256",
    secret: "c3J2a2VlcGVyIHRlc3Qga2V5IG9mIDMyIG9jdGV0cyE=",
};

/// May update everything.
pub(crate) const RIVAL: TsigKey = TsigKey {
    name: "rival",
    algorithm: "hmac-sha256",
    secret: "YW5vdGhlciB0ZXN0IGtleSBvZiAzMi4uLiBvY3RldHM=",
};

/// Known, and allowed nothing.
pub(crate) const UNGRANTED: TsigKey = TsigKey {
    name: "ungranted",
    algorithm: "hmac-sha256",
    secret: "YSBrZXkgd2l0aG91dCBhbnkgcmlnaHRzLCBzb3JyeSE=",
};

impl TsigKey {
    /// The key as a BIND key file holds it.
    pub(crate) fn file_text(&self) -> String {
        format!(
            "key \"{}\" {{\n  algorithm {};\n  secret \"{}\";\n}};\n",
            self.name, self.algorithm, self.secret
        )
    }
}

/// The RRset as `server` has it: sorted lines of TTL and data, such as
/// `3600 0 0 1688 kms1.corp.example.`; empty when there is none.
pub(crate) fn dig(server: SocketAddr, name: &str, record_type: &str) -> Vec<String> {
    let output = run_dig(server, &["+noall", "+answer", name, record_type]);
    assert!(output.status.success(), "dig {name}: {output:?}");
    let mut lines: Vec<String> = text(&output.stdout)
        .lines()
        .filter(|line| !line.starts_with(';') && !line.is_empty())
        .map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            format!("{} {}", fields[1], fields[4..].join(" "))
        })
        .collect();
    lines.sort();
    lines
}

/// What a resolver answers: sorted lines of data; none unless it is NOERROR.
pub(super) fn resolved(server: SocketAddr, name: &str, record_type: &str) -> Option<Vec<String>> {
    let arguments = ["+recurse", "+noall", "+comments", "+answer"];
    let output = run_dig(server, &[&arguments[..], &[name, record_type]].concat());
    let text = text(&output.stdout);
    if !text.contains("status: NOERROR") {
        return None;
    }
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !line.starts_with(';') && !line.is_empty())
        .map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields[4..].join(" ")
        })
        .collect();
    lines.sort();
    Some(lines)
}

/// The serial of a zone.
pub(crate) fn serial(server: SocketAddr, zone: &str) -> u32 {
    let soa = dig(server, zone, "SOA").pop().expect("an SOA");
    let serial = soa.split_whitespace().nth(3).expect("a serial");
    serial.parse().unwrap()
}

/// How many signatures (DNSSEC) there are over the RRset.
pub(crate) fn signatures(server: SocketAddr, name: &str, record_type: &str) -> usize {
    let output = run_dig(server, &["+noall", "+answer", "+dnssec", name, record_type]);
    let covers = |line: &&str| {
        let mut fields = line.split_whitespace().skip(3);
        fields.next() == Some("RRSIG") && fields.next() == Some(record_type)
    };
    text(&output.stdout).lines().filter(covers).count()
}

/// The octets of the whole answer, as it comes over TCP.
pub(crate) fn answer_size(server: SocketAddr, name: &str, record_type: &str) -> usize {
    let output = run_dig(server, &["+noall", "+stats", name, record_type]);
    let text = text(&output.stdout);
    let size = text.split("rcvd: ").nth(1).expect("a size");
    size.trim().parse().unwrap()
}

/// True when the server answers for the zone with authority.
pub(super) fn is_authoritative(server: SocketAddr, zone: &str) -> bool {
    let output = run_dig(server, &["+noall", "+comments", zone, "SOA"]);
    let text = text(&output.stdout);
    text.contains("status: NOERROR")
        && text
            .lines()
            .any(|line| line.starts_with(";; flags:") && line.contains(" aa"))
}

/// The environment in which a program's clock is an hour behind.
pub(crate) fn clock_an_hour_behind() -> [(&'static str, String); 3] {
    clock_off("-1h")
}

/// The environment in which a program's clock is off by so much, such as `+2h`.
pub(crate) fn clock_off(by: &str) -> [(&'static str, String); 3] {
    let library = glob::glob("/usr/lib/*/faketime/libfaketime.so.1")
        .unwrap()
        .find_map(Result::ok)
        .expect("libfaketime; tests/run installs it");
    [
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME", by.to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
}

/// Sends an update: lines such as `update add … SRV …`, without `server`, `zone` and `send`.
pub(crate) fn nsupdate(server: SocketAddr, key: TsigKey, script: &str) {
    let mut process = Command::new("nsupdate")
        .arg("-v")
        .arg("-y")
        .arg(format!("{}:{}:{}", key.algorithm, key.name, key.secret))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("nsupdate; tests/run installs it");
    let script = format!("server {} {}\n{script}\nsend\n", server.ip(), server.port());
    let mut input = process.stdin.take().unwrap();
    input.write_all(script.as_bytes()).unwrap();
    drop(input);
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "nsupdate: {output:?}");
}

/// Runs a script in this folder, expects that it succeeds, and gives what it says.
#[track_caller]
pub(crate) fn shell_in(folder: &Path, script: &str) -> String {
    let output = Command::new("sh")
        .args(["-euc", script])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
    text(&output.stdout)
}

fn run_dig(server: SocketAddr, arguments: &[&str]) -> Output {
    Command::new("dig")
        .arg(format!("@{}", server.ip()))
        .args(["-p", &server.port().to_string()])
        .args(["+tcp", "+norecurse", "+tries=1", "+time=5"])
        .args(arguments)
        .output()
        .expect("dig; tests/run installs it")
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
