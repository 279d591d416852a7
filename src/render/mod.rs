//! Plans, outcomes and the history in every form they are printed in.
//!
//! ```text
//! lines ─► text, markdown, html        what people read: the same sections everywhere
//!       └► nsupdate, zonefile, powershell   what other tools run, with the reasons as comments
//! json, nagios                         what programs read
//! history                              recorded changes, for people and programs
//! probe                                what `probe` found, as text and JSON
//! copies                               what other servers publish after an update
//! doctor                               what `doctor` found, as text and JSON
//! explain                              what codes and events mean, as text and JSON
//! hook                                 what `on_change` and `on_alert` read
//! ```
//!
//! `overrides`, `pause` and `failover` are what the commands on these things say.
//!
//! Text is always styled; the edge strips what its stream cannot show.

mod causes;
pub mod copies;
pub mod doctor;
pub mod events;
pub mod explain;
pub mod failover;
pub mod history;
pub mod hook;
pub mod html;
pub mod json;
mod lines;
pub mod markdown;
pub mod metrics;
pub mod nagios;
pub mod nsupdate;
pub mod overrides;
pub mod pause;
pub mod plan_lines;
pub mod powershell;
pub mod probe;
pub mod rollback;
pub mod status;
pub mod status_text;
pub mod text;
pub mod zonefile;
