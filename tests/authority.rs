//! The embedded primary from outside: over sockets, with BIND's `dig` and `nsupdate` as clients.
//!
//! Both come in the package bind9-dnsutils; a machine without them fails these tests.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test"
)]

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::SRV;
use hickory_proto::rr::{DNSClass, Name as WireName, RData, Record, RecordType};
use srvkeeper::authority::{AuthorityError, AuthoritySettings, LoadError, Primary};
use srvkeeper::model::{Name, TsigAlgorithm, TsigSecret};
use srvkeeper::wire::tsig::{Key, sign, verify_answer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const OWNER: &str = "_vlmcs._tcp.corp.example.";
const SECRET: &[u8] = b"thirty-two octets of secret text";
const TRANSFER_SECRET: &[u8] = b"a secret that may transfer only.";

/// A primary for `corp.example.` with its files; the key is `ddns.`, that for transfers `transfer.`
struct Fixture {
    folder: tempfile::TempDir,
    primary: Primary,
}

impl Fixture {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let zone = include_str!("../zones/corp.example.zone");
        fs::write(folder.path().join("corp.example.zone"), zone).unwrap();
        fs::write(folder.path().join("good.key"), key_file("ddns", SECRET)).unwrap();
        fs::write(
            folder.path().join("wrong.key"),
            key_file("ddns", b"another"),
        )
        .unwrap();
        fs::write(folder.path().join("other.key"), key_file("other", SECRET)).unwrap();
        fs::write(
            folder.path().join("transfer.key"),
            key_file("transfer", TRANSFER_SECRET),
        )
        .unwrap();
        let primary = Primary::start(settings(&folder)).await.unwrap();
        Self { folder, primary }
    }

    async fn restart(self) -> Self {
        let Self { folder, primary } = self;
        primary.shutdown().await;
        let primary = Primary::start(settings(&folder)).await.unwrap();
        Self { folder, primary }
    }

    fn address(&self) -> SocketAddr {
        self.primary.addresses()[0]
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn snapshot(&self) -> String {
        fs::read_to_string(self.file("state/authority/corp.example.zone")).unwrap()
    }

    /// Runs `dig`, with the key file if one is named.
    async fn dig(&self, key: Option<&str>, arguments: &str) -> String {
        let mut command = Command::new("dig");
        command.args(["-r", "@127.0.0.1", "+norecurse", "+time=5", "+tries=1"]);
        command.args(["-p", &self.address().port().to_string()]);
        if let Some(key) = key {
            command.arg("-k").arg(self.file(key));
        }
        command.args(arguments.split_whitespace());
        text(&run(command, "").await.stdout)
    }

    /// Runs `nsupdate` on a script, and returns what it complains about.
    async fn nsupdate(&self, options: &[&str], key: Option<&str>, script: &str) -> String {
        let mut command = Command::new("nsupdate");
        command.args(["-t", "10"]).args(options);
        if let Some(key) = key {
            command.arg("-k").arg(self.file(key));
        }
        let port = self.address().port();
        let script = format!("server 127.0.0.1 {port}\nzone corp.example.\n{script}\nsend\n");
        text(&run(command, &script).await.stderr)
    }

    async fn srv(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .dig(None, &format!("{OWNER} SRV +short"))
            .await
            .lines()
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    }

    async fn serial(&self) -> u32 {
        let soa = self.dig(None, "corp.example. SOA +short").await;
        soa.split_whitespace().nth(2).unwrap().parse().unwrap()
    }

    /// One message over TCP, signed with the good key at `now`.
    async fn exchange(&self, message: &Message, now: u64) -> (Message, Result<(), String>) {
        let key = Key::from_secret(&secret("ddns.", SECRET));
        let mut octets = message.to_vec().unwrap();
        let mac = sign(&mut octets, &key, now).unwrap();
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        let length = u16::try_from(octets.len()).unwrap();
        stream.write_u16(length).await.unwrap();
        stream.write_all(&octets).await.unwrap();
        let length = stream.read_u16().await.unwrap();
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await.unwrap();
        let verified = verify_answer(&answer, &key, &mac, now).map_err(|error| error.to_string());
        (Message::from_vec(&answer).unwrap(), verified)
    }
}

fn settings(folder: &tempfile::TempDir) -> AuthoritySettings {
    AuthoritySettings {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        key: secret("ddns.", SECRET),
        transfer_key: Some(secret("transfer.", TRANSFER_SECRET)),
        zones: vec![folder.path().join("corp.example.zone")],
        state_dir: folder.path().join("state"),
    }
}

fn secret(name: &str, octets: &[u8]) -> TsigSecret {
    TsigSecret {
        name: Name::parse(name).unwrap(),
        algorithm: TsigAlgorithm::HmacSha256,
        secret: octets.to_vec().into(),
    }
}

fn key_file(name: &str, secret: &[u8]) -> String {
    let secret = data_encoding::BASE64.encode(secret);
    format!("key \"{name}\" {{ algorithm hmac-sha256; secret \"{secret}\"; }};\n")
}

/// Runs a command off the runtime's thread, which has to go on serving it.
async fn run(mut command: Command, input: &str) -> Output {
    let input = input.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the package bind9-dnsutils is installed");
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    })
    .await
    .unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

