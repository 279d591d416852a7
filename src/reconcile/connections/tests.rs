//! Which server a zone is read from and written to, and with which key.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::SOA;
use hickory_proto::rr::{Name as WireName, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::config;
use crate::dns::resolve::scripted::{self, Say};
use crate::model::Name;
use crate::wire::query::query;

/// The start of a configuration with the keys `old` and `new` and one host.
const HEAD: &str = "version = 1
[keys.old]
kind = \"tsig\"
file = \"old.key\"
[keys.new]
kind = \"tsig\"
file = \"new.key\"
[[host]]
name = \"kms1.corp.example.\"
";

fn configured(text: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    for name in ["old", "new"] {
        let file = folder.path().join(format!("{name}.key"));
        let key = format!(
            "key \"{name}\" {{ algorithm hmac-sha256; secret \"bm90IGEgc2VjcmV0IGF0IGFsbA==\"; }};"
        );
        fs::write(&file, key).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::write(folder.path().join("corp.zone"), "").unwrap();
    let file = folder.path().join("srvkeeper.toml");
    fs::write(&file, format!("{HEAD}{text}")).unwrap();
    config::load(&file).unwrap_or_else(|error| panic!("{error:?}"))
}

/// A primary without records: NXDOMAIN with the SOA of corp.example. Tells of every connection.
async fn primary() -> (SocketAddr, Arc<AtomicUsize>) {
    primary_at("127.0.0.1:0", "corp.example.").await
}

/// The same, whose SOA is that of this apex.
async fn primary_at(address: &str, apex: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                while let Ok(length) = stream.read_u16().await {
                    let mut request = vec![0; usize::from(length)];
                    stream.read_exact(&mut request).await.unwrap();
                    let reply = nxdomain(&Message::from_vec(&request).unwrap(), apex);
                    let length = u16::try_from(reply.len()).unwrap();
                    stream.write_u16(length).await.unwrap();
                    stream.write_all(&reply).await.unwrap();
                }
            });
        }
    });
    (address, connections)
}

fn nxdomain(request: &Message, apex: &str) -> Vec<u8> {
    let name = |text| WireName::from_ascii(text).unwrap();
    let soa = SOA::new(name("ns1.corp.example."), WireName::root(), 7, 1, 1, 1, 1);
    let mut reply = Message::response(request.metadata.id, OpCode::Query);
    reply.metadata.authoritative = true;
    reply.metadata.response_code = ResponseCode::NXDomain;
    reply.add_query(request.queries[0].clone());
    let record = Record::from_rdata(name(apex), 60, RData::SOA(soa));
    reply.authorities.push(record);
    reply.to_vec().unwrap()
}

/// What the name servers say of corp.example., whose primary listens on 127.0.0.1.
fn corp(name: &str, record_type: RecordType) -> Say {
    match (name, record_type) {
        ("corp.example.", RecordType::NS) => Say::NameServers(&["ns1.corp.example."]),
        ("ns1.corp.example.", RecordType::A) => Say::Addresses(vec![IpAddr::from([127, 0, 0, 1])]),
        ("ns1.corp.example.", _) => Say::NoData,
        _ => Say::NxDomain,
    }
}

async fn resolver(
    primary: SocketAddr,
    script: impl Fn(&str, RecordType) -> Say + Send + 'static,
) -> Resolver {
    let name_server = scripted::serve(script).await;
    Resolver::with_name_servers(&[name_server]).with_primary_port(primary.port())
}

