//! `explain`: what a KMS error code or event means, and what to run next.

use crate::exit::ExitStatus;
use crate::explain::{self, Given};
use crate::render;

use super::{ExplainArgs, Failure, ListFormat, edge};

pub(super) fn run(arguments: &ExplainArgs) -> Result<ExitStatus, Failure> {
    match &arguments.code {
        Some(given) => one(given, arguments.format)?,
        None => list(arguments.format),
    }
    Ok(ExitStatus::Done)
}

fn one(given: &Given, format: ListFormat) -> Result<(), Failure> {
    let layout = edge::layout();
    let Some(found) = explain::find(given) else {
        let nearest = explain::nearest(given);
        let is_among_events = explain::is_among_events(given);
        return Err(Failure::new(
            ExitStatus::Failed,
            render::explain::unknown(given, &nearest, is_among_events, layout),
        ));
    };
    match format {
        ListFormat::Text => edge::data(&render::explain::entry(&found, layout)),
        ListFormat::Json => {
            edge::json(|out| render::explain::json(std::iter::once(found.entry), out));
        }
    }
    Ok(())
}

fn list(format: ListFormat) {
    match format {
        ListFormat::Text => {
            edge::data(&render::explain::list(explain::entries(), edge::layout()));
        }
        ListFormat::Json => edge::json(|out| render::explain::json(explain::entries(), out)),
    }
}
