//! `status`: what the running daemon knows.

use std::path::Path;

use crate::exit::ExitStatus;
use crate::http;

use super::{Failure, ListFormat, StatusArgs, edge};

/// Prints what the daemon answers: as JSON exactly what `/api/v1/status` does.
pub(super) fn run(state_dir: &Path, arguments: &StatusArgs) -> Result<ExitStatus, Failure> {
    let path = match arguments.format {
        ListFormat::Json => "/api/v1/status".to_owned(),
        ListFormat::Text => {
            let layout = edge::layout();
            let unicode = u8::from(layout.unicode);
            format!(
                "/api/v1/status?format=text&color=1&width={}&unicode={unicode}",
                layout.width
            )
        }
    };
    let answer = http::ask(state_dir, &path).map_err(|error| Failure::from_error(&error))?;
    match arguments.format {
        ListFormat::Json => edge::json(|out| out.write_all(&answer)),
        ListFormat::Text => edge::data(&String::from_utf8_lossy(&answer)),
    }
    Ok(ExitStatus::Done)
}
