//! `plan`: the dry run.

use std::io::{self, Write};
use std::mem::ManuallyDrop;

use anstream::adapter::strip_str;

use crate::config::Config;
use crate::diagnose::{Diagnosis, diagnose};
use crate::examine::{Rights, examine};
use crate::exit::ExitStatus;
use crate::plan::Plan;
use crate::progress::Bars;
use crate::reconcile::{self, Connections, Context, Mode};
use crate::render::{self, text::Layout};

use super::setup::Session;
use super::{End, Failure, PlanArgs, PlanFormat, edge, output, setup};

pub(super) fn run(config: &Config, arguments: &PlanArgs, bars: &Bars) -> Result<End, Failure> {
    let format = arguments.format.unwrap_or(match arguments.out {
        Some(_) => PlanFormat::Json,
        None => PlanFormat::Text,
    });
    let is_document = matches!(format, PlanFormat::Html | PlanFormat::Markdown);
    // Never dropped: the process ends with its command, and takes it along at once.
    let made = ManuallyDrop::new(setup::run(bars, async |session| {
        make(config, arguments, is_document, session).await
    })?);
    let plan = &made.plan;
    match &arguments.out {
        Some(file) => {
            output::replace(file, |out| write(&made, format, arguments.strict, out))
                .map_err(|error| Failure::from_error(&error))?;
            edge::note(&format!("plan written to {}", file.display()));
        }
        // Only text has styles for the edge to strip, and a width to keep to.
        None if format == PlanFormat::Text => {
            edge::data(&render::text::plan(plan, edge::layout()));
        }
        None => edge::json(|out| write(&made, format, arguments.strict, out)),
    }
    Ok(if format == PlanFormat::Nagios {
        End::Plugin(render::nagios::plan(plan, arguments.strict).0)
    } else {
        End::Status(status(plan, arguments.strict))
    })
}

/// A plan, and what a document tells beside it.
struct Made {
    plan: Plan,
    /// `None` where the form has no place for it.
    diagnosis: Option<Diagnosis>,
}

/// Writes the plan as it stands in a file.
fn write(made: &Made, format: PlanFormat, strict: bool, out: &mut dyn Write) -> io::Result<()> {
    let Made { plan, diagnosis } = made;
    let text = match format {
        PlanFormat::Json => return render::json::plan(plan, out),
        PlanFormat::Text => {
            let styled = render::text::plan(plan, Layout::default());
            strip_str(&styled).to_string()
        }
        PlanFormat::Markdown => render::markdown::plan(plan, diagnosis.as_ref()),
        PlanFormat::Html => render::html::plan(plan, diagnosis.as_ref()),
        PlanFormat::Nsupdate => render::nsupdate::plan(plan),
        PlanFormat::Zone => render::zonefile::plan(plan),
        PlanFormat::Powershell => render::powershell::plan(plan),
        PlanFormat::Nagios => render::nagios::plan(plan, strict).1,
    };
    out.write_all(text.as_bytes())
}

async fn make(
    config: &Config,
    arguments: &PlanArgs,
    is_document: bool,
    session: &Session<'_>,
) -> Result<Made, Failure> {
    let zones = setup::select(config, &arguments.selection.zones)?;
    let connections = Connections::new(config);
    let probed = setup::verdicts(config, &arguments.selection, &zones, session).await;
    let recalled = setup::read(config);
    let verdicts = recalled.verdicts(config, probed);
    let context = Context {
        config,
        surroundings: session.surroundings(),
        connections: &connections,
        verdicts: &verdicts,
        memory: &recalled.memory,
        allow_removals: None,
    };
    let reports = reconcile::run_once(context, setup::work(&zones), Mode::Plan).await;
    let surroundings = session.surroundings();
    let diagnosis = match is_document {
        true => {
            let (memory, rights) = (&recalled.memory, Rights::Leave);
            let work = examine(config, &zones, &connections, memory, surroundings, rights);
            work.await.map(|evidence| diagnose(&evidence))
        }
        false => None,
    };
    Ok(Made {
        plan: setup::assemble(config, &verdicts, reports),
        diagnosis,
    })
}

/// The exit status of a plan that is not applied.
pub(super) fn status(plan: &Plan, strict: bool) -> ExitStatus {
    let summary = plan.summary();
    let when = |holds: bool, status| if holds { status } else { ExitStatus::Done };
    let pending = plan.planned().any(|zone| zone.is_pending());
    when(summary.errors > 0, ExitStatus::Failed)
        .and(when(
            summary.held_zones + summary.short_zones > 0,
            ExitStatus::Held,
        ))
        .and(when(
            pending || (strict && summary.foreign + summary.contested > 0),
            ExitStatus::Pending,
        ))
}
