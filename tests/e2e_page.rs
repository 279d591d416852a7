//! The status page in a real browser, with a real daemon behind it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::json;

use support::{
    Bind, Browser, Http, Kms, Knot, Primary, Site, ZONE, ZoneText, eventually, expect_clean,
    expect_no_stranger, lines, opened, origin, published, row_has, serving, unused_address,
};

const KMS1: &str = "kms1.corp.example.";
const KMS2: &str = "kms2.corp.example.";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn site(primary: &Primary, first: &Kms, second: &Kms, more: &str) -> (Site, Http) {
    let http = unused_address();
    let mut site = Site::with_primary(primary.address)
        .host(KMS1, first)
        .host(KMS2, second)
        .zone(ZONE)
        .daemon(&format!("http = \"{http}\"\n{more}"));
    site.health = "rise = 1\nfall = 2\ninterval = \"200ms\"\ntimeout = \"200ms\"".to_owned();
    (site, Http(http))
}

#[test]
fn it_shows_what_the_api_says_and_asks_nobody_else() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, second) = (Kms::start(), Kms::start());
    let (site, http) = site(&primary, &first, &second, "");
    let daemon = serving(&site);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    eventually(
        || http.json("/api/v1/status")["verdict"]["level"].clone(),
        json!("ok"),
    );
    let mut browser = Browser::start();
    opened(&mut browser, http);
    let status = http.json("/api/v1/status");
    assert_eq!(
        browser.text("#verdict-text"),
        status["verdict"]["text"].as_str().unwrap()
    );
    assert_eq!(browser.text("#verdict-level"), "OK");
    let numbers = browser.value(
        "Object.fromEntries([...document.querySelectorAll('#numbers > div')].map((pair) => \
         [pair.querySelector('dt').innerText, pair.querySelector('dd').innerText]))",
    );
    let records = &status["totals"]["records"];
    assert_eq!(
        numbers,
        json!({
            "Hosts up": "2 of 2",
            "Zones in sync": "1 of 1",
            "Records published": records["published"].to_string(),
            "Missing": "0", "Pending": "0", "Held": "0", "Contested": "0", "Foreign": "0",
        })
    );
    for host in [KMS1, KMS2] {
        browser.wait_until(&row_has("hosts", host, "up"));
    }
    let serial = status["zones"][0]["serial"].to_string();
    for text in ["in sync", KMS1, KMS2, &serial] {
        browser.wait_until(&row_has("zones", ZONE, text));
    }
    assert!(
        browser
            .text("#overrides")
            .contains("No overrides are in force")
    );
    browser.wait_until("document.querySelector('#plan').innerText.includes('Nothing is pending')");
    assert!(browser.text("#todo").contains("Nothing."));
    // The exact time stands behind each that is shown.
    let exact = browser.value("document.querySelector('#hosts time').title");
    assert_eq!(exact, status["hosts"][0]["since"]);
    expect_clean(&mut browser, http);
    drop(daemon);
}

/// An expression: the newest change in the history has this reason, and was applied.
fn newest_change(reason: &str) -> String {
    format!(
        "((text) => text.includes('{reason}: ') && text.includes('applied'))\
         (document.querySelector('#history li').innerText)"
    )
}

/// Nothing but events brings what is new: the page neither asks every ten seconds nor hears from
/// heartbeats that it missed something.
const EVENTS_ONLY: &str = r#"{
  const repeat = window.setInterval;
  window.setInterval = (run, every) => (every === 10_000 ? 0 : repeat(run, every));
  const decode = TextDecoder.prototype.decode;
  TextDecoder.prototype.decode = function (...octets) {
    return decode.apply(this, octets).replaceAll("event: heartbeat", ": heartbeat");
  };
}"#;

