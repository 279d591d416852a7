//! The page: one document, with its style and its scripts in it.
//!
//! They are files of their own under `assets`, which the document names and which are put in place of
//! these names when the page is first asked for: each file that a browser asks for takes it some
//! milliseconds, which made up most of the first view. The policy names the hash of each, so that
//! nothing else runs (CSP 3 §2.3.1).

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::routing::get;
use data_encoding::BASE64;
use ring::digest::{SHA256, digest};

use super::answer::{POLICY, typed};

const PATH: &str = "/";
const DOCUMENT: &str = include_str!("assets/page.html");
const STYLE: (&str, &str) = ("app.css", include_str!("assets/app.css"));
/// The first is run before the rest of the document is read, the others after it, and each after those
/// that it needs.
const SCRIPTS: [(&str, &str); 8] = [
    ("first.js", include_str!("assets/first.js")),
    ("dom.js", include_str!("assets/dom.js")),
    ("daemon.js", include_str!("assets/daemon.js")),
    ("head.js", include_str!("assets/head.js")),
    ("hosts.js", include_str!("assets/hosts.js")),
    ("todo.js", include_str!("assets/todo.js")),
    ("zones.js", include_str!("assets/zones.js")),
    ("app.js", include_str!("assets/app.js")),
];

struct Page {
    document: String,
    policy: HeaderValue,
}

static PAGE: LazyLock<Page> = LazyLock::new(assembled);

fn assembled() -> Page {
    let (name, style) = STYLE;
    let mut document = DOCUMENT.replace(&style_of(name), &format!("<style>{style}</style>"));
    for (name, script) in SCRIPTS {
        document = document.replace(&script_of(name), &format!("<script>{script}</script>"));
    }
    let scripts = SCRIPTS.map(|(_, script)| hash(script)).join(" ");
    let policy = format!(
        "{POLICY}; script-src {scripts}; style-src {}; connect-src 'self'; img-src data:",
        hash(style)
    );
    // It is a header's value; if not, every answer's policy stays, by which nothing runs.
    let policy =
        HeaderValue::from_str(&policy).unwrap_or(const { HeaderValue::from_static(POLICY) });
    Page { document, policy }
}

/// How the document names its style.
fn style_of(name: &str) -> String {
    format!("<link rel=\"stylesheet\" href=\"{name}\">")
}

/// How it names a script.
fn script_of(name: &str) -> String {
    format!("<script src=\"{name}\"></script>")
}

fn hash(text: &str) -> String {
    let hash = digest(&SHA256, text.as_bytes());
    format!("'sha256-{}'", BASE64.encode(hash.as_ref()))
}

/// Its route.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let page = async || {
        let page = &*PAGE;
        let mut answer = typed(
            "text/html; charset=utf-8",
            Body::from(page.document.as_str()),
        );
        let headers = answer.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, page.policy.clone());
        answer
    };
    Router::new().route(PATH, get(page))
}

/// True for its path: it tells nothing of the installation, and a browser can present no token for it.
pub(super) fn has(path: &str) -> bool {
    path == PATH
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In all, and without compression.
    const LARGEST: usize = 100_000;

    #[test]
    fn the_page_is_small_and_brings_everything_along() {
        let page = assembled();
        let size = page.document.len();
        assert!(size < LARGEST, "{size} octets");
        for foreign in [
            " src=",
            "stylesheet",
            "http://",
            "https://",
            "innerHTML",
            "outerHTML",
            "eval(",
            "document.write",
        ] {
            let text = page.document.replace("'http://www.w3.org/2000/svg'", "");
            let text = text.replace("\"http://www.w3.org/2000/svg\"", "");
            assert!(!text.contains(foreign), "it has {foreign}");
        }
    }

    #[test]
    fn each_part_stands_in_the_page_and_ends_where_it_ends() {
        let page = assembled();
        let policy = page.policy.to_str().unwrap();
        let (name, style) = STYLE;
        assert_eq!(DOCUMENT.matches(&style_of(name)).count(), 1);
        assert!(page.document.contains(&format!("<style>{style}</style>")));
        assert!(!style.contains("</"));
        let mut after = page.document.as_str();
        for (name, script) in SCRIPTS {
            assert_eq!(DOCUMENT.matches(&script_of(name)).count(), 1, "{name}");
            let element = format!("<script>{script}</script>");
            let (_, rest) = after.split_once(&element).expect(name);
            after = rest;
            // What would end a script or make a comment of it (HTML §4.12.1.3).
            for end in ["</script", "<script", "<!--"] {
                assert!(!script.contains(end), "{name} has {end}");
            }
            assert!(policy.contains(&hash(script)), "{name}");
        }
        assert_eq!(
            page.document.matches("<script").count(),
            SCRIPTS.len(),
            "nothing else runs"
        );
        assert!(policy.contains(&hash(style)) && !policy.contains("unsafe"));
    }
}