fn record(class: DNSClass, ttl: u32, target: &str) -> Record {
    let target = WireName::from_ascii(target).unwrap();
    let owner = WireName::from_ascii(OWNER).unwrap();
    let mut record = Record::from_rdata(owner, ttl, RData::SRV(SRV::new(0, 0, 1688, target)));
    record.dns_class = class;
    record
}

/// An UPDATE that replaces the whole RRset `before` by one record.
fn swap(id: u16, before: &str, after: &str) -> Message {
    let mut message = Message::new(id, MessageType::Query, OpCode::Update);
    let zone = WireName::from_ascii("corp.example.").unwrap();
    message.add_query(Query::query(zone, RecordType::SOA));
    message.add_answer(record(DNSClass::IN, 0, before));
    message.add_authority(record(DNSClass::NONE, 0, before));
    message.add_authority(record(DNSClass::IN, 3600, after));
    message
}

#[tokio::test]
async fn answers_what_the_zone_holds() {
    let primary = Fixture::start().await;
    for (arguments, status, flags, answer) in [
        (
            "corp.example. SOA",
            "NOERROR",
            "qr aa",
            "ns.corp.example. hostmaster.corp.example. 1 60",
        ),
        (
            "corp.example. NS",
            "NOERROR",
            "qr aa",
            "corp.example.\t\t300\tIN\tNS\tns.corp.example.",
        ),
        ("KMS1.corp.example. A", "NOERROR", "qr aa", "127.0.0.11"),
        (
            "_vlmcs._tcp.corp.example. SRV +tcp",
            "NOERROR",
            "qr aa",
            "0 0 1688 kms1.corp.example.",
        ),
        // NODATA, at a name and at an empty non-terminal; NXDOMAIN below and beside them.
        ("kms1.corp.example. SRV", "NOERROR", "qr aa", "AUTHORITY: 1"),
        ("_tcp.corp.example. SRV", "NOERROR", "qr aa", "AUTHORITY: 1"),
        (
            "x._tcp.corp.example. SRV",
            "NXDOMAIN",
            "qr aa",
            "AUTHORITY: 1",
        ),
        (
            "nobody.corp.example. A",
            "NXDOMAIN",
            "qr aa",
            "corp.example.\t\t30\tIN\tSOA",
        ),
        ("other.example. SOA", "REFUSED", "qr", "ANSWER: 0"),
        ("example. SOA", "REFUSED", "qr", "ANSWER: 0"),
        ("corp.example. SOA -c CH", "REFUSED", "qr", "ANSWER: 0"),
        (
            "corp.example. SOA +edns=1 +noednsneg",
            "BADVERS",
            "qr",
            "ANSWER: 0",
        ),
        (
            "corp.example. SOA +opcode=NOTIFY",
            "NOTIMP",
            "qr",
            "ANSWER: 0",
        ),
    ] {
        let out = primary.dig(None, arguments).await;
        assert!(
            out.contains(&format!("status: {status}")),
            "{arguments}: {out}"
        );
        assert!(
            out.contains(&format!("flags: {flags};")),
            "{arguments}: {out}"
        );
        assert!(out.contains(answer), "{arguments}: {out}");
    }
}