#[test]
fn a_host_that_dies_is_shown_without_a_reload() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, mut second) = (Kms::start(), Kms::start());
    let (site, http) = site(&primary, &first, &second, "");
    let daemon = serving(&site);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    let mut browser = Browser::start();
    browser.run_first(EVENTS_ONLY);
    opened(&mut browser, http);
    browser.value("window.untouched = true");
    browser.wait_until(&row_has("hosts", KMS2, "up"));

    second.stop();
    browser.wait_until(&row_has("hosts", KMS2, "down"));
    browser.wait_until(&newest_change("host-down"));
    assert_eq!(published(&primary), lines(&["kms1"]));
    browser.wait_until("document.querySelector('#zones tbody .many').innerText === '1'");
    let change = browser.text("#history li");
    for text in [
        KMS2,
        "applied",
        "run: ",
        "srvkeeper history ",
        "srvkeeper rollback ",
    ] {
        assert!(change.contains(text), "{text} in {change}");
    }
    assert_eq!(browser.text("#verdict-level"), "Warning");
    let next = browser.text("#todo");
    assert!(next.contains(&format!("srvkeeper probe {KMS2}")), "{next}");
    browser.wait_until("document.title.includes('warning')");
    // Its last hour is told in words, too.
    let told = browser.told();
    let hours = told
        .iter()
        .filter(|(_, name)| name.starts_with("Last hour: "));
    assert!(
        hours.clone().any(|(_, name)| !name.contains(" 0 failed")),
        "{hours:?}"
    );

    second.restart();
    browser.wait_until(&row_has("hosts", KMS2, "up"));
    browser.wait_until(&newest_change("host-up"));
    assert_eq!(published(&primary), lines(&["kms1", "kms2"]));

    site.run(&["host", "down", KMS2, "--for", "2h", "--reason", "patching"])
        .expect(0);
    browser.wait_until(&row_has("hosts", KMS2, "forced"));
    let word = browser.text("#overrides");
    for text in [KMS2, "down", "patching", "left", "srvkeeper host clear "] {
        assert!(word.contains(text), "{text} in {word}");
    }
    site.run(&["host", "clear", KMS2]).expect(0);
    browser.wait_until("document.querySelector('#overrides').innerText.startsWith('No overrides')");
    assert_eq!(browser.value("window.untouched"), json!(true));
    expect_clean(&mut browser, http);
    drop(daemon);
}

