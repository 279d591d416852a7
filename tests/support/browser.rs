//! A real browser: Chromium without a window, driven by its DevTools protocol over two pipes.

use std::fs;
use std::io::{BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Nothing takes longer on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// One page in a browser of its own, which is ended when dropped.
pub(crate) struct Browser {
    process: Child,
    commands: Option<ChildStdin>,
    messages: Receiver<Value>,
    session: Option<String>,
    number: u64,
    events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts it with an empty page.
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let folder = profile.path().display();
        // Chromium reads commands from descriptor 3 and writes to 4, each ended by a NUL.
        let mut process = Command::new("sh")
            .args([
                "-c",
                "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1",
                "sh",
            ])
            .args([
                "chromium",
                "--headless",
                // Its sandbox cannot be had as root, nor in a container.
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--no-first-run",
                "--no-default-browser-check",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={folder}"))
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = process.stdin.take();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let (tell, messages) = mpsc::channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            let mut octet = [0];
            while answers.read_exact(&mut octet).is_ok() {
                if octet != [0] {
                    message.extend(octet);
                    continue;
                }
                let read = serde_json::from_slice(&message).unwrap();
                message.clear();
                if tell.send(read).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            process,
            commands,
            messages,
            session: None,
            number: 0,
            events: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", &attach);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        let ticks = json!({"timeDomain": "threadTicks"});
        browser.call("Performance.enable", &ticks);
        // So high that everything is in sight: what is far below has no layout, and no text to read.
        browser.size(1440, 5000);
        browser
    }

    /// Sets the width and height of the page; narrow ones are a phone's.
    pub(crate) fn size(&mut self, width: u32, height: u32) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500,
        });
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Says whether the person likes it dark.
    pub(crate) fn dark(&mut self, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", &json!({"features": features}));
    }

    /// Runs a script in each page before the page's own.
    pub(crate) fn run_first(&mut self, script: &str) {
        let source = json!({"source": script});
        self.call("Page.addScriptToEvaluateOnNewDocument", &source);
    }

    /// Opens an address, without waiting.
    pub(crate) fn open(&mut self, address: &str) {
        let opened = self.call("Page.navigate", &json!({"url": address}));
        assert!(opened["errorText"].is_null(), "{opened}");
    }

    /// The value of an expression; of a promise, what it comes to.
    #[track_caller]
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let asked = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
        });
        let mut answer = self.call("Runtime.evaluate", &asked);
        let wrong = &answer["exceptionDetails"];
        assert!(wrong.is_null(), "{expression}: {wrong:#}");
        answer["result"]["value"].take()
    }

    /// The text of the first element that the selector fits, as people see it.
    #[track_caller]
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let text = self.value(&format!("document.querySelector({selector:?}).innerText"));
        text.as_str().unwrap().to_owned()
    }

    /// Waits until the expression is true; it is looked at whenever the document changes.
    #[track_caller]
    pub(crate) fn wait_until(&mut self, expression: &str) {
        let milliseconds = PATIENCE.as_millis() / 2;
        let waiting = format!(
            "new Promise((done, fail) => {{
                const look = () => {{
                    let holds = false;
                    try {{ holds = {expression}; }} catch {{}}
                    if (!holds) return;
                    changes.disconnect();
                    clearTimeout(end);
                    done(true);
                }};
                const changes = new MutationObserver(look);
                changes.observe(document, {{ subtree: true, childList: true, attributes: true, characterData: true }});
                const end = setTimeout(() => fail(new Error(document.body.innerText)), {milliseconds});
                look();
            }})"
        );
        let deadline = Instant::now() + PATIENCE;
        // A page that goes away takes what waits in it along.
        while !self.holds(&waiting, expression) {
            assert!(Instant::now() < deadline, "never: {expression}");
        }
    }

    #[track_caller]
    fn holds(&mut self, waiting: &str, expression: &str) -> bool {
        let asked = json!({"expression": waiting, "awaitPromise": true, "returnByValue": true});
        match self.try_call("Runtime.evaluate", &asked) {
            Ok(answer) => {
                let wrong = &answer["exceptionDetails"]["exception"]["description"];
                assert!(wrong.is_null(), "never: {expression}\n{wrong}");
                true
            }
            Err(_gone) => false,
        }
    }

    /// Types a text where the focus is.
    pub(crate) fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", &json!({"text": text}));
    }

    /// Presses one key: a character, or `Tab`, `Enter`.
    pub(crate) fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, None),
            "Enter" => (13, Some("\r")),
            "/" => (191, Some("/")),
            other => panic!("no code for {other}"),
        };
        let mut event = json!({"type": "keyDown", "key": key, "windowsVirtualKeyCode": code});
        if let Some(text) = text {
            event["text"] = text.into();
        }
        self.call("Input.dispatchKeyEvent", &event);
        event["type"] = "keyUp".into();
        self.call("Input.dispatchKeyEvent", &event);
    }

    /// What went wrong in the page so far, in the console's words.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        self.value("1");
        let complaint = |event: &Value| {
            let told = &event["params"];
            match event["method"].as_str()? {
                "Runtime.exceptionThrown" => Some(told["exceptionDetails"].to_string()),
                "Runtime.consoleAPICalled" => Some(told["args"].to_string()),
                "Log.entryAdded" if told["entry"]["level"] != "verbose" => {
                    let entry = &told["entry"];
                    Some(format!(
                        "{}: {} {}",
                        entry["source"], entry["text"], entry["url"]
                    ))
                }
                _ => None,
            }
        };
        self.events.iter().filter_map(complaint).collect()
    }

    /// Every address that was asked for so far.
    pub(crate) fn requests(&mut self) -> Vec<String> {
        self.value("1");
        let sent = self.events.iter();
        let sent = sent.filter(|event| event["method"] == "Network.requestWillBeSent");
        sent.map(|event| {
            event["params"]["request"]["url"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect()
    }

    /// How many requests for this path the page itself gave up so far.
    pub(crate) fn given_up(&mut self, path: &str) -> usize {
        self.value("1");
        let of = |method: &str| -> Vec<&Value> {
            let events = self.events.iter();
            let events = events.filter(|event| event["method"] == method);
            events.map(|event| &event["params"]).collect()
        };
        let failed = of("Network.loadingFailed");
        let sent = of("Network.requestWillBeSent").into_iter().filter(|sent| {
            let address = sent["request"]["url"].as_str().unwrap_or_default();
            address.ends_with(path)
        });
        let is_given_up = |sent: &&Value| {
            let mut failed = failed.iter();
            failed.any(|failed| {
                failed["requestId"] == sent["requestId"] && failed["canceled"] == true
            })
        };
        sent.filter(is_given_up).count()
    }

    /// The processor time that the page's own thread took since its process began, in milliseconds:
    /// reading, script, style and layout.
    pub(crate) fn thread_time(&mut self) -> f64 {
        let measured = self.call("Performance.getMetrics", &json!({}));
        let metrics = measured["metrics"].as_array().unwrap();
        let tasks = metrics
            .iter()
            .find(|metric| metric["name"] == "TaskDuration");
        tasks.unwrap()["value"].as_f64().unwrap() * 1_000.0
    }

    /// Role and name of everything that a screen reader tells of.
    pub(crate) fn told(&mut self) -> Vec<(String, String)> {
        let tree = self.call("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().unwrap().iter();
        let told = nodes.filter(|node| node["ignored"] == false);
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
        told.map(|node| (text(&node["role"]), text(&node["name"])))
            .collect()
    }

    /// Puts a picture of what is in sight into `target/screenshots`, for people to look at.
    pub(crate) fn picture(&mut self, name: &str) -> PathBuf {
        let taken = self.call("Page.captureScreenshot", &json!({"format": "png"}));
        let data = taken["data"].as_str().unwrap();
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{name}.png"));
        let octets = data_encoding::BASE64.decode(data.as_bytes()).unwrap();
        fs::write(&file, octets).unwrap();
        file
    }

    #[track_caller]
    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        let answer = self.try_call(method, parameters);
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn try_call(&mut self, method: &str, parameters: &Value) -> Result<Value, Value> {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let commands = self.commands.as_mut().unwrap();
        write!(commands, "{message}\0").unwrap_or_else(|error| panic!("{method}: {error}"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut message = match self.messages.recv_timeout(left) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => panic!("no answer to {method}"),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("no chromium that answers {method}; tests/run installs it")
                }
            };
            if message["id"] != self.number {
                self.events.push(message);
            } else if message["error"].is_null() {
                return Ok(message["result"].take());
            } else {
                return Err(message["error"].take());
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends with its commands, and what it started with it.
        self.commands = None;
        let deadline = Instant::now() + PATIENCE;
        while self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            if Instant::now() > deadline {
                let _ = self.process.kill();
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}
