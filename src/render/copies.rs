//! What the other servers of the zones that were written publish.

use std::collections::BTreeMap;

use crate::model::{CopyState, Name, ServerCopy, ZoneCopies};

use super::lines::{Layout, fold};
use super::text::{BOLD, GREEN, INDENT, YELLOW, indented, line, styled};

/// Zones named before the rest is counted.
const NAMED: usize = 3;

/// One line where all agree; each server that does not, once, with the zones concerned.
///
/// Empty where the zones have no other server.
pub fn copies(zones: &[ZoneCopies], layout: Layout) -> String {
    let mut out = String::new();
    let known = || zones.iter().filter_map(|zone| zone.copies.as_ref().ok());
    let all = known().flatten().count();
    let agreeing = known().flatten().filter(|copy| copy.state.agrees());
    match agreeing.count() {
        _ if all == 0 => {}
        agreeing if agreeing == all => {
            let told = format!("other name servers: all {all} publish the same");
            line(&mut out, &styled(GREEN, &told));
        }
        agreeing => {
            let told = format!("other name servers: {agreeing} of {all} publish the same");
            line(&mut out, &styled(YELLOW, &told));
        }
    }
    for ((server, what), concerned) in &by_cause(zones) {
        line(&mut out, &styled(BOLD, &format!("{server}:")));
        let told = format!("{what}; {}", named(concerned));
        for piece in fold(&told, layout.width.saturating_sub(INDENT)) {
            indented(&mut out, INDENT, &styled(YELLOW, &piece));
        }
    }
    out
}

/// The same trouble with the same server, and the zones that have it.
fn by_cause(zones: &[ZoneCopies]) -> BTreeMap<(String, String), Vec<&Name>> {
    let mut causes: BTreeMap<_, Vec<&Name>> = BTreeMap::new();
    for zone in zones {
        let told: Vec<(String, String)> = match &zone.copies {
            Ok(copies) => copies.iter().filter_map(trouble).collect(),
            Err(why) => vec![("other servers".to_owned(), why.clone())],
        };
        for cause in told {
            causes.entry(cause).or_default().push(&zone.zone);
        }
    }
    causes
}

fn trouble(copy: &ServerCopy) -> Option<(String, String)> {
    let what = match &copy.state {
        CopyState::Agrees { .. } => return None,
        CopyState::Differs { serial, publishes } => format!(
            "still publishes another RRset (serial {serial}: {publishes}), which clients get from it until it has followed"
        ),
        CopyState::Unreadable { text } => format!("cannot be read: {text}"),
    };
    Some((copy.to_string(), what))
}

fn named(zones: &[&Name]) -> String {
    let first: Vec<String> = zones
        .iter()
        .take(NAMED)
        .map(|zone| zone.to_string())
        .collect();
    match zones.len().checked_sub(NAMED) {
        None | Some(0) => first.join(", "),
        Some(more) => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;

    const LAYOUT: Layout = Layout {
        width: 80,
        unicode: true,
    };

    fn copy(name: &str, state: CopyState) -> ServerCopy {
        ServerCopy {
            name: Some(Name::parse(name).unwrap()),
            address: Some("192.0.2.2:53".parse().unwrap()),
            state,
        }
    }

    fn zone(name: &str, copies: Result<Vec<ServerCopy>, String>) -> ZoneCopies {
        ZoneCopies {
            zone: Name::parse(name).unwrap(),
            owner: Name::parse(&format!("_vlmcs._tcp.{name}")).unwrap(),
            copies,
        }
    }

    fn told(zones: &[ZoneCopies]) -> String {
        strip_str(&copies(zones, LAYOUT)).to_string()
    }

    #[test]
    fn zones_without_other_servers_need_no_word() {
        assert_eq!(told(&[]), "");
    }

    #[test]
    fn agreement_is_one_line_whatever_the_number() {
        let agrees = || Ok(vec![copy("ns2.", CopyState::Agrees { serial: 8 })]);
        let two = [zone("a.", agrees()), zone("b.", agrees())];
        assert_eq!(told(&two), "other name servers: all 2 publish the same\n");
    }

    #[test]
    fn trouble_of_one_server_is_told_once() {
        let unreadable = || {
            let text = "REFUSED".to_owned();
            Ok(vec![
                copy("ns1.", CopyState::Agrees { serial: 8 }),
                copy("ns2.", CopyState::Unreadable { text }),
            ])
        };
        let zones: Vec<ZoneCopies> = ["a.", "b.", "c.", "d.", "e."]
            .map(|name| zone(name, unreadable()))
            .to_vec();
        assert_eq!(
            told(&zones),
            "other name servers: 5 of 10 publish the same\n\
             ns2. (192.0.2.2:53):\n    cannot be read: REFUSED; a., b., c. and 2 more\n"
        );
    }
}