#[tokio::test]
async fn the_wish_for_signatures_is_repeated_and_not_fulfilled() {
    let primary = Fixture::start().await;
    for (option, flags) in [("+dnssec", "flags: do;"), ("+edns=0", "flags:;")] {
        let out = primary
            .dig(None, &format!("corp.example. SOA {option}"))
            .await;
        assert!(out.contains(&format!("EDNS: version: 0, {flags}")), "{out}");
        assert!(!out.contains("RRSIG"), "{out}");
    }
}

#[tokio::test]
async fn a_delegation_is_referred() {
    let primary = Fixture::start().await;
    let complaint = primary
        .nsupdate(
            &[],
            Some("good.key"),
            "update add sub.corp.example. 60 NS ns.sub.corp.example.\n\
             update add ns.sub.corp.example. 60 A 127.0.0.53",
        )
        .await;
    assert_eq!(complaint, "");
    let out = primary.dig(None, "www.sub.corp.example. A").await;
    assert!(out.contains("flags: qr;"), "{out}");
    assert!(
        out.contains("ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 2"),
        "{out}"
    );
    assert!(out.contains("127.0.0.53"), "{out}");
}

#[tokio::test]
async fn updates_over_udp_and_tcp() {
    let primary = Fixture::start().await;
    for (options, host, expected) in [(&[][..], "kms2", 2), (&["-v"][..], "kms3", 3)] {
        let script = format!("update add {OWNER} 3600 SRV 0 0 1688 {host}.corp.example.");
        let complaint = primary.nsupdate(options, Some("good.key"), &script).await;
        assert_eq!(complaint, "");
        assert_eq!(primary.srv().await.len(), expected);
        assert_eq!(primary.serial().await, u32::try_from(expected).unwrap());
        // The same again changes nothing.
        let complaint = primary.nsupdate(options, Some("good.key"), &script).await;
        assert_eq!(complaint, "");
        assert_eq!(primary.serial().await, u32::try_from(expected).unwrap());
    }
    let complaint = primary
        .nsupdate(
            &[],
            Some("good.key"),
            &format!("update add {OWNER} 60 SRV 0 0 1688 kms1.corp.example."),
        )
        .await;
    assert_eq!(complaint, "");
    let out = primary
        .dig(None, &format!("{OWNER} SRV +noall +answer"))
        .await;
    assert_eq!(out.matches(" 60\tIN\tSRV").count(), 3, "{out}");
}

#[tokio::test]
async fn updates_that_are_refused_change_nothing() {
    let primary = Fixture::start().await;
    let add = format!("update add {OWNER} 3600 SRV 0 0 1688 kms2.corp.example.");
    let subset = format!(
        "update add {OWNER} 3600 SRV 0 0 1688 kms2.corp.example.\nsend\n\
         prereq yxrrset {OWNER} SRV 0 0 1688 kms1.corp.example.\n\
         update delete {OWNER} SRV"
    );
    for (key, script, expected) in [
        (None, add.clone(), "REFUSED"),
        (Some("wrong.key"), add.clone(), "BADSIG"),
        (Some("other.key"), add.clone(), "BADKEY"),
        (Some("transfer.key"), add.clone(), "REFUSED"),
        (
            Some("good.key"),
            format!("prereq nxrrset {OWNER} SRV\n{add}"),
            "YXRRSET",
        ),
        (
            Some("good.key"),
            format!("zone other.example.\n{}", add.replace("corp", "other")),
            "NOTAUTH",
        ),
        (Some("good.key"), add.replace("corp", "other"), "NOTZONE"),
        (Some("good.key"), subset, "NXRRSET"),
    ] {
        let before = primary.snapshot();
        let complaint = primary.nsupdate(&[], key, &script).await;
        assert!(complaint.contains(expected), "{script}: {complaint}");
        if expected == "NXRRSET" {
            // The first of its two messages was made.
            assert_eq!(primary.srv().await.len(), 2);
        } else {
            assert_eq!(primary.snapshot(), before, "{script}");
            assert_eq!(primary.srv().await.len(), 1);
        }
    }
}

