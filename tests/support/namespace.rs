//! Namespaces of a test's own: any address and port, packets to drop, and files to hide by mounts.
//!
//! The test proper is an ignored one, which another runs once more in a namespace: as root with
//! `unshare`, as another user with a user namespace around it.

use std::env;
use std::fs;
use std::process::{Command, Output, Stdio};

/// The network namespace of whoever started this process.
const OUTSIDE: &str = "SRVKEEPER_TEST_OUTSIDE";
/// No run in a namespace takes longer; one that does is killed and fails its test.
const LONGEST_RUN: &str = "120";

/// Runs an ignored test of this program in a network namespace, and expects that it passes.
pub(crate) fn in_a_namespace(test: &str) {
    let child = env::current_exe().unwrap();
    let child = child.to_str().expect("a path in UTF-8");
    let run = unshared(
        how_to_unshare(),
        &["timeout", "--kill-after=5", LONGEST_RUN]
            .into_iter()
            .chain([child, "--exact", test, "--ignored", "--nocapture"])
            .collect::<Vec<_>>(),
    );
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && said.contains("1 passed"),
        "{}\n{said}\n{}",
        run.status,
        String::from_utf8_lossy(&run.stderr)
    );
}

/// True for a test that was started in a namespace: nobody else's packets are dropped.
pub(crate) fn is_in_a_namespace() -> bool {
    env::var(OUTSIDE).is_ok_and(|outside| outside != network())
}

/// What tells this process's network namespace from others.
fn network() -> String {
    let link = fs::read_link("/proc/self/ns/net").unwrap();
    link.display().to_string()
}

/// Root needs no user namespace, which the system may forbid; anyone else needs one.
fn how_to_unshare() -> &'static [&'static str] {
    const ROOT: &[&str] = &["--net", "--mount"];
    const ANYONE: &[&str] = &["--user", "--map-root-user", "--net", "--mount"];
    let tries: Vec<(&[&str], Output)> = [ROOT, ANYONE]
        .into_iter()
        .map(|how| (how, unshared(how, &["true"])))
        .collect();
    let works = tries.iter().find(|(_how, tried)| tried.status.success());
    works.map_or_else(
        || {
            panic!(
                "no network namespace can be made; run the tests as root, or allow user namespaces \
                 (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, \
                 kernel.apparmor_restrict_unprivileged_userns): {tries:?}"
            )
        },
        |(how, _tried)| *how,
    )
}

fn unshared(how: &[&str], command: &[&str]) -> Output {
    Command::new("unshare")
        .args(how)
        .arg("--")
        .args(command)
        .env(OUTSIDE, network())
        .stdin(Stdio::null())
        .output()
        .expect("unshare, of util-linux")
}

/// Runs a program that prepares the namespace, and expects that it succeeds.
pub(crate) fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status();
    let status = status.unwrap_or_else(|error| panic!("{program}: {error}; tests/run installs it"));
    assert!(status.success(), "{program} {arguments:?}: {status}");
}
