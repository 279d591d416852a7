//! How the status page looks, and what a screen reader tells of it; the pictures are in
//! `target/screenshots`.

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

use serde_json::{Value, json};

use support::{
    Bind, Browser, Http, Kms, Primary, Site, ZONE, ZoneText, eventually, expect_clean, opened,
    published, row_has, serving, unused_address,
};

const KMS1: &str = "kms1.corp.example.";
const KMS2: &str = "kms2.corp.example.";

fn site(primary: &Primary) -> (Site, Http) {
    let http = unused_address();
    let mut site = Site::with_primary(primary.address).daemon(&format!("http = \"{http}\""));
    site.health = "rise = 1\nfall = 2\ninterval = \"200ms\"\ntimeout = \"200ms\"".to_owned();
    (site, Http(http))
}

/// Of each text that is shown: its contrast with what lies behind it, where that is too small.
const CONTRASTS: &str = r#"(() => {
  const parse = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
    return colour.startsWith("color(") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((part, index) => part * a + below[index] * (1 - a));
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const weak = [];
  let count = 0;
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
    count += 1;
    const back = behind(element);
    const [a, b] = [light(over(parse(getComputedStyle(element).color), back)), light(back)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) weak.push(`${contrast.toFixed(2)} ${element.className} ${texts.currentNode.data}`);
  }
  return { count, weak };
})()"#;

#[test]
fn it_can_be_read_in_light_and_dark_on_a_desk_and_on_a_phone() {
    let long = "a-label-that-somebody-chose-long-in-good-faith.and-another-one-of-that-kind";
    let zones = [
        ZoneText::new(ZONE).srv(3600, &[&format!("0 0 1688 stray.{long}.example.")]),
        ZoneText::new(&format!("{long}.example.")),
    ];
    let primary = Bind::start(&zones);
    let (first, mut second) = (Kms::start(), Kms::start());
    let (mut site, http) = site(&primary);
    site = site
        .host(KMS1, &first)
        .host(KMS2, &second)
        .zone(ZONE)
        .zone(&format!("{long}.example."))
        .zone("nowhere.example.")
        .policy("min_hosts = 2");
    let third = Kms::start();
    let standby = format!("standby.{long}.example.");
    site = site.host_with(&standby, &third, "role = \"standby\"");
    let daemon = serving(&site);
    eventually(|| published(&primary).len(), 3);
    second.stop();
    site.run(&[
        "host", "down", &standby, "--for", "2h", "--reason", "patching",
    ])
    .expect(0);
    let mut browser = Browser::start();
    opened(&mut browser, http);
    browser.wait_until(&row_has("hosts", KMS2, "down"));
    browser.wait_until("document.querySelector('#plan').innerText.includes('! HELD')");
    browser.value("document.querySelectorAll('#zones .toggle')[1].click()");
    expect_readable(&mut browser, "");
    // A picture of all of it.
    browser.dark(false);
    let height = browser.value("document.documentElement.scrollHeight");
    browser.size(390, u32::try_from(height.as_u64().unwrap()).unwrap());
    browser.picture("narrow-whole");
    expect_told(&mut browser);
    expect_clean(&mut browser, http);
    drop(daemon);
}

