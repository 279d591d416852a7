//! `check`: what was understood of the configuration.

use std::fmt::Write;

use crate::authority::{self, Difference};
use crate::config::{Authority, Config};
use crate::exit::ExitStatus;

use super::{Failure, edge, understood};

pub(super) fn run(config: &Config, verbose: bool) -> Result<ExitStatus, Failure> {
    let mut text = understood::text(config, verbose, edge::layout());
    if let Some(authority) = &config.authority {
        text.push_str(&zone_files(config, authority)?);
    }
    edge::data(&text);
    Ok(ExitStatus::Done)
}

/// A zone file only seeds an empty state: what it says otherwise than the zone as it is served.
fn zone_files(config: &Config, authority: &Authority) -> Result<String, Failure> {
    let mut out = String::new();
    for file in &authority.zones {
        let differences = authority::differences(file, &config.daemon.state_dir)
            .map_err(|error| Failure::from_error(&error))?;
        if differences.is_empty() {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{} seeded a zone that has changed since; the zone as it is served counts:",
            file.display()
        );
        for difference in differences {
            let _ = match difference {
                Difference::OnlyInFile(record) => writeln!(out, "    only in the file: {record}"),
                Difference::OnlyInState(record) => writeln!(out, "    only in the zone: {record}"),
            };
        }
    }
    Ok(out)
}
