//! The zone that most tests keep, and what is published in it.

use std::sync::mpsc::{self, Receiver, Sender};

use serde_json::Value;

use super::primary::Primary;
use super::proxy::{Fate, Proxy};
use super::site::Site;
use super::tools::dig;

pub(crate) const ZONE: &str = "corp.example.";
pub(crate) const OWNER: &str = "_vlmcs._tcp.corp.example.";

/// The records of these hosts of the zone, as `dig` shows them.
pub(crate) fn lines(hosts: &[&str]) -> Vec<String> {
    hosts
        .iter()
        .map(|host| format!("3600 0 0 1688 {host}.{ZONE}"))
        .collect()
}

/// What the primary has for the zone.
pub(crate) fn published(primary: &Primary) -> Vec<String> {
    dig(primary.address, OWNER, "SRV")
}

/// The recorded changes, the newest first.
pub(crate) fn history(site: &Site) -> Vec<Value> {
    let run = site.run(&["history", "--format", "json", "--limit", "1000"]);
    run.expect(0);
    run.json()["changes"].as_array().unwrap().clone()
}

/// How each of them ended, the newest first; `open` while there is no outcome.
pub(crate) fn outcomes(site: &Site) -> Vec<String> {
    history(site)
        .iter()
        .map(|change| {
            change["outcome"]["kind"]
                .as_str()
                .unwrap_or("open")
                .to_owned()
        })
        .collect()
}

/// A relay that holds one update back: it tells of it, and waits for a word to go on.
pub(crate) fn holding(primary: &Primary, held: usize) -> (Proxy, Receiver<()>, Sender<()>) {
    let (arrived, arrival) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let proxy = Proxy::start(primary.address, move |ordinal| {
        if ordinal == held {
            arrived.send(()).unwrap();
            // Released, or the test is over.
            let _ = released.recv();
        }
        Fate::Pass
    });
    (proxy, arrival, release)
}
