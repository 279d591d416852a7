//! The one JSON form of a change: in `plan --format json`, in the history, and in the store.
//!
//! `{"type": "create" | "update" | "delete", "before": record or null, "after": record or null,
//! "reason": {"code", "text"}}`, where a record carries the RRset's TTL as `"ttl"`.

use std::borrow::Cow;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Change, ChangeKind, Reason, ReasonCode};
use crate::model::Srv;

#[derive(Serialize, Deserialize)]
struct Form<'a> {
    r#type: Type,
    before: Option<Record<'a>>,
    after: Option<Record<'a>>,
    reason: ReasonForm<'a>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Create,
    Update,
    Delete,
}

#[derive(Serialize, Deserialize)]
struct Record<'a> {
    #[serde(flatten)]
    srv: Cow<'a, Srv>,
    ttl: u32,
}

#[derive(Serialize, Deserialize)]
struct ReasonForm<'a> {
    code: Cow<'a, str>,
    text: Cow<'a, str>,
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = |srv, &ttl| {
            Some(Record {
                srv: Cow::Borrowed(srv),
                ttl,
            })
        };
        let (r#type, before, after) = match &self.kind {
            ChangeKind::Create { after, ttl } => (Type::Create, None, record(after, ttl)),
            ChangeKind::Update {
                before,
                before_ttl,
                after,
                ttl,
            } => (Type::Update, record(before, before_ttl), record(after, ttl)),
            ChangeKind::Delete { before, before_ttl } => {
                (Type::Delete, record(before, before_ttl), None)
            }
        };
        Form {
            r#type,
            before,
            after,
            reason: ReasonForm {
                code: self.reason.code.as_str().into(),
                text: self.reason.text.as_str().into(),
            },
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Change {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = Form::deserialize(deserializer)?;
        let kind = match (form.r#type, form.before, form.after) {
            (Type::Create, None, Some(after)) => ChangeKind::Create {
                after: after.srv.into_owned(),
                ttl: after.ttl,
            },
            (Type::Update, Some(before), Some(after)) => ChangeKind::Update {
                before: before.srv.into_owned(),
                before_ttl: before.ttl,
                after: after.srv.into_owned(),
                ttl: after.ttl,
            },
            (Type::Delete, Some(before), None) => ChangeKind::Delete {
                before: before.srv.into_owned(),
                before_ttl: before.ttl,
            },
            (r#type, ..) => {
                let r#type = format!("{type:?}").to_lowercase();
                return Err(D::Error::custom(format_args!(
                    "a change of type \"{type}\" without its records, or with one too many"
                )));
            }
        };
        let code = ReasonCode::parse(&form.reason.code).ok_or_else(|| {
            D::Error::custom(format_args!(
                "the reason code \"{}\" is unknown",
                form.reason.code
            ))
        })?;
        Ok(Self {
            kind,
            reason: Reason {
                code,
                text: form.reason.text.into_owned(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Name;

    const DELETE: &str = r#"{"type":"delete","before":{"priority":0,"weight":5,"port":1688,"target":"KMS1.example.","ttl":60},"after":null,"reason":{"code":"host-down","text":"\"down\""}}"#;

    fn srv(target: &str) -> Srv {
        Srv {
            priority: 0,
            weight: 5,
            port: 1688,
            target: Name::parse(target).unwrap(),
        }
    }

    #[test]
    fn each_kind_is_read_as_it_was_written() {
        let (before, after) = (srv("KMS1.example."), srv("kms2.example."));
        for kind in [
            ChangeKind::Create {
                after: after.clone(),
                ttl: 60,
            },
            ChangeKind::Update {
                before: before.clone(),
                before_ttl: 60,
                after,
                ttl: 3600,
            },
            ChangeKind::Delete {
                before,
                before_ttl: 60,
            },
        ] {
            for code in ReasonCode::ALL {
                let change = Change {
                    kind: kind.clone(),
                    reason: Reason {
                        code,
                        text: "why \"not\"\n".to_owned(),
                    },
                };
                let json = serde_json::to_string(&change).unwrap();
                let read: Change = serde_json::from_str(&json).unwrap();
                assert_eq!(read, change);
                assert_eq!(serde_json::to_string(&read).unwrap(), json);
            }
        }
    }

    #[test]
    fn the_form_is_the_documented_one() {
        let change: Change = serde_json::from_str(DELETE).unwrap();
        assert!(
            change
                .before()
                .unwrap()
                .same_spelling(&srv("KMS1.example."))
        );
        assert_eq!(change.reason.code, ReasonCode::HostDown);
        assert_eq!(serde_json::to_string(&change).unwrap(), DELETE);
    }

    #[test]
    fn what_is_no_change_is_refused_with_the_reason() {
        for (from, to, why) in [
            ("delete", "create", "a change of type \"create\""),
            ("delete", "update", "a change of type \"update\""),
            ("delete", "remove", "unknown variant `remove`"),
            ("host-down", "host-great", "reason code \"host-great\""),
            ("\"port\":1688", "\"port\":65536", "65536"),
            ("KMS1.example.", "a..b", "empty label"),
        ] {
            let error = serde_json::from_str::<Change>(&DELETE.replacen(from, to, 1)).unwrap_err();
            assert!(error.to_string().contains(why), "{to}: {error}");
        }
    }
}
