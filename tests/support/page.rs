//! The status page of a daemon, opened in a browser.

use super::browser::Browser;
use super::daemon::Daemon;
use super::http::Http;
use super::site::Site;

/// Starts the daemon and waits until it serves the page.
pub(crate) fn serving(site: &Site) -> Daemon {
    let mut daemon = Daemon::start(site, &[]);
    daemon.wait_for("serving the status page");
    daemon
}

/// The address of the page.
pub(crate) fn origin(http: Http) -> String {
    format!("http://{}/", http.0)
}

/// Opens the page and waits until it shows something and listens.
pub(crate) fn opened(browser: &mut Browser, http: Http) {
    browser.open(&origin(http));
    browser.wait_until(
        "!document.querySelector('#main').hidden && document.querySelector('#connection').innerText === 'Live'",
    );
}

/// An expression: the row of a table that begins with this name has this text.
pub(crate) fn row_has(table: &str, name: &str, text: &str) -> String {
    format!(
        "[...document.querySelectorAll('#{table} tbody')].some((body) => \
         body.querySelector('th .name').innerText === {name:?} && body.innerText.includes({text:?}))"
    )
}

/// Nothing was complained of, and nobody but the daemon was asked.
#[track_caller]
pub(crate) fn expect_clean(browser: &mut Browser, http: Http) {
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:#?}");
    expect_no_stranger(browser, http);
}

/// Nobody but the daemon was asked.
#[track_caller]
pub(crate) fn expect_no_stranger(browser: &mut Browser, http: Http) {
    let ours = origin(http);
    let strangers: Vec<String> = browser
        .requests()
        .into_iter()
        .filter(|address| {
            !address.starts_with(&ours) && !address.starts_with("data:image/svg+xml,")
        })
        .collect();
    assert!(strangers.is_empty(), "{strangers:#?}");
}