#[tokio::test]
async fn a_clock_too_far_off_is_told_ours() {
    let primary = Fixture::start().await;
    let out = primary
        .dig(Some("good.key"), "corp.example. SOA +fuzztime")
        .await;
    assert!(out.contains("status: NOTAUTH"), "{out}");
    assert!(out.contains("BADTIME"), "{out}");

    let update = swap(7, "kms1.corp.example.", "kms2.corp.example.");
    let (answer, verified) = primary.exchange(&update, now() - 3600).await;
    assert_eq!(answer.metadata.response_code, ResponseCode::NotAuth);
    let error = verified.unwrap_err();
    assert!(
        error.starts_with("BADTIME: the clocks are too far apart") && error.contains("1h"),
        "{error}"
    );
    assert_eq!(primary.srv().await, ["0 0 1688 kms1.corp.example."]);
}

#[tokio::test]
async fn answers_are_signed_as_the_request_was() {
    let primary = Fixture::start().await;
    for arguments in [
        "corp.example. SOA",
        "corp.example. SOA +tcp",
        "nobody.corp.example. A",
    ] {
        // dig checks the signature and says when it does not hold.
        let out = primary.dig(Some("good.key"), arguments).await;
        assert!(out.contains("ddns.\t\t\t0\tANY\tTSIG"), "{out}");
        assert!(!out.contains("Couldn't verify"), "{out}");
        let out = primary.dig(None, arguments).await;
        assert!(!out.contains("TSIG"), "{out}");
    }
    let (_, verified) = primary
        .exchange(&swap(7, "kms1.corp.example.", "kms2.corp.example."), now())
        .await;
    assert_eq!(verified, Ok(()));
}

#[tokio::test]
async fn transfers_are_signed_or_refused() {
    let primary = Fixture::start().await;
    let out = primary.dig(None, "corp.example. AXFR").await;
    assert!(out.contains("Transfer failed"), "{out}");
    assert!(!out.contains("kms1"), "{out}");
    let out = primary.dig(Some("wrong.key"), "corp.example. AXFR").await;
    assert!(!out.contains("kms1"), "{out}");

    for key in ["good.key", "transfer.key"] {
        let out = primary
            .dig(Some(key), "corp.example. AXFR +noall +answer")
            .await;
        let records: Vec<&str> = out.lines().filter(|line| !line.contains("TSIG")).collect();
        assert_eq!(records.len(), 9, "{out}");
        assert!(
            records[0].contains("SOA") && records[8].contains("SOA"),
            "{out}"
        );
        let incremental = primary
            .dig(Some(key), "corp.example. IXFR=0 +noall +answer")
            .await;
        assert_eq!(
            incremental
                .lines()
                .filter(|line| !line.contains("TSIG"))
                .count(),
            9
        );
    }
}

#[tokio::test]
async fn long_answers_are_cut_whole_and_go_over_tcp() {
    let primary = Fixture::start().await;
    let script: String = (0..80)
        .map(|host| format!("update add {OWNER} 3600 SRV 0 0 1688 host{host}.corp.example.\n"))
        .collect();
    let complaint = primary.nsupdate(&["-v"], Some("good.key"), &script).await;
    assert_eq!(complaint, "");
    for key in [None, Some("good.key")] {
        let out = primary.dig(key, &format!("{OWNER} SRV +ignore")).await;
        assert!(
            out.contains("flags: qr aa tc;") && out.contains("ANSWER: 0"),
            "{out}"
        );
        let out = primary.dig(key, &format!("{OWNER} SRV")).await;
        assert!(out.contains("ANSWER: 81"), "{out}");
        assert!(!out.contains("Couldn't verify"), "{out}");
    }
}

