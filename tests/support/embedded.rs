//! The embedded primary, in the test's own process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use srvkeeper::authority::{self, AuthoritySettings};
use srvkeeper::config::keyfile;
use tokio::runtime::Runtime;

use super::tools::SRVKEEPER;

/// The primary on a runtime of its own, ended when dropped.
pub(crate) struct Embedded {
    // In this order: the primary ends before what it runs on.
    primary: authority::Primary,
    runtime: Runtime,
}

impl Embedded {
    /// Starts it with these zones; [`SRVKEEPER`] may change them.
    pub(crate) fn start(listen: SocketAddr, zones: Vec<PathBuf>, state_dir: &Path) -> Self {
        let settings = AuthoritySettings {
            listen: vec![listen],
            key: keyfile::parse(&SRVKEEPER.file_text()).unwrap(),
            transfer_key: None,
            zones,
            state_dir: state_dir.to_owned(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let primary = runtime
            .block_on(authority::Primary::start(settings))
            .unwrap();
        Self { primary, runtime }
    }

    /// Where it answers.
    pub(crate) fn address(&self) -> SocketAddr {
        self.primary.addresses()[0]
    }

    /// Ends it, and waits for that.
    pub(crate) fn stop(self) {
        self.runtime.block_on(self.primary.shutdown());
    }
}
