//! `demo`: the guided scenario.

use std::env;
use std::path::PathBuf;

use crate::demo;
use crate::exit::ExitStatus;

use super::{DemoArgs, Failure, edge, setup};

pub(super) fn run(arguments: &DemoArgs) -> Result<ExitStatus, Failure> {
    let settings = demo::Settings {
        once: arguments.once,
        http: arguments.http,
        program: env::current_exe().unwrap_or_else(|_| PathBuf::from("srvkeeper")),
        layout: edge::layout(),
        print: edge::data,
    };
    setup::block_on(async {
        demo::run(&settings)
            .await
            .map_err(|error| Failure::from_error(&error))
    })?;
    Ok(ExitStatus::Done)
}