#[tokio::test]
async fn zones_of_one_primary_share_its_lookup_and_its_connections_for_good() {
    const ZONES: usize = 40;
    let zones: String = (0..ZONES)
        .map(|number| format!("[[zone]]\nname = \"z{number}.corp.example.\"\n"))
        .collect();
    let config = configured(&zones);
    let (address, accepted) = primary().await;
    let (asked, mut questions) = mpsc::unbounded_channel();
    let resolver = resolver(address, move |name, record_type| {
        asked.send((name.to_owned(), record_type)).unwrap();
        corp(name, record_type)
    })
    .await;
    let connections = Connections::new(&config);

    for _time in 0..2 {
        let read = config
            .zones
            .iter()
            .map(|zone| connections.observe(zone, &resolver, None));
        for observed in join_all(read).await {
            assert_eq!(observed.unwrap().server, address);
        }
    }

    // So many share three.
    assert_eq!(accepted.load(Ordering::Relaxed), 3);
    let mut asked_for = BTreeMap::new();
    while let Ok((_name, record_type)) = questions.try_recv() {
        *asked_for.entry(record_type).or_insert(0) += 1;
    }
    let expected = [
        (RecordType::A, 1),
        (RecordType::AAAA, 1),
        (RecordType::NS, 1),
        (RecordType::SOA, ZONES),
    ];
    assert_eq!(asked_for, BTreeMap::from(expected));
}

#[tokio::test]
async fn a_zone_whose_primary_is_not_found_says_why_and_others_go_on() {
    let config = configured("[[zone]]\nname = \"test.\"\n[[zone]]\nname = \"corp.example.\"\n");
    let (address, _) = primary().await;
    let resolver = resolver(address, |name, record_type| match name {
        "_vlmcs._tcp.test." => Say::Code(ResponseCode::ServFail),
        name => corp(name, record_type),
    })
    .await;
    let connections = Connections::new(&config);

    let error = connections
        .observe(&config.zones[0], &resolver, None)
        .await
        .unwrap_err();
    assert_eq!(
        error.text,
        "the primary of _vlmcs._tcp.test. was not found: the name server answered SERVFAIL for \
         _vlmcs._tcp.test.; or name the primary with servers = [\"…\"]"
    );
    let observed = connections.observe(&config.zones[1], &resolver, None).await;
    assert_eq!(observed.unwrap().server, address);
}

#[tokio::test]
async fn where_the_embedded_primary_is_not_there_it_is_to_be_started() {
    // No test is given this port, so that nobody listens there.
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    let zone = "[[zone]]\nname = \"corp.example.\"\nservers = [\"one\"]\n";
    let server = format!("[[server]]\nname = \"one\"\naddress = \"{address}\"\nkey = \"old\"\n");
    let embedded =
        format!("[authority]\nlisten = [\"{address}\"]\nkey = \"old\"\nzones = [\"corp.zone\"]\n");
    let resolver = resolver(address, corp).await;
    for (text, is_told) in [
        (format!("{embedded}{server}{zone}"), true),
        (format!("{server}{zone}"), false),
    ] {
        let config = configured(&text);
        let connections = Connections::new(&config);
        let read = connections.observe(&config.zones[0], &resolver, None).await;
        let text = read.unwrap_err().text;
        assert_eq!(text.contains("start `srvkeeper run`"), is_told, "{text}");
    }
}

#[tokio::test]
async fn a_failed_search_is_tried_again() {
    let config = configured("[[zone]]\nname = \"corp.example.\"\n");
    let (address, _) = primary().await;
    let (repair, repaired) = tokio::sync::watch::channel(false);
    let resolver = resolver(address, move |name, record_type| {
        match record_type == RecordType::NS && !*repaired.borrow() {
            true => Say::Code(ResponseCode::Refused),
            false => corp(name, record_type),
        }
    })
    .await;
    let connections = Connections::new(&config);
    let zone = &config.zones[0];

    assert!(connections.observe(zone, &resolver, None).await.is_err());
    repair.send(true).unwrap();
    assert!(connections.observe(zone, &resolver, None).await.is_ok());
}

/// A zone of two name servers at 127.0.0.1 and .2, of which the SOA names the first.
fn of_two(name: &str, record_type: RecordType) -> Say {
    match (name, record_type) {
        ("corp.example.", RecordType::NS) => {
            Say::NameServers(&["ns1.corp.example.", "ns2.corp.example."])
        }
        ("ns2.corp.example.", RecordType::A) => Say::Addresses(vec![IpAddr::from([127, 0, 0, 2])]),
        ("ns2.corp.example.", _) => Say::NoData,
        _ => corp(name, record_type),
    }
}

