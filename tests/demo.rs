//! `demo` as a newcomer runs it: nothing configured, no rights, a bare environment.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What the contract promises.
const LIMIT: Duration = Duration::from_secs(40);

/// The user without rights as whom the demonstration runs when the tests run as root.
const NOBODY: u32 = 65_534;

/// A folder that takes the place of `/tmp`, and the program as somebody without rights runs it.
struct Newcomer {
    folder: tempfile::TempDir,
    is_root: bool,
}

impl Newcomer {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let is_root = fs::metadata(folder.path()).unwrap().uid() == 0;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let newcomer = Self { folder, is_root };
        // Where cargo builds, others may have no access. Copied by another process: a file that
        // this one writes could be open in a child of another test, and then does not run.
        let copied = Command::new("cp")
            .arg(env!("CARGO_BIN_EXE_srvkeeper"))
            .arg(newcomer.program())
            .status()
            .unwrap();
        assert!(copied.success());
        fs::create_dir(newcomer.temporary()).unwrap();
        if is_root {
            chown(newcomer.temporary(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        newcomer
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("srvkeeper")
    }

    fn temporary(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    fn command(&self, program: impl Into<PathBuf>) -> Command {
        let mut command = Command::new(program.into());
        command.env_clear().env("TMPDIR", self.temporary());
        command.current_dir("/").stdin(Stdio::null());
        if self.is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    fn left_behind(&self) -> Vec<PathBuf> {
        fs::read_dir(self.temporary())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// The output from one step's heading to the next one's.
fn steps(stdout: &str) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    for line in stdout.lines() {
        if line.starts_with(&format!("{}. ", steps.len() + 1)) {
            steps.push(String::new());
        }
        if let Some(step) = steps.last_mut() {
            step.push_str(line);
            step.push('\n');
        }
    }
    steps
}

/// The hosts in the lines under "DNS read back".
fn published(step: &str) -> Vec<&str> {
    step.lines()
        .skip_while(|line| *line != "DNS read back, as it should be:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .map(|line| {
            let target = line.split_whitespace().next_back().unwrap();
            target.strip_suffix(".corp.example.").unwrap()
        })
        .collect()
}

#[test]
fn the_story_is_told_in_order_and_leaves_nothing_behind() {
    let newcomer = Newcomer::new();
    let start = Instant::now();
    let Output {
        status,
        stdout,
        stderr,
    } = newcomer
        .command(newcomer.program())
        .args(["demo", "--once"])
        .output()
        .unwrap();
    let took = start.elapsed();
    let (stdout, stderr) = (text(&stdout), text(&stderr));

    assert_eq!(status.code(), Some(0), "{stdout}\n{stderr}");
    assert!(took < LIMIT, "{took:?}");
    assert_eq!(stderr, "");
    assert_eq!(newcomer.left_behind(), Vec::<PathBuf>::new());

    let steps = steps(&stdout);
    let expected: [(&str, &[&str], &[&str]); 8] = [
        ("first host", &["+ CREATE", ": applied"], &["kms1"]),
        (
            "second and third",
            &[
                "SRV 0 0",
                "kms2.corp.example. ttl",
                "kms3.corp.example. ttl",
            ],
            &["kms1", "kms2", "kms3"],
        ),
        ("killed", &["- DELETE", "host-down"], &["kms1", "kms3"]),
        ("lives again", &["+ CREATE"], &["kms1", "kms2", "kms3"]),
        (
            "replacement",
            &["host-retired", "host-up"],
            &["kms2", "kms3", "kms4"],
        ),
        (
            "rogue",
            &["? FOREIGN", "no inventory host is called"],
            &["kms2", "kms3", "kms4", "rogue"],
        ),
        (
            "cut off",
            &["suspect", "guard that held: canary", "held"],
            &["kms2", "kms3", "kms4", "rogue"],
        ),
        (
            "comes back",
            &["kms2.corp.example.  up", "kms4.corp.example.  up"],
            &["kms2", "kms3", "kms4", "rogue"],
        ),
    ];
    assert_eq!(steps.len(), expected.len(), "{stdout}");
    for (step, (title, seen, hosts)) in steps.iter().zip(expected) {
        assert!(step.lines().next().unwrap().contains(title), "{step}");
        for seen in seen {
            assert!(step.contains(seen), "no {seen:?} in {step}");
        }
        assert_eq!(published(step), hosts, "{step}");
    }
    // The temporary folder has a name of its own length.
    let wide: Vec<&str> = stdout
        .lines()
        .filter(|line| line.chars().count() > 80 && !line.starts_with("files "))
        .collect();
    assert_eq!(wide, Vec::<&str>::new());
}

#[test]
fn without_a_place_for_temporary_files_it_says_so() {
    let newcomer = Newcomer::new();
    let output = newcomer
        .command(newcomer.program())
        .args(["demo", "--once"])
        .env("TMPDIR", "/nonexistent")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("cannot make /nonexistent/srvkeeper-demo-") && stderr.contains("TMPDIR"),
        "{stderr}"
    );
}

/// The demonstration without `--once`, killed by its own process id when a test fails.
struct Demonstration {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    told: String,
}

impl Demonstration {
    fn start(newcomer: &Newcomer, arguments: &[&str]) -> Self {
        let mut child = newcomer
            .command(newcomer.program())
            .arg("demo")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            output,
            told: String::new(),
        }
    }

    /// Reads up to a line with this text, and returns that line.
    fn wait_for(&mut self, wanted: &str) -> String {
        loop {
            let mut line = String::new();
            let octets = self.output.read_line(&mut line).unwrap();
            assert_ne!(octets, 0, "no {wanted:?} in {}", self.told);
            self.told.push_str(&line);
            if line.contains(wanted) {
                return line.trim().to_owned();
            }
        }
    }

    fn type_line(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([&format!("-{signal}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// The exit status, once the output has ended.
    fn end(mut self) -> Option<i32> {
        self.output.read_to_string(&mut self.told).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Demonstration {
    fn drop(&mut self) {
        // An error when it has ended, which is as it should be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a printed command as it is, through a shell in another place.
fn run_printed(newcomer: &Newcomer, command: &str) -> (Option<i32>, String) {
    let output = newcomer
        .command("/bin/sh")
        .args(["-c", command])
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    let text = text(&output.stdout) + &text(&output.stderr);
    (output.status.code(), text)
}

/// The status page as it comes.
fn page(http: SocketAddr) -> String {
    let mut stream = TcpStream::connect(http).unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_printed_commands_work_from_a_second_terminal_until_ctrl_c() {
    let newcomer = Newcomer::new();
    let http = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap();
    let mut demonstration = Demonstration::start(&newcomer, &["--http", &http.to_string()]);
    demonstration.wait_for("From a second terminal");
    let dig = demonstration.wait_for("dig @");
    let status = demonstration.wait_for(" status");
    let plan = demonstration.wait_for(" plan");
    let down = demonstration.wait_for(" host down kms3");
    let clear = demonstration.wait_for(" host clear kms3");
    let history = demonstration.wait_for(" history");
    let check = demonstration.wait_for(" check");
    demonstration.wait_for("Ctrl-C");
    demonstration.wait_for(&format!("The status page: http://{http}/"));
    assert!(page(http).starts_with("HTTP/1.1 200"), "{}", page(http));
    let (code, seen) = run_printed(&newcomer, &status);
    assert_eq!(code, Some(0), "{seen}");
    assert!(seen.contains("3 of 3 hosts up"), "{seen}");
    assert_eq!(newcomer.left_behind().len(), 1);

    let published = |host: &str| {
        let (status, seen) = run_printed(&newcomer, &dig);
        assert_eq!(status, Some(0), "{seen}");
        seen.contains(&format!("{host}.corp.example."))
    };
    assert!(published("kms2") && published("kms3"));
    let (status, seen) = run_printed(&newcomer, &check);
    assert_eq!(status, Some(0), "{seen}");
    assert!(!seen.contains("warning"), "{seen}");
    let (status, seen) = run_printed(&newcomer, &plan);
    assert_eq!(status, Some(0), "{seen}");
    assert!(seen.contains("? FOREIGN"), "{seen}");

    demonstration.type_line("kill kms2");
    demonstration.wait_for("kms2 does not answer any more");
    demonstration.wait_for("- DELETE");
    demonstration.wait_for(": applied");
    assert!(!published("kms2"));
    let (status, seen) = run_printed(&newcomer, &history);
    assert_eq!(status, Some(0), "{seen}");
    assert!(seen.contains("run: kms2.corp"), "{seen}");

    let (status, seen) = run_printed(&newcomer, &down);
    assert_eq!(status, Some(0), "{seen}");
    demonstration.wait_for("host-forced");
    demonstration.wait_for(": applied");
    assert!(!published("kms3"));
    let (status, seen) = run_printed(&newcomer, &clear);
    assert_eq!(status, Some(0), "{seen}");
    demonstration.wait_for("+ CREATE");
    demonstration.wait_for(": applied");
    assert!(published("kms3"));

    demonstration.signal("INT");
    assert_eq!(demonstration.end(), Some(0));
    assert_eq!(newcomer.left_behind(), Vec::<PathBuf>::new());
}

#[test]
fn ctrl_c_within_the_story_fails_and_cleans_up() {
    let newcomer = Newcomer::new();
    let mut demonstration = Demonstration::start(&newcomer, &[]);
    demonstration.wait_for("1. The first host");
    demonstration.signal("INT");
    assert_eq!(demonstration.end(), Some(1));
    assert_eq!(newcomer.left_behind(), Vec::<PathBuf>::new());
}