#[test]
fn two_thousand_zones_are_filtered_sorted_and_turned_by_keyboard() {
    let names: Vec<String> = (0..1998).map(|zone| format!("z{zone}.example.")).collect();
    // All of them lie in one zone of the server, which then starts sooner.
    let zone = names.iter().fold(ZoneText::new("example."), |zone, name| {
        let owner = format!("_vlmcs._tcp.{name}");
        zone.record(&format!("{owner} 3600 IN SRV 0 0 1688 {KMS1}"))
    });
    let primary = Bind::start(&[zone]);
    let http = Http(unused_address());
    let mut site = Site::with_primary(primary.address)
        .trusted_host(KMS1, "")
        .zone("empty.example.")
        // Nobody serves it.
        .zone("nowhere.invalid.")
        .daemon(&format!("http = \"{}\"", http.0));
    site.mode = "audit";
    for name in &names {
        site = site.zone(name);
    }
    let daemon = serving(&site);
    let totals = || {
        let totals = http.json("/api/v1/status?per_page=1")["totals"].take();
        ["in_sync", "pending", "unreadable"].map(|state| totals[state].as_u64().unwrap())
    };
    eventually(totals, [1998, 1, 1]);
    let mut browser = Browser::start();
    opened(&mut browser, http);
    let zones = |browser: &mut Browser| -> Vec<String> {
        let names =
            "[...document.querySelectorAll('#zones tbody th .name')].map((name) => name.innerText)";
        serde_json::from_value(browser.value(names)).unwrap()
    };
    let shown = |zones: &str, count: usize| {
        format!(
            "document.querySelector('#zones-count').innerText === {zones:?} && document.querySelectorAll('#zones tbody').length === {count}"
        )
    };
    browser.wait_until(&shown("2000", 25));
    assert_eq!(
        zones(&mut browser)[..2],
        ["nowhere.invalid.", "empty.example."]
    );
    let next = browser.text("#todo");
    assert!(next.contains("srvkeeper doctor nowhere.invalid."), "{next}");
    assert!(next.contains("srvkeeper apply empty.example."), "{next}");

    browser.press("/");
    assert_eq!(browser.value("document.activeElement.id"), json!("search"));
    browser.type_text("Z199");
    browser.wait_until(&shown("9 of 2000", 9));
    assert!(
        zones(&mut browser)
            .iter()
            .all(|zone| zone.starts_with("z199"))
    );
    assert_eq!(browser.value("location.search"), json!("?search=Z199"));
    browser.value("document.querySelector('#search').select()");
    browser.type_text("nothing of the kind");
    browser
        .wait_until("document.querySelector('#zones-empty').innerText.startsWith('No zone fits')");
    go_to(&mut browser, "Show all zones");
    browser.press("Enter");
    browser.wait_until(&shown("2000", 25));

    go_to(&mut browser, "problems");
    browser.press("Enter");
    browser.wait_until(&shown("2 of 2000", 2));
    assert_eq!(
        browser.value("document.activeElement.getAttribute('aria-pressed')"),
        json!("true")
    );
    go_to(&mut browser, "all");
    browser.press("Enter");
    browser.wait_until(&shown("2000", 25));
    go_to(&mut browser, "Zone");
    browser.press("Enter");
    browser.wait_until(
        "document.querySelector('#zones [aria-sort=ascending]')?.innerText.startsWith('Zone')",
    );
    browser.wait_until(
        "document.querySelector('#zones tbody th .name').innerText === 'empty.example.'",
    );
    go_to(&mut browser, "Next");
    browser.press("Enter");
    browser.wait_until("document.querySelector('#zones-pages').innerText.includes('page 2 of 80')");
    let second = zones(&mut browser);
    // The focus stayed, so that Enter turns on.
    browser.press("Enter");
    browser.wait_until("document.querySelector('#zones-pages').innerText.includes('page 3 of 80')");
    assert!(
        zones(&mut browser)
            .iter()
            .all(|zone| !second.contains(zone))
    );
    // A reload shows the same.
    let third = zones(&mut browser);
    let address = browser.value("location.href");
    browser.open(address.as_str().unwrap());
    browser.wait_until("document.querySelector('#zones-pages').innerText.includes('page 3 of 80')");
    assert_eq!(zones(&mut browser), third);
    // All of a zone, by keyboard.
    go_to(&mut browser, &third[0]);
    browser.press("Enter");
    browser.wait_until("document.querySelector('#zones .detail').innerText.includes('0 0 1688 kms1.corp.example.')");
    // Never all zones at once.
    let asked = browser.requests();
    let mut asked = asked
        .iter()
        .filter(|address| address.contains("/api/v1/status"));
    assert!(asked.all(|address| address.contains("per_page=25") || address.contains("per_page=5")));
    expect_clean(&mut browser, http);
    drop(daemon);
}