#[tokio::test]
async fn a_zone_goes_where_its_primary_went_once_that_publishes_the_same() {
    for (apex_at_home, moves) in [("corp.example.", true), ("example.", false)] {
        let config = configured("[[zone]]\nname = \"corp.example.\"\n");
        let (named, _) = primary().await;
        let at_home = format!("127.0.0.2:{}", named.port());
        let (stays, _) = primary_at(&at_home, apex_at_home).await;
        let resolver = resolver(named, of_two).await;
        let connections = Connections::new(&config);
        let home = Home {
            server: stays,
            published: None,
        };
        let observed = connections.observe(&config.zones[0], &resolver, Some(&home));
        let expected = if moves { named } else { stays };
        assert_eq!(observed.await.unwrap().server, expected);
    }
}

#[tokio::test]
async fn a_primary_is_looked_up_again_after_an_hour_and_kept_where_that_fails() {
    let config = configured("[[zone]]\nname = \"corp.example.\"\n");
    let (address, _) = primary().await;
    let lookups = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&lookups);
    let resolver = resolver(address, move |name, record_type| {
        let number = match record_type {
            RecordType::SOA => counter.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
        match number {
            0 => corp(name, record_type),
            _ => Say::Code(ResponseCode::ServFail),
        }
    })
    .await;
    let connections = Connections::new(&config);
    let server = async || {
        let observed = connections.observe(&config.zones[0], &resolver, None);
        observed.await.unwrap().server
    };
    for asked in [1, 1] {
        assert_eq!(server().await, address);
        assert_eq!(lookups.load(Ordering::Relaxed), asked);
    }
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(3601)).await;
    tokio::time::resume();
    assert_eq!(server().await, address);
    assert!(lookups.load(Ordering::Relaxed) > 1);
}

/// The key that a request to a zone's server is signed with.
async fn key_on_the_wire(
    connections: &Connections,
    zone: &Zone,
    listener: &TcpListener,
) -> Option<&'static str> {
    let address = listener.local_addr().unwrap();
    let connection = connections.of(zone, address).unwrap().unwrap();
    let question = query(&zone.owner, RecordType::SRV);
    let asking = connection.exchange.read(question);
    let hearing = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let length = stream.read_u16().await.unwrap();
        let mut request = vec![0; usize::from(length)];
        stream.read_exact(&mut request).await.unwrap();
        // The key's name is the owner of the last RR, and never compressed.
        let signed_with = |name: &&str| {
            let owner = Name::parse(name).unwrap();
            request
                .windows(owner.wire().len())
                .any(|octets| octets == owner.wire())
        };
        ["old.", "new."].into_iter().find(signed_with)
    };
    tokio::select! {
        _answer = asking => panic!("nobody answers"),
        key = hearing => key,
    }
}

#[tokio::test]
async fn one_address_with_two_keys_is_two_servers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = configured(&format!(
        "[[server]]\nname = \"a\"\naddress = \"{address}\"\nkey = \"old\"\n\
         [[server]]\nname = \"b\"\naddress = \"{address}\"\nkey = \"new\"\n\
         [[server]]\nname = \"c\"\naddress = \"{address}\"\n\
         [[zone]]\nname = \"a.example.\"\nservers = [\"a\"]\n\
         [[zone]]\nname = \"b.example.\"\nservers = [\"b\"]\n\
         [[zone]]\nname = \"c.example.\"\nservers = [\"c\"]\n\
         [[zone]]\nname = \"found.example.\"\nkey = \"new\"\n"
    ));
    let connections = Connections::new(&config);
    let [a, b, c, found] = &config.zones[..] else {
        panic!("four zones");
    };

    for (zone, key) in [(a, Some("old.")), (b, Some("new.")), (c, None)] {
        assert_eq!(key_on_the_wire(&connections, zone, &listener).await, key);
    }
    // The server found is the one configured: same address, same key, same connection.
    let signed = connections.of(found, address).unwrap().unwrap();
    assert_eq!(
        signed.overhead(),
        connections.of(b, address).unwrap().unwrap().overhead()
    );
    assert_eq!(connections.open.lock().unwrap().len(), 3);
    let elsewhere: SocketAddr = "127.0.0.1:1".parse().unwrap();
    assert!(connections.of(a, elsewhere).unwrap().is_none());
}
