//! The page: a few files, all of them in the program.

use axum::Router;
use axum::body::Body;
use axum::routing::get;

use super::answer::typed;

const PAGE: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The path, the type and the text of each file. `page.html` names what the script needs, so that a
/// browser asks for all of it at once.
const FILES: [(&str, &str, &str); 10] = [
    ("/", PAGE, include_str!("assets/page.html")),
    ("/app.css", STYLE, include_str!("assets/app.css")),
    ("/app.js", SCRIPT, include_str!("assets/app.js")),
    ("/daemon.js", SCRIPT, include_str!("assets/daemon.js")),
    ("/dom.js", SCRIPT, include_str!("assets/dom.js")),
    ("/first.js", SCRIPT, include_str!("assets/first.js")),
    ("/head.js", SCRIPT, include_str!("assets/head.js")),
    ("/hosts.js", SCRIPT, include_str!("assets/hosts.js")),
    ("/todo.js", SCRIPT, include_str!("assets/todo.js")),
    ("/zones.js", SCRIPT, include_str!("assets/zones.js")),
];

/// Its routes.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES
        .iter()
        .fold(Router::new(), |router, (path, kind, text)| {
            router.route(path, get(async || typed(kind, Body::from(*text))))
        })
}

/// True for the path of a file: it tells nothing of the installation, and a browser can present no
/// token for it.
pub(super) fn has(path: &str) -> bool {
    FILES.iter().any(|(file, _, _)| *file == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In all, and without compression.
    const LARGEST: usize = 100_000;

    #[test]
    fn the_page_is_small_and_brings_everything_along() {
        let size: usize = FILES.iter().map(|(_, _, text)| text.len()).sum();
        assert!(size < LARGEST, "{size} octets");
        for (path, _, text) in FILES {
            for foreign in [
                "http://",
                "https://",
                "innerHTML",
                "outerHTML",
                "eval(",
                "document.write",
            ] {
                let is_name = [
                    "'http://www.w3.org/2000/svg'",
                    "\"http://www.w3.org/2000/svg\"",
                ];
                let text = is_name
                    .iter()
                    .fold(text.to_owned(), |text, name| text.replace(name, ""));
                assert!(!text.contains(foreign), "{path} has {foreign}");
            }
        }
    }

    #[test]
    fn what_a_file_names_is_there() {
        let imported = |text: &str| -> Vec<String> {
            let parts = text.split(" from \"./").skip(1);
            parts
                .filter_map(|part| Some(format!("/{}", part.split_once('"')?.0)))
                .collect()
        };
        let (_, _, html) = FILES[0];
        for (path, kind, text) in FILES {
            for file in imported(text) {
                assert!(has(&file), "{path} imports {file}");
            }
            // Else it would be asked for only after the file that imports it.
            if kind == SCRIPT {
                assert!(html.contains(&format!("=\"{}\"", &path[1..])), "{path}");
            }
        }
    }
}