#[test]
fn a_reload_is_seen_and_long_plans_and_histories_have_pages() {
    let zones: Vec<String> = (0..25).map(|zone| format!("z{zone}.example.")).collect();
    let primary = Bind::open(&[ZoneText::new("example.")]);
    let http = Http(unused_address());
    let mut site = Site::with_primary(primary.address)
        .trusted_host(KMS1, "")
        .daemon(&format!("http = \"{}\"", http.0));
    for zone in &zones {
        site = site.zone(zone);
    }
    site.mode = "audit";
    let daemon = serving(&site);
    let mut browser = Browser::start();
    opened(&mut browser, http);
    let sections =
        |count: usize| format!("document.querySelectorAll('#plan section').length === {count}");
    browser.wait_until(&sections(20));
    assert_eq!(browser.text("#mode"), "audit");
    let line = "document.querySelector('#plan .tone.create').innerText";
    let line = browser.value(line).as_str().unwrap().to_owned();
    assert!(
        line.starts_with("+ CREATE _vlmcs._tcp.z0.example. SRV 0 0 1688 "),
        "{line}"
    );
    browser.value("[...document.querySelectorAll('#plan-pages button')].find((button) => button.innerText === 'Next').click()");
    browser.wait_until(&sections(5));

    site.mode = "enforce";
    site.configure();
    daemon.signal("HUP");
    browser.wait_until("document.querySelector('#mode').innerText === 'enforce'");
    let changes =
        |count: usize| format!("document.querySelectorAll('#history > li').length === {count}");
    browser.wait_until(&changes(20));
    browser
        .wait_until("document.querySelector('#plan').innerText.startsWith('Nothing is pending')");
    browser.value("document.querySelector('#history-more').click()");
    browser.wait_until(&changes(25));
    browser.wait_until("document.querySelector('#history-more').hidden");
    let ids = browser.value(
        "[...document.querySelectorAll('#history .id')].map((id) => Number(id.innerText.slice(1)))",
    );
    let ids: Vec<u64> = serde_json::from_value(ids).unwrap();
    assert!(ids.is_sorted_by(|newer, older| newer > older), "{ids:?}");

    // Those of one zone, and back.
    browser.value("document.querySelector('#zones .toggle').click()");
    browser.value("[...document.querySelectorAll('#zones .detail button')].find((button) => button.innerText === 'Its changes below').click()");
    browser.wait_until(&changes(1));
    assert!(browser.text("#history-of").starts_with("Changes of z"));
    browser.value("document.querySelector('#history-of button').click()");
    browser.wait_until(&changes(20));

    // A command is copied, or selected where the browser lets nobody write the clipboard.
    browser.value("document.querySelector('#history .copy').click()");
    browser.wait_until(
        "['Copied', 'Selected'].includes(document.querySelector('#history .copy').innerText)",
    );
    expect_clean(&mut browser, http);
    drop(daemon);
}

/// Presses Tab until what has this text, or begins with it and a number, has the focus.
#[track_caller]
fn go_to(browser: &mut Browser, text: &str) {
    let mut seen = Vec::new();
    for _step in 0..150 {
        browser.press("Tab");
        let focused = browser.value("document.activeElement.innerText ?? ''");
        let focused = focused.as_str().unwrap().trim().to_owned();
        let rest = focused.strip_prefix(text).map(str::trim);
        if rest.is_some_and(|rest| {
            rest.chars()
                .all(|c| c.is_ascii_digit() || "↕↑↓".contains(c))
        }) {
            let ring = "getComputedStyle(document.activeElement).outlineStyle";
            assert_ne!(browser.value(ring), json!("none"), "{text} shows no focus");
            return;
        }
        seen.push(focused);
    }
    panic!("Tab never comes to {text}: {seen:#?}");
}

