//! What `probe` found: a table, or JSON of format version 1.

use std::io;
use std::net::IpAddr;

use serde::Serialize;

use crate::model::{Failure, Sample, State, Verdict};

use super::lines::{Layout, counted, fold};
use super::text::{line, state_style, styled};

/// One host that was asked.
#[derive(Debug, Clone)]
pub struct ProbedHost {
    /// Its name, or the address it was asked by.
    pub host: String,
    /// The port asked.
    pub port: u16,
    /// What is to be believed of it.
    pub verdict: Verdict,
    /// The newest sample; `None` when none could be made.
    pub newest: Option<Sample>,
}

impl ProbedHost {
    /// How long the newest sample took, to the slowest address.
    fn milliseconds(&self) -> Option<u64> {
        let took = self.newest.as_ref()?.took.as_millis();
        Some(u64::try_from(took).unwrap_or(u64::MAX))
    }
}

/// Columns that the shorter cells take, with the spaces before them.
const PORT: usize = 5;
const VERDICT: usize = 7;
const MILLISECONDS: usize = 6;
const GAP: usize = 2;
/// Columns that the reason gets at least, whatever the names take.
const REASON: usize = 24;

/// The table, a row for each host and a line for each of its addresses, and how many are up.
pub fn text(hosts: &[ProbedHost], layout: Layout) -> String {
    let fixed = PORT + VERDICT + MILLISECONDS + 4 * GAP;
    // A name that leaves the reason no room gets a line of its own, and widens no column.
    let widest = layout.width.saturating_sub(fixed + REASON);
    let width = hosts
        .iter()
        .map(|host| host.host.chars().count())
        .filter(|width| *width <= widest)
        .max()
        .unwrap_or_default()
        .max("HOST".len());
    let reason_at = width + fixed;
    let mut out = String::new();
    if !hosts.is_empty() {
        let (host, port, verdict, ms) = ("HOST", "PORT", "VERDICT", "MS");
        line(
            &mut out,
            &format!(
                "{host:<width$}  {port:>PORT$}  {verdict:<VERDICT$}  {ms:>MILLISECONDS$}  WHY"
            ),
        );
    }
    for host in hosts {
        row(&mut out, host, width, reason_at, layout);
    }
    let count = |state| {
        hosts
            .iter()
            .filter(|host| host.verdict.state == state)
            .count()
    };
    let (up, down) = (count(State::Up), count(State::Down));
    let mut summary = format!("{}: {up} up, {down} down", counted(hosts.len(), "host"));
    if up + down < hosts.len() {
        summary.push_str(&format!(", {} not told", hosts.len() - up - down));
    }
    line(&mut out, &summary);
    out
}

fn row(out: &mut String, host: &ProbedHost, width: usize, reason_at: usize, layout: Layout) {
    let name = &host.host;
    if name.chars().count() > width {
        line(out, name);
    }
    let name = if name.chars().count() > width {
        ""
    } else {
        name
    };
    let state = host.verdict.state;
    let verdict = styled(state_style(state), &format!("{:<VERDICT$}", state.as_str()));
    let took = host
        .milliseconds()
        .map_or_else(|| "-".to_owned(), |milliseconds| milliseconds.to_string());
    let mut head = format!(
        "{name:<width$}  {:>PORT$}  {verdict}  {took:>MILLISECONDS$}  ",
        host.port
    );
    for reason in reasons(host) {
        for piece in fold(&reason, layout.width.saturating_sub(reason_at)) {
            line(out, &format!("{head}{piece}"));
            head = " ".repeat(reason_at);
        }
    }
}

/// Each address with its answer, then what the verdict adds to them.
fn reasons(host: &ProbedHost) -> Vec<String> {
    let reason = &host.verdict.reason;
    let Some(sample) = host
        .newest
        .as_ref()
        .filter(|sample| sample.addresses.len() > 1)
    else {
        return vec![reason.clone()];
    };
    let Some(added) = reason.strip_prefix(&sample.to_string()) else {
        return vec![reason.clone()];
    };
    let mut reasons: Vec<String> = sample
        .addresses
        .iter()
        .map(|(address, result)| format!("{address} {}", said(result)))
        .collect();
    let added = added.trim_start_matches([';', ' ']);
    if !added.is_empty() {
        reasons.push(added.to_owned());
    }
    reasons
}

fn said(result: &Result<(), Failure>) -> String {
    match result {
        Ok(()) => "answers".to_owned(),
        Err(failure) => failure.to_string(),
    }
}