#[test]
fn those_of_many_hosts_that_are_down_come_first() {
    const MANY: usize = 50;
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (mut site, http) = site(&primary);
    site = site.zone(ZONE);
    let dead: Vec<Kms> = (0..3).map(|_| Kms::stopped()).collect();
    for number in 1..=MANY {
        let name = format!("kms{number}.corp.example.");
        site = match dead.get(number.wrapping_sub(20)) {
            Some(kms) => site.host(&name, kms),
            None => site.trusted_host(&name, ""),
        };
    }
    let daemon = serving(&site);
    let up = || http.json("/api/v1/status")["totals"]["hosts_up"].clone();
    eventually(up, json!(MANY - dead.len()));
    eventually(|| published(&primary).len(), MANY - dead.len());
    let mut browser = Browser::start();
    opened(&mut browser, http);
    browser.wait_until("document.querySelector('#hosts-count').innerText === '47 of 50 up'");
    let rows =
        "[...document.querySelectorAll('#hosts tbody th .name')].map((name) => name.innerText)";
    let shown: Vec<String> = serde_json::from_value(browser.value(rows)).unwrap();
    let first = ["kms20", "kms21", "kms22", "kms1", "kms2"];
    assert_eq!(
        shown[..5],
        first.map(|label| format!("{label}.corp.example."))
    );
    assert_eq!(shown.len(), 10);
    expect_readable(&mut browser, "many-");
    assert_eq!(
        browser.text("#hosts-all"),
        "Show 40 more hosts, all of them up"
    );
    browser.value("document.querySelector('#hosts-all').click()");
    browser.wait_until("document.querySelectorAll('#hosts tbody').length === 50");
    assert_eq!(
        browser.value("document.querySelector('#hosts-all').getAttribute('aria-expanded')"),
        json!("true")
    );
    expect_clean(&mut browser, http);
    drop(daemon);
}

/// Every text stands out from what lies behind it, nothing is cut off at the side, and there is a
/// picture of each for people to look at.
#[track_caller]
fn expect_readable(browser: &mut Browser, what: &str) {
    for (name, dark, width) in [
        ("light", false, 1440),
        ("dark", true, 1440),
        ("narrow", false, 390),
        ("narrow-dark", true, 390),
    ] {
        browser.dark(dark);
        browser.size(width, 1400);
        let seen = browser.value(CONTRASTS);
        assert!(seen["count"].as_u64().unwrap() > 100, "{seen:#}");
        assert_eq!(seen["weak"], json!([]), "{name}");
        let wide = browser.value("[document.documentElement.scrollWidth, innerWidth]");
        assert!(wide[0].as_u64() <= wide[1].as_u64(), "{name}: {wide}");
        let picture = fs::metadata(browser.picture(&format!("{what}{name}"))).unwrap();
        assert!(picture.len() > 10_000, "{name}: {} octets", picture.len());
    }
}

/// Whatever can be used has a name, and each table its caption and the headers of rows and columns.
#[track_caller]
fn expect_told(browser: &mut Browser) {
    browser.size(1440, 5000);
    let told = browser.told();
    let useful = [
        "button",
        "link",
        "textbox",
        "searchbox",
        "combobox",
        "table",
        "image",
        "navigation",
        "search",
    ];
    let nameless: Vec<_> = told
        .iter()
        .filter(|(role, name)| useful.contains(&role.as_str()) && name.is_empty())
        .collect();
    assert!(nameless.is_empty(), "{nameless:#?} in {told:#?}");
    for role in [
        "banner",
        "main",
        "heading",
        "status",
        "table",
        "rowheader",
        "columnheader",
        "searchbox",
        "combobox",
    ] {
        assert!(
            told.iter().any(|(told, _)| told == role),
            "no {role} in {told:#?}"
        );
    }
    for (role, name) in [
        ("table", "Hosts"),
        ("table", "Zones"),
        ("columnheader", "Last hour"),
    ] {
        let has = |(told, named): &(String, String)| told == role && named.starts_with(name);
        assert!(told.iter().any(has), "no {role} {name} in {told:#?}");
    }
    let live = "['verdict', 'connection', 'banner-text'].every((id) => document.getElementById(id).matches('[aria-live], [role=status], [role=alert]'))";
    assert_eq!(browser.value(live), json!(true));
    let sorted = browser.value("[...document.querySelectorAll('#zones [aria-sort]')].map((header) => header.getAttribute('aria-sort'))");
    assert_eq!(sorted, json!(["descending", "none", "none"]));
    assert_eq!(
        browser.value("document.documentElement.lang"),
        Value::from("en")
    );
}