#[test]
fn a_restart_is_told_and_recovered_from() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, second) = (Kms::start(), Kms::start());
    let (site, http) = site(&primary, &first, &second, "");
    let daemon = serving(&site);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    let mut browser = Browser::start();
    opened(&mut browser, http);
    assert!(browser.complaints().is_empty());
    browser.value("window.untouched = true");

    daemon.kill();
    browser.wait_until("!document.querySelector('#banner').hidden");
    let told = browser.text("#banner-text");
    assert!(told.starts_with("Connection lost since "), "{told}");
    assert!(browser.text("#verdict").starts_with("Last known: "));
    let age = browser.text("#banner-age");
    assert!(age.starts_with("What you see is "), "{age}");
    browser.wait_until(&format!(
        "document.querySelector('#banner-age').innerText !== {age:?}"
    ));
    assert_eq!(
        browser.value("document.title"),
        json!("? not known – srvkeeper")
    );
    browser.size(1440, 900);
    browser.picture("lost");

    let daemon = serving(&site);
    browser.wait_until("document.querySelector('#banner').hidden && document.querySelector('#connection').innerText === 'Live'");
    assert!(!browser.text("#verdict").starts_with("Last known"));
    let started = http.json("/api/v1/status")["started"].clone();
    let shown = "[...document.querySelectorAll('#facts time')].at(-1).title";
    browser.wait_until(&format!("{shown} === {started}"));

    // One that no longer answers, and keeps its connections, is found out too.
    let pid = daemon.pid();
    signal("STOP", &pid);
    browser.wait_until("!document.querySelector('#banner').hidden");
    signal("CONT", &pid);
    browser.wait_until("document.querySelector('#banner').hidden && document.querySelector('#connection').innerText === 'Live'");

    assert_eq!(browser.value("window.untouched"), json!(true));
    // The browser itself tells of connections that fail; the page makes no mistake.
    let complaints = browser.complaints();
    let is_network =
        |told: &String| told.starts_with("\"network\": ") || told.starts_with("network: ");
    assert!(complaints.iter().all(is_network), "{complaints:#?}");
    expect_no_stranger(&mut browser, http);
    drop(daemon);
}

/// Lets a test say whether the page is in the background, and spares it the minute.
const BACKGROUND: &str = r#"{
  let isHidden = false;
  Object.defineProperty(document, "hidden", { get: () => isHidden });
  window.hide = (hidden) => {
    isHidden = hidden;
    document.dispatchEvent(new Event("visibilitychange"));
  };
  const later = window.setTimeout;
  window.setTimeout = (run, wait, ...more) => later(run, wait === 60_000 ? 0 : wait, ...more);
}"#;

#[test]
fn a_tab_in_the_background_gives_its_connection_back() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, mut second) = (Kms::start(), Kms::start());
    let (site, http) = site(&primary, &first, &second, "");
    let daemon = serving(&site);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    let mut browser = Browser::start();
    browser.run_first(BACKGROUND);
    opened(&mut browser, http);
    browser.value("window.hide(true)");
    eventually(|| browser.given_up("/api/v1/events"), 1);
    assert_eq!(browser.text("#connection"), "Live");
    second.stop();
    eventually(|| published(&primary), lines(&["kms1"]));
    browser.value("window.hide(false)");
    browser.wait_until(&row_has("hosts", KMS2, "down"));
    // Live again: this comes by an event.
    site.run(&["host", "down", KMS1, "--reason", "patching"])
        .expect(0);
    browser.wait_until(&row_has("hosts", KMS1, "forced"));
    assert_eq!(
        browser.value("document.querySelector('#banner').hidden"),
        json!(true)
    );
    expect_clean(&mut browser, http);
    drop(daemon);
}

/// Lets the page hear of a daemon that answers, and whose loop stopped two minutes ago.
const STUCK: &str = r#"{
  const ask = window.fetch;
  window.fetch = async (path, options) => {
    if (String(path).includes("events")) return new Response(new ReadableStream());
    const answer = await ask(path, options);
    if (!String(path).includes("status")) return answer;
    const status = await answer.json();
    status.at = new Date(Date.now() - 120_000).toISOString();
    return new Response(JSON.stringify(status), { headers: answer.headers });
  };
}"#;

#[test]
fn old_data_is_called_old() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, second) = (Kms::start(), Kms::start());
    let (site, http) = site(&primary, &first, &second, "");
    let daemon = serving(&site);
    let mut browser = Browser::start();
    browser.run_first(STUCK);
    browser.open(&origin(http));
    browser.wait_until("!document.querySelector('#banner').hidden");
    let banner = browser.text("#banner");
    assert!(banner.contains("The data is stale"), "{banner}");
    assert!(banner.contains("What you see is 12"), "{banner}");
    assert!(browser.text("#verdict").starts_with("Last known: "));
    assert_eq!(browser.text("#connection"), "Stale");
    expect_clean(&mut browser, http);
    drop(daemon);
}