/// Writes the hosts as JSON, indented, with a final newline.
pub fn json(hosts: &[ProbedHost], out: &mut dyn io::Write) -> io::Result<()> {
    let document = Document {
        format_version: 1,
        hosts: hosts.iter().map(HostView::from).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Document<'a> {
    format_version: u32,
    hosts: Vec<HostView<'a>>,
}

#[derive(Serialize)]
struct HostView<'a> {
    host: &'a str,
    port: u16,
    verdict: &'static str,
    reason: &'a str,
    addresses: Vec<AddressView>,
    milliseconds: Option<u64>,
}

#[derive(Serialize)]
struct AddressView {
    address: IpAddr,
    result: &'static str,
    text: String,
}

impl<'a> From<&'a ProbedHost> for HostView<'a> {
    fn from(host: &'a ProbedHost) -> Self {
        Self {
            host: &host.host,
            port: host.port,
            verdict: host.verdict.state.as_str(),
            reason: &host.verdict.reason,
            addresses: host
                .newest
                .iter()
                .flat_map(|sample| &sample.addresses)
                .map(|(address, result)| AddressView {
                    address: *address,
                    result: word(result),
                    text: said(result),
                })
                .collect(),
            milliseconds: host.milliseconds(),
        }
    }
}

fn word(result: &Result<(), Failure>) -> &'static str {
    match result {
        Ok(()) => "answers",
        Err(Failure::Refused) => "refused",
        Err(Failure::TimedOut) => "timed-out",
        Err(Failure::Unreachable) => "unreachable",
        Err(Failure::Closed) => "closed",
        Err(Failure::NotRpc(_)) => "not-rpc",
        Err(Failure::NotKms) => "not-kms",
        Err(Failure::BindRejected(_)) => "bind-rejected",
        Err(Failure::Exec(_)) => "exec-failed",
        Err(Failure::Other(_)) => "other",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;

    fn probed(
        host: &str,
        state: State,
        reason: &str,
        addresses: Vec<(&str, Result<(), Failure>)>,
    ) -> ProbedHost {
        let addresses: Vec<_> = addresses
            .into_iter()
            .map(|(address, result)| (address.parse().unwrap(), result))
            .collect();
        ProbedHost {
            host: host.to_owned(),
            port: 1688,
            verdict: Verdict {
                state,
                ..Verdict::unknown(reason)
            },
            newest: (!addresses.is_empty()).then_some(Sample {
                began: Timestamp::UNIX_EPOCH,
                took: Duration::from_micros(3_400),
                addresses,
            }),
        }
    }

    fn hosts() -> Vec<ProbedHost> {
        vec![
            probed(
                "kms1.corp.example.",
                State::Up,
                "10.0.1.11 answers",
                vec![("10.0.1.11", Ok(()))],
            ),
            probed(
                "kms2.corp.example.",
                State::Down,
                "10.0.1.12 timed out: host off, or a firewall drops the packets, \
                 2001:db8::12 is unreachable (3 times in a row)",
                vec![
                    ("10.0.1.12", Err(Failure::TimedOut)),
                    ("2001:db8::12", Err(Failure::Unreachable)),
                ],
            ),
            probed(
                "a-host-with-a-name-that-fits-no-column.subsidiary.corp.example.",
                State::Unknown,
                "could not be probed: no name server answered",
                Vec::new(),
            ),
        ]
    }

    /// Styles taken off, as the edge does without a terminal.
    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn the_table_has_a_line_for_each_address_and_fits_eighty_columns() {
        let layout = Layout {
            width: 80,
            unicode: true,
        };
        let text = plain(&text(&hosts(), layout));
        let expected = "\
HOST                 PORT  VERDICT      MS  WHY
kms1.corp.example.   1688  up            3  10.0.1.11 answers
kms2.corp.example.   1688  down          3  10.0.1.12 timed out: host off, or a
                                            firewall drops the packets
                                            2001:db8::12 is unreachable
                                            (3 times in a row)
a-host-with-a-name-that-fits-no-column.subsidiary.corp.example.
                     1688  unknown       -  could not be probed: no name server
                                            answered
3 hosts: 1 up, 1 down, 1 not told
";
        assert_eq!(text, expected);
        assert!(text.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn json_names_each_addresss_result() {
        let mut out = Vec::new();
        json(&hosts(), &mut out).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(document["format_version"], 1);
        let down = &document["hosts"][1];
        assert_eq!(down["verdict"], "down");
        assert_eq!(down["milliseconds"], 3);
        assert_eq!(down["addresses"][1]["address"], "2001:db8::12");
        assert_eq!(down["addresses"][1]["result"], "unreachable");
        let unknown = &document["hosts"][2];
        assert_eq!(unknown["addresses"], serde_json::json!([]));
        assert_eq!(unknown["milliseconds"], serde_json::Value::Null);
    }
}