#[tokio::test]
async fn changes_survive_a_restart() {
    let primary = Fixture::start().await;
    let script = format!(
        "update delete {OWNER} SRV\n\
         update add {OWNER} 3600 SRV 0 0 1688 KMS2.corp.example.\n\
         update add note.corp.example. 60 TXT \"two words\" \"semi;colon\""
    );
    let complaint = primary.nsupdate(&[], Some("good.key"), &script).await;
    assert_eq!(complaint, "");
    // Answered means on disk: being killed now would lose nothing.
    let before = primary.snapshot();
    assert!(
        before.contains("SRV 0 0 1688 KMS2.corp.example."),
        "{before}"
    );
    let primary = primary.restart().await;
    assert_eq!(primary.snapshot(), before);
    assert_eq!(primary.srv().await, ["0 0 1688 KMS2.corp.example."]);
    assert_eq!(primary.serial().await, 2);
    let out = primary.dig(None, "note.corp.example. TXT +short").await;
    assert_eq!(out.trim(), "\"two words\" \"semi;colon\"");
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_made() {
    let primary = Fixture::start().await;
    let folder = primary.file("state/authority");
    fs::rename(&folder, primary.file("state/moved")).unwrap();
    fs::write(&folder, "a file where the folder was").unwrap();
    let script = format!("update add {OWNER} 3600 SRV 0 0 1688 kms2.corp.example.");
    let complaint = primary.nsupdate(&[], Some("good.key"), &script).await;
    assert!(complaint.contains("SERVFAIL"), "{complaint}");
    assert_eq!(primary.srv().await, ["0 0 1688 kms1.corp.example."]);
    assert_eq!(primary.serial().await, 1);

    fs::remove_file(&folder).unwrap();
    fs::rename(primary.file("state/moved"), &folder).unwrap();
    let complaint = primary.nsupdate(&[], Some("good.key"), &script).await;
    assert_eq!(complaint, "");
    assert_eq!(primary.srv().await.len(), 2);
}

#[tokio::test]
async fn of_conflicting_updates_one_wins() {
    let primary = Fixture::start().await;
    let updates: Vec<Message> = (0..40_u16)
        .map(|id| swap(id, "kms1.corp.example.", &format!("won{id}.corp.example.")))
        .collect();
    let answers = futures_util::future::join_all(
        updates.iter().map(|update| primary.exchange(update, now())),
    )
    .await;
    let mut won = Vec::new();
    for (answer, verified) in answers {
        assert_eq!(verified, Ok(()));
        match answer.metadata.response_code {
            ResponseCode::NoError => won.push(answer.metadata.id),
            rcode => assert_eq!(rcode, ResponseCode::NXRRSet),
        }
    }
    assert_eq!(won.len(), 1, "{won:?}");
    assert_eq!(
        primary.srv().await,
        [format!("0 0 1688 won{}.corp.example.", won[0])]
    );
    assert_eq!(primary.serial().await, 2);
}

#[tokio::test]
async fn a_zone_served_twice_or_an_address_in_use_is_an_error() {
    let primary = Fixture::start().await;
    let mut twice = settings(&primary.folder);
    twice.zones.push(primary.file("corp.example.zone"));
    assert!(matches!(
        Primary::start(twice).await.err().unwrap(),
        AuthorityError::Load(LoadError::Twice { .. })
    ));
    let mut taken = settings(&primary.folder);
    taken.listen = vec![primary.address()];
    assert!(matches!(
        Primary::start(taken).await.err().unwrap(),
        AuthorityError::Listen { .. }
    ));
}