fn signal(name: &str, pid: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), pid])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn hostile_names_stay_text() {
    // <script>alert(1)</script>", escape, backslash, semicolon and ampersand, as zone files write them.
    const HOSTILE: &str =
        r"\060script\062alert\0401\041\060\047script\062\034\027\092\059\038.corp.example.";
    const IMAGE: &str = "<img src=x onerror=hacked()> `srvkeeper \"x\"; reboot`";
    let zone = ZoneText::new(ZONE).srv(3600, &[&format!("0 0 1688 {HOSTILE}")]);
    let primary = Knot::start(&[zone]);
    let (first, second) = (Kms::start(), Kms::start());
    let (site, http) = site(&primary, &first, &second, "");
    let daemon = serving(&site);
    site.run(&["host", "down", KMS2, "--for", "2h", "--reason", IMAGE])
        .expect(0);
    let mut browser = Browser::start();
    opened(&mut browser, http);
    browser.wait_until("document.querySelector('#plan').innerText.includes('? FOREIGN')");
    browser.wait_until("document.querySelector('#history').innerText.includes('host-up')");
    browser.wait_until("document.querySelector('#zones .targets').innerText.includes('<script>')");
    browser.value("document.querySelector('#zones .toggle').click()");
    for place in ["#zones .detail", "#plan"] {
        let text = browser.text(place);
        assert!(text.contains("<script>alert"), "{place}: {text}");
    }
    for place in ["#overrides", "#hosts", "#todo"] {
        browser.wait_until(&format!(
            "document.querySelector('{place}').innerText.includes('<img src=x onerror=hacked()>')"
        ));
    }
    // None but the page's own scripts.
    let own = http.get("/").text().matches("<script").count();
    let made = browser.value("document.querySelectorAll('script, img, iframe, [onerror]').length");
    assert_eq!(made, json!(own));
    // What an operator wrote is not offered as a command.
    let offered = browser.value(
        "[...document.querySelectorAll('[data-copy]')].map((button) => button.dataset.copy)",
    );
    let offered: Vec<String> = serde_json::from_value(offered).unwrap();
    assert!(
        offered.iter().all(|command| !command.contains("reboot")),
        "{offered:#?}"
    );
    expect_clean(&mut browser, http);
    drop(daemon);
}

#[test]
fn the_token_is_asked_for_and_kept_in_the_tab_only() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, mut second) = (Kms::start(), Kms::start());
    let (site, http) = site(
        &primary,
        &first,
        &second,
        "http_token_file = \"http.token\"",
    );
    let file = site.path("http.token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let daemon = serving(&site);
    let mut browser = Browser::start();
    browser.open(&origin(http));
    browser.wait_until("document.activeElement.id === 'token'");
    assert_eq!(
        browser.value("document.querySelector('#main').hidden"),
        json!(true)
    );
    browser.type_text("0123456789abcdef");
    browser.press("Enter");
    browser.wait_until(
        "document.querySelector('#sign-in-problem').innerText.startsWith('That is not it')",
    );
    browser.value("document.querySelector('#token').focus()");
    browser.type_text(TOKEN);
    browser.press("Enter");
    browser.wait_until("document.querySelector('#sign-in').hidden && document.querySelector('#connection').innerText === 'Live'");
    browser.wait_until(&row_has("hosts", KMS2, "up"));
    // Events come with the token, too.
    second.stop();
    browser.wait_until(&row_has("hosts", KMS2, "down"));
    let kept = browser.value("[document.cookie, localStorage.length, Object.values({ ...sessionStorage }), location.href]");
    assert_eq!(kept, json!(["", 0, [TOKEN], origin(http)]));
    opened(&mut browser, http);
    browser.value("document.querySelector('#forget').click()");
    browser.wait_until("document.activeElement.id === 'token'");
    assert_eq!(browser.value("sessionStorage.length"), json!(0));
    expect_no_stranger(&mut browser, http);
    drop(daemon);
}
