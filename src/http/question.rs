//! The parameters of a request, and what is wrong with them in words.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;

use super::answer::Refusal;
use crate::model::Name;

/// The parameters as they came: each name with its value, in their order.
pub(super) type Asked = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// The parameters of one request, each known there, and each once.
#[derive(Debug)]
pub(super) struct Question(BTreeMap<String, String>);

impl Question {
    /// Reads them; a path answers those that are `known` and no others, so that a slip of the pen
    /// does not go unnoticed.
    pub(super) fn read(asked: Asked, known: &[&str]) -> Result<Self, Refusal> {
        let Query(given) = asked.map_err(|_rejection| {
            refusal("what follows the question mark must be NAME=VALUE, several joined by &")
        })?;
        let mut read = BTreeMap::new();
        for (name, value) in given {
            if !known.contains(&name.as_str()) {
                let instead = match known {
                    [] => "it takes none".to_owned(),
                    known => format!("known are {}", known.join(", ")),
                };
                let text = format!("there is no parameter {name} here; {instead}");
                return Err(refusal(text));
            }
            if read.contains_key(&name) {
                return Err(refusal(format!("{name} must stand once only")));
            }
            read.insert(name, value);
        }
        Ok(Self(read))
    }

    /// The value as it came.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The value as a number; `expected` says which.
    pub(super) fn number<T: FromStr>(
        &self,
        key: &str,
        expected: &str,
    ) -> Result<Option<T>, Refusal> {
        let read = |text: &str| text.parse().map_err(|_error| wrong(key, expected));
        self.text(key).map(read).transpose()
    }

    /// The value as a number that is not 0, such as that of a page.
    pub(super) fn at_least_one(&self, key: &str) -> Result<Option<usize>, Refusal> {
        let expected = "1 or more";
        match self.number(key, expected)? {
            Some(0) => Err(wrong(key, expected)),
            number => Ok(number),
        }
    }

    /// The value as yes or no.
    pub(super) fn yes(&self, key: &str, otherwise: bool) -> Result<bool, Refusal> {
        match self.text(key) {
            None => Ok(otherwise),
            Some("1" | "true" | "yes") => Ok(true),
            Some("0" | "false" | "no") => Ok(false),
            Some(_) => Err(wrong(key, "1 or 0")),
        }
    }

    /// The zone asked for.
    pub(super) fn zone(&self) -> Result<Option<Name>, Refusal> {
        let read =
            |text: &str| Name::parse_host(text).map_err(|_error| wrong("zone", "a domain name"));
        self.text("zone").map(read).transpose()
    }
}

/// What a parameter must be instead.
pub(super) fn wrong(key: &str, expected: &str) -> Refusal {
    refusal(format!("{key} must be {expected}"))
}

fn refusal(text: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, text)
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::response::IntoResponse;

    use super::*;

    fn question(text: &str) -> Result<Question, Refusal> {
        let uri = format!("/?{text}").parse().unwrap();
        let known = ["zone", "page", "color", "before"];
        Question::read(Query::try_from_uri(&uri), &known)
    }

    /// Everything that a path might ask of the parameters.
    fn look(text: &str) -> Result<(), Refusal> {
        let question = question(text)?;
        question.zone()?;
        question.at_least_one("page")?;
        question.yes("color", false)?;
        question.number::<i64>("before", "the number of a change")?;
        Ok(())
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_in_words() {
        let pages = "page must be 1 or more";
        for (text, said) in [
            (
                "foo=1",
                "there is no parameter foo here; known are zone, page, color, before",
            ),
            ("page=1&page=1", "page must stand once only"),
            ("page=99999999999999999999", pages),
            ("page=0", pages),
            ("page=-1", pages),
            ("page=", pages),
            ("page=x", pages),
            ("color=maybe", "color must be 1 or 0"),
            ("zone=a..b", "zone must be a domain name"),
            ("zone=%ff", "zone must be a domain name"),
            (
                "before=9223372036854775808",
                "before must be the number of a change",
            ),
        ] {
            let response = look(text).unwrap_err().into_response();
            assert_eq!(response.status(), StatusCode::BAD_REQUEST);
            let body = to_bytes(response.into_body(), 1000).await.unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["error"], said, "{text}");
        }
    }

    #[tokio::test]
    async fn where_none_is_known_that_is_said() {
        let uri = "/?x=1".parse().unwrap();
        let refused = Question::read(Query::try_from_uri(&uri), &[]).unwrap_err();
        let body = to_bytes(refused.into_response().into_body(), 1000).await;
        let body: serde_json::Value = serde_json::from_slice(&body.unwrap()).unwrap();
        assert_eq!(body["error"], "there is no parameter x here; it takes none");
    }

    #[test]
    fn what_is_right_is_read() {
        for text in ["", "&&&", "page=18446744073709551615&color=yes"] {
            assert!(look(text).is_ok(), "{text}");
        }
        let question = question("zone=Corp.Example&page=7&color=0&before=-1").unwrap();
        assert_eq!(question.text("zone"), Some("Corp.Example"));
        assert_eq!(
            question.zone().unwrap(),
            Some(Name::parse("corp.example.").unwrap())
        );
        assert_eq!(question.at_least_one("page").unwrap(), Some(7));
        assert!(!question.yes("color", true).unwrap());
        assert_eq!(question.number("before", "").unwrap(), Some(-1_i64));
        assert_eq!(question.text("per_page"), None);
    }
}
